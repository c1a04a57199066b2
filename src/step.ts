/** Runs one step: asked (`if`), rendered, resolved, judged (guard), and run in a span with a deadline and retries. */
import { backoff, orAborted, pause } from './backoff.ts'
import type { ChainRun } from './chain.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import type { Guard } from './guard.ts'
import type { Scope } from './names.ts'
import type { Action, Change, Io, Outcome, Resolver, Result, Step, StepReport, Subject, Use } from './plugin.ts'
import type { Predicate } from './rules/condition.ts'
import { checkSettings } from './settings.ts'
import type { Span, Tracing } from './telemetry.ts'

/** A step of a rule, ready to run. */
export interface CompiledStep {
  readonly id: string
  readonly use: Use<Action>
  /** Its `if`. */
  readonly holds: Predicate | undefined
  /** Milliseconds of one try. */
  readonly timeout: number
  readonly retries: number
  readonly stopOnError: boolean
  readonly render: (scope: Scope) => unknown
  /** Settings without a template, checked once. */
  readonly fixed: unknown
}

/** What a step needs of the engine. */
export interface StepHost {
  readonly tracing: Tracing
  readonly guard: Guard
  /** The Io of a step, its calls being children of the span. */
  io(id: string, span: Span): Io
  /** A place among the runs of this action; undefined when the signal fired first. */
  place(action: string, signal: AbortSignal): Promise<(() => void) | undefined>
}

/** One run of a step within its chain. */
export type StepRun = ChainRun & {
  readonly previous: Readonly<Record<string, StepReport>>
  /** Live targets of this response, each looked up once. */
  readonly subjects: Map<Resolver, Promise<Subject | undefined>>
}

/** Never rejects: whatever goes wrong is the outcome. */
export const runStep = async (step: CompiledStep, run: StepRun, host: StepHost): Promise<StepReport> => {
  const action = step.use.plugin.type
  const span = host.tracing.start(`action ${action}`, {
    parent: run.span,
    attributes: { 'yarak.step': step.id, 'yarak.action': action },
    links: linksTo(run.past.begun(step.id)?.traceparent),
  })
  const started = performance.now()
  const report = await span.run(() => withRetries(step, run, host, span))
  span.set({
    'yarak.outcome': report.outcome,
    'yarak.summary': report.summary,
    ...(report.simulated && { 'yarak.simulated': true }),
  })
  span.end()
  return { ...report, id: step.id, action, duration: performance.now() - started }
}

/** A resumed step tells of the span that was interrupted. */
const linksTo = (traceparent: string | undefined): readonly string[] => (traceparent ? [traceparent] : [])

type Ended = Omit<StepReport, 'id' | 'action' | 'duration'>

const withRetries = async (step: CompiledStep, run: StepRun, host: StepHost, span: Span): Promise<Ended> => {
  let attempts = 0
  try {
    const scope: Scope = { ...run.scope, steps: run.previous }
    if (step.holds && !step.holds(scope))
      return { outcome: 'skipped', summary: 'its condition does not hold', attempts }
    const params = step.fixed ?? checked(step, step.render(scope))
    const change = changeOf(step.use.plugin, params)
    const begun = run.past.begun(step.id)
    if (begun) span.set({ 'yarak.resumed': true })
    let doubt = begun !== undefined
    for (;;) {
      attempts++
      try {
        return { ...(await tryOnce({ step, params, change, run, host, span, attempt: attempts, doubt })), attempts }
      } catch (error) {
        doubt ||= change !== 'nothing' && isDoubtful(error)
        const wait = doubt && !step.use.plugin.done ? undefined : retryDelay(error, attempts, step)
        if (wait === undefined || run.signal.aborted) throw error
        span.event('retry', { 'yarak.attempt': attempts, 'yarak.reason': messageOf(error) })
        await pause(wait, run.signal)
      }
    }
  } catch (error) {
    return failure(error, attempts, span)
  }
}

const checked = (step: CompiledStep, params: unknown): unknown => {
  const problems = checkSettings(step.use.plugin.config, params)
  if (problems[0]) throw new YarakError('failed', problems[0].message, { permanent: true, reason: 'bad-parameter' })
  return step.use.plugin.config.parse(params)
}

const changeOf = ({ changes }: Action, params: unknown): Change =>
  typeof changes === 'function' ? changes(params) : changes

/** The change may have happened, and may not. */
const isDoubtful = (error: unknown): boolean => {
  const { code } = asYarakError(error)
  return code === 'timed_out' || code === 'unknown'
}

interface Try {
  readonly step: CompiledStep
  readonly params: unknown
  readonly change: Change
  /** An earlier try, in this run or one that crashed, may have made the change. */
  readonly doubt: boolean
  readonly run: StepRun
  readonly host: StepHost
  readonly span: Span
  readonly attempt: number
}

const tryOnce = async (t: Try): Promise<Omit<Ended, 'attempts'>> => {
  const { step, run, host } = t
  const free = await host.place(step.use.plugin.type, run.signal)
  if (!free) throw interrupted(run.signal)
  const deadline = deadlineAfter(step.timeout, run.signal)
  try {
    return await orAborted(resolveJudgeRun(t, deadline.signal), deadline.signal)
  } catch (error) {
    throw deadline.signal.aborted ? deadline.signal.reason : error
  } finally {
    deadline.clear()
    free()
  }
}

const resolveJudgeRun = async (t: Try, signal: AbortSignal): Promise<Omit<Ended, 'attempts'>> => {
  const { step, params, change, run, host, span } = t
  const { plugin } = step.use
  const io = host.io(step.use.id, span)
  const simulated = run.mode === 'observe' && change !== 'nothing'
  const { subject, unverified } = await subjectOf(plugin, change, t, io)
  signal.throwIfAborted()
  const { authenticated } = run.scope.event
  const refusal = host.guard.judge({ change, subject, needsSubject: plugin.target !== undefined, authenticated })
  if (refusal) {
    span.event('guard', { 'yarak.verdict': 'refused', 'yarak.reason': refusal.reason })
    throw new YarakError('refused', refusal.message, { permanent: true, reason: refusal.reason })
  }
  if (simulated && (unverified || !plugin.dryRun)) return wouldDo(step, change, subject, unverified)
  const context = stepContext(t, io, subject, simulated, signal)
  if (change !== 'nothing' && !simulated) {
    const known = t.doubt ? await whatHappened(t, context) : undefined
    if (known) return { outcome: 'succeeded', ...known }
    const { uid } = subject ?? {}
    await run.past.begin(step.id, { ...(uid && { uid }), ...(span.traceparent && { traceparent: span.traceparent }) })
  }
  const result = await plugin.run(params, context)
  return { outcome: 'succeeded', ...(simulated && { simulated }), ...result }
}

/**
 * Settles whether a change that was begun has happened. Undefined: it has not, or making it again does no harm.
 * @throws YarakError `gone` when another thing has taken the target's name, `unknown` when nobody can tell
 */
const whatHappened = async ({ step, params, run, span }: Try, context: Step): Promise<Result | undefined> => {
  const { done } = step.use.plugin
  const then = run.past.begun(step.id)?.uid
  if (then !== undefined && context.subject?.uid !== undefined && context.subject.uid !== then) {
    throw new YarakError('gone', `${context.subject.key} has been replaced since the step began`)
  }
  const answer = typeof done === 'function' ? await done(params, context) : undefined
  span.event('resume', { 'yarak.verdict': answer ? 'it had happened' : done ? 'run again' : 'unknown' })
  if (done) return answer
  throw new YarakError('unknown', 'whether it happened cannot be told, so it is not done again', { permanent: true })
}

const stepContext = (t: Try, io: Io, subject: Subject | undefined, dryRun: boolean, signal: AbortSignal): Step => ({
  ...io,
  event: t.run.scope.event,
  target: t.run.scope.target ?? { key: undefined },
  subject,
  mode: t.run.mode,
  dryRun,
  attempt: t.attempt,
  signal,
  previous: t.run.previous,
  response: { id: t.run.responseId, rule: t.run.rule, traceparent: t.run.span.traceparent },
})

const wouldDo = (
  step: CompiledStep,
  change: Change,
  subject: Subject | undefined,
  unverified: string | undefined,
): Omit<Ended, 'attempts'> => {
  const on = subject ? ` on ${subject.key}` : ''
  const note = unverified ? `${change}; not verified: ${unverified}` : change
  return { outcome: 'succeeded', simulated: true, summary: `would run ${step.use.plugin.type}${on} (${note})` }
}

const interrupted = (signal: AbortSignal): YarakError =>
  new YarakError('interrupted', 'the gateway stopped', { cause: signal.reason })

/** A signal that fires at the limit, or when the gateway stops, with an error that says which. */
const deadlineAfter = (ms: number, stop: AbortSignal) => {
  const controller = new AbortController()
  const onStop = (): void => controller.abort(interrupted(stop))
  const timer = setTimeout(() => {
    controller.abort(new YarakError('timed_out', `not done after ${ms / 1_000} s`, { reason: 'timeout' }))
  }, ms)
  if (stop.aborted) onStop()
  stop.addEventListener('abort', onStop, { once: true })
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer)
      stop.removeEventListener('abort', onStop)
    },
  }
}

/** Milliseconds until the next try; undefined: there is none. What may have happened is never repeated blindly. */
const retryDelay = (error: unknown, attempts: number, step: CompiledStep): number | undefined => {
  const { permanent, retryAfter, code } = asYarakError(error)
  const never = permanent || code === 'gone' || code === 'refused' || code === 'unknown' || code === 'interrupted'
  return never || attempts > step.retries ? undefined : (retryAfter ?? backoff(attempts))
}

const OUTCOMES: Readonly<Partial<Record<string, Outcome>>> = {
  gone: 'gone',
  refused: 'refused',
  timed_out: 'timed_out',
  unknown: 'unknown',
  interrupted: 'interrupted',
}

const failure = (thrown: unknown, attempts: number, span: Span): Ended => {
  const error = asYarakError(thrown)
  const outcome = OUTCOMES[error.code] ?? 'failed'
  if (outcome !== 'gone') span.fail(error)
  const message = messageOf(error)
  return { outcome, summary: message, error: { code: error.code, reason: error.reason, message }, attempts }
}

interface Found {
  readonly subject: Subject | undefined
  /** Observe mode without a cluster: the subject is what the event claims. */
  readonly unverified?: string
}

/**
 * The live target, looked up once per response. A step that changes nothing may do without it; in observe mode, where
 * there is nothing to ask, the target is taken from the event, so that the guard and the trace still tell.
 */
const subjectOf = async ({ target }: Use<Action>['plugin'], change: Change, { run }: Try, io: Io): Promise<Found> => {
  if (!target) return { subject: undefined }
  const found = run.subjects.get(target) ?? target(run.scope.target ?? { key: undefined }, io)
  run.subjects.set(target, found)
  try {
    return { subject: await found }
  } catch (error) {
    run.subjects.delete(target)
    if (change === 'nothing') return { subject: undefined }
    if (run.mode === 'observe' && NO_ANSWER.includes(asYarakError(error).code)) {
      return { subject: claimed(run), unverified: messageOf(error) }
    }
    throw error
  }
}

/** There is nothing to ask: it is not set up, or it does not answer. */
const NO_ANSWER: readonly string[] = ['unavailable', 'config', 'missing_package']

const claimed = ({ scope: { target } }: StepRun): Subject | undefined =>
  target?.key && target.pod && target.namespace
    ? { kind: 'Pod', key: target.key, namespace: target.namespace, name: target.pod }
    : undefined

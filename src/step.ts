/** Runs one step: asked (`if`), rendered, resolved, judged (guard), and run in a span with a deadline and retries. */
import type { Audit } from './audit.ts'
import type { CompatMetrics } from './compat-metrics.ts'
import { orAborted, pause } from './backoff.ts'
import type { ChainRun } from './chain-run.ts'
import type { CompiledStep } from './chain.ts'
import { deadlineAfter, stopped } from './deadline.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import type { Guard } from './guard.ts'
import type { Scope } from './names.ts'
import type { Action, Change, Io, Outcome, Resolver, Result, Sender, Step, StepReport, Subject } from './plugin.ts'
import { retryDelay } from './retry.ts'
import { createSave } from './save.ts'
import { checkSettings } from './settings.ts'
import type { Span, Tracing } from './telemetry.ts'

/** What a step needs of the engine. */
export interface StepHost {
  readonly tracing: Tracing
  readonly guard: Guard
  /** The Io of a step, its calls being children of the span. */
  io(id: string, span: Span): Io
  /** A place among the runs of this action; undefined when the signal fired first. */
  place(action: Action, signal: AbortSignal): Promise<(() => void) | undefined>
  /** What `context.<name>` is for this event. @throws YarakError `config` when there is no such context */
  context(name: string, scope: Scope, span: Span, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>
  readonly compat?: CompatMetrics | undefined
  readonly audit: Audit
  /** Keeps a file by an output; undefined: no output of that id can. */
  store(output: string): NonNullable<Sender['store']> | undefined
}

/** One run of a step within its chain. */
export type StepRun = ChainRun & {
  readonly previous: Readonly<Record<string, StepReport>>
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Milliseconds of the pauses before it. */
  readonly waited: number
  /** Live targets of this response, each looked up once. */
  readonly subjects: Map<Resolver, Promise<Subject | undefined>>
  /** Contexts of this response, each looked up once. */
  readonly known: Map<string, Promise<Readonly<Record<string, unknown>>>>
}

/** Never rejects: whatever goes wrong is the outcome. */
export const runStep = async (step: CompiledStep, run: StepRun, host: StepHost): Promise<StepReport> => {
  const action = step.use.plugin.type
  const span = host.tracing.start(`action ${action}`, {
    parent: run.span,
    attributes: { 'yarak.step': step.id, 'yarak.action': action },
    links: linksTo(run.past.begun(step.id)?.traceparent),
  })
  const startedAt = new Date().toISOString()
  const started = performance.now()
  const report = await span.run(() => withRetries(step, run, host, span))
  span.set({
    'yarak.outcome': report.outcome,
    'yarak.summary': report.summary,
    ...(report.simulated && { 'yarak.simulated': true }),
  })
  span.end()
  return { ...report, id: step.id, action, startedAt, duration: performance.now() - started }
}

/** A resumed step tells of the span that was interrupted. */
const linksTo = (traceparent: string | undefined): readonly string[] => (traceparent ? [traceparent] : [])

type Ended = Omit<StepReport, 'id' | 'action' | 'duration'>

const withRetries = async (step: CompiledStep, run: StepRun, host: StepHost, span: Span): Promise<Ended> => {
  let attempts = 0
  try {
    const scope = await withContexts(step, { ...run.scope, steps: run.previous }, run, host, span)
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
        const wait = doubt && !step.use.plugin.done ? undefined : retryDelay(error, attempts, step.retries)
        if (wait === undefined || run.signal.aborted) throw error
        span.event('retry', { 'yarak.attempt': attempts, 'yarak.reason': messageOf(error) })
        await pause(wait, run.signal)
      }
    }
  } catch (error) {
    return failure(error, attempts, span)
  }
}

/** Looked up within the time of a try. */
const withContexts = async (step: CompiledStep, scope: Scope, run: StepRun, host: StepHost, span: Span) => {
  if (step.contexts.length === 0) return scope
  const deadline = deadlineAfter(DEFAULT_TIMEOUT, run.signal, late(DEFAULT_TIMEOUT))
  const find = (name: string): Promise<Readonly<Record<string, unknown>>> => {
    const found = run.known.get(name) ?? host.context(name, scope, span, deadline.signal)
    run.known.set(name, found)
    found.catch(() => run.known.delete(name))
    return found
  }
  try {
    const all = step.contexts.map(async (name) => [name, await orAborted(find(name), deadline.signal)] as const)
    return { ...scope, context: Object.fromEntries(await Promise.all(all)) }
  } finally {
    deadline.clear()
  }
}

const DEFAULT_TIMEOUT = 30_000

const late = (ms: number): YarakError =>
  new YarakError('timed_out', `not done after ${ms / 1_000} s`, { reason: 'timeout' })

const timeoutOf = ({ timeout, use: { plugin } }: CompiledStep, params: unknown): number =>
  timeout ?? (typeof plugin.timeout === 'function' ? plugin.timeout(params) : plugin.timeout) ?? DEFAULT_TIMEOUT

const checked = (step: CompiledStep, params: unknown): unknown => {
  const problems = checkSettings(step.schema, params)
  if (problems[0]) throw new YarakError('failed', problems[0].message, { permanent: true, reason: 'bad-parameter' })
  return step.schema.parse(params)
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
  const free = await host.place(step.use.plugin, run.signal)
  if (!free) throw stopped(run.signal)
  const timeout = timeoutOf(step, t.params)
  const deadline = deadlineAfter(timeout, run.signal, late(timeout))
  const work = resolveJudgeRun(t, deadline.signal)
  try {
    return await orAborted(work, deadline.signal)
  } catch (error) {
    if (run.signal.aborted) throw stopped(run.signal)
    throw deadline.signal.aborted ? await lastWords(work, asYarakError(deadline.signal.reason)) : error
  } finally {
    deadline.clear()
    free()
  }
}

/** Milliseconds that an action has to say how far it came when its signal has fired. */
const TO_SAY = 250

/** Why it was cut short; in the words of the action, when it throws an error with that as its cause. */
const lastWords = async (work: Promise<unknown>, reason: YarakError): Promise<YarakError> => {
  const said = await Promise.race([work.catch((error: unknown) => error), pause(TO_SAY)])
  if (!(said instanceof YarakError) || said.cause !== reason) return reason
  return new YarakError(reason.code, messageOf(said), { reason: reason.reason })
}

const resolveJudgeRun = async (t: Try, signal: AbortSignal): Promise<Omit<Ended, 'attempts'>> => {
  const { step, params, change, run, host, span } = t
  const { plugin } = step.use
  const io = host.io(step.use.id, span)
  const simulated = (run.mode === 'observe' || step.dryRun) && change !== 'nothing'
  const { subject, unverified } = await subjectOf(plugin, change, t, io)
  signal.throwIfAborted()
  if (subject) span.set(attributesOf(subject))
  const judge = judgeOf(t)
  await judge(subject, plugin.target !== undefined)
  signal.throwIfAborted()
  if (simulated && (unverified || !plugin.dryRun)) return wouldDo(step, change, subject, unverified)
  const context = stepContext(t, { io, subject, dryRun: simulated, signal, judge })
  if (change !== 'nothing' && !simulated) {
    const known = t.doubt ? await foundOut(t, subject, () => whatHappened(t, context)) : undefined
    if (known) return { outcome: 'succeeded', ...known }
    const { uid } = subject ?? {}
    await run.past.begin(step.id, { ...(uid && { uid }), ...(span.traceparent && { traceparent: span.traceparent }) })
    signal.throwIfAborted()
  }
  try {
    const undoable = !simulated && plugin.undo !== undefined && change === 'reversible'
    const flags = { ...(simulated && { simulated }), ...(undoable && { undoable }) }
    const act = () => plugin.run(params, context)
    const result = await (change === 'destructive' && !simulated ? recorded(t, subject, act) : act())
    return { outcome: 'succeeded', ...flags, ...result }
  } catch (error) {
    const { lacks } = asYarakError(error)
    if (!simulated || lacks === undefined || isReading(lacks)) throw error
    return wouldDo(step, change, subject, `no ${lacks}`)
  }
}

/** Who only watches may change nothing, but has to see what the guard is to judge. */
const isReading = (right: string): boolean => /^(get|list|watch) /.test(right)

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

/** Asks the guard, and tells its verdict in the span. */
const judgeOf =
  ({ step, change, run, host, span }: Try) =>
  async (subject: Subject | undefined, needsSubject: boolean): Promise<void> => {
    const { event } = run.scope
    const refusal = await host.guard.judge({
      action: step.use.plugin.type,
      rule: run.rule,
      change,
      mode: run.mode === 'observe' || step.dryRun ? 'observe' : 'enforce',
      subject,
      needsSubject,
      authenticated: event.authenticated,
      age: run.startedAt - Date.parse(event.time) - (run.resumed ? run.waited : 0),
      id: `${run.responseId} ${step.id}`,
      clusterUnknown: event.shared === true && run.scope.cluster === undefined,
    })
    if (!refusal) {
      if (change !== 'nothing') span.event('guard', { 'yarak.verdict': 'allowed', ...aboutOf(subject) })
      return
    }
    span.event('guard', { 'yarak.verdict': 'refused', 'yarak.reason': refusal.reason, ...aboutOf(subject) })
    if (run.mode === 'enforce' && !step.dryRun) {
      host.audit.append({ kind: 'guard', ...entryOf({ step, run, span }, subject), verdict: refusal.reason })
    }
    throw new YarakError('refused', refusal.message, { permanent: true, reason: refusal.reason })
  }

const aboutOf = (subject: Subject | undefined) => (subject ? { 'yarak.subject': subject.key } : {})

/** What the audit record says of a step. */
const entryOf = ({ step, run, span }: Pick<Try, 'step' | 'run' | 'span'>, subject: Subject | undefined) => ({
  who: `rule ${run.rule}`,
  what: step.use.plugin.type,
  why: run.scope.event.id,
  ...(subject && { target: subject.key }),
  ...(subject?.uid && { uid: subject.uid }),
  response: run.responseId,
  ...(span.traceId && { trace: span.traceId }),
})

/** A destructive step is a line of the audit record, however it ends. */
const recorded = async <T extends Result | undefined>(
  t: Try,
  subject: Subject | undefined,
  act: () => Promise<T>,
): Promise<T> => {
  const append = (verdict: string): void => t.host.audit.append({ kind: 'step', ...entryOf(t, subject), verdict })
  try {
    const result = await act()
    if (result) append('succeeded')
    return result
  } catch (error) {
    append(outcomeOf(error))
    throw error
  }
}

/** A process may have ended between a change and its line: what is found to have happened is recorded too. */
const foundOut: typeof recorded = (t, subject, look) =>
  t.change === 'destructive' ? recorded(t, subject, look) : look()

/** The workload that a subject belongs to, by the names that OpenTelemetry has for them. */
const attributesOf = ({ node, owners = [] }: Subject) => ({
  ...(node !== undefined && { 'k8s.node.name': node }),
  ...Object.fromEntries(
    owners.filter(({ kind }) => WORKLOADS.has(kind)).map(({ kind, name }) => [`k8s.${kind.toLowerCase()}.name`, name]),
  ),
})

const WORKLOADS = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'])

interface Setting {
  readonly io: Io
  readonly subject: Subject | undefined
  readonly dryRun: boolean
  readonly signal: AbortSignal
  readonly judge: ReturnType<typeof judgeOf>
}

const stepContext = (t: Try, { io, subject, dryRun, signal, judge }: Setting): Step => {
  const { run, step, attempt, span } = t
  const target = run.scope.target ?? { key: undefined }
  const response = { id: run.responseId, rule: run.rule, step: step.id, traceparent: run.span.traceparent }
  const about = { response, subject, target, event: run.scope.event, dataDir: io.dataDir, signal, mode: run.mode }
  return {
    ...io,
    event: run.scope.event,
    target,
    subject,
    mode: run.mode,
    dryRun,
    attempt,
    signal,
    previous: run.previous,
    response,
    judge: (other) => judge(other, true),
    save: createSave({ ...about, store: step.store, span, action: step.use.plugin.type }, t.host),
  }
}

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

const OUTCOMES: Readonly<Partial<Record<string, Outcome>>> = {
  gone: 'gone',
  refused: 'refused',
  timed_out: 'timed_out',
  unknown: 'unknown',
  interrupted: 'interrupted',
}

const outcomeOf = (error: unknown): Outcome => OUTCOMES[asYarakError(error).code] ?? 'failed'

const failure = (thrown: unknown, attempts: number, span: Span): Ended => {
  const error = asYarakError(thrown)
  const outcome = outcomeOf(error)
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
const subjectOf = async ({ target }: Action, change: Change, { run }: Try, io: Io): Promise<Found> => {
  if (!target) return { subject: undefined }
  const found = run.subjects.get(target) ?? target(run.scope.target ?? { key: undefined }, io, run.scope.event)
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

/** Runs a rule's chain and reports it as a whole. */
import type { Chain, CompiledStep, Stage } from './chain.ts'
import { deadlineAfter } from './deadline.ts'
import { YarakError } from './errors.ts'
import type { Scope } from './names.ts'
import type { Mode, Outcome, Report, StepReport } from './plugin.ts'
import type { Past } from './past.ts'
import { runStep, type StepHost, type StepRun } from './step.ts'
import type { Span } from './telemetry.ts'
import { runWait } from './wait.ts'

/** One run of a chain. */
export interface ChainRun {
  readonly chain: Chain
  readonly rule: string
  readonly responseId: string
  readonly mode: Mode
  readonly scope: Scope
  readonly span: Span
  readonly signal: AbortSignal
  /** What an earlier run did of it. */
  readonly past: Past
  /** An earlier run accepted the event. */
  readonly resumed: boolean
}

/** Runs the steps in order. Never rejects: whatever goes wrong is an outcome of the report. */
export const runChain = async (run: ChainRun, host: StepHost): Promise<Report> => {
  const startedAt = Date.now()
  const started = performance.now()
  const state: State = { reports: [], previous: {}, waited: 0 }
  const common: Common = { ...run, startedAt, subjects: new Map(), known: new Map() }
  const deadline = deadlineAfter(run.chain.deadline, run.signal, overdue(run.chain.deadline))
  const end = await runStages(run.chain.main, { ...common, signal: deadline.signal }, state, host)
  deadline.clear()
  if (end === 'stopped') await runStages(run.chain.onFailure, common, state, host)
  if (end !== 'interrupted') await runStages(run.chain.last, common, state, host)
  const { event, target, cluster } = run.scope
  return {
    id: run.responseId,
    event: event.id,
    rule: run.rule,
    mode: run.mode,
    outcome: outcomeOf(state.reports),
    steps: state.reports,
    ...(target?.key && { target: target.key }),
    ...(cluster && { cluster }),
    startedAt: new Date(startedAt).toISOString(),
    duration: Math.round(performance.now() - started),
    ...(run.span.traceId && { traceId: run.span.traceId }),
  }
}

const overdue = (ms: number): YarakError =>
  new YarakError('timed_out', `the chain is not done after ${ms / 1_000} s`, { reason: 'deadline' })

/** What has happened so far. */
interface State {
  readonly reports: StepReport[]
  readonly previous: Record<string, StepReport>
  /** Milliseconds of pauses. */
  waited: number
}

type Common = Omit<StepRun, 'previous' | 'waited'>

/** How a list of steps ended. */
type End = 'done' | 'stopped' | 'interrupted'

const runStages = async (stages: readonly Stage[], run: Common, state: State, host: StepHost): Promise<End> => {
  let end: End = 'done'
  let goOnAt: string | undefined
  for (const stage of stages) {
    if (goOnAt !== undefined && stage.some(({ id }) => id === goOnAt)) goOnAt = undefined
    const reached = end === 'done' && goOnAt === undefined
    const { waited } = state
    const reports = reached
      ? await Promise.all(stage.map((step) => runOne(step, { ...run, previous: { ...state.previous }, waited }, host)))
      : stage.map(notReached)
    for (const report of reports) {
      state.reports.push(report)
      state.previous[report.id] = report
    }
    for (const step of stage) if ('wait' in step) state.waited += step.wait
    if (!reached) continue
    ;({ end, goOnAt } = afterStage(stage, reports))
  }
  return end
}

const runOne = async (step: Stage[number], run: StepRun, host: StepHost): Promise<StepReport> => {
  const known = run.past.ended(step.id)
  const report = known ?? (await ('wait' in step ? runWait(step, run, host) : runStep(step, run, host)))
  run.past.end(report)
  return report
}

/** Of several failures at the same time the one that stops counts more than one that jumps. */
const afterStage = (stage: Stage, reports: readonly StepReport[]): { end: End; goOnAt: string | undefined } => {
  if (reports.some(({ outcome }) => outcome === 'interrupted')) return { end: 'interrupted', goOnAt: undefined }
  const asked = stage.flatMap((step, i) => (isBad(reports[i]?.outcome) ? [onErrorOf(step)] : []))
  const jump = asked.find((one) => one !== 'stop' && one !== 'continue')
  return asked.includes('stop') ? { end: 'stopped', goOnAt: undefined } : { end: 'done', goOnAt: jump }
}

/** Only the end of time fails a pause. */
const onErrorOf = (step: Stage[number]): string => ('use' in step ? step.onError : 'stop')

const BAD: readonly (Outcome | undefined)[] = ['interrupted', 'unknown', 'timed_out', 'failed', 'refused']

const isBad = (outcome: Outcome | undefined): boolean => BAD.includes(outcome)

/** The worst outcome of any step; `onError` steers the chain but hides nothing. */
const outcomeOf = (steps: readonly StepReport[]): Outcome => {
  const has = (outcome: Outcome | undefined): boolean => steps.some((step) => step.outcome === outcome)
  return BAD.find(has) ?? (has('succeeded') ? 'succeeded' : has('gone') ? 'gone' : 'skipped')
}

const notReached = (step: Stage[number]): StepReport => ({
  id: step.id,
  action: actionOf(step),
  outcome: 'skipped',
  summary: 'not reached',
  attempts: 0,
  duration: 0,
})

const actionOf = (step: Pick<CompiledStep, 'use'> | { readonly wait: number }): string =>
  'use' in step ? step.use.plugin.type : 'wait'

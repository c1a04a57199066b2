/** A rule's steps: made ready once, run one after another, reported as a whole. */
import { YarakError } from './errors.ts'
import type { Scope } from './names.ts'
import type { Action, Mode, Outcome, Report, StepReport, Use } from './plugin.ts'
import type { Past } from './past.ts'
import { predicate } from './rules/condition.ts'
import { parsed } from './rules/parsed.ts'
import { type RuleInput, type StepInput, stepSettings } from './rules/rule.ts'
import { checkSettings, isTemplate } from './settings.ts'
import { type CompiledStep, runStep, type StepHost } from './step.ts'
import type { Span } from './telemetry.ts'
import type { Templates } from './template.ts'

/** A rule's steps, ready to run. */
export interface Chain {
  readonly steps: readonly CompiledStep[]
}

const TIMEOUT = 30_000

/**
 * Makes the steps of a rule ready.
 * @throws YarakError `config` naming the step
 */
export const compileChain = (rule: Pick<RuleInput, 'name' | 'steps'>, templates: Templates): Chain => {
  const taken = new Set<string>()
  return { steps: rule.steps.map((step) => compileStep(step, taken, templates, rule.name)) }
}

const compileStep = (input: StepInput, taken: Set<string>, templates: Templates, rule: string): CompiledStep => {
  const { action: use, ...rest } = 'action' in input ? input : { action: input }
  const problems = checkSettings(stepSettings, rest)
  if (problems[0]) throw new YarakError('config', `rule ${rule}, ${use.id}: ${problems[0].message}`)
  const settings = stepSettings.parse(rest)
  const id = settings.id ?? unusedId(use, taken)
  if (taken.has(id)) throw new YarakError('config', `rule ${rule}: two steps have the id ${id}`)
  taken.add(id)
  const templated = hasTemplate(use.config)
  return {
    id,
    use,
    holds: settings.if === undefined ? undefined : predicate(parsed(settings.if)),
    timeout: settings.timeout ?? TIMEOUT,
    retries: settings.retries ?? 0,
    stopOnError: settings.onError !== 'continue',
    render: templated ? templates.compileValue(use.config) : () => use.config,
    fixed: templated ? undefined : use.plugin.config.parse(use.config),
  }
}

/** A step without an id is known by its action's name, with a number from the second one on. */
const unusedId = ({ plugin }: Use<Action>, taken: ReadonlySet<string>): string => {
  const name = plugin.type.replaceAll(/[^A-Za-z0-9_-]/g, '-')
  if (!taken.has(name)) return name
  for (let n = 2; ; n++) if (!taken.has(`${name}-${n}`)) return `${name}-${n}`
}

const hasTemplate = (value: unknown): boolean =>
  isTemplate(value) || (typeof value === 'object' && value !== null && Object.values(value).some(hasTemplate))

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
}

/** Runs the steps in order. Never rejects: whatever goes wrong is an outcome of the report. */
export const runChain = async (run: ChainRun, host: StepHost): Promise<Report> => {
  const started = Date.now()
  const steps: StepReport[] = []
  const previous: Record<string, StepReport> = {}
  const subjects = new Map()
  let stopped = false
  for (const step of run.chain.steps) {
    const report: StepReport = stopped
      ? notReached(step)
      : (run.past.ended(step.id) ?? (await runStep(step, { ...run, previous, subjects }, host)))
    if (!stopped) run.past.end(report)
    steps.push(report)
    previous[step.id] = report
    stopped ||= (step.stopOnError && isBad(report.outcome)) || report.outcome === 'interrupted'
  }
  const { event, target } = run.scope
  return {
    id: run.responseId,
    event: event.id,
    rule: run.rule,
    mode: run.mode,
    outcome: outcomeOf(steps),
    steps,
    ...(target?.key && { target: target.key }),
    startedAt: new Date(started).toISOString(),
    duration: Date.now() - started,
    ...(run.span.traceId && { traceId: run.span.traceId }),
  }
}

const BAD: readonly Outcome[] = ['interrupted', 'unknown', 'timed_out', 'failed', 'refused']

const isBad = (outcome: Outcome): boolean => BAD.includes(outcome)

/** The worst outcome of any step; `continue` steers the chain but hides nothing. */
const outcomeOf = (steps: readonly StepReport[]): Outcome => {
  const has = (outcome: Outcome): boolean => steps.some((step) => step.outcome === outcome)
  return BAD.find(has) ?? (has('succeeded') ? 'succeeded' : has('gone') ? 'gone' : 'skipped')
}

const notReached = (step: CompiledStep): StepReport => ({
  id: step.id,
  action: step.use.plugin.type,
  outcome: 'skipped',
  summary: 'not reached',
  attempts: 0,
  duration: 0,
})

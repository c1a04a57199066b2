/** What the steps of a matching rule would do, as far as the event and the rule alone tell. */
import { redact } from '../describe.ts'
import { messageOf, YarakError } from '../errors.ts'
import type { Guard } from '../guard.ts'
import type { Scope } from '../names.ts'
import type { Action, Change, PolicyRule, Subject } from '../plugin.ts'
import { compileChain, type CompiledStep, type CompiledWait, type Stage } from '../chain.ts'
import { permissionsFor } from '../permissions.ts'
import { namesIn, printCondition } from '../rules/condition.ts'
import { parsed } from '../rules/parsed.ts'
import type { ActionStep, RuleInput, StepInput } from '../rules/rule.ts'
import { checkSettings, renderedSchema } from '../settings.ts'
import type { Templates } from '../template.ts'
import { asksLater, type Rendered, renderKnown } from './known.ts'
import { subjectOffline } from './offline.ts'

/** Whether a step's `if` holds; `later`: only a run knows, by how steps end or what a context is. */
export type IfVerdict = 'holds' | 'does not hold' | 'later'

/** What a guard, or the action's look at its target, says. */
export interface GuardVerdict {
  readonly allowed: boolean
  readonly reason?: string
  readonly message?: string
}

export interface PlannedIf {
  readonly text: string
  readonly verdict: IfVerdict
}

export interface PlannedStep {
  readonly id: string
  readonly action: string
  readonly changes: Change
  readonly if?: PlannedIf
  /** `continue`, or the id of a later step; absent: a failure stops the chain. */
  readonly onError?: string
  /** The output that keeps its files. */
  readonly store?: string
  /** It is only shown, whatever the mode. */
  readonly dryRun?: boolean
  /** Rendered; secrets are `***`. */
  readonly with: unknown
  /** Some of `with` depends on how steps end, or on a context. */
  readonly open: boolean
  /** The contexts that it names, which nobody looks up before the run. */
  readonly contexts?: readonly string[]
  /** Why the step would fail before it runs. */
  readonly faults: readonly string[]
  readonly guard: GuardVerdict
  readonly permissions: readonly PolicyRule[]
}

export interface PlannedPause {
  readonly id: string
  /** Milliseconds. */
  readonly wait: number
  readonly if?: PlannedIf
}

/** Steps that run at the same time. */
export interface PlannedGroup {
  readonly parallel: readonly PlannedStep[]
}

export type PlannedEntry = PlannedStep | PlannedPause | PlannedGroup

/** The lists of a rule, in the order in which they run. */
export interface Plan {
  readonly steps: readonly PlannedEntry[]
  readonly onFailure?: readonly PlannedEntry[]
  readonly finally?: readonly PlannedEntry[]
}

/** The steps of all lists that run an action. */
export const stepsIn = ({ steps, onFailure = [], finally: last = [] }: Plan): PlannedStep[] =>
  [...steps, ...onFailure, ...last].flatMap((entry) =>
    'parallel' in entry ? entry.parallel : 'wait' in entry ? [] : [entry],
  )

/** What plans are made with. */
export interface Planner {
  readonly templates: Templates
  readonly guard: Guard
}

/** @param scope with the response's mode */
export const planOf = async (rule: RuleInput, scope: Scope, planner: Planner): Promise<Plan> => {
  const { main, onFailure, last } = compileChain(rule, planner.templates)
  const plan = (stages: readonly Stage[], inputs: readonly StepInput[] = []): Promise<PlannedEntry[]> =>
    Promise.all(inputs.map((input, i) => planEntry(stages[i] ?? [], input, { rule, scope, planner })))
  return {
    steps: await plan(main, rule.steps),
    ...(rule.onFailure && { onFailure: await plan(onFailure, rule.onFailure) }),
    ...(rule.finally && { finally: await plan(last, rule.finally) }),
  }
}

interface Planning {
  readonly rule: RuleInput
  readonly scope: Scope
  readonly planner: Planner
}

const planEntry = async (stage: Stage, input: StepInput, planning: Planning): Promise<PlannedEntry> => {
  if ('wait' in input) return planPause(stage[0] as CompiledWait, input.if, planning)
  const inputs = 'parallel' in input ? input.parallel : [input]
  const steps = await Promise.all(inputs.map((one, i) => planStep(stage[i] as CompiledStep, one, planning)))
  return 'parallel' in input ? { parallel: steps } : (steps[0] as PlannedStep)
}

const planPause = (step: CompiledWait, condition: RuleInput['condition'], { scope }: Planning): PlannedPause => ({
  id: step.id,
  wait: step.wait,
  ...(condition !== undefined && { if: ifVerdict(condition, step, scope) }),
})

const planStep = async (step: CompiledStep, input: ActionStep, planning: Planning): Promise<PlannedStep> => {
  const { plugin, config } = step.use
  const { rule, scope, planner } = planning
  const { templates, guard } = planner
  const condition = 'action' in input ? input.if : undefined
  const { onError, store, dryRun } = step
  const rendered = renderKnown(config, scope, templates)
  const settings = settingsOf(plugin, rendered)
  const changes = changeOf(plugin, settings)
  return {
    id: step.id,
    action: plugin.type,
    changes,
    ...(condition !== undefined && { if: ifVerdict(condition, step, scope) }),
    ...(onError !== 'stop' && { onError }),
    ...(store !== undefined && { store }),
    ...(dryRun && { dryRun }),
    with: redact(plugin.config, rendered.value),
    open: !rendered.known,
    ...(step.contexts.length > 0 && { contexts: step.contexts }),
    faults: [...rendered.faults, ...settings.faults],
    guard: await judge({ plugin, change: changes, rule: rule.name }, scope, guard),
    permissions: permissionsFor(plugin, rendered.value),
  }
}

interface Settings {
  /** Parsed; undefined: not known, or wrong. */
  readonly params: unknown
  readonly faults: readonly string[]
}

const settingsOf = ({ config }: Action, { value, known, faults }: Rendered): Settings => {
  if (faults.length > 0) return { params: undefined, faults: [] }
  const schema = known ? renderedSchema(config) : config
  const wrong = checkSettings(schema, value, { templates: !known }).map(({ message }) => message)
  const parsed = schema.safeParse(value)
  return { params: parsed.success ? parsed.data : undefined, faults: wrong }
}

/** What depends on settings that are not known counts as the worst. */
const changeOf = ({ changes }: Action, { params }: Settings): Change =>
  typeof changes !== 'function' ? changes : params === undefined ? 'destructive' : changes(params)

const ifVerdict = (
  condition: NonNullable<RuleInput['condition']>,
  step: CompiledStep | CompiledWait,
  scope: Scope,
): PlannedIf => {
  const names = [...namesIn(parsed(condition))].map(({ name }) => name)
  const text = typeof condition === 'string' ? condition : printCondition(condition)
  if (names.some((name) => asksLater(name) || name === 'steps' || name === 'context'))
    return { text, verdict: 'later' as const }
  const verdict: IfVerdict = step.holds?.(scope) === false ? 'does not hold' : 'holds'
  return { text, verdict }
}

interface Planned {
  readonly plugin: Action
  readonly change: Change
  readonly rule: string
}

/** Of an event of the past: how old it is does not count. */
const judge = async (
  { plugin, change, rule }: Planned,
  { event, target }: Scope,
  guard: Guard,
): Promise<GuardVerdict> => {
  let subject: Subject | undefined
  try {
    if (plugin.target && change !== 'nothing')
      subject = await subjectOffline(plugin.target, target ?? { key: undefined })
  } catch (error) {
    const reason = error instanceof YarakError ? error.reason : undefined
    return { allowed: false, ...(reason && { reason }), message: messageOf(error) }
  }
  const { authenticated } = event
  const refusal = await guard.judge({
    action: plugin.type,
    rule,
    change,
    mode: 'observe',
    subject,
    needsSubject: plugin.target !== undefined,
    authenticated,
    age: 0,
  })
  return refusal ? { allowed: false, ...refusal } : { allowed: true }
}

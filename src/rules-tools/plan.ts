/** What the steps of a matching rule would do, as far as the event and the rule alone tell. */
import { compileChain } from '../chain.ts'
import { redact } from '../describe.ts'
import { messageOf, YarakError } from '../errors.ts'
import type { Guard } from '../guard.ts'
import type { Scope } from '../names.ts'
import type { Action, Change, PolicyRule, Subject } from '../plugin.ts'
import type { CompiledStep } from '../step.ts'
import { namesIn, printCondition } from '../rules/condition.ts'
import { parsed } from '../rules/parsed.ts'
import type { RuleInput } from '../rules/rule.ts'
import { checkSettings, isTemplate } from '../settings.ts'
import type { Templates } from '../template.ts'
import { asksLater, type Rendered, renderKnown } from './known.ts'
import { subjectOffline } from './offline.ts'

/** Whether a step's `if` holds; `later`: that depends on how steps end. */
export type IfVerdict = 'holds' | 'does not hold' | 'later'

/** What a guard, or the action's look at its target, says. */
export interface GuardVerdict {
  readonly allowed: boolean
  readonly reason?: string
  readonly message?: string
}

export interface PlannedStep {
  readonly id: string
  readonly action: string
  readonly changes: Change
  readonly if?: { readonly text: string; readonly verdict: IfVerdict }
  /** Rendered; secrets are `***`. */
  readonly with: unknown
  /** Some of `with` depends on how steps end. */
  readonly open: boolean
  /** Why the step would fail before it runs. */
  readonly faults: readonly string[]
  readonly guard: GuardVerdict
  readonly permissions: readonly PolicyRule[]
}

/** What plans are made with. */
export interface Planner {
  readonly templates: Templates
  readonly guard: Guard
}

/** @param scope with the response's mode */
export const planOf = (rule: RuleInput, scope: Scope, planner: Planner): Promise<PlannedStep[]> => {
  const { steps } = compileChain(rule, planner.templates)
  return Promise.all(steps.map((step, i) => planStep(step, ifOf(rule, i), scope, planner)))
}

const ifOf = ({ steps }: RuleInput, i: number) => {
  const step = steps[i]
  return step && 'action' in step ? step.if : undefined
}

const planStep = async (
  step: CompiledStep,
  condition: RuleInput['condition'],
  scope: Scope,
  { templates, guard }: Planner,
): Promise<PlannedStep> => {
  const { plugin, config } = step.use
  const rendered = renderKnown(config, scope, templates)
  const settings = settingsOf(plugin, rendered)
  const changes = changeOf(plugin, settings)
  return {
    id: step.id,
    action: plugin.type,
    changes,
    ...(condition !== undefined && { if: ifVerdict(condition, step, scope) }),
    with: redact(plugin.config, rendered.value),
    open: !rendered.known,
    faults: [...rendered.faults, ...settings.faults],
    guard: await judge(plugin, changes, scope, guard),
    permissions: permissionsOf(plugin, settings, rendered.value),
  }
}

interface Settings {
  /** Parsed; undefined: not known, or wrong. */
  readonly params: unknown
  readonly faults: readonly string[]
}

const settingsOf = ({ config }: Action, { value, known, faults }: Rendered): Settings => {
  if (faults.length > 0) return { params: undefined, faults: [] }
  const wrong = checkSettings(config, value, { templates: !known }).map(({ message }) => message)
  const parsed = config.safeParse(value)
  return { params: parsed.success ? parsed.data : undefined, faults: wrong }
}

/** What depends on settings that are not known counts as the worst. */
const changeOf = ({ changes }: Action, { params }: Settings): Change =>
  typeof changes !== 'function' ? changes : params === undefined ? 'destructive' : changes(params)

/** Where settings are not known, those of the same settings with some text for the templates, else of the example. */
const permissionsOf = ({ permissions = [], config, example }: Action, { params }: Settings, value: unknown) => {
  if (typeof permissions !== 'function') return permissions
  const guesses = params === undefined ? [filled(value), example].map((one) => config.safeParse(one)) : []
  const known = params ?? guesses.find(({ success }) => success)?.data
  return known === undefined ? [] : permissions(known)
}

const filled = (value: unknown): unknown => {
  if (isTemplate(value)) return 'x'
  if (Array.isArray(value)) return value.map(filled)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]))
}

const ifVerdict = (condition: NonNullable<RuleInput['condition']>, step: CompiledStep, scope: Scope) => {
  const names = [...namesIn(parsed(condition))].map(({ name }) => name)
  const text = typeof condition === 'string' ? condition : printCondition(condition)
  if (names.some((name) => asksLater(name) || name === 'steps')) return { text, verdict: 'later' as const }
  const verdict: IfVerdict = step.holds?.(scope) === false ? 'does not hold' : 'holds'
  return { text, verdict }
}

const judge = async (plugin: Action, change: Change, { event, target }: Scope, guard: Guard): Promise<GuardVerdict> => {
  let subject: Subject | undefined
  try {
    if (plugin.target && change !== 'nothing')
      subject = await subjectOffline(plugin.target, target ?? { key: undefined })
  } catch (error) {
    const reason = error instanceof YarakError ? error.reason : undefined
    return { allowed: false, ...(reason && { reason }), message: messageOf(error) }
  }
  const { authenticated } = event
  const refusal = guard.judge({ change, subject, needsSubject: plugin.target !== undefined, authenticated })
  return refusal ? { allowed: false, ...refusal } : { allowed: true }
}

/** What the rules would make of one event. Pure but for the actions' own look at the target, which reaches nothing. */
import { type FalcoEvent } from '../event.ts'
import { createGuard, type GuardSettings } from '../guard.ts'
import type { Scope } from '../names.ts'
import type { Mode, PolicyRule } from '../plugin.ts'
import { modeOf, type RuleInput } from '../rules/rule.ts'
import { type Target, targetOf } from '../target.ts'
import { createTemplates } from '../template.ts'
import { mergePermissions } from '../permissions.ts'
import { type Plan, type Planner, planOf, stepsIn } from './plan.ts'
import { type Why, whyOf } from './why.ts'

/** The lists of steps are there when it matches. */
export interface ExplainedRule extends Partial<Plan> {
  readonly rule: string
  readonly origin?: string
  readonly matched: boolean
  readonly why: Omit<Why, 'matched'>
  readonly mode: Mode
  /** Milliseconds for `steps`, where the rule says so. */
  readonly deadline?: number
  readonly notify?: readonly string[]
}

export interface ExplainedEvent {
  readonly event: Pick<FalcoEvent, 'rule' | 'priority' | 'source' | 'time' | 'output'>
  readonly target: Target
  readonly rules: readonly ExplainedRule[]
  /** What the actions of the matching rules need to be allowed. */
  readonly permissions: readonly PolicyRule[]
}

export interface ExplainOptions {
  readonly rules: readonly RuleInput[]
  readonly mode: Mode
  readonly guards: GuardSettings
  readonly cluster?: string | undefined
}

/** Made once for many events. */
export const createExplainer = ({ rules, mode, guards, cluster }: ExplainOptions) => {
  const planner: Planner = { templates: createTemplates(), guard: createGuard(guards) }
  return async (event: FalcoEvent): Promise<ExplainedEvent> => {
    const target = targetOf(event)
    const scope: Scope = { event, target, ...(cluster !== undefined && { cluster }) }
    const explained = await Promise.all(rules.map((rule) => explainRule(rule, scope, modeOf(rule, mode), planner)))
    const { rule, priority, source, time, output } = event
    const needed = explained.flatMap(({ steps = [], ...rest }) =>
      stepsIn({ ...rest, steps }).flatMap(({ permissions }) => permissions),
    )
    return {
      event: { rule, priority, source, time, output },
      target,
      rules: explained,
      permissions: mergePermissions(needed),
    }
  }
}

const explainRule = async (rule: RuleInput, scope: Scope, mode: Mode, planner: Planner): Promise<ExplainedRule> => {
  const { matched, ...why } = whyOf(rule, scope)
  const response = { id: '', mode }
  return {
    rule: rule.name,
    ...(rule.origin !== undefined && { origin: rule.origin }),
    matched,
    why,
    mode,
    ...(matched && (await planOf(rule, { ...scope, response }, planner))),
    ...(rule.deadline !== undefined && { deadline: rule.deadline }),
    ...(rule.notify && { notify: rule.notify }),
  }
}

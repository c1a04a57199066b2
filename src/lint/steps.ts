/** The steps of a rule as lints look at them. */
import type { Action, Change, Resolver } from '../plugin.ts'
import { namesIn } from '../rules/condition.ts'
import { parsed } from '../rules/parsed.ts'
import type { RuleInput } from '../rules/rule.ts'

export interface LintStep {
  readonly type: string
  readonly id: string
  readonly changes: Change
  /** How its target is found: steps with the same resolver are about the same thing. */
  readonly target: Resolver | undefined
  /** Its target is not there any more once it has succeeded. */
  readonly removes: boolean
  /** Ids of the steps that its `if` asks about. */
  readonly asks: readonly string[]
}

/** What is known of a rule for people: its name in quotes, and its place. */
export interface Finding {
  readonly rule: RuleInput
  /** Which of its steps. */
  readonly step?: number
  readonly message: string
}

/** Actions whose success leaves no target. */
const REMOVE: ReadonlySet<string> = new Set(['kubernetes:terminate', 'kubernetes:delete'])

export const stepsOf = ({ steps }: Pick<RuleInput, 'steps'>): LintStep[] =>
  steps.map((step) => {
    const { action, ...rest } = 'action' in step ? step : { action: step }
    const { plugin, config } = action
    const condition = 'if' in rest ? rest.if : undefined
    const names = condition === undefined ? [] : [...namesIn(parsed(condition))]
    return {
      type: plugin.type,
      id: ('id' in rest ? rest.id : undefined) ?? plugin.type.replaceAll(/[^A-Za-z0-9_-]/g, '-'),
      changes: changeOf(plugin, config),
      target: plugin.target,
      removes: REMOVE.has(plugin.type),
      asks: names.flatMap(({ name }) => /^steps\.([\w-]+)/.exec(name)?.[1] ?? []),
    }
  })

/** What depends on settings that are not known before they are rendered counts as the worst. */
const changeOf = ({ changes, config: schema }: Action, config: unknown): Change => {
  if (typeof changes !== 'function') return changes
  const settings = schema.safeParse(config)
  return settings.success ? changes(settings.data) : 'destructive'
}

/** The steps of a rule as lints look at them. */
import type { Action, Change, Resolver } from '../plugin.ts'
import { namesIn } from '../rules/condition.ts'
import { parsed } from '../rules/parsed.ts'
import { actionSteps, type RuleInput, type StepInput } from '../rules/rule.ts'
import { parseDuration } from '../settings.ts'

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
  readonly list: List
  /** Steps of one stage run at the same time. */
  readonly stage: number
  /** Milliseconds of the pauses before it in its list. */
  readonly paused: number
  readonly onError: string
}

export const LISTS = ['steps', 'onFailure', 'finally'] as const
export type List = (typeof LISTS)[number]

/** What is known of a rule for people: its name in quotes, and its place. */
export interface Finding {
  readonly rule: RuleInput
  /** Which of its steps. */
  readonly step?: number
  readonly message: string
}

/** Actions whose success leaves no target. */
const REMOVE: ReadonlySet<string> = new Set(
  ['terminate', 'delete', 'evict', 'drain', 'revoke-tokens'].map((name) => `kubernetes:${name}`),
)

const isRemoval = ({ type, config: schema }: Action, config: unknown): boolean => {
  if (type !== 'kubernetes:revoke-tokens') return REMOVE.has(type)
  const settings = schema.safeParse(config)
  return settings.success && (settings.data as { scope?: unknown }).scope === 'pod'
}

/** Actions that name what they are about themselves. */
const OF_THEIR_OWN: ReadonlySet<string> = new Set(['delete', 'patch', 'apply'].map((name) => `kubernetes:${name}`))

/** Whether a step needs what another removes: a drain leaves its node, and takes the pods. */
export const needsRemoved = (step: LintStep, remover: LintStep | undefined): boolean => {
  if (!remover?.removes || step.target === undefined) return false
  if (remover.type !== 'kubernetes:drain') return step.target === remover.target
  return step.target !== remover.target && !OF_THEIR_OWN.has(step.type)
}

/** In the order of `actionSteps`. */
export const stepsOf = (rule: Pick<RuleInput, 'steps' | 'onFailure' | 'finally'>): LintStep[] =>
  LISTS.flatMap((list) => {
    let paused = 0
    return (rule[list] ?? []).flatMap((entry, stage) => {
      if ('wait' in entry) paused += parseDuration(entry.wait) ?? 0
      return stepsIn(entry, { list, stage, paused })
    })
  })

const stepsIn = (entry: StepInput, place: Pick<LintStep, 'list' | 'stage' | 'paused'>): LintStep[] =>
  actionSteps({ steps: [entry] }).map(({ action, id, if: condition, onError = 'stop' }) => {
    const { plugin, config } = action
    const names = condition === undefined ? [] : [...namesIn(parsed(condition))]
    return {
      ...place,
      onError,
      type: plugin.type,
      id: id ?? plugin.type.replaceAll(/[^A-Za-z0-9_-]/g, '-'),
      changes: changeOf(plugin, config),
      target: plugin.target,
      removes: isRemoval(plugin, config),
      asks: names.flatMap(({ name }) => /^steps\.([\w-]+)/.exec(name)?.[1] ?? []),
    }
  })

/** What depends on settings that are not known before they are rendered counts as the worst. */
const changeOf = ({ changes, config: schema }: Action, config: unknown): Change => {
  if (typeof changes !== 'function') return changes
  const settings = schema.safeParse(config)
  return settings.success ? changes(settings.data) : 'destructive'
}

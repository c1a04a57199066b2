/**
 * What Falco Talon makes of actions and rules of the same name, in one file or several, and of an action that a rule
 * names. Follows `extractActionsRules` and `ParseRules` of falcosecurity/falco-talon `internal/rules/rules.go`; what
 * is surprising in it is told.
 */
import type { Problems } from '../config/problems.ts'
import { actionTitle, ruleTitle, tellOf } from './talon-read.ts'
import type { Parameters, Placed, TalonAction, TalonMatch, TalonRule, Tell } from './talon-read.ts'

/** Reusable actions by name: a later one changes what it names in the first. */
export const mergeActions = (actions: readonly TalonAction[], problems: Problems): ReadonlyMap<string, TalonAction> => {
  const merged = new Map<string, TalonAction>()
  for (const later of actions) {
    const first = merged.get(later.name)
    merged.set(later.name, first ? mergeAction(first, later, tellOf(problems, actionTitle(later.name))) : later)
  }
  return merged
}

const mergeAction = (first: TalonAction, later: TalonAction, tell: Tell): TalonAction => {
  const { target } = later.output
  if (target && first.output.target && target.value !== first.output.target.value) {
    tell(target.spot, `output.target: the first one, ${first.output.target.value}, stays in force`, 'warning')
  }
  const replaced = (name: string, { spot }: Placed): void =>
    tell(spot, `${name}: another type of value than in the first action of this name, which stays in force`, 'warning')
  return {
    ...first,
    actionner: later.actionner ?? first.actionner,
    continue: later.continue ?? first.continue,
    ignoreErrors: later.ignoreErrors ?? first.ignoreErrors,
    contexts: [...first.contexts, ...later.contexts],
    parameters: merge(first.parameters, later.parameters, replaces(replaced)),
    output: {
      target: first.output.target ?? target,
      parameters: merge(first.output.parameters, later.output.parameters, replaces(replaced)),
    },
  }
}

/** Rules by name: lists grow, texts are replaced, and `priority` and `source` always are, also by nothing. */
export const mergeRules = (rules: readonly TalonRule[], problems: Problems): TalonRule[] => {
  const merged = new Map<string, TalonRule>()
  for (const later of rules) {
    const first = merged.get(later.name)
    merged.set(later.name, first ? mergeRule(first, later, tellOf(problems, ruleTitle(later.name))) : later)
  }
  return [...merged.values()]
}

const mergeRule = (first: TalonRule, later: TalonRule, tell: Tell): TalonRule => {
  for (const key of ['priority', 'source'] as const) {
    if (!first.match[key] || later.match[key]) continue
    const message = `this clears match.${key} (${first.match[key].value}), as in Falco Talon; repeat it here to keep it`
    tell(later.spot, message, 'warning')
  }
  return {
    ...first,
    description: later.description ?? first.description,
    continue: later.continue ?? first.continue,
    dryRun: later.dryRun ?? first.dryRun,
    notifiers: [...first.notifiers, ...later.notifiers],
    match: mergeMatch(first.match, later.match),
    actions: [...first.actions, ...later.actions],
  }
}

const mergeMatch = (first: TalonMatch, later: TalonMatch): TalonMatch => ({
  rules: [...first.rules, ...later.rules],
  tags: [...first.tags, ...later.tags],
  fields: [...first.fields, ...later.fields],
  priority: later.priority,
  source: later.source,
})

/** A rule's action, completed by the reusable one of its name. */
export const completeAction = (own: TalonAction, shared: TalonAction | undefined, tell: Tell): TalonAction => {
  if (!shared) return own
  return {
    ...own,
    actionner: own.actionner ?? shared.actionner,
    continue: own.continue ?? shared.continue,
    ignoreErrors: own.ignoreErrors ?? shared.ignoreErrors,
    contexts: own.contexts.length > 0 ? own.contexts : shared.contexts,
    parameters: merge(own.parameters, shared.parameters, fills(tell)),
    output: {
      target: own.output.target ?? shared.output.target,
      parameters: merge(own.output.parameters, shared.output.parameters, fills(tell)),
    },
  }
}

/** What becomes of a parameter that both have. */
type Join = (name: string, base: Placed, more: Placed) => Placed

const merge = (base: Parameters, more: Parameters, join: Join): Parameters => {
  const merged = new Map(base)
  for (const [name, placed] of more) {
    if (placed.value === null) continue
    const before = merged.get(name)
    merged.set(name, before && before.value !== null ? join(name, before, placed) : placed)
  }
  return merged
}

/** Of two reusable actions: lists and maps grow, the later scalar wins. */
const replaces =
  (mismatch: (name: string, later: Placed) => void): Join =>
  (name, first, later) => {
    if (kindOf(first.value) !== kindOf(later.value)) {
      mismatch(name, later)
      return first
    }
    if (isList(first.value)) return { ...first, value: [...first.value, ...(later.value as unknown[])] }
    return isMap(first.value) ? { ...first, value: { ...first.value, ...(later.value as Map_) } } : later
  }

/** Of a rule's action and the reusable one: the rule's scalar wins, but the reusable one's member of a map. */
const fills =
  (tell: Tell): Join =>
  (name, own, shared) => {
    if (kindOf(own.value) !== kindOf(shared.value)) {
      tell(own.spot, `${name}: another type of value than in the action it names; this one is taken`, 'warning')
      return own
    }
    if (isList(own.value)) return { ...own, value: [...(shared.value as unknown[]), ...own.value] }
    if (!isMap(own.value)) return own
    const theirs = shared.value as Map_
    for (const key of Object.keys(own.value).filter(
      (one) => Object.hasOwn(theirs, one) && theirs[one] !== (own.value as Map_)[one],
    )) {
      tell(own.spot, `${name}.${key}: the value of the action it names wins, as in Falco Talon`, 'warning')
    }
    return { ...own, value: { ...own.value, ...theirs } }
  }

type Map_ = Readonly<Record<string, unknown>>

const isList = (value: unknown): value is unknown[] => Array.isArray(value)
const isMap = (value: unknown): value is Map_ => typeof value === 'object' && value !== null && !isList(value)

/** The kinds that Talon tells apart: of YAML's numbers, whole ones are another kind. */
const kindOf = (value: unknown): string =>
  isList(value) ? 'list' : typeof value === 'number' && !Number.isInteger(value) ? 'fraction' : typeof value

/** Why a condition holds for an event, or does not. */
import type { FieldValue } from '../event.ts'
import type { Scope } from '../names.ts'
import { type Check, checksIn, type Condition, namesIn, namesOf } from './ast.ts'
import { checkVerdict } from './predicate.ts'
import { printCondition } from './print.ts'
import { fieldReader } from './transform.ts'

/** What one field of a condition holds in an event. */
export interface Actual {
  readonly name: string
  /** undefined: the field is absent. */
  readonly value: FieldValue | undefined
}

/** A part of a condition, with what it says of an event. */
export interface ExplainedPart {
  /** Written out: macros and lists are expanded. */
  readonly text: string
  readonly holds: boolean
  /** The fields it looks at, each once. */
  readonly actual: readonly Actual[]
  /** Where it starts in the condition's text. */
  readonly offset: number
  /** The parts of an `and`, an `or` or a `not`; none of a check. */
  readonly parts: readonly ExplainedPart[]
}

/** A whole condition, explained. */
export interface Explained extends ExplainedPart {
  /**
   * The first part that makes it false: of an `and` the first false item, and so on inside; an `or` none of whose items
   * holds, and a `not` whose item holds, as a whole. undefined when the condition holds.
   */
  readonly firstFalse?: ExplainedPart
  /** The absent fields without which it would not hold: `not k8s.ns.name = x` of an event that has no namespace. */
  readonly throughAbsent: readonly string[]
}

/**
 * Explains a condition for one event.
 * @example explainCondition(parseCondition('proc.name = sh and user.uid = 0'), { event }).firstFalse?.actual
 */
export const explainCondition = (condition: Condition, scope: Scope): Explained => {
  const part = explain(condition, scope)
  const firstFalse = falsePart(condition, part)
  const isCertain = !part.holds || certainty(condition, scope) === true
  return { ...part, ...(firstFalse && { firstFalse }), throughAbsent: isCertain ? [] : absentIn(condition, scope) }
}

const innerOf = (condition: Condition): readonly Condition[] => {
  if (condition.kind === 'check') return []
  return condition.kind === 'not' ? [condition.item] : condition.items
}

const explain = (condition: Condition, scope: Scope): ExplainedPart => {
  const parts = innerOf(condition).map((inner) => explain(inner, scope))
  const names = [...namesIn(condition)]
  return {
    text: printCondition(condition),
    holds: holdsWith(condition, parts, scope),
    actual: [...new Set(names.map(({ name }) => name))].map((name) => ({ name, value: fieldReader(name)(scope) })),
    offset: Math.min(...names.map(({ offset }) => offset)),
    parts,
  }
}

const holdsWith = (condition: Condition, parts: readonly ExplainedPart[], scope: Scope): boolean => {
  if (condition.kind === 'check') return checkVerdict(condition)(scope) === true
  if (condition.kind === 'not') return !parts[0]?.holds
  return condition.kind === 'and' ? parts.every(({ holds }) => holds) : parts.some(({ holds }) => holds)
}

const falsePart = (condition: Condition, part: ExplainedPart): ExplainedPart | undefined => {
  if (part.holds) return undefined
  if (condition.kind !== 'and') return part
  const at = part.parts.findIndex(({ holds }) => !holds)
  return falsePart(condition.items[at] as Condition, part.parts[at] as ExplainedPart)
}

/** Kleene's logic: what a comparison with something absent says is not known. */
const certainty = (condition: Condition, scope: Scope): boolean | undefined => {
  if (condition.kind === 'check') return checkVerdict(condition)(scope) ?? (isAsked(condition) ? false : undefined)
  const [first, ...others] = innerOf(condition).map((inner) => certainty(inner, scope))
  if (condition.kind === 'not') return first === undefined ? undefined : !first
  const decisive = condition.kind === 'or'
  const all = [first, ...others]
  if (all.includes(decisive)) return decisive
  return all.includes(undefined) ? undefined : !decisive
}

/** A condition that asks whether a field exists knows what to do without it. */
const isAsked = (check: Check): boolean => check.operator === 'exists'

const absentIn = (condition: Condition, scope: Scope): string[] => {
  const names = [...checksIn(condition)].filter((check) => !isAsked(check)).flatMap((check) => [...namesOf(check)])
  return [...new Set(names.map(({ name }) => name))].filter((name) => fieldReader(name)(scope) === undefined)
}

/**
 * The anchors of a selection: values of which an event must have one, or it is not selected. Rules are filed under them.
 * What is said here may be wide of what a rule selects, never narrow: a rule that is not found is not asked.
 */
import { type FieldValue, PRIORITIES, textOf } from '../event.ts'
import { compileName, type Scope } from '../names.ts'
import type { Check, Condition } from './ast.ts'
import { isPresent, testOf } from './compare.ts'
import { answeredBy, isAddressField } from './fields.ts'
import { exactNumber } from './number.ts'
import type { Criteria, FieldCriterion } from './selection.ts'

/** A value as it is filed: texts as they are, numbers in one form each. */
export type Key = string | number | bigint

/** Something of an event that has values: `rule`, `tags`, a field. */
export interface Subject {
  readonly name: string
  /** It is compared as `match.output_fields` does: a field by its exact name, as one text whatever it holds. */
  readonly asText: boolean
}

/** Values of which an event must have one. */
export interface Anchor {
  readonly kind: 'anchor'
  readonly subject: Subject
  /** Each once. With none, no event is selected. */
  readonly keys: readonly Key[]
}

/** What a rule can be filed under: any one of a choice, all of a union. */
export type Offer = Anchor | { readonly kind: 'choice' | 'union'; readonly items: readonly Offer[] }

/** What a selection offers; undefined: nothing, so that it must be asked of every event. */
export const offerOf = ({ rules, source, priorities, tags, fields, condition }: Criteria): Offer | undefined =>
  choice([
    rules && anchor('rule', rules),
    source === undefined ? undefined : anchor('source', [source]),
    tags && union(tags.map((all) => choice(all.map((tag) => anchor('tags', [tag]))))),
    fields && union(fields.map((all) => choice(all.map(offerOfField)))),
    condition && offerOfCondition(condition),
    priorities && anchor('priority', priorities),
  ])

const anchor = (name: string, keys: readonly Key[], asText = false): Anchor => ({
  kind: 'anchor',
  subject: { name, asText },
  keys: [...new Set(keys)],
})

const isOffer = (offer: Offer | undefined): offer is Offer => offer !== undefined

const choice = (items: readonly (Offer | undefined)[]): Offer | undefined => {
  const offers = items.filter(isOffer)
  return offers.length > 1 ? { kind: 'choice', items: offers } : offers[0]
}

const union = (items: readonly (Offer | undefined)[]): Offer | undefined =>
  items.every(isOffer) ? { kind: 'union', items } : undefined

const offerOfField = ({ name, text, differs }: FieldCriterion): Offer | undefined =>
  differs ? undefined : anchor(name, [text], true)

const offerOfCondition = (condition: Condition): Offer | undefined => {
  switch (condition.kind) {
    case 'check':
      return offerOfCheck(condition)
    case 'and':
      return choice(condition.items.map(offerOfCondition))
    case 'or':
      return union(condition.items.map(offerOfCondition))
    case 'not':
      return undefined
  }
}

const offerOfCheck = (check: Check): Offer | undefined => {
  const { name, operator, values, left, right, modifier } = check
  if (left || right) return undefined
  if (name === 'priority') return anchor(name, PRIORITIES.filter(testOf(check)))
  if (modifier || isAddressField(name) || answeredBy(name).length > 0) return undefined
  if (operator === '=' || operator === '==') return anchorOf(name, values.slice(0, 1))
  return operator === 'in' || operator === 'intersects' ? anchorOf(name, values) : undefined
}

const anchorOf = (name: string, values: readonly string[]): Anchor | undefined => {
  const keys: Key[] = []
  for (const text of values) {
    const number = exactNumber(text)
    if (number === undefined && /^[+-]?\d+$/.test(text)) return undefined
    keys.push(text, ...(number === undefined ? [] : [numberKey(number)]))
  }
  return anchor(name, keys)
}

/** The key of a value, or of one of a list: equal, as conditions compare, are those of the same key. */
export const keyOf = (value: FieldValue): Key =>
  typeof value === 'number' || typeof value === 'bigint' ? numberKey(value) : textOf(value)

/** Safe integers as numbers, all others as bigints: `1` is `1.0` is `1n`. */
const numberKey = (number: number | bigint): number | bigint => {
  const double = Number(number)
  if (Number.isSafeInteger(double)) return double
  return Number.isInteger(number) ? BigInt(number) : number
}

/** The value of a subject in an event; undefined when it is not there. */
export type Lookup = (scope: Scope) => FieldValue | undefined

/** Makes a lookup ready. What a condition takes for absent, as null and `<NA>`, is still given: that finds too much only. */
export const lookupOf = ({ name, asText }: Subject): Lookup => {
  if (!asText) return MEMBERS.get(name) ?? (compileName(name) as Lookup)
  return ({ event }) => {
    const value = event.field(name)
    return isPresent(value) ? textOf(value) : undefined
  }
}

/** Those that nearly every set of rules asks for, without the general resolver's detour. */
const MEMBERS: ReadonlyMap<string, Lookup> = new Map<string, Lookup>([
  ['rule', ({ event }) => event.rule],
  ['source', ({ event }) => event.source],
  ['priority', ({ event }) => event.priority],
  ['tags', ({ event }) => event.tags],
])

/**
 * What an operator of the condition language says of one value.
 * An event has JSON values and not Falco's types, so: on a field with an address's name, addresses and ranges compare as
 * such; numbers compare by value, exactly; everything else is text. An operator other than `in` and `!=` holds for a list
 * when it holds for one of its members; `in` for all of them, `!=` when none is equal.
 */
import { type FieldValue, parsePriority, severity, textOf } from '../event.ts'
import { addressTest } from './address.ts'
import { type Check, ConditionError, type Modifier, type Operator } from './ast.ts'
import { isAddressField } from './fields.ts'
import { globTest, iglobTest, pathTest } from './glob.ts'
import { exactNumber } from './number.ts'
import { regexTest } from './regex.ts'

/** Absent: not there, null, or Falco's `<NA>`. */
export const isPresent = (value: unknown): boolean => value !== undefined && value !== null && value !== '<NA>'

/** As {@link isPresent}, for a field that says what an event is about: also not `""`, not `N/A`. */
export const isPresentIdentity = (value: unknown): boolean => isPresent(value) && value !== '' && value !== 'N/A'

export type Test = (value: FieldValue) => boolean

/** The test of a check on its left value. */
export const testOf = (check: Pick<Check, 'name' | 'operator' | 'values' | 'offset' | 'modifier' | 'left'>): Test => {
  const { name, operator, values, modifier, left } = check
  const make = (some: readonly string[]): Test =>
    name === 'priority' && !left && isOrdering(operator)
      ? priorityTest(operator, some)
      : valueTest(operator, some, !left && isAddressField(name) ? equalsAddress : equals)
  try {
    return modifier
      ? modified(
          modifier,
          values.map((value) => make([value])),
        )
      : make(values)
  } catch (cause) {
    throw new ConditionError(cause instanceof Error ? cause.message : String(cause), check.offset)
  }
}

/** With no values at all, none of the three holds: so does Falco. */
const modified = (modifier: Modifier, tests: readonly Test[]): Test => {
  if (modifier === 'anyof') return (value) => tests.some((test) => test(value))
  if (modifier === 'allof') return (value) => tests.length > 0 && tests.every((test) => test(value))
  return (value) => tests.filter((test) => test(value)).length === 1
}

/** The operators by which a priority is compared as a severity, not as text. */
const ORDERING = ['=', '==', '!=', '<', '<=', '>', '>=', 'in', 'intersects'] as const

type Ordering = (typeof ORDERING)[number]

export const isOrdering = (operator: Operator): operator is Ordering =>
  (ORDERING as readonly Operator[]).includes(operator)

/** Priorities compare by severity: `priority >= warning`. A text that names no priority ranks nowhere. */
export const priorityTest = (operator: Ordering, values: readonly string[]): Test => {
  const ranks = values.map(rankOf)
  const order = orderTest(operator, ranks)
  return (value) => {
    const own = rankOf(textOf(value))
    return !Number.isNaN(own) && order(own)
  }
}

const rankOf = (text: string): number => {
  const priority = parsePriority(text)
  return priority ? severity(priority) : Number.NaN
}

const orderTest = (operator: Ordering, ranks: readonly number[]): ((rank: number) => boolean) => {
  const limit = ranks[0] ?? Number.NaN
  switch (operator) {
    case '=':
    case '==':
      return (rank) => rank === limit
    case '!=':
      return (rank) => rank !== limit
    case 'in':
    case 'intersects':
      return (rank) => ranks.includes(rank)
    default:
      return (rank) => isInOrder(operator, rank, limit)
  }
}

type Numeric = '<' | '<=' | '>' | '>='

const isInOrder = (operator: Numeric, a: number | bigint, b: number | bigint): boolean => {
  if (operator === '<') return a < b
  if (operator === '<=') return a <= b
  return operator === '>' ? a > b : a >= b
}

/** Makes the test of being equal to a text. */
type Equals = (text: string) => Test

/** The test of an operator with its values. */
export const valueTest = (operator: Operator, values: readonly string[], same: Equals = equals): Test => {
  const first = values[0] ?? ''
  switch (operator) {
    case '=':
    case '==':
      return some(same(first))
    case '!=': {
      const equal = some(same(first))
      return (value) => !equal(value)
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return numberTest(operator, first)
    case 'in':
      return every(oneOf(values, same))
    case 'intersects':
      return some(oneOf(values, same))
    case 'exists':
      return () => true
    default:
      return text(textTest(operator, values))
  }
}

type Textual = Exclude<Operator, Ordering | 'exists'>

const textTest = (operator: Textual, values: readonly string[]): ((text: string) => boolean) => {
  const first = values[0] ?? ''
  switch (operator) {
    case 'contains':
      return (own) => own.includes(first)
    case 'icontains': {
      const lower = first.toLowerCase()
      return (own) => own.toLowerCase().includes(lower)
    }
    case 'startswith':
      return (own) => own.startsWith(first)
    case 'endswith':
      return (own) => own.endsWith(first)
    case 'bcontains': {
      const bytes = Buffer.from(first, 'hex')
      return (own) => Buffer.from(own).includes(bytes)
    }
    case 'bstartswith': {
      const bytes = Buffer.from(first, 'hex')
      return (own) => Buffer.from(own).subarray(0, bytes.length).equals(bytes)
    }
    case 'glob':
      return globTest(first)
    case 'iglob':
      return iglobTest(first)
    case 'regex':
      return regexTest(first)
    case 'pmatch':
      return pathTest(values)
  }
}

const text = (test: (text: string) => boolean): Test => some((value) => test(textOf(value)))

const some =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) ? value.some(test) : test(value)

const every =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) ? value.length > 0 && value.every(test) : test(value)

const oneOf = (values: readonly string[], same: Equals): Test => {
  const texts = new Set(values)
  const tests = values.map(same)
  const isText = same === equals
  return (value) =>
    typeof value === 'string' && (isText || texts.has(value)) ? texts.has(value) : tests.some((test) => test(value))
}

/** Text by text; numbers by value, exactly: `1` is `1.0`, and 19 digits are 19 digits. */
const equals: Equals = (text) => {
  const number = exactNumber(text)
  return (value) => {
    if (typeof value === 'string') return value === text
    if ((typeof value === 'number' || typeof value === 'bigint') && number !== undefined)
      return !(value < number) && !(value > number)
    return textOf(value) === text
  }
}

/** The same address in another spelling, or one inside the range; what is no address is text. */
const equalsAddress: Equals = (text) => {
  const isInside = addressTest(text)
  return isInside ? (value) => value === text || isInside(textOf(value)) : equals(text)
}

const numberTest = (operator: Numeric, text: string): Test => {
  const limit = exactNumber(text)
  if (limit === undefined) return () => false
  return some((value) => {
    const number = typeof value === 'string' ? exactNumber(value) : value
    return (typeof number === 'number' || typeof number === 'bigint') && isInOrder(operator, number, limit)
  })
}

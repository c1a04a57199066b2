/** Asks a condition of an event. */
import { type FieldValue, textOf } from '../event.ts'
import type { Scope } from '../names.ts'
import type { Check, Condition } from './ast.ts'
import { testOf } from './compare.ts'
import { answeredBy } from './fields.ts'
import { expressionReader, fieldReader, type Reader } from './transform.ts'

export type Predicate = (scope: Scope) => boolean

/** Makes a parsed condition ready to be asked. */
export const predicate = (condition: Condition): Predicate => {
  if (condition.kind === 'not') {
    const item = predicate(condition.item)
    return (scope) => !item(scope)
  }
  if (condition.kind === 'check') {
    const verdict = checkVerdict(condition)
    return (scope) => verdict(scope) === true
  }
  const items = condition.items.map(predicate)
  return condition.kind === 'and'
    ? (scope) => items.every((item) => item(scope))
    : (scope) => items.some((item) => item(scope))
}

/** What a check says; undefined when what it compares is absent. */
export type Verdict = (scope: Scope) => boolean | undefined

export const checkVerdict = (check: Check): Verdict => {
  const left = leftReader(check)
  if (check.right) return pairVerdict(check, left, expressionReader(check.right))
  const test = testOf(eitherEnd(check))
  return (scope) => {
    const value = left(scope)
    return value === undefined ? undefined : test(value)
  }
}

/** The value that a check compares. */
export const leftReader = ({ name, left }: Check): Reader => (left ? expressionReader(left) : fieldReader(name))

/** `fd.ip in (...)` holds when one end of the connection is in the list, as in Falco. */
const eitherEnd = (check: Check): Check =>
  check.operator === 'in' && !check.left && answeredBy(check.name).length > 1
    ? { ...check, operator: 'intersects' }
    : check

/** Compared with a list, one of it is enough; to differ, all of it must. */
const pairVerdict =
  (check: Check, left: Reader, right: Reader): Verdict =>
  (scope) => {
    const value = left(scope)
    const other = right(scope)
    if (value === undefined || other === undefined) return undefined
    return testOf(withValues(check, other))(value)
  }

const withValues = (check: Check, other: FieldValue): Check => {
  if (!Array.isArray(other)) return { ...check, values: [textOf(other)] }
  const values = (other as readonly FieldValue[]).map(textOf)
  if (check.operator === 'in') return { ...check, values }
  return { ...check, values, modifier: check.operator === '!=' ? 'allof' : 'anyof' }
}

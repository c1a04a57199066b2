/** What an operator of the condition language says of one value. */
import { type FieldValue, parsePriority, severity, textOf } from '../event.ts'
import type { Operator } from './condition.ts'

/** Absent: not there, null, or Falco's `<NA>`. */
export const isPresent = (value: unknown): boolean => value !== undefined && value !== null && value !== '<NA>'

export type Test = (value: FieldValue) => boolean

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
    case '<':
      return (rank) => rank < limit
    case '<=':
      return (rank) => rank <= limit
    case '>':
      return (rank) => rank > limit
    case '>=':
      return (rank) => rank >= limit
    case 'in':
    case 'intersects':
      return (rank) => ranks.includes(rank)
  }
}

export const valueTest = (operator: Operator, values: readonly string[]): Test => {
  const first = values[0] ?? ''
  switch (operator) {
    case '=':
    case '==':
      return some(equals(first))
    case '!=': {
      const same = some(equals(first))
      return (value) => !same(value)
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return numberTest(operator, first)
    case 'in':
      return every(oneOf(values))
    case 'intersects':
      return some(oneOf(values))
    case 'contains':
      return some((value) => textOf(value).includes(first))
    case 'icontains':
      return some((value) => textOf(value).toLowerCase().includes(first.toLowerCase()))
    case 'startswith':
      return some((value) => textOf(value).startsWith(first))
    case 'endswith':
      return some((value) => textOf(value).endsWith(first))
    case 'glob':
      return some((value) => globMatches(first, textOf(value)))
    case 'exists':
      return () => true
  }
}

const some =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) ? value.some(test) : test(value)

const every =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) ? value.length > 0 && value.every(test) : test(value)

const oneOf = (values: readonly string[]): Test => {
  const tests = values.map(equals)
  const texts = new Set(values)
  return (value) => (typeof value === 'string' ? texts.has(value) : tests.some((test) => test(value)))
}

/** Text by text; numbers by value, exactly: `1` is `1.0`, and 19 digits are 19 digits. */
const equals = (text: string): Test => {
  const number = exactNumber(text)
  return (value) => {
    if (typeof value === 'string') return value === text
    if ((typeof value === 'number' || typeof value === 'bigint') && number !== undefined)
      return sameNumber(value, number)
    return textOf(value) === text
  }
}

const sameNumber = (a: number | bigint, b: number | bigint): boolean => !(a < b) && !(a > b)

const exactNumber = (text: string): number | bigint | undefined => {
  if (/^-?\d+$/.test(text)) return BigInt(text)
  return /^-?\d+\.\d+$/.test(text) ? Number(text) : undefined
}

const numberTest = (operator: '<' | '<=' | '>' | '>=', text: string): Test => {
  const limit = exactNumber(text)
  if (limit === undefined) return () => false
  return some((value) => {
    const number = typeof value === 'string' ? exactNumber(value) : value
    if (typeof number !== 'number' && typeof number !== 'bigint') return false
    if (operator === '<') return number < limit
    if (operator === '<=') return number <= limit
    return operator === '>' ? number > limit : number >= limit
  })
}

/** `*` any text, `?` one character, in time proportional to pattern times text. */
export const globMatches = (pattern: string, text: string): boolean => {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      mark = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

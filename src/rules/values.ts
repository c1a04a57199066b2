/** Whether the values of a check are such as its operator takes; what can be wrong is told when a condition is read. */
import { messageOf } from '../errors.ts'
import { parsePriority, PRIORITIES } from '../event.ts'
import { addressTest } from './address.ts'
import type { Check } from './ast.ts'
import { isOrdering } from './compare.ts'
import { isAddressField } from './fields.ts'
import { exactNumber } from './number.ts'
import { regexTest } from './regex.ts'

type Compared = Pick<Check, 'name' | 'operator' | 'left' | 'right'>

/** What is wrong with one value; undefined when nothing is. */
export const valueFault = ({ name, operator, left }: Compared, value: string): string | undefined => {
  const shown = value || '""'
  if (name === 'priority' && !left && isOrdering(operator)) {
    return parsePriority(value) ? undefined : `${shown} is not a priority: ${PRIORITIES.join(', ')}`
  }
  switch (operator) {
    case '<':
    case '<=':
    case '>':
    case '>=':
      return exactNumber(value) === undefined ? `${operator} compares numbers, and ${shown} is none` : undefined
    case 'bcontains':
    case 'bstartswith':
      return /^(?:[0-9a-fA-F]{2})+$/.test(value)
        ? undefined
        : `${operator} takes bytes in hexadecimal, e.g. 7f454c46, not ${shown}`
    case 'regex':
      return regexFault(value)
    default:
      return !left && isAddressField(name) ? addressFault(value) : undefined
  }
}

const regexFault = (pattern: string): string | undefined => {
  try {
    regexTest(pattern)
    return undefined
  } catch (error) {
    return `the regular expression cannot be used: ${messageOf(error)}`
  }
}

/** A value on an address field may be any text, but not a wrong range. */
const addressFault = (value: string): string | undefined =>
  value.includes('/') && !addressTest(value) ? `${value} is not a range of addresses, e.g. 10.0.0.0/8` : undefined

/** Patterns are the rule's: from a field, whoever writes the event would choose how long matching takes. */
const PATTERNS: ReadonlySet<string> = new Set(['glob', 'iglob', 'regex', 'pmatch', 'bcontains', 'bstartswith'])

/** What is wrong with a field on the right; undefined when nothing is. */
export const rightFault = (operator: string): string | undefined =>
  PATTERNS.has(operator) ? `${operator} takes its values from the condition, not from a field` : undefined

import { describe, expect, it } from 'vitest'
import type { Expression, Operator } from '../../src/rules/condition.ts'
import { rightFault, valueFault } from '../../src/rules/values.ts'

const left: Expression = { kind: 'field', name: 'priority', offset: 0 }

describe('a value', () => {
  it.each<[string, Operator, string]>([
    ['priority', '>=', 'warning'],
    ['priority', 'in', 'CRIT'],
    ['priority', 'contains', 'anything'],
    ['user.uid', '>', '-1'],
    ['user.uid', '<=', '0x1F'],
    ['user.uid', '<', '1.5'],
    ['evt.buffer', 'bcontains', 'CAFEbabe'],
    ['proc.name', 'regex', '[a-z]+'],
    ['proc.name', '=', '('],
    ['proc.name', 'glob', '['],
    ['fd.sip', '=', '10.0.0.0/8'],
    ['fd.sip', '=', 'localhost'],
    ['fd.sip', 'in', '::1'],
    ['fd.name', '=', '10.0.0.0/99'],
    ['fd.sip', '=', ''],
  ])('fits its operator: %s %s %s', (name, operator, value) => {
    expect(valueFault({ name, operator }, value)).toBeUndefined()
  })

  it.each<[string, Operator, string, RegExp]>([
    ['priority', '=', 'warnign', /^warnign is not a priority: Emergency, Alert, .*, Debug$/],
    ['priority', 'in', '', /^"" is not a priority/],
    ['user.uid', '>', 'root', /^> compares numbers, and root is none$/],
    ['user.uid', '<', '', /^< compares numbers, and "" is none$/],
    ['evt.buffer', 'bcontains', 'xyz', /^bcontains takes bytes in hexadecimal, e\.g\. 7f454c46, not xyz$/],
    ['evt.buffer', 'bstartswith', 'abc', /^bstartswith takes bytes in hexadecimal/],
    ['evt.buffer', 'bstartswith', '', /not ""$/],
    ['proc.name', 'regex', '(', /^the regular expression cannot be used: .*missing closing/],
    ['fd.sip', '=', '10.0.0.0/33', /^10\.0\.0\.0\/33 is not a range of addresses/],
    ['fields["fd.snet"]', 'in', '10.0.0/8', /is not a range of addresses/],
  ])('does not fit its operator: %s %s %j', (name, operator, value, message) => {
    expect(valueFault({ name, operator }, value)).toMatch(message)
  })

  it('of a transformed priority or address is plain text', () => {
    expect(valueFault({ name: 'priority', operator: '=', left }, 'anything')).toBeUndefined()
    expect(valueFault({ name: 'fd.sip', operator: '=', left }, '1/2')).toBeUndefined()
    expect(valueFault({ name: 'priority', operator: '>', left }, 'warning')).toMatch(/compares numbers/)
  })
})

describe('a field on the right', () => {
  it.each(['=', '!=', '<', '>=', 'contains', 'icontains', 'startswith', 'endswith', 'in', 'intersects'])(
    'may be compared with: %s',
    (operator) => {
      expect(rightFault(operator)).toBeUndefined()
    },
  )

  it.each(['glob', 'iglob', 'regex', 'pmatch', 'bcontains', 'bstartswith'])('may give no pattern: %s', (operator) => {
    expect(rightFault(operator)).toBe(`${operator} takes its values from the condition, not from a field`)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FieldValue, PRIORITIES, severity } from '../../src/event.ts'
import { globMatches, isOrdering, isPresent, priorityTest, valueTest } from '../../src/rules/compare.ts'
import type { Operator } from '../../src/rules/condition.ts'

describe('a value', () => {
  it.each([undefined, null, '<NA>'])('%s is absent', (value) => {
    expect(isPresent(value)).toBe(false)
  })

  it.each(['', 0, false, 'null', 'N/A', []])('%j is there', (value) => {
    expect(isPresent(value)).toBe(true)
  })
})

describe('an operator', () => {
  it.each<[FieldValue, Operator, string[], boolean]>([
    ['bash', '=', ['bash'], true],
    ['bash', '==', ['Bash'], false],
    ['1.0', '=', ['1'], false],
    [1, '=', ['1'], true],
    [1, '=', ['1.0'], true],
    [1, '=', ['01'], true],
    [1, '=', ['x'], false],
    [true, '=', ['true'], true],
    [false, '!=', ['true'], true],
    ['bash', '!=', ['sh'], true],
    ['bash', '!=', ['bash'], false],
    [['a', 'b'], '=', ['b'], true],
    [['a', 'b'], '!=', ['b'], false],
    [['a', 'b'], '!=', ['c'], true],
    [[], '=', [''], false],
    [2n ** 64n, '=', ['18446744073709551616'], true],
    [2n ** 64n, '=', ['18446744073709551617'], false],
    [2n ** 64n, '>', ['18446744073709551615'], true],
    [2n ** 64n, '>', ['1.5'], true],
    [0.1, '=', ['0.1'], true],
    [{ a: 1 }, '=', ['{"a":1}'], true],
    [8080, '<', ['8081'], true],
    [8080, '<=', ['8080'], true],
    [8080, '>', ['8080'], false],
    [8080, '>=', ['8080'], true],
    [-1, '<', ['0'], true],
    [1.5, '>', ['1'], true],
    ['8080', '>', ['1024'], true],
    ['18446744073709551616', '>', ['18446744073709551615'], true],
    ['x', '>', ['1'], false],
    ['', '>=', ['0'], false],
    [true, '>', ['0'], false],
    [5, '>', ['x'], false],
    [5, '<=', ['x'], false],
    [[1, 9], '>', ['5'], true],
    [[1, 2], '>', ['5'], false],
    ['bash', 'in', ['sh', 'bash'], true],
    ['bash', 'in', [], false],
    [5, 'in', ['5'], true],
    [['a', 'b'], 'in', ['a', 'b', 'c'], true],
    [['a', 'z'], 'in', ['a', 'b', 'c'], false],
    [[], 'in', ['a'], false],
    [['a', 'z'], 'intersects', ['a'], true],
    [['z'], 'intersects', ['a'], false],
    ['a', 'intersects', ['a'], true],
    ['/etc/shadow', 'contains', ['shadow'], true],
    ['/etc/Shadow', 'contains', ['shadow'], false],
    ['/etc/Shadow', 'icontains', ['sHADOW'], true],
    ['/etc/shadow', 'startswith', ['/etc'], true],
    ['/etc/shadow', 'startswith', ['etc'], false],
    ['/etc/shadow', 'endswith', ['shadow'], true],
    [['x', '/etc'], 'startswith', ['/'], true],
    [12_345, 'contains', ['234'], true],
    ['/etc/shadow', 'glob', ['/etc/*'], true],
    [['x', '/etc'], 'glob', ['/???'], true],
    ['', 'exists', [], true],
  ])('%#', (value, operator, values, holds) => {
    expect(valueTest(operator, values)(value)).toBe(holds)
  })

  it('in agrees with =, and < with >=', () => {
    const value = fc.oneof(
      fc.string({ maxLength: 2 }),
      fc.integer(),
      fc.bigInt(),
      fc.boolean(),
      fc.double({ noNaN: true }),
    )
    const text = fc.oneof(fc.string({ maxLength: 2 }), fc.integer().map(String), fc.bigInt().map(String))
    fc.assert(
      fc.property(value, fc.array(text), text, (one, texts, limit) => {
        const isAny = texts.some((other) => valueTest('=', [other])(one))
        expect(valueTest('in', texts)(one)).toBe(isAny)
        expect(valueTest('intersects', texts)(one)).toBe(isAny)
        expect(valueTest('!=', [limit])(one)).toBe(!valueTest('=', [limit])(one))
        const [less, atLeast] = [valueTest('<', [limit])(one), valueTest('>=', [limit])(one)]
        expect(less && atLeast).toBe(false)
        expect(valueTest('<=', [limit])(one) || valueTest('>', [limit])(one)).toBe(less || atLeast)
      }),
    )
  })
})

describe('a priority', () => {
  const relations: Record<string, (a: number, b: number) => boolean> = {
    '=': (a, b) => a === b,
    '==': (a, b) => a === b,
    '!=': (a, b) => a !== b,
    '<': (a, b) => a < b,
    '<=': (a, b) => a <= b,
    '>': (a, b) => a > b,
    '>=': (a, b) => a >= b,
  }

  it.each(Object.keys(relations))('is compared by severity: %s', (operator) => {
    if (!isOrdering(operator as Operator)) throw new Error('it is not')
    for (const a of PRIORITIES) {
      for (const b of PRIORITIES) {
        const holds = priorityTest(operator as '=', [b.toLowerCase()])(a)
        expect(holds, `${a} ${operator} ${b}`).toBe(relations[operator]?.(severity(a), severity(b)))
      }
    }
  })

  it.each(['in', 'intersects'] as const)('is one of several: %s', (operator) => {
    const test = priorityTest(operator, ['info', 'CRITICAL'])
    expect(PRIORITIES.filter(test)).toEqual(['Critical', 'Informational'])
  })

  it('that is none holds in no comparison', () => {
    for (const operator of ['=', '!=', '<', '>=', 'in'] as const) {
      expect(priorityTest(operator, ['Notice'])('nonsense')).toBe(false)
    }
  })

  it('is text for the operators of text', () => {
    expect(['contains', 'glob', 'exists', 'startswith'].some((one) => isOrdering(one as Operator))).toBe(false)
  })
})

describe('a glob', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything\nat all', true],
    ['?', '', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['**a', 'a', true],
    ['/etc/*', '/etc', false],
    ['[ab].c+', '[ab].c+', true],
    ['[ab]', 'a', false],
  ])('%j on %j', (pattern, text, matches) => {
    expect(globMatches(pattern, text)).toBe(matches)
  })

  it('matches as a plain recursive reading does', () => {
    const naive = (pattern: string, text: string): boolean => {
      if (pattern === '') return text === ''
      const [first, rest] = [pattern[0], pattern.slice(1)]
      if (first === '*') return naive(rest, text) || (text !== '' && naive(pattern, text.slice(1)))
      return text !== '' && (first === '?' || first === text[0]) && naive(rest, text.slice(1))
    }
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), maxLength: 8 })
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 10 })
    fc.assert(
      fc.property(pattern, text, (one, other) => {
        expect(globMatches(one, other)).toBe(naive(one, other))
      }),
      { numRuns: 1_000 },
    )
  })

  it('takes no longer for a pattern made to take long', () => {
    expect(globMatches(`${'a*'.repeat(50)}b`, 'a'.repeat(20_000))).toBe(false)
  })
})

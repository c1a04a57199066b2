import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FieldValue, PRIORITIES, severity } from '../../src/event.ts'
import { isOrdering, isPresent, isPresentIdentity, priorityTest, testOf, valueTest } from '../../src/rules/compare.ts'
import type { Modifier, Operator } from '../../src/rules/condition.ts'

describe('a value', () => {
  it.each([undefined, null, '<NA>'])('%s is absent', (value) => {
    expect(isPresent(value)).toBe(false)
  })

  it.each(['', 0, false, 'null', 'N/A', []])('%j is there', (value) => {
    expect(isPresent(value)).toBe(true)
  })
})

describe('a value of a field that says what an event is about', () => {
  it.each([undefined, null, '<NA>', '', 'N/A'])('%j is absent', (value) => {
    expect(isPresentIdentity(value)).toBe(false)
  })

  it.each(['host', 0, false, 'n/a'])('%j is there', (value) => {
    expect(isPresentIdentity(value)).toBe(true)
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
    ['/etc/Shadow', 'iglob', ['/ETC/s*'], true],
    ['/etc/Shadow', 'regex', ['/etc/[A-Z][a-z]+'], true],
    ['/etc/shadow.bak', 'regex', ['/etc/shadow'], false],
    ['/var/run/docker.sock', 'pmatch', ['/etc', '/var/run'], true],
    ['/var/running', 'pmatch', ['/var/run'], false],
    [['/tmp/x', '/var/run'], 'pmatch', ['/var/run'], true],
    ['ELF\u007f', 'bcontains', ['4c46'], true],
    ['é', 'bstartswith', ['c3A9'], true],
    ['x', 'bstartswith', ['7878'], false],
    [255, '=', ['0xff'], true],
    [1000, '=', ['1e+3'], true],
    [5, '<', ['0x10'], true],
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

describe('a modifier', () => {
  const holds = (value: FieldValue, operator: Operator, modifier: Modifier, values: string[]): boolean =>
    testOf({ name: 'a', operator, modifier, values, offset: 0 })(value)

  it.each<[FieldValue, Operator, string[], boolean, boolean, boolean]>([
    ['bash', 'startswith', ['b', 'z'], true, true, false],
    ['bash', 'startswith', ['b', 'ba'], false, true, true],
    ['bash', 'startswith', ['x', 'z'], false, false, false],
    ['bash', 'startswith', [], false, false, false],
    ['bash', '=', ['bash'], true, true, true],
    ['bash', '!=', ['bash', 'sh'], true, true, false],
    ['bash', '!=', ['sh', 'zsh'], false, true, true],
    ['bash', 'regex', ['b.*', 'ba.*', 'z'], false, true, false],
    [['a', 'b'], '=', ['a', 'b'], false, true, true],
  ])('%j %s %j', (value, operator, values, one, any, all) => {
    expect(holds(value, operator, 'oneof', values)).toBe(one)
    expect(holds(value, operator, 'anyof', values)).toBe(any)
    expect(holds(value, operator, 'allof', values)).toBe(all)
  })

  it('goes over severities too', () => {
    const test = testOf({ name: 'priority', operator: '=', modifier: 'anyof', values: ['warn', 'ALERT'], offset: 0 })
    expect(PRIORITIES.filter(test)).toEqual(['Alert', 'Warning'])
  })
})

describe('a field of addresses', () => {
  const holds = (name: string, value: FieldValue, operator: Operator, ...values: string[]): boolean =>
    testOf({ name, operator, values, offset: 0 })(value)

  it('compares addresses and ranges', () => {
    expect(holds('fd.sip', '10.1.2.3', '=', '10.0.0.0/8')).toBe(true)
    expect(holds('fd.sip', '10.1.2.3', '!=', '10.0.0.0/8')).toBe(false)
    expect(holds('fd.sip', '11.1.2.3', 'in', '10.0.0.0/8', '11.1.2.3')).toBe(true)
    expect(holds('ka.sourceips', ['10.0.0.1', '192.168.0.1'], 'in', '10.0.0.0/8')).toBe(false)
    expect(holds('ka.sourceips', ['10.0.0.1', '192.168.0.1'], 'intersects', '10.0.0.0/8')).toBe(true)
    expect(holds('fields["fd.lip"]', '2001:DB8::0:1', '=', '2001:db8:0::1')).toBe(true)
  })

  it('compares as text what is no address', () => {
    expect(holds('fd.sip', 'localhost', '=', 'localhost')).toBe(true)
    expect(holds('fd.sip', 'localhost', 'in', '10.0.0.0/8')).toBe(false)
    expect(holds('fd.net', '10.0.0.0/8', '=', '10.0.0.0/8')).toBe(true)
    expect(holds('fd.sip', '10.0.0.1', 'startswith', '10.')).toBe(true)
  })

  it('is known by its name: in others, a range is text', () => {
    expect(holds('proc.args', '10.1.2.3', '=', '10.0.0.0/8')).toBe(false)
    expect(holds('fd.name', '10.1.2.3', 'in', '10.0.0.0/8')).toBe(false)
  })
})

it('a test that cannot be made says where', () => {
  const wrong = { name: 'a', operator: 'regex', values: ['('], offset: 7 } as const
  expect(() => testOf(wrong)).toThrow(expect.objectContaining({ code: 'config', offset: 7 }))
})

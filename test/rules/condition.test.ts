import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Scope } from '../../src/names.ts'
import {
  type Check,
  compileCondition,
  type Condition,
  ConditionError,
  namesIn,
  type Operator,
  parseCondition,
  predicate,
} from '../../src/rules/condition.ts'
import { targetOf } from '../../src/target.ts'
import { anEvent, aReport } from '../../src/testing.ts'

const event = anEvent({
  output_fields: {
    'proc.name': 'bash',
    'user.uid': 0,
    'proc.cmdline': `sh -c "x y" 'z'`,
    'proc.aname[2]': 'systemd',
    'fd.name': null,
    'container.id': '<NA>',
    'k8s.ns.name': 'shop',
    'k8s.pod.name': 'web-1',
    list: ['a', 'b'],
    big: 1_769_860_800_123_456_789n,
  },
})

const [mark] = aReport().steps
const scope: Scope = { event, target: targetOf(event), steps: mark ? { mark } : {} }

const errorOf = (text: string): ConditionError => {
  try {
    parseCondition(text)
  } catch (error) {
    return error as ConditionError
  }
  throw new Error(`it was taken: ${text}`)
}

describe('a condition', () => {
  it.each<[string, boolean]>([
    ['proc.name = bash', true],
    ['proc.name=bash', true],
    ['proc.name = "bash"', true],
    ["proc.name == 'bash'", true],
    ['proc.name != sh', true],
    ['not proc.name = sh', true],
    ['not not proc.name = sh', false],
    ['not (not proc.name = bash)', true],
    ['proc.name in (sh, bash)', true],
    ['proc.name in ()', false],
    ['proc.name in (sh, "bash",)', true],
    ['tags intersects (shell, nothing)', true],
    ['tags in (shell, nothing)', false],
    ['tags = shell', true],
    ['tags != shell', false],
    ['user.uid = 0', true],
    ['user.uid < 1 and user.uid >= 0', true],
    ['user.uid > 0 or proc.name startswith ba', true],
    ['big = 1769860800123456789', true],
    ['big = 1769860800123456790', false],
    ['big > 1769860800123456788', true],
    ['proc.name contains as', true],
    ['proc.name icontains AS', true],
    ['proc.name endswith sh', true],
    ['proc.name glob "b?s*"', true],
    ['proc.name exists', true],
    ['fd.name exists', false],
    ['container.id exists', false],
    ['nothing exists', false],
    ['nothing = ""', false],
    ['nothing != x', false],
    ['container.id != x', false],
    ['fd.name != x', false],
    ['not nothing = x', true],
    ['proc.aname[2] = systemd', true],
    ['fields["proc.aname[2]"] = systemd', true],
    ['priority >= notice', true],
    ['priority > Notice', false],
    ['priority in (Info, notice)', true],
    ['priority contains otic', true],
    ['rule = "Terminal shell in container" and source = syscall', true],
    ['target.pod = web-1', true],
    ['steps.mark.outcome = succeeded', true],
    ['steps.other.outcome != succeeded', false],
    [String.raw`proc.cmdline = "sh -c \"x y\" 'z'"`, true],
    ['proc.cmdline contains \'"x y"\'', true],
    ['(((proc.name = bash)))', true],
    ['proc.name = sh and user.uid = 0 or tags = shell', true],
    ['proc.name = sh and (user.uid = 0 or tags = shell)', false],
    ['not proc.name = bash or user.uid = 0', true],
    ['not (proc.name = bash or user.uid = 0)', false],
    ['\n proc.name =\n\tbash\r\n and user.uid = 0 \n', true],
    ['and = 1', false],
    ['proc.name = and', false],
    ['list[1] = b', true],
  ])('%s', (text, holds) => {
    expect(compileCondition(text)(scope)).toBe(holds)
  })

  it.each<[string, string, number]>([
    ['', 'expected a field, found the end', 0],
    ['   ', 'expected a field, found the end', 0],
    ['proc.name', 'expected an operator after proc.name, found the end', 9],
    ['proc.name bash', 'expected an operator after proc.name, found bash', 10],
    ['proc.name "="', 'expected an operator after proc.name, found =', 10],
    ['proc.name =', 'expected a value, found the end', 11],
    ['proc.name = (a)', 'expected a value, found (', 12],
    ['proc.name = and user.uid = 0', 'expected and, or, or the end, found user.uid', 16],
    ['a = b c = d', 'expected and, or, or the end, found c', 6],
    ['a = b and', 'expected a field, found the end', 9],
    ['a = b and or', 'expected an operator after or, found the end', 12],
    ['not', 'expected a field, found the end', 3],
    ['"a" = b', 'expected a field, found a', 0],
    ['(a = b', 'expected a closing parenthesis, found the end', 6],
    ['a = b)', 'expected and, or, or the end, found )', 5],
    ['()', 'expected a field, found )', 1],
    ['a in b', 'expected a list in parentheses, found b', 5],
    ['a in (b c)', 'expected a comma or a closing parenthesis, found c', 8],
    ['a in (b', 'expected a comma or a closing parenthesis, found the end', 7],
    ['a in (,)', 'expected a value, found ,', 6],
    ['a = "b', 'this quote is never closed', 4],
    ['a = \'b"', 'this quote is never closed', 4],
    ['a[0 = b', '[ is not expected here', 1],
    ['a = b AND c = d', 'expected and, or, or the end, found AND', 6],
    ['... = b', '... is not a field name', 0],
    [`${'('.repeat(102)}a = b`, 'more than 100 levels of nesting', 101],
    [`a = ${'b'.repeat(100_001)}`, 'a condition is at most 100000 characters', 0],
  ])('is refused with its place: %#', (text, message, offset) => {
    const error = errorOf(text)
    expect(error).toBeInstanceOf(ConditionError)
    expect([error.message, error.offset]).toEqual([message, offset])
    expect(error).toMatchObject({ code: 'config', permanent: true })
  })

  it.each(['priority = warnign', 'priority in (Notice, hihg)', 'a = b and not priority != 5', 'priority >= ""'])(
    'is refused when it names no priority: %s',
    (text) => {
      expect(() => compileCondition(text)).toThrow(/^.* is not a priority: Emergency, Alert, /)
      expect(() => compileCondition(text)).toThrow(expect.objectContaining({ offset: text.indexOf('priority') }))
    },
  )

  it('may be long, and hold many negations', () => {
    const many = Array.from({ length: 2_000 }, (_, i) => `proc.name = x${i}`).join(' or ')
    expect(compileCondition(`${many} or ${'not '.repeat(10_000)}proc.name = bash`)(scope)).toBe(true)
  })

  it('tells the names it looks at', () => {
    const parsed = parseCondition('a = 1 and not (b in (x, y) or c exists)')
    expect([...namesIn(parsed)].map(({ name, values, offset }) => [name, values, offset])).toEqual([
      ['a', ['1'], 0],
      ['b', ['x', 'y'], 15],
      ['c', [], 30],
    ])
  })
})

const NAMES = ['a', 'b.c', 'd[0]', 'e["x y"]', 'fields["p.q"]'] as const
const BINARY = [
  '=',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'contains',
  'icontains',
  'startswith',
  'endswith',
  'glob',
] as const

const value = fc.oneof(
  fc.constantFrom('x', 'xy', '1', '2', '-1', '10', 'and', 'true', '', '*x', '<NA>'),
  fc.string({ unit: fc.constantFrom(...`ab"'\\ ()=<!,\n*?`), maxLength: 6 }),
)
const name = fc.constantFrom(...NAMES)
const check: fc.Arbitrary<Check> = fc
  .oneof(
    fc.record({ name, operator: fc.constantFrom<Operator>(...BINARY), values: fc.tuple(value) }),
    fc.record({
      name,
      operator: fc.constantFrom<Operator>('in', 'intersects'),
      values: fc.array(value, { maxLength: 3 }),
    }),
    fc.record({ name, operator: fc.constant<Operator>('exists'), values: fc.constant([]) }),
  )
  .map((one) => ({ kind: 'check', offset: 0, ...one }))
const { condition } = fc.letrec<{ condition: Condition; group: Condition }>((tie) => ({
  condition: fc.oneof({ maxDepth: 4 }, check, tie('group')),
  group: fc.oneof(
    fc.record({
      kind: fc.constantFrom('and', 'or'),
      items: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('not' as const), item: tie('condition') }),
  ),
}))

/** Writes a condition down: as few quotes as may be, and a parenthesis around every inner group. */
const print = (one: Condition): string => {
  if (one.kind === 'not') return `not ${inner(one.item)}`
  if (one.kind !== 'check') return one.items.map(inner).join(` ${one.kind} `)
  if (one.operator === 'exists') return `${one.name} exists`
  const values = one.values.map(printValue)
  const isList = one.operator === 'in' || one.operator === 'intersects'
  return `${one.name} ${one.operator} ${isList ? `(${values.join(', ')})` : values[0]}`
}

const inner = (one: Condition): string => (one.kind === 'check' ? print(one) : `(${print(one)})`)

const printValue = (text: string): string => {
  if (/^[a-z0-9*-]+$/.test(text)) return text
  const quote = text.length % 2 === 0 ? '"' : "'"
  return quote + text.replaceAll(/["'\\]/g, String.raw`\$&`) + quote
}

const withoutOffsets = (one: Condition): unknown =>
  JSON.parse(JSON.stringify(one, (key, inner: unknown) => (key === 'offset' ? undefined : inner)))

/** What a condition says of fields, read as plainly as can be. */
const naive = (one: Condition, fields: Readonly<Record<string, unknown>>): boolean => {
  if (one.kind === 'not') return !naive(one.item, fields)
  if (one.kind !== 'check') {
    const parts = one.items.map((item) => naive(item, fields))
    return one.kind === 'and' ? !parts.includes(false) : parts.includes(true)
  }
  const found = fields[FIELD[one.name] ?? '']
  if (found === undefined || found === null || found === '<NA>') return false
  const all = Array.isArray(found) ? (found as unknown[]) : [found]
  const [first = ''] = one.values
  const some = (test: (text: string, value: unknown) => boolean) => all.some((each) => test(textOf(each), each))
  switch (one.operator) {
    case 'exists':
      return true
    case '=':
    case '==':
      return some((_text, each) => same(each, first))
    case '!=':
      return !some((_text, each) => same(each, first))
    case 'in':
      return all.length > 0 && all.every((each) => one.values.some((text) => same(each, text)))
    case 'intersects':
      return some((_text, each) => one.values.some((text) => same(each, text)))
    case 'contains':
      return some((text) => text.includes(first))
    case 'icontains':
      return some((text) => text.toLowerCase().includes(first.toLowerCase()))
    case 'startswith':
      return some((text) => text.startsWith(first))
    case 'endswith':
      return some((text) => text.endsWith(first))
    case 'glob':
      return some((text) => globOf(first).test(text))
    default:
      return some((text, each) => typeof each !== 'boolean' && ordered(text, one.operator, first))
  }
}

/** Every character by its number, so that none has a meaning of its own. */
const globOf = (pattern: string): RegExp => {
  const parts = Array.from(pattern, (char) => String.raw`\x` + char.charCodeAt(0).toString(16).padStart(2, '0'))
  return new RegExp(
    `^${parts
      .join('')
      .replaceAll(String.raw`\x2a`, '[^]*')
      .replaceAll(String.raw`\x3f`, '[^]')}$`,
  )
}

const FIELD: Readonly<Record<string, string>> = {
  a: 'a',
  'b.c': 'b.c',
  'd[0]': 'd[0]',
  'e["x y"]': 'e[x y]',
  'fields["p.q"]': 'p.q',
}

const NUMBER = /^-?\d+$/
const textOf = (each: unknown): string => (typeof each === 'string' ? each : JSON.stringify(each))
const same = (each: unknown, text: string): boolean =>
  typeof each === 'number' && NUMBER.test(text) ? each === Number(text) : textOf(each) === text
const ordered = (own: string, operator: Operator, limit: string): boolean => {
  if (!NUMBER.test(own) || !NUMBER.test(limit)) return false
  const difference = Number(own) - Number(limit)
  return { '<': difference < 0, '<=': difference <= 0, '>': difference > 0 }[String(operator)] ?? difference >= 0
}

describe('any condition', () => {
  const field = fc.oneof(
    fc.constantFrom('x', 'xy', '1', '2', '10', '', 'axx', '<NA>', null, true, false),
    fc.integer({ min: -2, max: 11 }),
    fc.array(fc.constantFrom('x', 'xy', '1'), { maxLength: 3 }),
    value,
  )
  const fields = fc.dictionary(fc.constantFrom(...Object.values(FIELD)), field)

  it('written down is read as the same', () => {
    fc.assert(
      fc.property(condition, (one) => {
        expect(withoutOffsets(parseCondition(print(one)))).toEqual(withoutOffsets(one))
      }),
      { numRuns: 500 },
    )
  })

  it('holds where a plain reading says so', () => {
    fc.assert(
      fc.property(condition, fc.array(fields, { minLength: 1, maxLength: 5 }), (one, all) => {
        const test = predicate(one)
        for (const each of all) {
          expect(test({ event: anEvent({ output_fields: each }) }), print(one)).toBe(naive(one, each))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('of checks alone holds for no event without fields', () => {
    fc.assert(
      fc.property(fc.array(check, { minLength: 1 }), (checks) => {
        const text = checks.map(print).join(' or ')
        expect(compileCondition(text)({ event: anEvent({ output_fields: {} }) })).toBe(false)
      }),
    )
  })

  const piece = fc.constantFrom(
    'a',
    ' ',
    ' = ',
    ' in ',
    '(',
    ')',
    ',',
    '"',
    "'",
    '\\',
    'not ',
    ' and ',
    ' or ',
    'x',
    '!',
    '<',
    '[',
    ']',
    '\n',
    ' exists',
    '🦉',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.tuple(condition, fc.nat(), fc.nat(3)).map(([one, at, length]) => {
      const whole = print(one)
      return whole.slice(0, at % whole.length) + whole.slice((at % whole.length) + length)
    }),
  )

  it('is one that asks something, or an error with a place in the text', () => {
    fc.assert(
      fc.property(text, (one) => {
        try {
          const parsed = parseCondition(one)
          expect([...namesIn(parsed)].every(({ offset }) => offset >= 0 && offset < one.length)).toBe(true)
          expect([...namesIn(parsed)].length).toBeGreaterThan(0)
          expect(typeof predicate(parsed)(scope)).toBe('boolean')
        } catch (error) {
          if (!(error instanceof ConditionError)) throw error
          expect(error.offset >= 0 && error.offset <= one.length && error.message.length > 0).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

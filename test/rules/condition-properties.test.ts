import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Check,
  compileCondition,
  type Condition,
  ConditionError,
  explainCondition,
  type Expression,
  namesIn,
  type Operator,
  parseCondition,
  predicate,
  printCondition,
  warningsOf,
} from '../../src/rules/condition.ts'
import { anEvent } from '../../src/testing.ts'

const NAMES = ['a', 'b.c', 'd[0]', 'e["x y"]', 'fields["p.q"]'] as const
const NUMERIC = ['<', '<=', '>', '>='] as const
const TEXTUAL = [
  '=',
  '==',
  '!=',
  'contains',
  'icontains',
  'startswith',
  'endswith',
  'glob',
  'iglob',
  'regex',
  'bcontains',
  'bstartswith',
] as const
const PATTERNS: readonly string[] = ['glob', 'iglob', 'regex', 'bcontains', 'bstartswith', 'pmatch']

const name = fc.constantFrom(...NAMES)
const anyText = fc.oneof(
  fc.constantFrom('x', 'xy', '1', '2', '-1', '10', 'and', 'anyof', 'true', '', '*x', '<NA>', '<', 'val', '\\'),
  fc.string({ unit: fc.constantFrom(...`ab"'\\ ()=<!,\n\t*?/`), maxLength: 6 }),
)
const number = fc.oneof(fc.integer({ min: -20, max: 20 }).map(String), fc.constantFrom('0x1f', '1.5', '1e+3', '+2'))

/** A value that the operator takes. */
const valueFor = (operator: Operator): fc.Arbitrary<string> => {
  if ((NUMERIC as readonly string[]).includes(operator)) return number
  if (operator.startsWith('bc') || operator.startsWith('bs')) return fc.constantFrom('61', '78', '7879', 'FF')
  if (operator === 'regex') return fc.constantFrom('x*', '[a-z]+', '.', 'x|y', '(?s).*', '\\d+')
  return anyText
}

const field = name.map((one): Expression => ({ kind: 'field', name: one, offset: 0 }))
const literal = fc.oneof(anyText, number).map((text): Expression => ({ kind: 'literal', text }))
const call = (args: fc.Arbitrary<Expression[]>, transformer: Extract<Expression, { kind: 'call' }>['transformer']) =>
  args.map((all): Expression => ({ kind: 'call', transformer, args: all }))
const { expression } = fc.letrec<{ expression: Expression; arg: Expression }>((tie) => ({
  arg: fc.oneof({ maxDepth: 2 }, field, literal, tie('expression')),
  expression: fc.oneof(
    { maxDepth: 2 },
    ...(['tolower', 'toupper', 'len', 'basename', 'b64'] as const).map((one) => call(fc.tuple(tie('arg')), one)),
    call(fc.tuple(tie('arg'), field, literal), 'concat'),
    call(
      fc.tuple(
        literal,
        fc.array(tie('arg'), { maxLength: 3 }).map((items): Expression => ({ kind: 'list', items })),
      ),
      'join',
    ),
    fc
      .record({ args: fc.tuple(field, literal), option: fc.option(fc.constantFrom('t', 'n', ':'), { nil: undefined }) })
      .map(({ args, option }): Expression => {
        const all = { kind: 'call', transformer: 'getopt', args } as const
        return option === undefined ? all : { ...all, option }
      }),
  ),
}))

const looksAtAField = (one: Expression): boolean =>
  [...namesIn({ kind: 'check', name: '', operator: 'exists', values: [], offset: 0, left: one })].length > 0

const left = fc.oneof(
  { weight: 3, arbitrary: name.map((one) => ({ name: one })) },
  {
    weight: 1,
    arbitrary: expression.filter(looksAtAField).map((one) => {
      const [first] = namesIn({ kind: 'check', name: '', operator: 'exists', values: [], offset: 0, left: one })
      return { name: first?.name ?? '', left: one }
    }),
  },
)

const right = fc.constantFrom<Operator[]>(
  ...[...NUMERIC, ...TEXTUAL, 'in' as const, 'intersects' as const]
    .filter((one) => !PATTERNS.includes(one))
    .map((one) => [one]),
)

const compared = fc.oneof(
  fc
    .constantFrom(...NUMERIC, ...TEXTUAL)
    .chain((operator) =>
      fc.record({ operator: fc.constant<Operator>(operator), values: fc.tuple(valueFor(operator)) }),
    ),
  fc.constantFrom(...TEXTUAL).chain((operator) =>
    fc.record({
      operator: fc.constant<Operator>(operator),
      modifier: fc.constantFrom('oneof', 'anyof', 'allof'),
      values: fc.array(valueFor(operator), { maxLength: 3 }),
    }),
  ),
  fc.record({
    operator: fc.constantFrom<Operator>('in', 'intersects', 'pmatch'),
    values: fc.array(anyText, { maxLength: 3 }),
  }),
  fc.record({
    operator: right.map(([one]) => one as Operator),
    values: fc.constant([]),
    right: fc.oneof(field, expression),
  }),
  fc.record({ operator: fc.constant<Operator>('exists'), values: fc.constant([]) }),
)
const check: fc.Arbitrary<Check> = fc
  .tuple(left, compared)
  .map(([one, rest]) => ({ kind: 'check', offset: 0, ...one, ...rest }))

const trees = (leaf: fc.Arbitrary<Check>): fc.Arbitrary<Condition> =>
  fc.letrec<{ condition: Condition; group: Condition }>((tie) => ({
    condition: fc.oneof({ maxDepth: 4 }, leaf, tie('group')),
    group: fc.oneof(
      fc.record({
        kind: fc.constantFrom('and', 'or'),
        items: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('not' as const), item: tie('condition') }),
    ),
  })).condition

const condition = trees(check)

const withoutOffsets = (one: Condition): unknown =>
  JSON.parse(JSON.stringify(one, (key, inner: unknown) => (key === 'offset' ? undefined : inner)))

const FIELD: Readonly<Record<string, string>> = {
  a: 'a',
  'b.c': 'b.c',
  'd[0]': 'd[0]',
  'e["x y"]': 'e[x y]',
  'fields["p.q"]': 'p.q',
}

/** What a condition of plain checks says of fields, read as plainly as can be. */
const naive = (one: Condition, fields: Readonly<Record<string, unknown>>): boolean => {
  if (one.kind === 'not') return !naive(one.item, fields)
  if (one.kind !== 'check') {
    const parts = one.items.map((item) => naive(item, fields))
    return one.kind === 'and' ? !parts.includes(false) : parts.includes(true)
  }
  const found = fields[FIELD[one.name] ?? '']
  if (found === undefined || found === null || found === '<NA>') return false
  if (one.operator === 'exists') return true
  const all = Array.isArray(found) ? (found as unknown[]) : [found]
  if (one.operator === 'in') return all.length > 0 && all.every((each) => one.values.some((text) => same(each, text)))
  if (one.operator === 'intersects' || one.operator === 'pmatch') {
    return all.some((each) => one.values.some((text) => fits(one.operator, each, text)))
  }
  const verdicts = one.values.map((text) =>
    one.operator === '!=' ? !all.some((each) => same(each, text)) : all.some((each) => fits(one.operator, each, text)),
  )
  if (one.modifier === 'allof') return verdicts.length > 0 && !verdicts.includes(false)
  return one.modifier === 'oneof' ? verdicts.filter(Boolean).length === 1 : verdicts.includes(true)
}

const fits = (operator: Operator, each: unknown, wanted: string): boolean => {
  const text = textOf(each)
  switch (operator) {
    case 'contains':
      return text.includes(wanted)
    case 'icontains':
      return text.toLowerCase().includes(wanted.toLowerCase())
    case 'startswith':
      return text.startsWith(wanted)
    case 'endswith':
      return text.endsWith(wanted)
    case 'glob':
      return globOf(wanted, 's').test(text)
    case 'iglob':
      return globOf(wanted, 'is').test(text)
    case 'regex':
      return new RegExp(`^(?:${wanted.replace('(?s)', '')})$`, wanted.startsWith('(?s)') ? 's' : '').test(text)
    case 'bcontains':
      return Buffer.from(text).toString('latin1').includes(Buffer.from(wanted, 'hex').toString('latin1'))
    case 'bstartswith':
      return Buffer.from(text).toString('latin1').startsWith(Buffer.from(wanted, 'hex').toString('latin1'))
    case 'pmatch': {
      const [own, prefix] = [text, wanted].map((path) => path.split('/').filter(Boolean))
      return (prefix ?? []).every((part, i) => own?.[i] !== undefined && globOf(part, 's').test(own[i]))
    }
    case '=':
    case '==':
    case 'intersects':
      return same(each, wanted)
    default:
      return typeof each !== 'boolean' && ordered(text, operator, wanted)
  }
}

/** Every character by its number, so that none has a meaning of its own. The texts here hold no brackets. */
const globOf = (pattern: string, flags: string): RegExp => {
  const pieces = pattern.match(/\\[^]|[^]/g) ?? []
  const parts = pieces.map((piece) => {
    if (piece === '*') return '.*'
    if (piece === '?') return '.'
    const char = piece.length > 1 ? piece[1] : piece
    return String.raw`\x` + (char ?? '').charCodeAt(0).toString(16).padStart(2, '0')
  })
  return new RegExp(`^${parts.join('')}$`, flags)
}

const textOf = (each: unknown): string => (typeof each === 'string' ? each : JSON.stringify(each))
const numberOf = (text: string): number =>
  /^(?:[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?|0x[0-9a-f]+)$/.test(text) ? Number(text) : NaN
const same = (each: unknown, text: string): boolean =>
  typeof each === 'number' && !Number.isNaN(numberOf(text)) ? each === numberOf(text) : textOf(each) === text
const ordered = (own: string, operator: Operator, limit: string): boolean => {
  const difference = numberOf(own) - numberOf(limit)
  if (operator === '<') return difference < 0
  if (operator === '<=') return difference <= 0
  return operator === '>' ? difference > 0 : difference >= 0
}

const fieldValue = fc.oneof(
  fc.constantFrom('x', 'xy', '1', '2', '10', '', 'axx', '<NA>', null, true, false, '/a/b', 'a/b/c'),
  fc.integer({ min: -2, max: 31 }),
  fc.array(fc.constantFrom('x', 'xy', '1'), { maxLength: 3 }),
  anyText,
)
const fields = fc.dictionary(fc.constantFrom(...Object.values(FIELD)), fieldValue)
const isPlain = ({ left: own, right: other }: Check): boolean => !own && !other

describe('any condition', () => {
  it('written down is read as the same', () => {
    fc.assert(
      fc.property(condition, (one) => {
        expect(withoutOffsets(parseCondition(printCondition(one)))).toEqual(withoutOffsets(one))
      }),
      { numRuns: 1_000 },
    )
  })

  it('holds where a plain reading says so', () => {
    fc.assert(
      fc.property(trees(check.filter(isPlain)), fc.array(fields, { minLength: 1, maxLength: 5 }), (one, all) => {
        const test = predicate(one)
        for (const each of all) {
          expect(test({ event: anEvent({ output_fields: each }) }), printCondition(one)).toBe(naive(one, each))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is explained as it is decided', () => {
    fc.assert(
      fc.property(condition, fields, (one, each) => {
        const scope = { event: anEvent({ output_fields: each }) }
        const explained = explainCondition(one, scope)
        expect(explained.holds).toBe(predicate(one)(scope))
        expect(explained.firstFalse === undefined).toBe(explained.holds)
        expect(explained.firstFalse?.holds ?? false).toBe(false)
        if (!explained.holds) expect(explained.throughAbsent).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('of checks alone holds for no event without fields', () => {
    fc.assert(
      fc.property(fc.array(check, { minLength: 1 }), (checks) => {
        const text = checks.map(printCondition).join(' or ')
        expect(compileCondition(text)({ event: anEvent({ output_fields: {} }) })).toBe(false)
      }),
    )
  })

  it('is warned of when it holds without the fields that it names', () => {
    const names = ['k8s.ns.name', 'k8s.pod.name', 'container.id', 'ka.verb']
    const identity = fc
      .constantFrom(...names)
      .chain((one) => fc.record({ name: fc.constant(one), operator: fc.constantFrom<Operator>('=', '!=', 'exists') }))
    const leaf = identity.map((one): Check => ({
      kind: 'check',
      offset: 0,
      values: one.operator === 'exists' ? [] : ['x'],
      ...one,
    }))
    const onNothing = { event: anEvent({ output_fields: {} }) }
    fc.assert(
      fc.property(trees(leaf), (one) => {
        const throughAbsent = explainCondition(one, onNothing).throughAbsent.length > 0
        if (throughAbsent) expect(warningsOf(one).length, printCondition(one)).toBeGreaterThan(0)
        for (const { fix } of warningsOf(one)) expect(compileCondition(fix)(onNothing)).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })

  const piece = fc.constantFrom(
    ...['a', ' ', ' = ', ' in ', '(', ')', ',', '"', "'", '\\', 'not ', ' and ', ' or ', 'x', '!', '<', '[', ']', '\n'],
    ...[' exists', '🦉', 'val(', 'tolower(', 'getopt(', ' anyof ', ' regex ', ' > ', 'priority', 'm', 'fd.sip', '1/2'],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.tuple(condition, fc.nat(), fc.nat(3)).map(([one, at, length]) => {
      const whole = printCondition(one)
      return whole.slice(0, at % whole.length) + whole.slice((at % whole.length) + length)
    }),
  )
  const definitions = { lists: new Map([['a', ['x', '"']]]), macros: new Map([['m', parseCondition('a = x')]]) }
  const scope = { event: anEvent({ output_fields: { a: 'x', 'fd.sip': '10.0.0.1' } }) }

  it('is one that asks something, or an error with a place in the text', () => {
    fc.assert(
      fc.property(text, (one) => {
        try {
          const parsed = parseCondition(one, definitions)
          expect([...namesIn(parsed)].every(({ offset }) => offset >= 0 && offset < one.length)).toBe(true)
          expect([...namesIn(parsed)].length).toBeGreaterThan(0)
          expect(typeof predicate(parsed)(scope)).toBe('boolean')
        } catch (error) {
          if (!(error instanceof ConditionError)) throw error
          expect(error.offset >= 0 && error.offset <= one.length && error.message.length > 0).toBe(true)
        }
      }),
      { numRuns: 3_000 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FieldValue, PRIORITIES } from '../../src/event.ts'
import type { Scope } from '../../src/names.ts'
import {
  type Check,
  type Condition,
  type Expression,
  type Operator,
  parseCondition,
} from '../../src/rules/condition.ts'
import { compileSelection, createMatcher, type Selection } from '../../src/rules/matcher.ts'
import { targetOf } from '../../src/target.ts'
import { anEvent, type EventMembers } from '../../src/testing.ts'

/** What asking every rule gives. */
const asked = <R extends Selection>(rules: readonly R[], scope: Scope): R[] =>
  rules.filter((rule) => compileSelection(rule)(scope))

const scopeOf = (members: EventMembers): Scope => {
  const event = anEvent(members)
  return { event, target: targetOf(event), cluster: 'a' }
}

const TEXTS = [
  'a',
  'b',
  '1',
  '1.0',
  '0x1',
  '01',
  '2',
  '',
  'N/A',
  '<NA>',
  'true',
  '10.0.0.1',
  '["a"]',
  '9007199254740993',
]
const text = fc.constantFrom(...TEXTS)

const FIELDS = [
  'f',
  'g.h',
  'k8s.ns.name',
  'container.id',
  'fd.sip',
  'fd.cip',
  'fd.sport',
  'x y',
  'fields.f',
  'rule',
  'l[0]',
]
const scalar = fc.oneof(
  text,
  fc.constantFrom<FieldValue>(1, 1.5, 2, 0, -1, 1n, 9_007_199_254_740_993n, 9_007_199_254_740_992n, true, null),
)
const value: fc.Arbitrary<FieldValue> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom<FieldValue>([['a']], { h: 'a' }, { h: ['a', 1] }, [{ h: 'b' }]) },
)

const event: fc.Arbitrary<EventMembers> = fc.record({
  rule: fc.constantFrom('a', 'b', '1', '<NA>', 'N/A'),
  tags: fc.subarray(['a', 'b', '1', '', '<NA>']),
  priority: fc.constantFrom(...PRIORITIES),
  source: fc.constantFrom('a', 'b', 'internal', '1'),
  hostname: fc.constantFrom('a', 'b'),
  output_fields: fc.oneof(
    { weight: 9, arbitrary: fc.dictionary(fc.constantFrom(...FIELDS, 'g', 'l'), value, { maxKeys: 10 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
})

const name = fc.constantFrom(
  ...['rule', 'source', 'tags', 'hostname', 'cluster', 'target.namespace', 'tags.size', 'fields["x y"]', 'fields.f'],
  ...['f', 'f', 'g.h', 'g.h', 'fields["g.h"]', 'k8s.ns.name', 'container.id', 'fd.ip', 'fd.sip', 'fd.snet', 'fd.port'],
  ...['fd.sport', 'l[0]', 'absent', 'fields["rule"]', 'fields'],
)

const check = (members: fc.Arbitrary<Omit<Check, 'kind' | 'offset'>>): fc.Arbitrary<Check> =>
  members.map((one) => ({ kind: 'check', offset: 0, ...one }))

const operator = (...operators: Operator[]): fc.Arbitrary<Operator> => fc.constantFrom(...operators)

const leaf = fc.oneof(
  { weight: 5, arbitrary: check(fc.record({ name, operator: operator('=', '=='), values: fc.tuple(text) })) },
  {
    weight: 4,
    arbitrary: check(
      fc.record({ name, operator: operator('in', 'intersects'), values: fc.array(text, { maxLength: 3 }) }),
    ),
  },
  check(
    fc.record({
      name: fc.constant('priority'),
      operator: operator('=', '!=', '<', '<=', '>', '>=', 'in', 'intersects'),
      values: fc.tuple(fc.constantFrom(...PRIORITIES, 'warn')),
    }),
  ),
  check(
    fc.record({
      name,
      operator: operator('!=', 'contains', 'startswith', 'glob', 'exists'),
      values: fc.tuple(text),
    }),
  ),
  check(
    fc.record({
      name: fc.oneof(name, fc.constant('priority')),
      operator: operator('=', '!=', 'startswith'),
      modifier: fc.constantFrom('oneof', 'anyof', 'allof'),
      values: fc.array(text, { maxLength: 3 }),
    }),
  ),
  check(
    fc.record({
      name: fc.constant('f'),
      operator: operator('=', 'in'),
      values: fc.constant([]),
      right: fc.constant<Expression>({ kind: 'field', name: 'g.h', offset: 0 }),
    }),
  ),
  check(
    fc.record({
      name: fc.constant('f'),
      operator: operator('=', 'in'),
      values: fc.tuple(fc.constantFrom('A', '1', 'TRUE')),
      left: fc.constant<Expression>({
        kind: 'call',
        transformer: 'toupper',
        args: [{ kind: 'field', name: 'f', offset: 0 }],
      }),
    }),
  ),
)

const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    { weight: 3, arbitrary: leaf },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('and', 'or'),
        items: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('not'), item: tie('condition') }) },
  ),
}))

const piece = fc
  .tuple(fc.constantFrom(...FIELDS.filter((one) => one !== 'x y')), fc.constantFrom('=', '=', '!='), text)
  .map((parts) => parts.join(''))
const match = fc.record(
  {
    rules: fc.subarray(['a', 'b', '1', '<NA>']),
    source: fc.constantFrom('a', 'b', 'internal'),
    priority: fc
      .tuple(fc.constantFrom('', '=', '<', '<=', '>', '>='), fc.constantFrom(...PRIORITIES))
      .map((parts) => parts.join('')),
    tags: fc.array(fc.constantFrom('a', 'b', 'a,b', '1, a', '', '<NA>'), { maxLength: 2 }),
    output_fields: fc.array(
      fc.array(piece, { minLength: 1, maxLength: 2 }).map((pieces) => pieces.join(',')),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: [] },
)
const rule: fc.Arbitrary<Selection> = fc.oneof(
  fc.record({ condition }),
  fc.record({ match }),
  fc.record({ match, condition }),
)

describe('the index', () => {
  it('finds what asking every rule finds, in the same order', () => {
    let hits = 0
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 15 }),
        fc.array(event, { minLength: 1, maxLength: 6 }),
        (rules, events) => {
          const matcher = createMatcher(rules)
          for (const scope of events.map(scopeOf)) {
            const expected = asked(rules, scope)
            hits += expected.length
            expect(matcher.match(scope)).toEqual(expected)
          }
        },
      ),
      { numRuns: 3_000 },
    )
    expect(hits).toBeGreaterThan(3_000)
  })

  it('finds it for a rule alone', () => {
    fc.assert(
      fc.property(rule, fc.array(event, { minLength: 1, maxLength: 4 }), (one, events) => {
        const matcher = createMatcher([one])
        for (const scope of events.map(scopeOf)) expect(matcher.match(scope)).toEqual(asked([one], scope))
      }),
      { numRuns: 3_000 },
    )
  })

  it.each<[string, Record<string, unknown>, boolean]>([
    ['f = 1.0', { f: 1 }, true],
    ['f = 1', { f: '1.0' }, false],
    ['f = 0x1f', { f: 31 }, true],
    ['f = 1e3', { f: 1_000 }, true],
    ['f = -0', { f: 0 }, true],
    ['f = 9007199254740993', { f: 9_007_199_254_740_993n }, true],
    ['f = 9007199254740993', { f: 9_007_199_254_740_992n }, false],
    ['f = 9007199254740992.0', { f: 9_007_199_254_740_992n }, true],
    ['f = 4503599627370497', { f: 4_503_599_627_370_497n }, true],
    ['f = true', { f: true }, true],
    ['f = ""', { f: '' }, true],
    ['k8s.ns.name = ""', { 'k8s.ns.name': '' }, false],
    ['k8s.ns.name = N/A', { 'k8s.ns.name': 'N/A' }, false],
    ['f = <NA>', { f: '<NA>' }, false],
    ['f = ""', { f: null }, false],
    ['f = ""', { f: [null] }, true],
    ['f = a', { f: ['b', 'a'] }, true],
    ['f = a', { f: [['a']] }, false],
    [`f = '["a"]'`, { f: [['a']] }, true],
    [`f = '["a"]'`, { f: ['a'] }, false],
    ['f in (a, b)', { f: ['b', 'a'] }, true],
    ['f in (a, b)', { f: ['b', 'c'] }, false],
    ['f in (a, b)', { f: [] }, false],
    ['f in ()', { f: 'a' }, false],
    ['f in () or g = 1', { g: 1 }, true],
    ['f intersects (a, b)', { f: ['c', 'b'] }, true],
    ['f.g = a', { f: { g: 'a' } }, true],
    ['f.g = a', { 'f[g]': 'a' }, true],
    ['f[0] = a', { f: ['a'] }, true],
    ['f[0] = a', { 'f[0]': 'a' }, true],
    ['fields.f = a', { f: 'a' }, true],
    ['fd.ip = 10.0.0.1', { 'fd.cip': '10.0.0.1' }, true],
    ['fd.ip in (10.0.0.0/8)', { 'fd.sip': '10.2.0.1' }, true],
    ['fd.snet = 10.0.0.0/8', { 'fd.sip': '10.2.0.1' }, true],
    ['fd.sip = ::1', { 'fd.sip': '0:0:0:0:0:0:0:1' }, true],
    ['fd.port = 22', { 'fd.sport': 22 }, true],
    ['target.namespace = shop', { 'k8smeta.ns.name': 'shop' }, true],
    ['cluster = a', {}, true],
    ['constructor = a or __proto__ = a', {}, false],
    ['f = anyof (a, b)', { f: 'b' }, true],
    ['toupper(f) = A', { f: 'a' }, true],
    ['f = val(g)', { f: 'x', g: 'x' }, true],
    ['not f = a', {}, true],
    ['not (f = a or not g = b)', { g: 'b' }, true],
  ])('finds %s in %o: %s', (condition, fields, expected) => {
    const one = { condition: parseCondition(condition) }
    const scope = scopeOf({ output_fields: fields })
    expect(asked([one], scope)).toEqual(expected ? [one] : [])
    expect(createMatcher([one]).match(scope)).toEqual(expected ? [one] : [])
  })

  it('finds a rule once, however many of its values an event has', () => {
    const conditions = ['f = a or g = a or f = a', 'f intersects (a, b, c)', 'f = a or f in (a, b)', 'tags in (a, b)']
    const rules = conditions.map((condition) => ({ condition }))
    const matcher = createMatcher(rules)
    const scope = scopeOf({ tags: ['a', 'b', 'a'], output_fields: { f: ['a', 'b', 'a'], g: 'a' } })
    expect(matcher.match(scope)).toEqual(rules)
    expect(matcher.match(scope)).toEqual(rules)
  })

  it('keeps the order of rules that are found by different values', () => {
    const rules = [
      { condition: 'f = a' },
      {},
      { match: { rules: ['a'] } },
      { condition: 'not g = a' },
      { match: { tags: ['a'] } },
      { match: { output_fields: ['f=a'] } },
      { match: { priority: '>=notice' } },
      { condition: 'f = a' },
      { match: { source: 'syscall' } },
    ]
    expect(createMatcher(rules).match(scopeOf({ rule: 'a', tags: ['a'], output_fields: { f: 'a' } }))).toEqual(rules)
    const reversed = rules.toReversed()
    expect(createMatcher(reversed).match(scopeOf({ rule: 'a', tags: ['a'], output_fields: { f: 'a' } }))).toEqual(
      reversed,
    )
  })

  it('goes on after a rule that could not be asked', () => {
    const matcher = createMatcher([{ condition: 'f = a' }])
    const broken = { event: { source: 'syscall', field: () => thrown() } } as unknown as Scope
    expect(() => matcher.match(broken)).toThrow('broken')
    expect(matcher.match(scopeOf({ output_fields: { f: 'a' } }))).toHaveLength(1)
  })
})

const thrown = (): never => {
  throw new Error('broken')
}

describe('the index asks', () => {
  const MANY = 2_000
  const many = (one: (n: number) => Selection): Selection[] => Array.from({ length: MANY }, (_, n) => one(n))

  /** The fields `probe.<n>` that are looked up while an event is matched: each rule looks at its own. */
  const probed = (rules: readonly Selection[], members: EventMembers): string[] => {
    const event = anEvent(members)
    const names = new Set<string>()
    const field = (one: string): FieldValue | undefined => {
      if (one.startsWith('probe.')) names.add(one)
      return event.field(one)
    }
    const { rule: named, source, priority, tags } = event
    createMatcher(rules).match({ event: { rule: named, source, priority, tags, field } as unknown as Scope['event'] })
    return [...names]
  }

  it.each<[string, (n: number) => Selection]>([
    ['its name', (n) => ({ match: { rules: [`R${n}`] }, condition: `probe.${n} != x` })],
    ['its name in a condition', (n) => ({ condition: `probe.${n} != x and rule in (S${n}, R${n})` })],
    ['a field', (n) => ({ match: { rules: ['R7'] }, condition: `probe.${n} != x and ns = n${n}` })],
    ['a field by text', (n) => ({ match: { output_fields: [`ns=n${n}`] }, condition: `probe.${n} != x` })],
    ['a number', (n) => ({ condition: `probe.${n} != x and port = ${n}.0` })],
    ['a tag', (n) => ({ match: { tags: [`all, t${n}`] }, condition: `probe.${n} != x` })],
    ['branches', (n) => ({ condition: `(ns = n${n} or port = ${n}) and probe.${n} != x` })],
  ])('of thousands only those that %s finds', (_by, one) => {
    const members = { rule: 'R7', tags: ['all', 't7'], output_fields: { ns: 'n7', port: 7 } }
    expect(probed(many(one), members)).toEqual(['probe.7'])
  })

  it('every rule that can be filed under nothing', () => {
    const rules = many((n) => ({ condition: `probe.${n} exists` }))
    expect(probed(rules, {})).toHaveLength(MANY)
  })

  it('no rule that cannot match', () => {
    expect(
      probed(
        many((n) => ({ condition: `probe.${n} exists and ns in ()` })),
        {},
      ),
    ).toEqual([])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FieldValue } from '../../src/event.ts'
import { type Anchor, keyOf, lookupOf, type Offer, offerOf } from '../../src/rules/anchors.ts'
import { parseCondition, predicate } from '../../src/rules/condition.ts'
import { readSelection } from '../../src/rules/selection.ts'
import type { Selection } from '../../src/rules/matcher.ts'
import { anEvent } from '../../src/testing.ts'

/** An offer in short: a choice is joined by `&`, a union by `|`; `"f"` is compared as text. */
const short = (offer: Offer | undefined): string => {
  if (!offer) return 'nothing'
  if (offer.kind !== 'anchor' && offer.items.length === 1) return short(offer.items[0])
  if (offer.kind !== 'anchor') return `(${offer.items.map(short).join(offer.kind === 'choice' ? ' & ' : ' | ')})`
  const { subject, keys } = offer
  const shown = keys.map((key) => (typeof key === 'string' ? key : `#${key}`)).join(' ')
  return `${subject.asText ? `"${subject.name}"` : subject.name}: ${shown}`.trimEnd()
}

const offered = (selection: Selection): string => short(offerOf(readSelection(selection)))

describe('what a match offers', () => {
  it.each<[NonNullable<Selection['match']>, string]>([
    [{}, 'nothing'],
    [{ rules: [], tags: [], output_fields: [] }, 'nothing'],
    [{ rules: ['A'] }, 'rule: A'],
    [{ rules: ['A', 'B', 'A'] }, 'rule: A B'],
    [{ source: 'syscall' }, 'source: syscall'],
    [{ priority: '>=alert' }, 'priority: Emergency Alert'],
    [{ priority: 'notice' }, 'priority: Notice'],
    [{ tags: ['a'] }, 'tags: a'],
    [{ tags: ['a', 'b, c'] }, '(tags: a | (tags: b & tags: c))'],
    [{ output_fields: ['f=x'] }, '"f": x'],
    [{ output_fields: ['f=1.0', 'g=y, h!=z'] }, '("f": 1.0 | "g": y)'],
    [{ output_fields: ['f=x,g=y'] }, '("f": x & "g": y)'],
    [{ output_fields: ['f!=x'] }, 'nothing'],
    [{ output_fields: ['f=x', 'g!=y'] }, 'nothing'],
    [{ rules: ['A'], source: 's', tags: ['t'] }, '(rule: A & source: s & tags: t)'],
  ])('%j: %s', (match, expected) => {
    expect(offered({ match })).toBe(expected)
  })
})

describe('what a condition offers', () => {
  it.each([
    ['rule = A', 'rule: A'],
    ['rule in (A, B)', 'rule: A B'],
    ['proc.name == sh', 'proc.name: sh'],
    ['proc.name in (sh, bash, sh)', 'proc.name: sh bash'],
    ['proc.name intersects (sh, bash)', 'proc.name: sh bash'],
    ['proc.name in ()', 'proc.name:'],
    ['fields["x y"] = z', 'fields["x y"]: z'],
    ['user.uid = 0', 'user.uid: 0 #0'],
    ['user.uid in (0x1f, 1.50)', 'user.uid: 0x1f #31 1.50 #1.5'],
    ['evt.time = 1769860800123456789', 'evt.time: 1769860800123456789 #1769860800123456789'],
    ['target.namespace = shop and cluster = prod', '(target.namespace: shop & cluster: prod)'],
    ['priority = notice', 'priority: Notice'],
    ['priority in (warn, err)', 'priority: Error Warning'],
    ['priority >= critical', 'priority: Emergency Alert Critical'],
    ['priority != debug and priority > informational', expect.stringMatching(/^\(priority: .* & priority: .*\)$/)],
    ['priority startswith E', 'priority: Emergency Error'],
    ['priority endswith oneof (t, r)', 'priority: Alert Error'],
    ['a = 1 and b = 2 and c != 3', '(a: 1 #1 & b: 2 #2)'],
    ['a = x or b = y', '(a: x | b: y)'],
    ['a = x or b != y', 'nothing'],
    ['a = x and (b = y or c = z)', '(a: x & (b: y | c: z))'],
    ['a = x and (b = y or c contains z)', 'a: x'],
    ['a != x and not b = y', 'nothing'],
    ['not a = x', 'nothing'],
    ['not (not a = x)', 'nothing'],
    ['not priority = debug', 'nothing'],
    ['a exists', 'nothing'],
    ['a contains x or a startswith x', 'nothing'],
    ['a regex x', 'nothing'],
    ['a > 1', 'nothing'],
    ['a pmatch (/x)', 'nothing'],
    ['a = anyof (x)', 'nothing'],
    ['toupper(a) = X', 'nothing'],
    ['a = val(b)', 'nothing'],
    ['fd.sip = 10.0.0.1', 'nothing'],
    ['fd.ip = 10.0.0.1', 'nothing'],
    ['fd.snet in (10.0.0.0/8)', 'nothing'],
    ['fd.port = 22', 'nothing'],
    ['fd.proto = tcp', 'nothing'],
    ['fd.sport = 22', 'fd.sport: 22 #22'],
    ['fields["fd.port"] = 22', 'nothing'],
  ])('%s: %s', (condition, expected) => {
    expect(offered({ condition })).toEqual(expected)
  })

  it('is nothing for more digits than a number is read of', () => {
    const digits = '9'.repeat(1_001)
    expect(offered({ condition: `a = ${digits}` })).toBe('nothing')
    expect(offered({ condition: `a in (x, -${digits})` })).toBe('nothing')
    expect(offered({ condition: `a = x${digits}` })).toBe(`a: x${digits}`)
  })

  it('is chosen from together with what the match offers', () => {
    expect(offered({ match: { rules: ['A'] }, condition: 'a = x or b = y' })).toBe('(rule: A & (a: x | b: y))')
    expect(offered({ match: { rules: ['A'] }, condition: 'a != x' })).toBe('rule: A')
  })
})

describe('a key', () => {
  it.each<[FieldValue, string | number | bigint]>([
    ['1.0', '1.0'],
    [1, 1],
    [1n, 1],
    [-0, 0],
    [1.5, 1.5],
    [9_007_199_254_740_991n, 9_007_199_254_740_991],
    [9_007_199_254_740_992n, 9_007_199_254_740_992n],
    [2 ** 53, 9_007_199_254_740_992n],
    [-(2 ** 53), -9_007_199_254_740_992n],
    [-9_007_199_254_740_991n, -9_007_199_254_740_991],
    [true, 'true'],
    [['a', 1], '["a",1]'],
    [{ a: 1 }, '{"a":1}'],
    [null, ''],
  ])('of %o', (value, key) => {
    expect(keyOf(value)).toEqual(key === 0 ? expect.closeTo(0) : key)
  })

  const integer = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.maxSafeInteger(),
    fc.constantFrom(...[-1, 0, 1].flatMap((more) => [2n ** 53n + BigInt(more), -(2n ** 53n) + BigInt(more)])),
    fc.bigInt(),
  )
  const text = fc.oneof(
    integer.map(String),
    integer.map((one) => `${one}.0`),
    integer.map((one) => `+${one}`),
    fc.nat({ max: 40 }).map((one) => `0x${one.toString(16)}`),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.constantFrom('1e3', '1E2', '01', '1.', '-0', 'true', 'false', 'null', '', 'a', '["a"]', '{"a":1}', '9e999'),
  )
  const scalar: fc.Arbitrary<FieldValue> = fc.oneof(
    text,
    integer,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom<FieldValue>(true, false, null, ['a'], { a: 1 }, 1_000, 100, 31, 2 ** 53, -(2 ** 53)),
  )

  it('is shared by all values that are equal to a text', () => {
    fc.assert(
      fc.property(text, scalar, fc.constantFrom('=', 'in'), (wanted, value, operator) => {
        const check = { kind: 'check', name: 'f', operator, values: [wanted], offset: 0 } as const
        const { keys } = offerOf({ condition: check }) as Anchor
        const event = anEvent({ output_fields: { f: [value] } })
        const [own] = event.field('f') as readonly FieldValue[]
        if (predicate(check)({ event })) expect(keys).toContain(keyOf(own as FieldValue))
      }),
      { numRuns: 3_000 },
    )
  })

  it('is shared by numbers of any size', () => {
    const huge = BigInt(`0x${'f'.repeat(990)}`)
    const { keys } = offerOf({ condition: parseCondition(`f = 0x${'f'.repeat(990)}`) }) as Anchor
    expect(keys).toContain(keyOf(huge))
  })
})

describe('a lookup', () => {
  const event = anEvent({
    output_fields: { rule: 'mine', list: ['a'], absent: null, na: '<NA>', 'fields.x': 'dotted', x: 1 },
  })
  const look = (name: string, asText: boolean) => lookupOf({ name, asText })({ event, cluster: 'prod' })

  it.each([
    ['rule', event.rule],
    ['priority', 'Notice'],
    ['source', 'syscall'],
    ['tags', event.tags],
    ['cluster', 'prod'],
    ['hostname', 'node-1'],
    ['list', ['a']],
    ['fields.x', 1],
    ['fields["fields.x"]', 'dotted'],
    ['nothing', undefined],
  ])('of a name in a condition: %s', (name, value) => {
    expect(look(name, false)).toEqual(value)
  })

  it.each([
    ['rule', 'mine'],
    ['list', '["a"]'],
    ['fields.x', 'dotted'],
    ['x', '1'],
    ['absent', undefined],
    ['na', undefined],
    ['nothing', undefined],
    ['priority', undefined],
  ])('of a field in a match: %s', (name, value) => {
    expect(look(name, true)).toEqual(value)
  })
})

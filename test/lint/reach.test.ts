import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEvent, PRIORITIES } from '../../src/event.ts'
import { boundRules, canHold } from '../../src/lint/reach.ts'
import { compileSelection, type Selection } from '../../src/rules/matcher.ts'

describe('canHold', () => {
  it.each<[string, Selection]>([
    ['a priority above all', { match: { priority: '>emergency' } }],
    ['a priority below all', { match: { priority: '<debug' } }],
    ['priorities that exclude each other', { match: { priority: '>=error' }, condition: 'priority < warning' }],
    ['two names at once', { match: { rules: ['A', 'B'] }, condition: 'rule = C' }],
    ['one name, and not it', { match: { rules: ['A'] }, condition: 'rule != A' }],
    ['one name, and not in a list with it', { match: { rules: ['A'] }, condition: 'not rule in (A, B)' }],
    ['two sources', { match: { source: 'syscall' }, condition: 'source = k8s_audit' }],
    [
      'alternatives none of which can hold',
      { match: { rules: ['A'] }, condition: 'rule = B or (rule = A and rule = C)' },
    ],
    ['a check and its negation', { condition: 'fd.sip in (10.0.0.0/8) and not fd.sip in (10.0.0.0/8)' }],
    ['a negated group', { condition: 'proc.name = a and not (proc.name = a or user.uid = 0)' }],
    ['two namespaces', { condition: 'k8s.ns.name = a and k8s.ns.name in (b, c)' }],
  ])('is false for %s', (_what, selection) => {
    expect(canHold([selection])).toBe(false)
  })

  it.each<[string, Selection]>([
    ['nothing', {}],
    ['priorities with room', { match: { priority: '>=warning' }, condition: 'priority != error' }],
    ['no names in a list', { match: { rules: [] }, condition: 'rule = A' }],
    ['one alternative', { match: { rules: ['A'] }, condition: 'rule = B or rule = A' }],
    ['tags, of which there may be several', { condition: 'tags = a and tags = b' }],
    ['a field that may be a list', { condition: 'proc.aname = a and proc.aname = b' }],
    ['transformed values', { condition: 'toupper(proc.name) = A and proc.name = a' }],
    ['numbers', { condition: 'user.uid = 0 and user.uid = 00' }],
  ])('is true for %s', (_what, selection) => {
    expect(canHold([selection])).toBe(true)
  })

  it('takes two rules together', () => {
    const a = { match: { rules: ['A'] }, condition: 'proc.name = sh' }
    expect(canHold([a, { match: { rules: ['A', 'B'] } }])).toBe(true)
    expect(canHold([a, { match: { rules: ['B'] } }])).toBe(false)
    expect(canHold([a, { condition: 'not proc.name = sh' }])).toBe(false)
  })

  it('gives up on what has too many alternatives, rather than take long', () => {
    const or = Array.from({ length: 12 }, (_, i) => `(a.a${i} = 1 or a.b${i} = 1)`).join(' and ')
    expect(canHold([{ condition: `${or} and rule = A` }])).toBe(true)
    expect(canHold([{ condition: `${or} and rule = A and rule = B` }])).toBe(false)
  })

  const word = fc.constantFrom('A', 'B', 'C')
  const check = fc.oneof(
    fc
      .tuple(fc.constantFrom('rule', 'source', 'proc.name'), fc.constantFrom('=', '!='), word)
      .map((one) => one.join(' ')),
    fc
      .tuple(fc.constantFrom('<', '<=', '>', '>=', '=', '!='), fc.constantFrom(...PRIORITIES))
      .map((one) => `priority ${one.join(' ')}`),
    fc
      .tuple(fc.constantFrom('rule', 'tags'), word, word)
      .map(([name, ...values]) => `${name} in (${values.join(', ')})`),
  )
  const { condition } = fc.letrec<{ condition: string }>((tie) => ({
    condition: fc.oneof(
      { depthSize: 'small' },
      check,
      tie('condition').map((one) => `not (${one})`),
      fc
        .tuple(tie('condition'), fc.constantFrom('and', 'or'), tie('condition'))
        .map(([a, op, b]) => `(${a}) ${op} (${b})`),
    ),
  }))
  const event = fc.record({
    rule: word,
    source: word,
    priority: fc.constantFrom(...PRIORITIES),
    tags: fc.array(word),
    output_fields: fc.record({ 'proc.name': word }, { requiredKeys: [] }),
  })

  it('is true for every selection that some event matches', () => {
    fc.assert(
      fc.property(condition, fc.array(event, { minLength: 1, maxLength: 20 }), (text, events) => {
        const holds = compileSelection({ condition: text })
        const matched = events.some((one) =>
          holds({ event: parseEvent({ ...one, time: '2026-01-01T00:00:00Z', output: '' }, { id: '', input: '' }) }),
        )
        if (matched) expect(canHold([{ condition: text }])).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('boundRules', () => {
  it.each<[Selection, readonly string[] | undefined]>([
    [{ match: { rules: ['A', 'B'] } }, ['A', 'B']],
    [{ condition: 'rule in (A, B) and proc.name = x' }, ['A', 'B']],
    [{ condition: '(rule = A and proc.name = x) or rule = B' }, ['A', 'B']],
    [{ match: { rules: ['A', 'B'] }, condition: 'rule != B and rule in (A, C)' }, ['A']],
    [{ condition: 'rule = A or proc.name = x' }, undefined],
    [{ condition: 'rule startswith A' }, undefined],
    [{}, undefined],
  ])('of %j are %j', (selection, names) => {
    expect(boundRules(selection)).toEqual(names)
  })
})

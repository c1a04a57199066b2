import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { compileSelection } from '../../src/rules/matcher.ts'
import { anEvent } from '../../src/testing.ts'
import { loadRulesText } from '../config/_kit.ts'

const word = fc.constantFrom(
  'A',
  'B',
  'l',
  'm',
  'x.y',
  'and',
  'x.y = 1',
  'm or',
  '(',
  'in (l)',
  'append',
  'replace',
  '',
)
const key = fc.constantFrom(
  ...['rule', 'list', 'macro', 'items', 'condition', 'match', 'steps', 'override', 'append', 'enabled', 'tags', 'desc'],
  ...['priority', 'notify', 'action', 'with', 'rules', 'output', 'actions', 'actionner', 'exceptions', 'mode', 'join'],
)
const scalar = fc.oneof(word, fc.boolean(), fc.integer(), fc.constant(null), fc.string())
const node = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(key, tie('node'), { maxKeys: 5 }),
  ),
})).node

const steps = fc.constant([{ action: 'log', with: { message: 'x' } }])
const condition = fc.array(fc.oneof(word, fc.string()), { maxLength: 4 }).map((words) => words.join(' '))
const how = fc.constantFrom('append', 'replace', 'other')

/** Items that are nearly right: changes of rules, lists and macros that are there or not. */
const item = fc.oneof(
  fc.record({ rule: word, condition, match: fc.option(node), steps }, { requiredKeys: ['rule', 'steps'] }),
  fc.record(
    { rule: word, condition, steps, tags: node, enabled: node, override: fc.dictionary(key, how, { maxKeys: 3 }) },
    { requiredKeys: ['rule', 'override'] },
  ),
  fc.record({ rule: word, condition, append: fc.boolean(), enabled: fc.boolean() }, { requiredKeys: ['rule'] }),
  fc.record({ list: word, items: fc.array(word), append: fc.boolean() }, { requiredKeys: ['list', 'items'] }),
  fc.record({ macro: word, condition, append: fc.boolean() }, { requiredKeys: ['macro', 'condition'] }),
)

/** Every problem has a place inside of its file; without an error there are rules that can be asked. */
const check = (text: string): string[] => {
  const { options, problems } = loadRulesText(text)
  const lines = text.split('\n')
  for (const { file, line, column, message } of problems.filter((one) => one.file === 'rules.yaml')) {
    expect(message).not.toBe('')
    expect(line, file).toBeLessThanOrEqual(lines.length)
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1)
  }
  const failed = problems.some(({ severity }) => severity === 'error')
  expect(options === undefined).toBe(failed)
  const rules = options?.rules ?? []
  for (const rule of rules) compileSelection(rule)({ event: anEvent() })
  return rules.map(({ name }) => name)
}

describe('a rules file of any content', () => {
  it('of text loads, or has problems with a place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void check(text)),
      { numRuns: 300 },
    )
  })

  it('of values of any form', () => {
    const file = fc.array(fc.oneof(node, fc.dictionary(key, node, { maxKeys: 6 })), { maxLength: 6 })
    fc.assert(
      fc.property(file, (value) => void check(stringify(value))),
      { numRuns: 500 },
    )
  })

  it('of items that are nearly right, and then no rule is left out that is not switched off', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 8 }), (given) => {
        const items = given as object[] as { rule?: string; enabled?: unknown }[]
        const names = check(stringify(items))
        if (names.length === 0) return
        const switched = new Set(items.filter((one) => 'enabled' in one).map(({ rule }) => rule))
        const wanted = new Set(items.flatMap(({ rule }) => (rule === undefined || switched.has(rule) ? [] : rule)))
        expect([...wanted].filter((name) => !names.includes(name))).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('of a rules file that is cut, or has a character changed', () => {
    const good = stringify([
      { list: 'l', items: ['a', 'b'] },
      { macro: 'm', condition: 'proc.name in (l)' },
      {
        rule: 'A',
        condition: 'm or x.y = "1"',
        match: { rules: ['R'] },
        steps: [{ action: 'log', with: { message: 'x' } }],
      },
      { rule: 'A', condition: 'and m', override: { condition: 'append' } },
    ])
    const changed = fc
      .tuple(fc.nat({ max: good.length }), fc.nat({ max: 3 }), fc.string({ maxLength: 2 }))
      .map(([at, gone, put]) => good.slice(0, at) + put + good.slice(at + gone))
    fc.assert(
      fc.property(changed, (text) => void check(text)),
      { numRuns: 500 },
    )
  })
})

describe('a rule that means to select', () => {
  it('never selects everything: it holds for an event only by what it says, or is an error', () => {
    const wanted = fc.constantFrom('x.y = 1', 'm', 'x.y in (l)', 'm and x.y exists', '(m or x.y in (l))', 'not not m')
    const broken = fc.tuple(wanted, fc.nat(20), fc.string({ maxLength: 2 }))
    const condition = fc.oneof(
      wanted,
      broken.map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1)),
    )
    fc.assert(
      fc.property(condition, condition, (first, second) => {
        const { options } = loadRulesText(
          stringify([
            { list: 'l', items: ['1'] },
            { macro: 'm', condition: 'x.y = 1' },
            { rule: 'A', condition: first, steps: [{ action: 'log', with: { message: 'x' } }] },
            { rule: 'A', condition: `and ${second}`, override: { condition: 'append' } },
          ]),
        )
        const negated = /\bnot\b|!|<|>/.test(`${first} ${second}`)
        for (const rule of negated ? [] : (options?.rules ?? [])) {
          expect(compileSelection(rule)({ event: anEvent({ output_fields: {} }) })).toBe(false)
        }
      }),
      { numRuns: 500 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PRIORITIES, severity } from '../../src/event.ts'
import { ConditionError } from '../../src/rules/condition.ts'
import { createMatcher, type Selection } from '../../src/rules/matcher.ts'
import { anEvent, type EventMembers } from '../../src/testing.ts'

const RULE = 'Terminal shell in container'

const RELATIONS: Readonly<Record<string, (difference: number) => boolean>> = {
  '': (difference) => difference === 0,
  '=': (difference) => difference === 0,
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
}

describe('the matcher', () => {
  const named = (name: string, selection: Selection = {}) => ({ name, ...selection })

  it('gives the rules that match, in their order', () => {
    const matcher = createMatcher([
      named('all'),
      named('mine', { match: { rules: [RULE] } }),
      named('another', { match: { rules: ['Another'] } }),
      named('both', { match: { rules: ['Another', RULE, RULE] } }),
      named('root', { condition: 'user.name = root' }),
      named('quiet', { match: { rules: [RULE], priority: '<notice' } }),
    ])
    const match = (members: EventMembers = {}) => matcher.match({ event: anEvent(members) }).map(({ name }) => name)
    expect(matcher.size).toBe(6)
    expect(match()).toEqual(['all', 'mine', 'both', 'root'])
    expect(match({ rule: 'Another', output_fields: {} })).toEqual(['all', 'another', 'both'])
    expect(match({ rule: 'constructor', output_fields: {} })).toEqual(['all'])
    expect(createMatcher([]).match({ event: anEvent() })).toEqual([])
  })

  it('refuses a rule that cannot be read', () => {
    expect(() => createMatcher([named('bad', { condition: '(' })])).toThrow(ConditionError)
  })

  it('gives what asking every rule gives', () => {
    const names = ['A', 'B', 'C']
    const tags = ['t', 'u', 'v']
    const some = (from: readonly string[]) => fc.subarray([...from])
    const priority = fc.tuple(fc.constantFrom('', '=', '<', '<=', '>', '>='), fc.constantFrom(...PRIORITIES))
    const field = fc.tuple(fc.constantFrom('f', 'g'), fc.constantFrom('=', '!='), fc.constantFrom('1', '2'))
    const rule = fc.record(
      {
        rules: some(names),
        tags: fc.array(fc.subarray(tags, { minLength: 1 }), { maxLength: 2 }),
        priority,
        source: fc.constantFrom('syscall', 'k8s_audit', 'internal'),
        fields: fc.array(fc.array(field, { minLength: 1, maxLength: 2 }), { maxLength: 2 }),
        wants: fc.constantFrom('1', '2'),
      },
      { requiredKeys: [] },
    )
    const event = fc.record({
      rule: fc.constantFrom(...names),
      tags: some(tags),
      priority: fc.constantFrom(...PRIORITIES),
      source: fc.constantFrom('syscall', 'k8s_audit', 'internal'),
      output_fields: fc.dictionary(fc.constantFrom('f', 'g'), fc.constantFrom('1', '2', 1, 2, null)),
    })
    type Rule = typeof rule extends fc.Arbitrary<infer R> ? R : never
    type Members = typeof event extends fc.Arbitrary<infer E> ? E : never

    const toSelection = (one: Rule): Selection => ({
      match: {
        ...(one.rules && { rules: one.rules }),
        ...(one.tags && { tags: one.tags.map((entry) => entry.join(', ')) }),
        ...(one.priority && { priority: one.priority.join('') }),
        ...(one.source && { source: one.source }),
        ...(one.fields && { output_fields: one.fields.map((entry) => entry.map((piece) => piece.join('')).join(',')) }),
      },
      ...(one.wants && { condition: `f = ${one.wants}` }),
    })
    const isWanted = (one: Rule, members: Members): boolean => {
      const get = (name: string) => members.output_fields[name]?.toString()
      const [comparator, limit] = one.priority ?? ['>=', 'Debug']
      const difference = severity(members.priority) - severity(limit)
      return (
        (members.source !== 'internal' || one.source === 'internal') &&
        (!one.rules?.length || one.rules.includes(members.rule)) &&
        (!one.source || one.source === members.source) &&
        (!one.tags?.length || one.tags.some((entry) => entry.every((tag) => members.tags.includes(tag)))) &&
        (!one.fields?.length ||
          one.fields.some((entry) =>
            entry.every(
              ([name, operator, text]) => get(name) !== undefined && (get(name) === text) === (operator === '='),
            ),
          )) &&
        (!one.wants || get('f') === one.wants) &&
        RELATIONS[comparator]?.(difference) === true
      )
    }

    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        fc.array(event, { minLength: 1, maxLength: 8 }),
        (rules, events) => {
          const matcher = createMatcher(rules.map((one) => ({ ...toSelection(one), one })))
          for (const members of events) {
            const found = matcher.match({ event: anEvent(members) }).map(({ one }) => one)
            expect(found).toEqual(rules.filter((one) => isWanted(one, members)))
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keysOf, letsThrough, selects, without } from '../../../src/actions/kubernetes/_isolate-select.ts'

const key = fc.constantFrom('app', 'tier', 'team')
const value = fc.constantFrom('a', 'b', '')
const labels = fc.dictionary(key, value)
const requirement = fc.record({
  key,
  operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
  values: fc.array(value, { minLength: 1, maxLength: 2 }),
})
const selector = fc.record({ matchLabels: labels, matchExpressions: fc.array(requirement, { maxLength: 3 }) })

describe('a selector', () => {
  it.each([
    [{}, {}, true],
    [{ matchLabels: { app: 'a' } }, { app: 'a', tier: 'b' }, true],
    [{ matchLabels: { app: 'a' } }, { app: 'b' }, false],
    [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['a'] }] }, { app: 'a' }, true],
    [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['a'] }] }, {}, false],
    [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }, {}, true],
    [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }, { app: 'a' }, false],
    [{ matchExpressions: [{ key: 'app', operator: 'Exists' }] }, { app: '' }, true],
    [{ matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, { app: '' }, false],
  ])('%j takes %j: %s', (one, of, taken) => {
    expect(selects(one, of as Record<string, string>)).toBe(taken)
  })

  it('takes a pod no more that has lost the labels it asks for, if it asks for any', () => {
    fc.assert(
      fc.property(selector, labels, (one, of) => {
        const keys = keysOf(one)
        expect(selects(one, without(of, keys)) && keys.length > 0).toBe(false)
      }),
    )
  })

  it('that asks for none cannot be left by losing labels it takes', () => {
    fc.assert(
      fc.property(selector, labels, (one, of) => {
        fc.pre(keysOf(one).length === 0 && selects(one, of))
        expect(selects(one, {})).toBe(true)
      }),
    )
  })
})

describe('a policy lets something through', () => {
  it.each([
    [{}, false],
    [{ ingress: [], egress: [] }, false],
    [{ ingress: [{}] }, true],
    [{ egress: [{ to: [] }] }, true],
    [{ policyTypes: ['Ingress'], egress: [{}] }, false],
    [{ policyTypes: ['Egress'], ingress: [{}] }, false],
    [{ policyTypes: ['Ingress', 'Egress'], ingress: [], egress: [{}] }, true],
  ])('with %j: %s', (rules, through) => {
    expect(letsThrough({ spec: { podSelector: {}, ...rules } })).toBe(through)
  })
})

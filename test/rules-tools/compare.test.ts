import { describe, expect, it } from 'vitest'
import { compareCase } from '../../src/rules-tools/compare.ts'
import type { CaseResult, RanStep } from '../../src/rules-tools/run-case.ts'

const step = (id: string, more: Partial<RanStep> = {}): RanStep => ({
  id,
  action: 'log',
  rule: 'A',
  outcome: 'succeeded',
  summary: 'done',
  attempts: 1,
  duration: 1,
  with: {},
  ...more,
})

const refused = (id: string, reason: string, rule = 'A'): RanStep =>
  step(id, { rule, outcome: 'refused', summary: 'no', error: { code: 'refused', reason, message: 'no' } })

const result = (more: Partial<CaseResult> = {}): CaseResult => ({
  rules: [],
  steps: [],
  notices: [],
  scopes: [],
  ...more,
})

const whatOf = (expected: Parameters<typeof compareCase>[0], actual: Partial<CaseResult>) =>
  compareCase(expected, result(actual)).map(({ what }) => what)

describe('what is expected', () => {
  it('is not compared where nothing is said', () => {
    expect(whatOf({}, { rules: ['A'], steps: [refused('x', 'r')], notices: ['slack'] })).toEqual([])
  })

  it('is all rules and all notices, in any order', () => {
    expect(whatOf({ rules: ['B', 'A'], notices: ['x'] }, { rules: ['A', 'B'], notices: ['x'] })).toEqual([])
    expect(whatOf({ rules: ['A'] }, { rules: ['A', 'B'] })).toEqual(['rules'])
    expect(whatOf({ rules: ['A', 'B'] }, { rules: ['A'] })).toEqual(['rules'])
    expect(whatOf({ notices: [] }, { notices: ['x'] })).toEqual(['notices'])
  })

  it('is of a step what is given, of the rule that is named', () => {
    const steps = [step('a', { with: { x: 1, y: { z: [1, 2] } } }), step('a', { rule: 'B', outcome: 'failed' })]
    expect(whatOf({ steps: [{ id: 'a', with: { y: { z: [1, 2] } } }] }, { steps })).toEqual([])
    expect(whatOf({ steps: [{ id: 'a', rule: 'B', outcome: 'failed' }] }, { steps })).toEqual([])
    expect(whatOf({ steps: [{ id: 'a', outcome: 'failed' }] }, { steps })).toEqual([])
    expect(whatOf({ steps: [{ id: 'a', rule: 'A', outcome: 'failed' }] }, { steps })).toEqual(['steps.a.outcome'])
    expect(whatOf({ steps: [{ id: 'a', rule: 'C' }] }, { steps })).toEqual(['steps.a'])
  })

  it.each([[{ x: 2 }], [{ y: { z: [1] } }], [{ y: { z: [1, 2], q: 1 } }], [{ w: 1 }], ['text']])(
    'of settings is not %j',
    (wanted) => {
      const steps = [step('a', { with: { x: 1, y: { z: [1, 2] } } })]
      expect(whatOf({ steps: [{ id: 'a', with: wanted }] }, { steps })).toEqual(['steps.a.with'])
    },
  )

  it('is every refusal, each once', () => {
    const steps = [refused('a', 'r'), refused('a', 'r', 'B'), step('c')]
    const two = [{ step: 'a' }, { step: 'a', reason: 'r' }]
    expect(whatOf({ refused: two }, { steps })).toEqual([])
    expect(whatOf({ refused: [{ step: 'a', rule: 'B', reason: 'r' }, { step: 'a' }] }, { steps })).toEqual([])
    expect(whatOf({ refused: [{ step: 'a' }] }, { steps })).toEqual(['refused'])
    expect(whatOf({ refused: [...two, { step: 'a' }] }, { steps })).toEqual(['refused'])
    expect(whatOf({ refused: [{ step: 'a', reason: 'other' }, { step: 'a' }] }, { steps })).toEqual(['refused'])
    expect(whatOf({ refused: [] }, { steps: [step('c')] })).toEqual([])
  })

  it('is shown beside what came of it, with the reason', () => {
    const [difference] = compareCase(
      { steps: [{ id: 'a', outcome: 'succeeded' }] },
      result({ steps: [refused('a', 'r')] }),
    )
    expect(difference).toEqual({ what: 'steps.a.outcome', expected: 'succeeded', actual: 'refused: no' })
  })
})

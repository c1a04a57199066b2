import { describe, expect, it } from 'vitest'
import { log } from '../../src/actions/log.ts'
import { parseEvent } from '../../src/event.ts'
import { createCoverage, totalsOf } from '../../src/rules-tools/coverage.ts'
import type { RuleInput } from '../../src/rules/rule.ts'
import { alert } from '../kit.ts'

const scope = (fields: Record<string, unknown>) => ({
  event: parseEvent(alert({ output_fields: fields }), { id: '', input: '' }),
})
const rule = (condition: string, more: Partial<RuleInput> = {}): RuleInput => ({
  name: 'A',
  condition,
  steps: [log({})],
  ...more,
})

describe('coverage', () => {
  it('counts matches and both sides of each check, also of those that an `or` need not ask', () => {
    const coverage = createCoverage()
    const rules = [rule('proc.name = sh or not (user.uid = 0 and a.b exists)')]
    coverage.add(rules, [scope({ 'proc.name': 'sh', 'user.uid': 0 })])
    coverage.add(rules, [scope({ 'user.uid': 0, 'a.b': 1 }), scope({})])
    expect(coverage.list()).toEqual([
      {
        rule: 'A',
        matched: 2,
        unmatched: 1,
        checks: [
          { check: 'proc.name = sh', true: 1, false: 2 },
          { check: 'user.uid = 0', true: 2, false: 1 },
          { check: 'a.b exists', true: 1, false: 2 },
        ],
      },
    ])
    expect(totalsOf(coverage.list())).toEqual({ rules: { covered: 1, all: 1 }, branches: { covered: 6, all: 6 } })
  })

  it('tells rules of one name in two files apart', () => {
    const coverage = createCoverage()
    coverage.add([rule('proc.name = sh', { origin: 'a:1' }), rule('proc.name = sh', { origin: 'b:1' })], [scope({})])
    expect(coverage.list().map(({ origin }) => origin)).toEqual(['a:1', 'b:1'])
    expect(totalsOf(coverage.list())).toEqual({ rules: { covered: 0, all: 2 }, branches: { covered: 2, all: 4 } })
  })

  it('of a rule without a condition is whether it matches', () => {
    const coverage = createCoverage()
    coverage.add([{ name: 'B', match: { priority: '>=debug' }, steps: [log({})] }], [scope({})])
    expect(coverage.list()).toEqual([{ rule: 'B', matched: 1, unmatched: 0, checks: [] }])
  })
})

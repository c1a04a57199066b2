import { describe, expect, it } from 'vitest'
import { loadRulesText } from '../config/_kit.ts'

const MANY = 5_000

const rule = (i: number, more = ''): string =>
  `- rule: Answer ${i}\n  match: { rules: [Falco rule ${i}] }\n  condition: x.y = ${i}\n${more}  steps: [{ action: log, with: { message: hi } }]\n`

const many = (one: (i: number) => string): string => Array.from({ length: MANY }, (_, i) => one(i)).join('')

describe('many rules', () => {
  it('load in order, each with its line', () => {
    const { options, problems } = loadRulesText(many((i) => rule(i)))
    expect(problems).toEqual([])
    expect(options?.rules).toHaveLength(MANY)
    expect(options?.rules[MANY - 1]).toMatchObject({ name: `Answer ${MANY - 1}`, origin: `rules.yaml:${4 * MANY - 3}` })
  })

  it('with a problem each tell all of them', () => {
    const { problems } = loadRulesText(many((i) => rule(i, '  colour: red\n')))
    expect(problems).toHaveLength(MANY)
    expect(problems[MANY - 1]).toMatchObject({ line: 5 * MANY - 1, column: 3 })
  })

  it('may be many changes of one', () => {
    const change = (i: number): string =>
      `- rule: Answer 0\n  condition: or x.y = ${i}\n  tags: [t${i}]\n  override: { condition: append, tags: append }\n`
    const { options, problems } = loadRulesText(rule(0).replace('match: {', 'match: { tags: [t],') + many(change))
    expect(problems).toEqual([])
    expect(options?.rules[0]?.match?.tags).toHaveLength(MANY + 1)
    expect(options?.rules[0]?.condition).toMatch(`or x.y = ${MANY - 1}`)
  })
})

import { describe, expect, it } from 'vitest'
import { compileChain } from '../../src/chain.ts'
import { deliverySettings } from '../../src/delivery-settings.ts'
import type { FieldValue } from '../../src/event.ts'
import { compileSelection } from '../../src/rules/matcher.ts'
import { checkSettings } from '../../src/settings.ts'
import { createTemplates } from '../../src/template.ts'
import { anEvent } from '../../src/testing.ts'
import { brief, load, loadRulesText } from '../config/_kit.ts'

const STEPS = '  steps: [{ action: log, with: { message: hi } }]\n'

const ruleOf = (condition: string): string => `- rule: R\n  condition: ${condition}\n${STEPS}`

const problemsOf = (text: string): string[] => brief(loadRulesText(text).problems)

/** The fields for which the only rule of a text holds. */
const holds = (text: string, fields: Record<string, FieldValue>): boolean => {
  const { options, problems } = loadRulesText(text)
  expect(brief(problems)).toEqual([])
  const [rule] = options?.rules ?? []
  return rule !== undefined && compileSelection(rule)({ event: anEvent({ output_fields: fields }) })
}

describe('a list', () => {
  const shells = '- list: shells\n  items: [bash, sh]\n'

  it('stands for its values', () => {
    const text = shells + ruleOf('proc.name in (zsh, shells) or proc.pname in (shells)')
    for (const name of ['zsh', 'bash', 'sh']) expect(holds(text, { 'proc.name': name })).toBe(true)
    expect(holds(text, { 'proc.name': 'shells' })).toBe(false)
    expect(holds(text, { 'proc.pname': 'sh' })).toBe(true)
  })

  it('is a value where it stands in quotes or is no item of a list', () => {
    const used = ruleOf('proc.pname in (shells) or proc.name in ("shells") or fd.name = shells')
    expect(holds(shells + used, { 'proc.name': 'bash' })).toBe(false)
    expect(holds(shells + used, { 'proc.name': 'shells' })).toBe(true)
    expect(holds(shells + used, { 'fd.name': 'shells' })).toBe(true)
  })

  it('may hold other lists, before or after it, and its own name as a value', () => {
    const text = `- list: all\n  items: [a, some, more, all]\n- list: some\n  items: [b]\n- list: more\n  items: [some, c]\n`
    for (const value of ['a', 'b', 'c', 'all'])
      expect(holds(text + ruleOf('x.y in (all)'), { 'x.y': value })).toBe(true)
    expect(holds(text + ruleOf('x.y in (all)'), { 'x.y': 'some' })).toBe(false)
  })

  it('may be empty', () => {
    const text = '- list: none\n  items: []\n'
    expect(holds(text + ruleOf('x.y in (none)'), { 'x.y': 'none' })).toBe(false)
    expect(holds(text + ruleOf('not x.y in (none)'), { 'x.y': 'none' })).toBe(true)
  })

  it('takes values as they are written', () => {
    const text = `- list: odd\n  items: [0644, 1e3, 12345678901234567890, true, '"a b"', "'c, d'", 'e f', x-y]\n`
    for (const value of ['0644', '1e3', 'true', 'a b', 'c, d', 'e f', 'x-y']) {
      expect(holds(text + ruleOf('x.y in (odd)'), { 'x.y': value }), value).toBe(true)
    }
    expect(holds(text + ruleOf('x.y in (odd)'), { 'x.y': 12345678901234567890n })).toBe(true)
  })

  it('may be written in the environment', () => {
    const { options } = loadRulesText(`- list: l\n  items: ['\${env:NAME}']\n${ruleOf('proc.name in (l)')}`, {
      env: { NAME: 'sh' },
    })
    const [rule] = options?.rules ?? []
    expect(rule && compileSelection(rule)({ event: anEvent({ output_fields: { 'proc.name': 'sh' } }) })).toBe(true)
  })

  it('may be long', () => {
    const items = Array.from({ length: 20_000 }, (_, i) => `host-${i}.example`)
    const text = `- list: hosts\n  items: ${JSON.stringify(items)}\n${ruleOf('fd.name in (hosts)')}`
    expect(holds(text, { 'fd.name': 'host-19999.example' })).toBe(true)
  })
})

describe('a macro', () => {
  it('stands for its condition, as if in parentheses', () => {
    const text = `- macro: shell\n  condition: proc.name = bash or proc.name = sh\n${ruleOf('shell and fd.num > 3')}`
    expect(holds(text, { 'proc.name': 'bash', 'fd.num': 1 })).toBe(false)
    expect(holds(text, { 'proc.name': 'sh', 'fd.num': 4 })).toBe(true)
  })

  it('may hold lists and other macros, before or after it', () => {
    const text = `- macro: a\n  condition: b and not c\n- macro: b\n  condition: proc.name in (l)\n- macro: c\n  condition: fd.num = 1\n- list: l\n  items: [sh]\n${ruleOf('a')}`
    expect(holds(text, { 'proc.name': 'sh', 'fd.num': 2 })).toBe(true)
    expect(holds(text, { 'proc.name': 'sh', 'fd.num': 1 })).toBe(false)
  })

  it('leaves the text of a rule that names none as it is', () => {
    const { options } = loadRulesText(
      `- macro: m\n  condition: a.b = c\n- rule: A\n  condition: m\n${STEPS}${ruleOf('x.y = z')}`,
    )
    expect(options?.rules.map(({ condition }) => typeof condition)).toEqual(['object', 'string'])
  })
})

describe('lists and macros of rules files', () => {
  const DEFINITIONS = '- list: shells\n  items: [sh]\n- macro: shell\n  condition: proc.name in (shells)\n'

  it('may be named by the if of a step', () => {
    const text = `${DEFINITIONS}- rule: A\n  match: {}\n  steps: [{ action: log, if: shell, with: { message: x } }]\n`
    const { options, problems } = loadRulesText(text)
    expect(brief(problems)).toEqual([])
    const [rule] = options?.rules ?? []
    const [step] = rule ? compileChain(rule, createTemplates()).steps : []
    expect(step?.holds?.({ event: anEvent({ output_fields: { 'proc.name': 'sh' } }) })).toBe(true)
    expect(step?.holds?.({ event: anEvent({ output_fields: { 'proc.name': 'ls' } }) })).toBe(false)
  })

  it('may be named by the filter of an output', () => {
    const text =
      'version: 1\noutputs: { stdout: { condition: shell }, stdout/b: { condition: a.b = c } }\nrules: [r.yaml]\n'
    const { options, problems } = load(text, { files: { 'r.yaml': DEFINITIONS } })
    expect(brief(problems)).toEqual([])
    expect(options?.outputs.map(({ condition }) => typeof condition)).toEqual(['object', 'string'])
    for (const { output: _, ...settings } of options?.outputs ?? []) {
      expect(checkSettings(deliverySettings, settings)).toEqual([])
    }
    const wrong = load(text.replace('shell }', 'shel }'), { files: { 'r.yaml': DEFINITIONS } })
    expect(brief(wrong.problems)).toContain(
      '2:33 outputs.stdout.condition: no macro is named shel; did you mean `shell`?',
    )
  })

  it('may stand in the configuration itself', () => {
    const { options, problems } = load(
      `version: 1\nrules:\n  - macro: m\n    condition: a.b = c\n  - rule: A\n    condition: m\n    steps: [{ action: log, with: { message: x } }]\n`,
    )
    expect(brief(problems)).toEqual([])
    expect(options?.rules).toHaveLength(1)
  })

  it('in a file are no condition of another form', () => {
    const text = 'version: 1\noutputs: { stdout: { condition: { kind: and, items: [] } } }\n'
    expect(brief(load(text).problems)).toEqual(['2:33 outputs.stdout.condition must be a string, not a map'])
    expect(problemsOf(`- rule: A\n  condition: { kind: and, items: [] }\n${STEPS}`)).toEqual([
      '2:14 rule "A": condition must be a string, not a map',
    ])
    expect(
      problemsOf('- rule: A\n  steps: [{ action: log, if: { kind: and, items: [] }, with: { message: x } }]\n'),
    ).toEqual(['2:30 rule "A": steps[0].if must be a string, not a map'])
  })
})

describe('problems of lists and macros', () => {
  const used = ruleOf('m and proc.name in (l)')
  const list = '- list: l\n  items: [a]\n'
  const macro = '- macro: m\n  condition: a.b = c\n'

  it.each([
    [`${list}- macro: m\n  condition: a.b =\n${used}`, /^4:\d+ macro "m": condition: expected a value/],
    [`${list}- macro: m\n  condition: a.b = c and n\n${used}`, /^4:\d+ macro "m": condition: no macro is named n/],
    [
      `${list}- macro: m\n  condition: m and a.b = c\n${used}`,
      /^4:\d+ macro "m": condition: the macro m stands inside itself: m, m$/,
    ],
    [
      `${macro}- list: l\n  items: [a, k]\n- list: k\n  items: [b, l]\n${used}`,
      /^6:14 list "k": the list l stands inside itself: l, k, l$/,
    ],
    [`${macro}- list: l\n  items: [a, [b]]\n${used}`, /^4:14 list "l": items\[1\]: must be a text or a number$/],
    [`${macro}- list: l\n  items: text\n${used}`, /^4:10 list "l": items must be a list, not a string$/],
    [`${macro}- list: l\n${used}`, /^3:3 list "l": items is required$/],
    [`${macro}- list: l\n  items: [a]\n  color: red\n${used}`, /^5:3 list "l": color is not a known setting/],
    [`${macro}${list}- list: a b\n  items: []\n${used}`, /^5:9 list "a b": list: must be without spaces/],
    [
      `${macro}${list}- macro: a-b\n  condition: a.b = c\n${used}`,
      /^5:10 macro "a-b": macro: must start with a letter/,
    ],
    [
      `${macro}${ruleOf('m and a.b in (l, c) and a.b intersects k')}`,
      /^4:\d+ rule "R": condition: no list is named k;/,
    ],
  ])('%j', (text, message) => {
    const errors = loadRulesText(text).problems.filter(({ severity }) => severity === 'error')
    expect(brief(errors)).toEqual([expect.stringMatching(message)])
  })

  it('warn of what nothing names', () => {
    const text = `- list: a\n  items: []\n- list: b\n  items: [a]\n- macro: c\n  condition: x.y in (b)\n- macro: d\n  condition: c\n- rule: Off\n  enabled: false\n  condition: x.y in (b)\n${STEPS}`
    expect(problemsOf(text)).toEqual(['7:10 warning macro "d": nothing names this macro'])
  })

  it('of a macro are told once, whoever names it', () => {
    const text = `- macro: m\n  condition: a.b =\n${ruleOf('m')}- rule: S\n  condition: m\n${STEPS}`
    expect(loadRulesText(text).problems).toHaveLength(1)
  })
})

describe('macros and lists that grow without bound', () => {
  it('end with an error', () => {
    const macros = Array.from({ length: 40 }, (_, i) => `- macro: m${i + 1}\n  condition: m${i} or m${i}\n`).join('')
    const found = problemsOf(`- macro: m0\n  condition: a.b = c\n${macros}${ruleOf('m40')}`)
    expect(found[0]).toMatch(/macro "m\d+": condition: .*too large/)
  })

  it('by lists neither', () => {
    const items = JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `v${i}`))
    const many = Array.from({ length: 200 }, () => 'l').join(', ')
    expect(problemsOf(`- list: l\n  items: ${items}\n${ruleOf(`a.b in (${many})`)}`)).toEqual([
      expect.stringMatching(/rule "R": condition: with its lists put in, it is too large$/),
    ])
    const doubled = Array.from({ length: 40 }, (_, i) => `- list: l${i + 1}\n  items: [l${i}, l${i}]\n`).join('')
    expect(holds(`- list: l0\n  items: [x]\n${doubled}${ruleOf('a.b in (l40)')}`, { 'a.b': 'x' })).toBe(true)
  })

  it('also when each names the next', () => {
    const macros = Array.from({ length: 3_000 }, (_, i) => `- macro: m${i}\n  condition: not m${i + 1}\n`).join('')
    const lists = Array.from({ length: 3_000 }, (_, i) => `- list: l${i}\n  items: [l${i + 1}]\n`).join('')
    expect(problemsOf(`${macros}- macro: m3000\n  condition: a.b = c\n${ruleOf('m0')}`)[0]).toMatch(
      /holds more than 100 others/,
    )
    expect(problemsOf(`${lists}- list: l3000\n  items: [x]\n${ruleOf('a.b in (l0)')}`)[0]).toMatch(
      /holds more than 100 others/,
    )
    const back = Array.from(
      { length: 3_000 },
      (_, i) => `- macro: m${i + 1}\n  condition: m${i} and (x.y = z or not m${i})\n`,
    )
    expect(problemsOf(`- macro: m0\n  condition: a.b = c\n${back.join('')}${ruleOf('m3000')}`)[0]).toMatch(
      /condition: /,
    )
    const deep = Array.from({ length: 3_000 }, (_, i) => `- macro: m${i + 1}\n  condition: x.y = z and not m${i}\n`)
    expect(problemsOf(`- macro: m0\n  condition: a.b = c\n${deep.join('')}${ruleOf('m3000')}`)[0]).toMatch(
      /nested too deeply/,
    )
  })
})

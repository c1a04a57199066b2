/** Which contexts texts name, and what a rules file is told of those that there are not. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contexts as own } from '../../src/contexts/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { createGateway } from '../../src/index.ts'
import { defineContext, z } from '../../src/plugin.ts'
import { parseCondition } from '../../src/rules/condition.ts'
import { contextsIn, contextsOfCondition, contextsOfTemplate } from '../../src/rules/contexts.ts'
import { brief, memory, plugins, print } from '../config/_kit.ts'

const names = (found: readonly { name: string }[]): string[] => found.map(({ name }) => name)

describe('a template names', () => {
  it.each([
    ['{{ context.pod.labels.team }}', ['pod']],
    ['a {{context.aws.region}} b {%- if context.k8snode.name == "x" -%} y {% endif %}', ['aws', 'k8snode']],
    ['{{ context["my-own"].x | append: context[\'pod\'].name }}', ['my-own', 'pod']],
    ['see context.md', []],
    ['{{ rule }} context.x {{ output }}', []],
    ['{{ "context.x" | append: \'context.y\' }}', []],
    ['{{ k8s.context.x }}{{ my-context.x }}', []],
    ['{% raw %}{{ context.pod.name }}{% endraw %}', []],
    ['{% raw %}{{{% endraw %} context.pod }}', []],
  ])('%s: %j', (text, expected) => {
    expect(names(contextsOfTemplate(text))).toEqual(expected)
  })

  it('them where they stand', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^{}'"]{0,30}$/), (before) => {
        const text = `${before}{{ context.pod.name }}`
        expect(contextsOfTemplate(text)).toEqual([{ name: 'pod', offset: before.length + 3 }])
      }),
    )
  })
})

describe('a condition names', () => {
  it.each([
    ['context.pod.labels.team = sec and proc.name = sh', ['pod']],
    ['context["k8snode"].hostname exists', ['k8snode']],
    ['proc.cmdline contains "context.pod" and fields["context.pod"] exists', []],
  ])('%s: %j', (text, expected) => {
    expect(names(contextsOfCondition(parseCondition(text)))).toEqual(expected)
  })

  it('those of its step with those of the settings, each once', () => {
    const settings = { a: ['{{ context.pod.name }}', 1, null], b: { 'context.no': 'context.no' } }
    expect(contextsIn(settings, parseCondition('context.pod.x = 1 or context.aws.region = x'))).toEqual(['pod', 'aws'])
  })
})

const vault = defineContext({
  type: 'vault',
  summary: 'Needs an address.',
  config: z.strictObject({ address: z.url().describe('Where it is.') }),
  lookup: async () => ({}),
})

const load = (steps: string, more = '', top = '') =>
  loadConfig({
    file: 'yarak.yaml',
    text: `version: 1\nrules: [rules.yaml]\n${top}`,
    env: {},
    plugins: { ...plugins, contexts: [...own, vault] },
    files: memory({ 'rules.yaml': `${more}- rule: A\n  match: { rules: [x] }\n  steps:\n${steps}` }),
  })

describe('a rules file', () => {
  it('is told of a context that is not there, at its place', () => {
    const loaded = load(`    - action: log
      with:
        message: 'on {{ context.k8snod.hostname }}'
    - action: log
      if: proc.name = sh and context.pods.name exists
      with: { message: x }
`)
    expect(brief(loaded.problems)).toEqual([
      '6:25 rule "A": steps[0].with: there is no context k8snod; did you mean `k8snode`?',
      '8:30 rule "A": steps[1].if: there is no context pods; did you mean `pod`?',
    ])
    expect(print(loaded)).toContain('rules.yaml:6:25: error')
    expect(loaded.options).toBeUndefined()
  })

  it('may name those that come along, and those that it sets up', () => {
    const steps = `    - { action: log, with: { message: '{{ context.vault.x }}' } }\n`
    expect(brief(load(steps).problems)).toEqual([
      expect.stringContaining('rule "A": steps[0].with: there is no context vault'),
    ])
    expect(print(load(steps, '', 'contexts: { vault: { address: "https://v" } }\n'))).toBe('')
    const wrong = brief(load(steps, '', 'contexts: { vault: { address: 1 } }\n').problems)
    expect(wrong).toEqual([expect.stringContaining('contexts.vault.address')])
    for (const { type } of own) expect(print(load(steps.replace('vault', type)))).toBe('')
  })

  it('is told of one that a macro or a composed action brings', () => {
    const macro = '- macro: mine\n  condition: context.nods.x = 1\n'
    expect(brief(load(`    - { action: log, if: mine, with: { message: x } }\n`, macro).problems)).toContainEqual(
      expect.stringContaining('steps[0].if: there is no context nods'),
    )
    const action = `- action: tell\n  steps: [{ action: log, with: { message: '{{ context.x.y }}' } }]\n`
    expect(brief(load(`    - { action: tell }\n`, action).problems)).toEqual([
      '2:47 action "tell": steps[0].with: there is no context x; known are aws, k8snode, pod',
    ])
  })

  it('is told that neither a pause nor the condition of a rule looks one up', () => {
    const pause = load(`    - { wait: 1s, if: context.pod.x = 1 }\n`)
    expect(brief(pause.problems)).toEqual(['4:23 rule "A": steps[0].if: a pause looks up no context'])
    const condition = load(
      `    - { action: log, with: { message: x } }\n`,
      '- rule: B\n  condition: context.pod.x = 1\n  steps: [{ action: log, with: { message: x } }]\n',
    )
    expect(brief(condition.problems)).toEqual([expect.stringContaining("is only known in a step's if")])
  })
})

it('the engine says the same of what an embedding program gives', () => {
  const [log] = plugins.actions
  const use = { id: 'log', plugin: log as never, config: { message: 'context.x' } }
  const make = (step: object) => createGateway({ rules: [{ name: 'A', steps: [step as never] }] })
  expect(() => make(use)).not.toThrow()
  expect(() => make({ action: use, if: 'context.x.y = 1' })).toThrow('there is no context x')
  expect(() => make({ wait: '1s', if: 'context.x.y = 1' })).toThrow('a pause looks up no context')
})

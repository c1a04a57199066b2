import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { loadConfig } from '../../src/config/index.ts'
import { brief, memory } from '../config/_kit.ts'

/** Loads rules with the actions that come along. */
const problemsOf = (rules: string): string[] => {
  const text = 'version: 1\nrules: [rules.yaml]\n'
  const files = memory({ 'rules.yaml': rules })
  return brief(loadConfig({ file: 'yarak.yaml', text, env: {}, plugins: builtin, files }).problems)
}

const TERMINATE = '  steps: [{ action: kubernetes:terminate }]\n'
const LABEL = '  steps: [{ action: kubernetes:label, with: { labels: { a: b } } }]\n'

describe('a rule with a destructive step', () => {
  it('is warned of when it can hold because a field is absent, with the fix', () => {
    const condition = 'proc.name = nc and not k8s.ns.name in (kube-system)'
    expect(problemsOf(`- rule: A\n  condition: ${condition}\n${TERMINATE}`)).toEqual([
      '2:37 warning rule "A": condition: not k8s.ns.name in (kube-system) also holds when k8s.ns.name is absent; ' +
        'write k8s.ns.name exists and not k8s.ns.name in (kube-system)',
    ])
  })

  it.each([
    ['the field must be there', `- rule: A\n  condition: k8s.ns.name exists and not k8s.ns.name = x\n${TERMINATE}`],
    ['it compares', `- rule: A\n  condition: k8s.ns.name != x\n${TERMINATE}`],
    ['the field is none of identity', `- rule: A\n  condition: not proc.name = x\n${TERMINATE}`],
    ['the step can be undone', `- rule: A\n  condition: not k8s.ns.name = x\n${LABEL}`],
  ])('is not, when %s', (_why, text) => {
    expect(problemsOf(text)).toEqual([])
  })

  it('is warned of where it stands: in the file that appends it, at the macro that brings it', () => {
    const change = '- rule: A\n  condition: and not k8s.pod.name = x\n  override: { condition: append }\n'
    expect(problemsOf(`- rule: A\n  condition: proc.name = nc\n${TERMINATE}${change}`)).toEqual([
      expect.stringMatching(/^5:22 warning rule "A": condition: not k8s\.pod\.name = x also holds/),
    ])
    const macro = '- macro: elsewhere\n  condition: not k8s.ns.name = x\n'
    expect(problemsOf(`${macro}- rule: A\n  condition: proc.name = nc and elsewhere\n${TERMINATE}`)).toEqual([
      expect.stringMatching(/^4:33 warning rule "A": condition: not k8s\.ns\.name = x also holds/),
    ])
  })

  it('is warned of once for a field, and without its long lists', () => {
    const items = Array.from({ length: 50 }, (_, i) => `namespace-${i}`).join(', ')
    const text = `- list: known\n  items: [${items}]\n- rule: A\n  condition: not k8s.ns.name in (known) and not k8s.ns.name = x\n`
    expect(problemsOf(`${text}${TERMINATE}`)).toEqual([
      '4:18 warning rule "A": condition: this also holds when k8s.ns.name is absent; write k8s.ns.name exists and not (...)',
    ])
  })

  it('is warned of when a later file brings the step', () => {
    const change = `- rule: A\n${TERMINATE}  override: { steps: append }\n`
    expect(problemsOf(`- rule: A\n  condition: not k8s.ns.name = x\n${LABEL}${change}`)).toHaveLength(1)
  })
})

describe('a rule that acts on every event', () => {
  const script = (changes: string): string =>
    `- rule: A\n  steps: [{ action: local:script, with: { command: [/bin/true, '{{ rule }}']${changes} } }]\n`

  it.each([
    [`- rule: A\n${TERMINATE}`, 1],
    [`- rule: A\n  match: {}\n${LABEL}`, 1],
    [`- rule: A\n  match: { tags: [] }\n${TERMINATE}`, 2],
    [script(''), 1],
    [script(', changes: nothing'), 0],
    ['- rule: A\n  steps: [{ action: evidence:save }]\n', 0],
    [`- rule: A\n  match: { source: syscall }\n${TERMINATE}`, 0],
    [`- rule: A\n  condition: a.b = c\n${TERMINATE}`, 0],
  ])('is warned of when it changes something: %j', (text, count) => {
    const found = problemsOf(text)
    expect(found).toHaveLength(count)
    if (count > 0) expect(found[0]).toMatch(/^1:9 warning rule "A": .*, so it acts on every event$/)
  })
})

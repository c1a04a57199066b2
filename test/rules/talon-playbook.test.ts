import { describe, expect, it } from 'vitest'
import { actions } from '../../src/actions/index.ts'
import { createProblems } from '../../src/config/problems.ts'
import { readDocument } from '../../src/config/read.ts'
import { isPlaybook, readPlaybook } from '../../src/rules/talon-playbook.ts'
import { translateTalon } from '../../src/rules/talon.ts'

const documentOf = (text: string, problems = createProblems()) =>
  readDocument('p.yaml', text, problems, { references: { env: {}, file: () => '' } })

const read = (text: string) => {
  const problems = createProblems()
  const document = documentOf(text, problems)
  const rules = translateTalon([readPlaybook(document, problems)], { actions, outputs: undefined, problems })
  const told = problems.list().map(({ line, column, severity, message }) => `${line}:${column} ${severity} ${message}`)
  return { rules: rules.flatMap(({ rule }) => rule ?? []), told }
}

describe('the short form', () => {
  it('is known by falco_rule', () => {
    expect(isPlaybook(documentOf('- { falco_rule: Shell, actions: [] }\n'))).toBe(true)
    expect(isPlaybook(documentOf('rules: [{ falco_rule: Shell, actions: [] }]\n'))).toBe(true)
    for (const other of ['- { rule: Shell, actions: [] }\n', '- action: x\n', 'x\n', '', 'rules: x\n', '- ~\n']) {
      expect(isPlaybook(documentOf(other))).toBe(false)
    }
  })

  it.each(['', 'rules:\n'])('is read as Talon rules, as a list or under rules: %j', (head) => {
    const text = `- name: Contain a shell
  falco_rule: Terminal shell in container
  description: Cut it off, then end it.
  actions:
    - name: isolate_pod
      params:
        namespace: "{{.K8S.Namespace.Name}}"
        pod: "{{ .K8S.Pod.Name }}"
        allow_namespaces: [kube-system]
    - name: label_pod
      params: { labels: { image: "{{.Container.Image}}-{{ .Rule }}" } }
    - name: terminate_container
      params: { pod_name: "{{.K8S.Pod.Name}}", container_id: "{{.Container.ID}}", grace_period_seconds: 5 }
`
    expect(read(head + text)).toEqual({
      rules: [
        {
          rule: 'Contain a shell',
          description: 'Cut it off, then end it.',
          match: { rules: ['Terminal shell in container'] },
          steps: [
            {
              action: 'kubernetes:networkpolicy',
              id: 'isolate_pod',
              with: { allow_namespaces: ['kube-system'] },
            },
            {
              action: 'kubernetes:label',
              id: 'label_pod',
              with: { labels: { image: '{{ container.image }}-{{ rule }}' } },
            },
            { action: 'kubernetes:terminate', id: 'terminate_container', with: { grace_period_seconds: 5 } },
          ],
        },
      ],
      told: [
        `${head === '' ? 12 : 13}:13 warning rule "Contain a shell": the API of Kubernetes ends no single container: kubernetes:terminate deletes the pod`,
      ],
    })
  })

  it('may name several Falco rules, and no name of its own', () => {
    const { rules } = read('- { falco_rule: [A, B], actions: [{ name: terminate_pod }] }\n')
    expect(rules).toMatchObject([{ rule: 'A', match: { rules: ['A', 'B'] } }])
  })

  it.each([
    ['{{.K8S.Pod.Name}}', '{{ k8s.pod.name }}'],
    ['{{- .K8S.Ns.Name -}}', '{{ k8s.ns.name }}'],
    ['{{.OutputFields.proc.name}}', '{{ proc.name }}'],
    ['{{.Priority}}', '{{ priority }}'],
    ['{{.Custom}}', '{{ fields["custom"] }}'],
    ['plain', 'plain'],
  ])('%s is %s', (go, liquid) => {
    const { rules, told } = read(
      `- { falco_rule: A, actions: [{ name: label_pod, params: { labels: { a: '${go}' } } }] }\n`,
    )
    expect(told).toEqual([])
    expect(rules[0]?.steps[0]?.with).toEqual({ labels: { a: liquid } })
  })

  it.each([
    [
      'falco_rule: A, when: night',
      '1:20 error rule "A": when cannot be translated; known are actions, description, falco_rule, name',
    ],
    ['falco_rule: [1]', '1:3 error rule "1": falco_rule must be the name of a Falco rule, or a list of names'],
    ['falco_rule: []', '1:3 error rule "": falco_rule must be the name of a Falco rule, or a list of names'],
  ])('a rule with %s cannot be translated', (text, expected) => {
    expect(read(`- { ${text}, actions: [{ name: kill_pod }] }\n`)).toEqual({ rules: [], told: [expected] })
  })

  it.each([
    [
      '{ name: isolate_pud }',
      /^1:\d+ error rule "A": the action isolate_pud is not known; did you mean `isolate_pod`\?/,
    ],
    ['{}', /^1:\d+ error rule "A": the action without a name is not known/],
    [
      '{ name: kill_pod, params: { pod: web-1 } }',
      /^1:\d+ error rule "A": pod: an action is about the target of its event/,
    ],
    [
      '{ name: label_pod, params: { labels: { a: "{{ if .X }}" } } }',
      /^1:\d+ error rule "A": labels: this template cannot/,
    ],
    [
      '{ name: label_pod, params: { labels: { a: "{{.X | upper}}" } } }',
      /^1:\d+ error rule "A": labels: this template/,
    ],
    ['{ name: label_pod }', /^1:\d+ error rule "A": action "label_pod": labels is required/],
    ['{ name: annotate_pod }', /^1:\d+ error rule "A": action "annotate_pod": annotations is required/],
  ])('%s is an error', (action, expected) => {
    const { rules, told } = read(`- { falco_rule: A, actions: [${action}] }\n`)
    expect(rules).toEqual([])
    expect(told).toEqual([expect.stringMatching(expected)])
  })
})

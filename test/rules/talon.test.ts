import { describe, expect, it } from 'vitest'
import { matched, matching, talon } from './_talon.ts'

const SHELL = 'rules: [Shell]'

/** A rule of Talon's with one action, and more keys. */
const rule = (name: string, match: string, more = ''): string =>
  `${matching(`{ ${match} }`, name)}${more && `  ${more}\n`}`

describe('the rules of Talon files', () => {
  it('are rules as a program gives them', () => {
    const { rules, told } = talon(`- action: Terminate Pod
  actionner: kubernetes:terminate
  parameters: { ignore_daemonsets: true }
- action: Mark
  actionner: kubernetes:label
  parameters: { labels: { suspicious: "true" } }
- rule: Shell outside
  description: Somebody is inside.
  match:
    rules: [Terminal shell in container]
    priority: ">=notice"
    tags: ["mitre_execution, shell"]
    source: syscall
    output_fields: ["k8s.ns.name!=kube-system, k8s.ns.name!=<NA>"]
  actions:
    - action: Mark
      ignore_errors: true
    - action: Terminate Pod
      parameters: { grace_period_seconds: 5 }
  notifiers: [slack]
`)
    expect(told).toEqual([])
    expect(rules).toMatchObject([
      {
        name: 'Shell outside',
        description: 'Somebody is inside.',
        origin: 'a.yaml:7',
        match: {
          rules: ['Terminal shell in container'],
          priority: '>=notice',
          tags: ['mitre_execution,shell'],
          source: 'syscall',
        },
        condition: 'not k8s.ns.name = kube-system and k8s.ns.name exists',
        steps: [
          { id: 'mark', onError: 'continue', action: { config: { labels: { suspicious: 'true' } } } },
          {
            id: 'terminate_pod',
            action: { id: 'kubernetes:terminate', config: { grace_period_seconds: 5, ignore_daemonsets: true } },
          },
        ],
        notify: ['slack'],
      },
    ])
    expect(rules[0]).not.toHaveProperty('mode')
  })

  it('stand in the order in which their names come first', () => {
    const files = [rule('B', SHELL) + rule('A', SHELL), rule('C', SHELL) + rule('B', 'rules: [X]')]
    expect(talon(files).rules.map(({ name }) => name)).toEqual(['B', 'A', 'C'])
  })

  it('dry_run only shows', () => {
    expect(talon(rule('A', SHELL, 'dry_run: "true"')).rules).toMatchObject([{ mode: 'observe' }])
    expect(talon(rule('A', SHELL, 'dry_run: false')).rules[0]).not.toHaveProperty('mode')
  })

  it('notifiers are outputs; one that is not configured is left out, which is told', () => {
    const text = rule('A', SHELL, 'notifiers: [slack, k8sevents, slack]')
    expect(talon(text).rules).toMatchObject([{ notify: ['slack', 'k8sevents'] }])
    expect(talon(text, { outputs: ['slack'] })).toMatchObject({
      rules: [{ notify: ['slack'] }],
      told: ['a:4:22 warning rule "A": notifiers: k8sevents is not a configured output, so it is not told'],
    })
    expect(talon(text, { outputs: [] }).rules[0]).not.toHaveProperty('notify')
  })
})

describe('a rule with continue: false', () => {
  const names = (text: string, alert: Parameters<typeof matched>[1] = {}): string[] => {
    const { rules, errors } = talon(text)
    expect(errors).toEqual([])
    return matched(rules, alert)
  }

  it.each([
    ['true', ['A', 'B']],
    ['false', ['A']],
  ])('keeps what it matches from the rules after it: %s', (flag, expected) => {
    expect(names(rule('A', SHELL, `continue: ${flag}`) + rule('B', SHELL))).toEqual(expected)
  })

  it('keeps nothing else from them', () => {
    const files = rule('A', `${SHELL}, priority: Error`, 'continue: false') + rule('B', SHELL) + rule('C', '')
    expect(names(files)).toEqual(['B', 'C'])
    expect(names(files, { priority: 'Error' })).toEqual(['A'])
    expect(names(files, { priority: 'Error', rule: 'Other' })).toEqual(['C'])
  })

  it('keeps nothing from the rules before it', () => {
    expect(names(rule('B', SHELL) + rule('A', SHELL, 'continue: false'))).toEqual(['B', 'A'])
  })

  it.each([
    ['rules: [Shell, Other]', {}],
    ['source: syscall', {}],
    ['priority: "<=Notice"', {}],
    ['priority: Notice', {}],
    ['tags: [a, "b,c"]', { tags: ['c', 'b'] }],
    ['output_fields: ["x.y!=1", "x.z=2"]', { output_fields: { 'x.y': '0' } }],
    ['output_fields: ["x.y=1, x.z!=2"]', { output_fields: { 'x.y': '1' } }],
    ['', {}],
  ])('whatever it matches by: %s', (match, alert) => {
    const files = rule('A', match, 'continue: false') + rule('B', SHELL)
    expect(names(files, alert)).toEqual(['A'])
    const other = {
      rule: 'Shell',
      source: 'aws',
      priority: 'Alert',
      tags: ['b'],
      output_fields: { 'x.y': '1', 'x.z': 2 },
    }
    const expected = match === '' || match.startsWith('rules') || match.includes('x.z=2') ? ['A'] : ['B']
    expect(names(files, other)).toEqual(expected)
  })

  it('two of them: the first that matches has it', () => {
    const files =
      rule('A', 'tags: [a]', 'continue: false') + rule('B', 'tags: [b]', 'continue: false') + rule('C', SHELL)
    expect(names(files, { tags: ['a', 'b'] })).toEqual(['A'])
    expect(names(files, { tags: ['b'] })).toEqual(['B'])
    expect(names(files)).toEqual(['C'])
  })

  it('is an error where what is left could not be said in one condition', () => {
    const field = `output_fields: ["x.y=${'z'.repeat(60_000)}"]`
    const { rules, told } = talon(rule('A', field, 'continue: false') + rule('B', field))
    expect(rules.map(({ name }) => name)).toEqual(['A'])
    expect(told).toEqual(['a:5:3 rule "B": its condition: a condition is at most 100000 characters'])
  })

  it('leaves rules for other events as they are', () => {
    const { rules } = talon(rule('A', SHELL, 'continue: false') + rule('B', 'rules: [Other]'))
    expect(rules[1]).not.toHaveProperty('condition')
  })
})

describe('what a rule that changes something may reach', () => {
  const terminate = (match: string) =>
    talon(`- { rule: R, match: ${match}, actions: [{ action: A, actionner: kubernetes:terminate }] }\n`).told

  it('is told when it is every event', () => {
    expect(terminate('{}')).toEqual(['a:1:3 warning rule "R": it has no `match`, so it acts on every event'])
  })

  it.each(['k8s.ns.name', 'k8smeta.ns.name', 'container.id', 'ka.user.name'])(
    'is told when events without %s are among it, with the fix',
    (name) => {
      const warning = `warning rule "R": match.output_fields: an event without ${name} matches too, as in Falco Talon; \`${name}!=<NA>\` beside it leaves that out`
      expect(terminate(`{ output_fields: ["${name}!=x"] }`)).toEqual([`a:1:39 ${warning}`])
      expect(terminate(`{ output_fields: ["a.b=c", "${name}!=x, ${name}!=y"] }`)).toEqual([`a:1:48 ${warning}`])
      expect(terminate(`{ output_fields: ["${name}!=x, ${name}!=<NA>"] }`)).toEqual([])
      expect(terminate(`{ output_fields: ["${name}!=x, ${name}=y"] }`)).toEqual([])
    },
  )

  it('is not told of other fields, nor for actions that change nothing', () => {
    expect(terminate('{ output_fields: ["proc.name!=x"] }')).toEqual([])
    expect(talon(matching('{ output_fields: ["k8s.ns.name!=x"] }')).told).toEqual([])
    expect(talon(matching('{}')).told).toEqual([])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEvent } from '../../src/event.ts'
import { createGateway } from '../../src/index.ts'
import { createTemplates } from '../../src/template.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { aPod, POD_FIELDS, withCluster } from '../actions/kubernetes/world.ts'
import { alert } from '../kit.ts'
import { anything, given, talon } from './_talon.ts'

const rule = (...actions: readonly string[]): string =>
  `- rule: R\n  match: { rules: [Terminal shell in container] }\n  actions:\n${actions.map((one) => `    - { ${one} }\n`).join('')}`

const stepsOf = (...actions: readonly string[]) => {
  const { rules, told } = talon(rule(...actions))
  return { steps: given(rules), told }
}

const TEST = 'action: T, actionner: test:anything'

describe('how the actions of a rule follow one another', () => {
  /** Talon's default of `continue`, by actionner; these are the ones that this version has. */
  it.each([
    ['kubernetes:terminate', '', 1],
    ['kubernetes:label', ', parameters: { labels: { a: b } }', 2],
    ['kubernetes:networkpolicy', '', 2],
    ['test:anything', '', 2],
  ])('after %s by default', (actionner, more, count) => {
    expect(stepsOf(`action: A, actionner: ${actionner}${more}`, TEST).steps).toHaveLength(count)
    expect(stepsOf(`action: A, continue: false, actionner: ${actionner}${more}`, TEST).steps).toHaveLength(1)
    expect(stepsOf(`action: A, continue: true, actionner: ${actionner}${more}`, TEST).steps).toHaveLength(2)
  })

  it('tells of an action that is never run, even of one that is not available', () => {
    const { steps, told } = stepsOf('action: A, actionner: kubernetes:terminate', 'action: B, actionner: aws:lambda')
    expect(steps).toHaveLength(1)
    expect(told).toEqual([
      'a:5:7 warning rule "R": action "B" is never run: action "A" ends the rule; with `continue: true` it would not',
    ])
  })

  it('an error ends a rule, unless errors are ignored', () => {
    expect(stepsOf(TEST, `ignore_errors: true, ${TEST}`, `ignore_errors: false, ${TEST}`).steps).toEqual([
      { action: 'test:anything', id: 't', with: {} },
      { action: 'test:anything', id: 't_2', with: {}, onError: 'continue' },
      { action: 'test:anything', id: 't_3', with: {} },
    ])
  })

  it('steps are known by the names of the actions', () => {
    const names = ['Label Pod as Suspicious', '1st: go!', 'Ü', 'a', 'a']
    const { steps } = stepsOf(...names.map((name) => `action: "${name}", actionner: test:anything`))
    expect(steps).toMatchObject([
      { id: 'label_pod_as_suspicious' },
      { id: 'st_go' },
      { id: 'step' },
      { id: 'a' },
      { id: 'a_2' },
    ])
  })
})

describe('what an action is given', () => {
  it.each([
    ['kubernetes:terminate', '', { grace_period_seconds: 0 }],
    ['kubernetes:terminate', 'grace_period_seconds: 5', { grace_period_seconds: 5 }],
    ['kubernetes:terminate', 'Grace_Period_Seconds: 5', { grace_period_seconds: 5 }],
    ['kubernetes:terminate', 'grace_period_seconds: ~', { grace_period_seconds: 0 }],
    [
      'kubernetes:terminate',
      'ignore_daemonsets: true, ignore_statefulsets: true, ignore_standalone_pods: false, min_healthy_replicas: 33%',
      {
        grace_period_seconds: 0,
        ignore_daemonsets: true,
        ignore_statefulsets: true,
        ignore_standalone_pods: false,
        min_healthy_replicas: '33%',
      },
    ],
    ['kubernetes:terminate', 'min_healthy_replicas: 2', { grace_period_seconds: 0, min_healthy_replicas: 2 }],
    ['kubernetes:label', 'labels: { a: b, c: "", d: ~ }', { labels: { a: 'b', c: '', d: null } }],
    ['kubernetes:label', 'labels: { a: true }, level: node', { labels: { a: true }, level: 'node' }],
    ['kubernetes:networkpolicy', '', {}],
    [
      'kubernetes:networkpolicy',
      'allow_cidr: [10.0.0.0/8], allow_namespaces: [green]',
      { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['green'] },
    ],
    ['kubernetes:annotation', 'annotations: { a: b c, d: "" }', { annotations: { a: 'b c', d: '' } }],
    ['kubernetes:cordon', '', {}],
    ['kubernetes:delete', '', {}],
    ['kubernetes:log', '', { tail_lines: 20 }],
    ['kubernetes:log', 'tail_lines: 0', { tail_lines: 20 }],
    ['kubernetes:log', 'tail_lines: 200', { tail_lines: 200 }],
    ['kubernetes:drain', '', { ignore_daemonsets: false, max_wait_period: 0 }],
    [
      'kubernetes:drain',
      'ignore_daemonsets: true, ignore_errors: true, min_healthy_replicas: 33%, max_wait_period: 0',
      { ignore_daemonsets: true, ignore_errors: true, min_healthy_replicas: '33%', max_wait_period: 0 },
    ],
    ['test:anything', 'text: "{{ rule }}"', { text: '{% raw %}{{{% endraw %} rule }}' }],
    ['test:anything', 'map: { a: ["{% x %}", 1] }', { map: { a: ['{% raw %}{%{% endraw %} x %}', 1] } }],
    ['test:anything', 'text: "${HOME} $x"', { text: '${HOME} $x' }],
  ])('%s: %s', (actionner, parameters, expected) => {
    const { steps, told } = stepsOf(`action: A, actionner: ${actionner}, parameters: { ${parameters} }`)
    expect(steps).toMatchObject([{ action: actionner, ...(Object.keys(expected).length > 0 && { with: expected }) }])
    expect(told).toEqual([])
  })

  it.each([
    ['test:anything', 'count: 5.7', { count: 5 }, 'a:4:67 warning rule "R": count: 5.7 counts as 5, as in Falco Talon'],
    [
      'kubernetes:label',
      'labels: { a: b }, level: Pod',
      { labels: { a: 'b' }, level: 'pod' },
      'a:4:88 warning rule "R": level: Pod counts as pod, as in Falco Talon',
    ],
    [
      'kubernetes:networkpolicy',
      'allow: [10.0.0.0/8]',
      {},
      'a:4:71 warning rule "R": action "A": parameter allow means nothing to kubernetes:networkpolicy and is ignored; known are allow_cidr, allow_namespaces, ttl',
    ],
  ])('%s: %s, with a warning', (actionner, parameters, expected, warning) => {
    const { steps, told } = stepsOf(`action: A, actionner: ${actionner}, parameters: { ${parameters} }`)
    expect(steps).toMatchObject([{ with: expected }])
    expect(told).toEqual([warning])
  })

  it.each([
    [
      'kubernetes:terminate',
      'grace_period_seconds: "5"',
      /^a:4:89 rule "R": action "A": grace_period_seconds must be /,
    ],
    [
      'kubernetes:terminate',
      'ignore_daemonsets: 1',
      /^a:4:86 rule "R": action "A": ignore_daemonsets must be a boolean/,
    ],
    ['kubernetes:terminate', 'min_healthy_replicas: some', /^a:4:89 rule "R": action "A": min_healthy_replicas: /],
    ['kubernetes:label', '', /^a:4:7 rule "R": action "A": labels is required/],
    ['kubernetes:label', 'labels: [a]', /^a:4:71 rule "R": action "A": labels must be a map, not a list/],
    ['kubernetes:label', 'labels: { a: b c }', /^a:4:76 rule "R": action "A": labels\.a: must be at most 63 letters/],
    ['kubernetes:networkpolicy', 'allow_cidr: 10.0.0.0/8', /^a:4:83 rule "R": action "A": allow_cidr must be a list/],
    [
      'kubernetes:networkpolicy',
      'allow_cidr: [10.0.0.0]',
      /^a:4:84 rule "R": action "A": allow_cidr\[0\]: must be a CIDR/,
    ],
  ])('%s: %s is an error', (actionner, parameters, expected) => {
    const { steps, told } = stepsOf(`action: A, actionner: ${actionner}, parameters: { ${parameters} }`)
    expect(steps).toEqual([])
    expect(told).toEqual([expect.stringMatching(expected)])
  })

  it.each([
    ...['exec', 'script', 'download', 'tcpdump', 'sysdig'].map((name) => `kubernetes:${name}`),
    ...['aws:lambda', 'gcp:function'],
  ])('%s is told when it is not available', (actionner) => {
    const { rules, told } = talon(rule(`action: A, actionner: ${actionner}`), { actions: [anything] })
    expect(rules).toEqual([])
    expect(told).toEqual([`a:4:31 rule "R": action "A": ${actionner} is not available in this version`])
  })

  it.each(['calico:networkpolicy', 'cilium:networkpolicy'])('%s has its parameters', (actionner) => {
    const parameters = 'parameters: { allow_cidr: [10.0.0.0/8], allow_namespaces: [kube-system] }'
    expect(stepsOf(`action: A, actionner: ${actionner}, ${parameters}`)).toEqual({
      steps: [{ action: actionner, id: 'a', with: { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['kube-system'] } }],
      told: [],
    })
  })

  it('a step that is told to wait has the time for it', () => {
    const drain = 'action: A, actionner: kubernetes:drain, parameters:'
    expect(stepsOf(`${drain} { max_wait_period: 60, wait_period_excluded_namespaces: [logs] }`)).toMatchObject({
      steps: [{ timeout: '90s', with: { max_wait_period: 60, wait_period_excluded_namespaces: ['logs'] } }],
      told: [],
    })
    expect(stepsOf(`${drain} { max_wait_period: 0 }`).steps[0]).not.toHaveProperty('timeout')
  })

  it('any text with braces stands for itself', () => {
    const part = fc.constantFrom('{', '{{', '{%', '{%-', '}', '}}', '%}', ' ', 'rule', 'raw', 'endraw', '"', 'x')
    const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''))
    const templates = createTemplates()
    const event = parseEvent(alert(), { id: '1', input: 'test' })
    fc.assert(
      fc.property(text, (own) => {
        const { steps } = stepsOf(`action: A, actionner: test:anything, parameters: { text: ${JSON.stringify(own)} }`)
        const { with: settings = {} } = steps[0] as { with?: { text?: string } }
        expect(templates.compile(settings.text ?? '').render({ event })).toBe(own)
      }),
      { numRuns: 300 },
    )
  })

  it('an actionner is named by category and name', () => {
    expect(stepsOf('action: A, actionner: log').told).toEqual([
      expect.stringMatching(/^a:4:31 rule "R": action "A": log is not a known actionner/),
    ])
  })
})

describe('on a cluster', () => {
  const actions = [
    'action: Kill, actionner: kubernetes:terminate, continue: true, parameters: { ignore_daemonsets: true }',
    'action: Mark, actionner: kubernetes:label, parameters: { labels: { seen: "yes" } }',
    'action: Mark, actionner: kubernetes:label, parameters: { labels: { again: "yes" } }',
  ]
  const answer = async (owner?: readonly [string, string], ...more: readonly string[]) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ ...(owner && { owner }) }))
    const { rules, told } = talon(rule(...(more.length > 0 ? more : actions)))
    expect(told).toEqual([])
    const gateway = createGateway({
      mode: 'enforce',
      rules,
      journal: undefined,
      resources: [kubernetes({ kubeconfig: cluster.kubeconfig })],
    })
    await gateway.start()
    try {
      const { done } = await gateway.emit(alert({ output_fields: POD_FIELDS }), { authenticated: 'bearer' })
      const [report] = await done
      return { cluster, steps: report?.steps.map(({ id, outcome }) => `${id} ${outcome}`) }
    } finally {
      await gateway.stop()
    }
  }

  it('a pod that is left alone lets the next actions run, as in Talon', async () => {
    const { cluster, steps } = await answer(['DaemonSet', 'web'])
    expect(steps).toEqual(['kill refused', 'mark succeeded', 'mark_2 succeeded'])
    expect(cluster.get('Pod', 'shop', 'web-1')?.metadata.labels).toMatchObject({ seen: 'yes', again: 'yes' })
  })

  it('an error does not', async () => {
    const { steps } = await answer(['Node', 'node-1'])
    expect(steps).toEqual(['kill refused', 'mark skipped', 'mark_2 skipped'])
  })

  it('a pod that is terminated is gone for them', async () => {
    const { cluster, steps } = await answer()
    expect(steps?.[0]).toBe('kill succeeded')
    expect(cluster.get('Pod', 'shop', 'web-1')).toBeUndefined()
    expect(cluster.requests.find(({ method }) => method === 'DELETE')?.body).toMatchObject({ gracePeriodSeconds: 0 })
  })

  it('braces in a parameter stand for themselves', async () => {
    const { steps } = await answer(
      undefined,
      'action: Mark, actionner: kubernetes:label, parameters: { labels: { a: "{{ rule }}" } }',
    )
    expect(steps).toEqual(['mark failed'])
  })
})

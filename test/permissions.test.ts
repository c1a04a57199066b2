import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers, mergePermissions, neededBy, permissionsFor, permissionText } from '../src/permissions.ts'
import { defineAction, defineContext, defineOutput, type PolicyRule, z } from '../src/plugin.ts'
import { kubernetes } from '../src/resources/kubernetes.ts'
import type { RuleInput } from '../src/rules/rule.ts'

const can = (verbs: string, resource: string, more: Partial<PolicyRule> = {}): PolicyRule => {
  const [name = '', group = ''] = resource.split('@')
  return { apiGroups: [group], resources: [name], verbs: verbs.split(','), ...more }
}

const action = (permissions: PolicyRule[], more: object = {}) =>
  defineAction({
    type: 'test:act',
    summary: 'Acts on something.',
    config: z.strictObject({ note: z.string().optional().describe('A note.') }),
    changes: 'reversible',
    permissions,
    run: async () => ({ summary: 'done' }),
    ...more,
  })

const context = (type: string, permissions: PolicyRule[]) =>
  defineContext({ type, summary: 'Knows.', config: z.strictObject({}), permissions, lookup: async () => ({}) })({})

const rule = (steps: RuleInput['steps'], more: Partial<RuleInput> = {}): RuleInput => ({ name: 'R', steps, ...more })

const texts = (rules: readonly RuleInput[], mode: 'observe' | 'enforce' = 'enforce', contexts = [] as never[]) =>
  mergePermissions(neededBy({ rules, mode, contexts }).map((need) => need.rule)).map(permissionText)

describe('what rules need', () => {
  it('is what the actions of all their steps need, also of groups, onFailure and finally', () => {
    const step = (resource: string) => action([can('get', resource)])({})
    const chain = rule([step('a'), { parallel: [step('b'), { action: step('c') }] }, { wait: '1s' }], {
      onFailure: [step('d')],
      finally: [{ action: step('e') }],
    })
    expect(texts([chain])).toEqual(['get a', 'get b', 'get c', 'get d', 'get e'])
  })

  it('tells who needs it', () => {
    const rules = [rule([action([can('get', 'pods')])({})], { name: 'Mark "it"' })]
    expect(neededBy({ rules, mode: 'enforce' })).toEqual([
      { rule: can('get', 'pods'), by: 'test:act of rule "Mark \\"it\\""' },
    ])
  })

  it('in observe mode is to read, and never to run or to speak to what runs', () => {
    const all = [
      can('get,list,delete', 'pods'),
      can('create', 'pods/eviction'),
      can('get,create', 'pods/exec'),
      can('get', 'nodes/proxy'),
      can('get', 'pods/log'),
      can('create,get', 'leases@coordination.k8s.io', { namespace: 'own' }),
    ]
    expect(texts([rule([action(all)({})])], 'observe')).toEqual([
      'get,list pods',
      'get pods/log',
      'get coordination.k8s.io/leases',
    ])
  })

  it('of a rule that only observes is to read also where others act', () => {
    const acting = action([can('get,delete', 'pods')])({})
    expect(texts([rule([acting], { mode: 'observe' })])).toEqual(['get pods'])
    expect(texts([rule([acting], { mode: 'observe' }), rule([acting])])).toEqual(['delete,get pods'])
  })

  it('of what can be undone is also to find it, to undo it, and to agree on who does', () => {
    const undo = {
      on: [
        { apiVersion: 'v1', resource: 'pods' },
        { apiVersion: 'networking.k8s.io/v1', resource: 'networkpolicies' },
      ],
      permissions: [can('delete', 'networkpolicies@networking.k8s.io')],
      run: async () => ({ summary: 'undone' }),
    }
    const acting = action([can('patch', 'pods')], { undo })({})
    expect(texts([rule([acting])])).toEqual([
      'list,patch pods',
      'create,get,update coordination.k8s.io/leases',
      'delete,list networking.k8s.io/networkpolicies',
    ])
    const leases = neededBy({ rules: [rule([acting])], mode: 'enforce' }).filter(
      (need) => need.rule.namespace === 'own',
    )
    expect(leases.map((need) => need.rule.resources)).toEqual([['leases']])
    expect(texts([rule([acting])], 'observe')).toEqual([])
  })

  it('is to agree with other replicas, where there are some', () => {
    const needs = neededBy({ rules: [], mode: 'enforce', claims: kubernetes })
    expect(needs.map(({ rule: right, by }) => [permissionText(right), right.namespace, by])).toEqual([
      ['create,delete,get,list,update coordination.k8s.io/leases', 'own', 'the setting claims'],
    ])
  })

  it('is what the contexts need that steps name, in settings or conditions, in any mode', () => {
    const contexts = [context('pod', [can('get', 'pods')]), context('zone', [can('get', 'nodes')])]
    const plain = action([])
    const needs = (steps: RuleInput['steps'], mode: 'observe' | 'enforce' = 'enforce') =>
      neededBy({ rules: [rule(steps)], mode, contexts }).map(
        ({ by, rule: { resources } }) => `${by}: ${resources.join()}`,
      )
    expect(needs([plain({ note: 'context of a pod' })])).toEqual([])
    expect(needs([plain({ note: '{{ context.pod.labels.team }}' })], 'observe')).toEqual([
      'context pod of rule "R": pods',
    ])
    expect(needs([{ action: plain({}), if: 'context.zone.name = a' }])).toEqual(['context zone of rule "R": nodes'])
  })

  it('is also what the outputs need, as their settings say, in any mode', () => {
    const spec = { summary: 'Tells.', open: () => ({ send: async () => {} }) }
    const events = defineOutput({
      ...spec,
      type: 'events',
      config: z.strictObject({}),
      permissions: [can('create', 'events')],
    })
    const calls = defineOutput({
      ...spec,
      type: 'calls',
      config: z.strictObject({ within: z.boolean().describe('Within.') }),
      permissions: ({ within }) => (within ? [] : [can('create', 'services/proxy')]),
    })
    const outputs = [events({}, 'a'), { output: calls({ within: false }) }, calls({ within: true }, 'b')]
    expect(neededBy({ rules: [], mode: 'observe', outputs })).toEqual([
      { rule: can('create', 'events'), by: 'output events/a' },
      { rule: can('create', 'services/proxy'), by: 'output calls' },
    ])
  })
})

describe('what an action needs with its settings', () => {
  const byLevel = defineAction({
    type: 'test:level',
    summary: 'Acts on a level.',
    config: z.strictObject({
      level: z.enum(['pod', 'node']).default('pod').describe('Which.'),
      note: z
        .string()
        .regex(/^[a-z]+$/)
        .optional()
        .describe('A word.'),
    }),
    changes: 'reversible',
    permissions: ({ level }) => [can('patch', `${level}s`)],
    example: { level: 'node' },
    run: async () => ({ summary: 'done' }),
  })
  const of = (settings: unknown) => permissionsFor(byLevel as never, settings).map(permissionText)

  it('depends on them', () => {
    expect([of({}), of({ level: 'node' })]).toEqual([['patch pods'], ['patch nodes']])
  })

  it('is found where a template stands for any text', () => {
    expect(of({ level: 'node', note: '{{ proc.name }}' })).toEqual(['patch nodes'])
  })

  it('is that of the other settings where a template decides', () => {
    expect(of({ level: '{{ proc.name }}' })).toEqual(['patch pods'])
  })

  it('is that of the example where nothing else is left, and none for an action that declares none', () => {
    expect(of({ unknown: true })).toEqual(['patch nodes'])
    expect(permissionsFor(action([], { permissions: undefined }) as never, {})).toEqual([])
  })
})

describe('merged', () => {
  it('has one rule for each resource, with all verbs, sorted', () => {
    const merged = mergePermissions([
      { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get'] },
      can('delete,get', 'pods'),
      can('list', 'pods@apps'),
    ])
    expect(merged).toEqual([can('get', 'nodes'), can('delete,get', 'pods'), can('list', 'pods@apps')])
    expect(merged.map(permissionText)).toEqual(['get nodes', 'delete,get pods', 'list apps/pods'])
  })

  it('keeps apart what names single objects, unless it is allowed on all of them', () => {
    const named = can('get,patch', 'secrets', { resourceNames: ['b', 'a'] })
    expect(mergePermissions([named, can('get', 'secrets')])).toEqual([
      can('get', 'secrets'),
      can('patch', 'secrets', { resourceNames: ['a', 'b'] }),
    ])
    expect(mergePermissions([named, can('get,patch', 'secrets')])).toEqual([can('get,patch', 'secrets')])
  })

  it('keeps the own namespace apart, unless it is allowed everywhere', () => {
    const own = can('create,get', 'pods', { namespace: 'own' })
    expect(mergePermissions([own, can('get', 'pods')])).toEqual([
      can('get', 'pods'),
      can('create', 'pods', { namespace: 'own' }),
    ])
  })

  it('keeps apart what has a warning', () => {
    const wide = can('get', 'nodes/proxy', { warning: 'reaches every pod' })
    expect(mergePermissions([wide, can('get', 'nodes'), wide])).toEqual([can('get', 'nodes'), wide])
  })

  const names = (...all: string[]) => fc.uniqueArray(fc.constantFrom(...all), { minLength: 1 })
  const anyRule = fc.record(
    {
      apiGroups: names('', 'apps'),
      resources: names('pods', 'nodes'),
      verbs: names('get', 'list', 'delete'),
      resourceNames: names('a', 'b'),
      namespace: fc.constant('own' as const),
      warning: fc.constant('careful'),
    },
    { requiredKeys: ['apiGroups', 'resources', 'verbs'] },
  )
  const singles = (rule: PolicyRule) =>
    rule.apiGroups.flatMap((group) =>
      rule.resources.flatMap((resource) =>
        rule.verbs.map((verb) => ({ ...rule, apiGroups: [group], resources: [resource], verbs: [verb] })),
      ),
    )

  it('allows all that was asked for and no more, in whatever order, and merging again changes nothing', () => {
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 6 }), (rules) => {
        const merged = mergePermissions(rules)
        const isIn = (all: readonly PolicyRule[]) => (one: PolicyRule) => all.some((other) => covers(other, one))
        expect(rules.flatMap(singles).every(isIn(merged))).toBe(true)
        expect(merged.flatMap(singles).every(isIn(rules))).toBe(true)
        expect(mergePermissions(merged)).toEqual(merged)
        expect(mergePermissions([...rules].reverse())).toEqual(merged)
      }),
    )
  })
})

/** What the chart grants is enough for every action, whatever its settings, and no wider than it must be. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { type Case, chartRights, type Needs } from '../../src/config/chart-rights.ts'
import { covers, neededBy } from '../../src/permissions.ts'
import { type Action, defineContext, defineOutput, type Mode, type PolicyRule, z } from '../../src/plugin.ts'

const NONE = { inputs: [], outputs: [], actions: [], resources: [], contexts: [] }
const pods = (...verbs: string[]): PolicyRule => ({ apiGroups: [''], resources: ['pods'], verbs })
const nodes = (...verbs: string[]): PolicyRule => ({ apiGroups: [''], resources: ['nodes'], verbs })

const actionOf = <S extends z.ZodType>(
  config: S,
  permissions: readonly PolicyRule[] | ((settings: z.output<S>) => readonly PolicyRule[]),
  example: object = {},
) =>
  ({
    ...{ type: 'acme:do', summary: 'Does it.', config, changes: 'reversible', permissions, example },
    run: async () => ({ summary: 'done' }),
  }) as unknown as Action

const needs = (action: Action): Needs | undefined => chartRights({ ...NONE, actions: [action] }, {}).actions['acme:do']

/** What the templates of the chart make of it. */
const rightsFor = ({ cases = [], ...always }: Needs, settings: Readonly<Record<string, unknown>>, mode: Mode) => [
  ...always[mode],
  ...cases.filter((one) => holds(one, settings)).flatMap((one) => one[mode]),
]

const holds = ({ setting, is, value, default: usual }: Case, settings: Readonly<Record<string, unknown>>): boolean => {
  const given = settings[setting]
  if (is === 'absent') return given === undefined
  if (is !== 'value') return given !== undefined
  return given === undefined ? usual === true : (Array.isArray(given) ? (given as unknown[]) : [given]).includes(value)
}

describe('the rights of an action', () => {
  it('are those it declares; without any, it is not named', () => {
    expect(needs(actionOf(z.strictObject({}), [pods('get', 'patch')]))).toEqual({
      observe: [pods('get')],
      enforce: [pods('get', 'patch')],
    })
    expect(needs(actionOf(z.strictObject({}), []))).toBeUndefined()
  })

  it('are told apart by a choice, and the default is marked', () => {
    const config = z.strictObject({ level: z.enum(['pod', 'node']).default('pod') })
    const found = needs(
      actionOf(config, ({ level }) => [pods('get'), level === 'pod' ? pods('patch') : nodes('patch')]),
    )
    expect(found).toEqual({
      ...{ observe: [pods('get')], enforce: [pods('get')] },
      cases: [
        { setting: 'level', is: 'value', value: 'pod', default: true, observe: [], enforce: [pods('patch')] },
        { setting: 'level', is: 'value', value: 'node', observe: [], enforce: [nodes('patch')] },
      ],
    })
  })

  it('are told apart by what a list names', () => {
    const config = z.strictObject({ what: z.array(z.enum(['pods', 'nodes'])).min(1) })
    const found = needs(
      actionOf(config, ({ what }) => what.map((one) => (one === 'pods' ? pods('get') : nodes('get'))), {
        what: ['pods'],
      }),
    )
    expect(found?.enforce).toEqual([])
    expect(found?.cases?.map(({ value, enforce }) => [value, enforce])).toEqual([
      ['pods', [pods('get')]],
      ['nodes', [nodes('get')]],
    ])
  })

  it('are told apart by whether a setting is there', () => {
    const config = z.strictObject({ ttl: z.string().optional(), force: z.boolean().default(false) })
    const found = needs(
      actionOf(config, ({ ttl, force }) => [
        pods('get'),
        ...(ttl ? [pods('patch')] : []),
        ...(force ? [nodes('get')] : []),
      ]),
    )
    expect(found?.cases?.map(({ setting, is, value }) => [setting, is, value])).toEqual([
      ['ttl', 'present', undefined],
      ['force', 'value', true],
    ])
  })

  it('follow the object that a setting holds', () => {
    const object = z.strictObject({ apiVersion: z.string(), kind: z.string(), name: z.string() })
    const config = z.strictObject({ object })
    const of = (apiVersion: string, kind: string): PolicyRule => ({
      ...{
        apiGroups: [apiVersion.split('/')[0] ?? ''],
        resources: [`${kind.toLowerCase()}s`],
        verbs: ['get', 'patch'],
      },
    })
    const example = { object: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } }
    const found = needs(actionOf(config, (settings) => [of(settings.object.apiVersion, settings.object.kind)], example))
    expect(found?.enforce).toEqual([])
    expect(found?.cases).toMatchObject([{ setting: 'object', is: 'object', enforce: [{ verbs: ['get', 'patch'] }] }])
  })
})

describe('the rights of other parts', () => {
  it('are those of contexts and outputs', () => {
    const team = defineContext({
      ...{ type: 'team', summary: 'x', config: z.strictObject({}), permissions: [nodes('get')] },
      lookup: async () => ({}),
    })
    const out = defineOutput({
      ...{ type: 'out', summary: 'x', config: z.strictObject({ proxy: z.boolean().default(false) }) },
      permissions: ({ proxy }) => (proxy ? [pods('create')] : []),
      open: () => ({ send: async () => {} }),
    })
    const { contexts, outputs } = chartRights({ ...NONE, contexts: [team], outputs: [out] }, {})
    expect(contexts).toEqual({ team: [nodes('get')] })
    // An output tells of what is observed, too.
    expect(outputs['out']?.cases).toMatchObject([{ setting: 'proxy', value: true, observe: [pods('create')] }])
  })

  it('are those of the rules that come along, with their time', () => {
    const action = actionOf(z.strictObject({}), [pods('get', 'delete')])
    const rule = { name: 'R', steps: [{ action: { id: 'a', plugin: action, config: {} } }] }
    const { builtin: found } = chartRights(
      { ...NONE, actions: [action] },
      { mine: [rule], slow: [{ ...rule, deadline: 1_800_000 }] },
    )
    expect(found['mine']).toEqual({ observe: [pods('get')], enforce: [pods('delete', 'get')], deadline: 600 })
    expect(found['slow']?.deadline).toBe(1_800)
  })
})

const known = chartRights(builtin, {})

/** Settings that the declarations' choices make together, where the action takes them. */
const settingsOf = (type: string): fc.Arbitrary<Record<string, unknown>> => {
  const cases = known.actions[type]?.cases ?? []
  const named = Map.groupBy(
    cases.filter(({ is }) => is === 'value'),
    ({ setting }) => setting,
  )
  const values = [...named].map(([setting, all]) => {
    const choices = all.map(({ value }) => value)
    return [setting, fc.constantFrom(undefined, ...choices, choices)] as const
  })
  const ttl = fc.constantFrom(undefined, '10m')
  return fc.record({ ...Object.fromEntries(values), ttl })
}

describe('of the actions that come along', () => {
  // Of an object that a setting holds, the chart's templates know the name: test/real/chart.test.ts.
  const types = Object.keys(known.actions).filter(
    (type) => !known.actions[type]?.cases?.some(({ is }) => is === 'object'),
  )
  it.each(types)('%s is granted what it needs, in both modes', (type) => {
    const plugin = builtin.actions.find((one) => one.type === type)
    const needed = known.actions[type]
    if (!plugin || !needed) throw new Error(type)
    fc.assert(
      fc.property(settingsOf(type), fc.constantFrom<Mode>('observe', 'enforce'), (choice, mode) => {
        const given = Object.entries({ ...(plugin.example as object), ...choice }).filter(
          ([, value]) => value !== undefined,
        )
        const config = Object.fromEntries(given)
        fc.pre(plugin.config.safeParse(config).success)
        const rights = rightsFor(needed, config, mode).flatMap((right) =>
          right.verbs.map((verb) => ({ ...right, verbs: [verb] })),
        )
        const steps = [{ action: { id: 'a', plugin, config } }]
        for (const { rule } of neededBy({ rules: [{ name: 'R', steps }], mode })) {
          const { apiGroups, resources, verbs } = rule
          for (const group of apiGroups)
            for (const resource of resources)
              for (const verb of verbs) {
                const one = { ...rule, apiGroups: [group], resources: [resource], verbs: [verb] }
                expect(rights.some((right) => covers(right, one))).toBe(true)
              }
        }
      }),
      { numRuns: 60, maxSkipsPerRun: 1_000 },
    )
  })
})

/** What the actions, contexts and outputs need in a cluster, as data that the templates of the Helm chart join. Pure. */
import { type JsonSchema, settingsSchema } from '../describe.ts'
import { mergePermissions, neededBy } from '../permissions.ts'
import type { Action, Mode, Output, PolicyRule, Spec } from '../plugin.ts'
import type { RuleInput } from '../rules/rule.ts'
import type { Plugins } from './plugins.ts'

/** Rights by mode. What only observes is allowed to read. */
export type Rights = Readonly<Record<Mode, readonly PolicyRule[]>>

/** Rights that depend on one setting. */
export interface Case extends Rights {
  readonly setting: string
  /** `value`: it is, or lists, `value`. `object`: the group and the resource are those of the object that it holds. */
  readonly is: 'value' | 'absent' | 'present' | 'object'
  readonly value?: unknown
  /** It holds where the setting is left out, too. */
  readonly default?: true
}

/** The rights of a plugin: always, and by its settings. */
export interface Needs extends Rights {
  readonly cases?: readonly Case[]
}

/** A rules file that comes along: its rules need these rights, and as many seconds. */
export interface BuiltinRules extends Rights {
  readonly deadline: number
}

export interface ChartRights {
  readonly actions: Readonly<Record<string, Needs>>
  readonly contexts: Readonly<Record<string, readonly PolicyRule[]>>
  readonly outputs: Readonly<Record<string, Needs>>
  readonly builtin: Readonly<Record<string, BuiltinRules>>
  /** What several replicas need to agree with each other, by resource. */
  readonly sharing: Readonly<Record<string, readonly PolicyRule[]>>
}

/**
 * The content of `files/rights.json` of the chart.
 * @param builtin the rules of each file that comes along, by its name without `.yaml`
 */
export const chartRights = (
  plugins: Plugins,
  builtin: Readonly<Record<string, readonly RuleInput[]>>,
): ChartRights => ({
  actions: entries(plugins.actions, (action) =>
    needsBy(action, action.permissions, (with_) => actionRights(action, with_)),
  ),
  sharing: entries(plugins.resources, ({ sharing }) => sharing),
  contexts: entries(plugins.contexts, ({ permissions }) => permissions && mergePermissions(permissions)),
  outputs: entries(plugins.outputs, (output) =>
    needsBy(output, output.permissions, (config) => outputRights(output, config)),
  ),
  builtin: Object.fromEntries(
    Object.entries(builtin).map(([name, rules]) => [
      name,
      {
        ...byMode((mode) => neededBy({ rules, mode, contexts: plugins.contexts.map(asUse) })),
        deadline: longest(rules),
      },
    ]),
  ),
})

const entries = <P extends Spec, N>(plugins: readonly P[], of: (plugin: P) => N | undefined): Record<string, N> =>
  Object.fromEntries(
    plugins.flatMap((plugin) => {
      const needs = of(plugin)
      return needs === undefined ? [] : [[plugin.type, needs]]
    }),
  )

const asUse = <P extends Spec>(plugin: P) => ({ id: plugin.type, plugin, config: {} })

/** Seconds that the longest of them may take: ten minutes where a rule does not say. */
const longest = (rules: readonly RuleInput[]): number =>
  Math.max(0, ...rules.map(({ deadline = 600_000 }) => Math.ceil(deadline / 1_000)))

type Settings = Readonly<Record<string, unknown>>
type Atoms = Readonly<Record<Mode, ReadonlyMap<string, PolicyRule>>>

const byMode = (needs: (mode: Mode) => readonly { readonly rule: PolicyRule }[]): Rights => {
  const of = (mode: Mode) => mergePermissions(needs(mode).map(({ rule }) => rule))
  return { observe: of('observe'), enforce: of('enforce') }
}

const actionRights = (plugin: Action, config: Settings): Rights => {
  const rule: RuleInput = { name: 'any', steps: [{ action: { ...asUse(plugin), config } }] }
  return byMode((mode) => neededBy({ rules: [rule], mode }))
}

const outputRights = (plugin: Output, settings: Settings): Rights => {
  const output = { ...asUse(plugin), config: plugin.config.parse(settings) }
  return byMode((mode) => neededBy({ rules: [], mode, outputs: [output] }))
}

/** Undefined where nothing is needed. */
const needsBy = (
  { config, example: given }: Action | Output,
  permissions: unknown,
  rightsOf: (settings: Settings) => Rights,
): Needs | undefined => {
  const example = exampleOf(given)
  if (typeof permissions !== 'function') return unlessNone(rightsOf(example))
  const properties = Object.entries(settingsSchema(config).properties ?? {})
  const settings = properties.flatMap(([name, schema]) => {
    const tried = choicesOf(name, schema).map((choice) => ({ ...choice, settings: changed(example, choice) }))
    const valid = tried.filter(({ settings }) => config.safeParse(settings).success)
    const found = valid.map((choice) => ({ ...choice, atoms: atomsOf(rightsOf(choice.settings)) }))
    return found.length > 0 ? [firstsOf(found)] : []
  })
  const usual = atomsOf(rightsOf(example))
  const always = shared([usual, ...settings.flat().map(({ atoms }) => atoms)])
  return { ...rightsIn(always), cases: settings.flatMap((tried) => casesOf(tried, usual)) }
}

/** That of an output has its settings inside. */
const exampleOf = (example: unknown): Settings => {
  const given = (example ?? {}) as { config?: Settings }
  return given.config ?? given
}

const unlessNone = (rights: Rights): Needs | undefined =>
  rights.enforce.length + rights.observe.length > 0 ? rights : undefined

/** One thing that a setting may be. */
interface Choice extends Pick<Case, 'setting' | 'is' | 'value' | 'default'> {
  readonly example?: unknown
}

interface Tried extends Choice {
  readonly atoms: Atoms
}

const PROBE = 'probe.yarak.dev'
const KIND = { apiVersion: `${PROBE}/v1`, kind: 'Probe' }

/** An object, and a reference to one. */
const OBJECTS: readonly unknown[] = [
  { ...KIND, metadata: { name: 'x' } },
  { ...KIND, name: 'x' },
]

/** Of a setting that is optional, one that any of its forms takes. */
const SOME: readonly unknown[] = ['30m', '50%', 'x', 1, ['x'], { x: 'x' }]

const choicesOf = (setting: string, schema: JsonSchema): Choice[] => {
  const one = (value: unknown, example = value): Choice => ({
    ...{ setting, is: 'value', value, example },
    ...([schema.default].flat().includes(value) && { default: true }),
  })
  const absent: Choice[] = schema.default === undefined ? [{ setting, is: 'absent' }] : []
  const inner = typeof schema.items === 'object' ? schema.items.enum : undefined
  if (schema.enum) return [...schema.enum.map((value) => one(value)), ...absent]
  if (inner) return [...inner.map((value) => one(value, [value])), ...absent]
  if (schema.type === 'boolean') return [one(true), one(false), ...absent]
  const as = (is: Case['is'], examples: readonly unknown[]): Choice[] =>
    examples.map((example) => ({ setting, is, example }))
  return [...as('object', OBJECTS), ...as('present', SOME), ...absent]
}

const changed = (settings: Settings, { setting, is, example }: Choice): Settings => {
  const { [setting]: _, ...others } = settings
  return is === 'absent' ? others : { ...others, [setting]: example }
}

/** One way of being there is enough, and an object that decides on nothing is none. */
const firstsOf = (tried: readonly Tried[]): Tried[] => {
  const decides = ({ is, atoms }: Tried): boolean =>
    is !== 'object' || [...atoms.enforce.values()].some(({ apiGroups }) => apiGroups[0] === PROBE)
  const known = tried.filter(decides)
  const there = known.find(({ is }) => is === 'object' || is === 'present')
  return known.filter((one) => one === there || !['object', 'present'].includes(one.is))
}

/** What each choice needs beyond the others of the same setting; nothing for a setting that does not matter. */
const casesOf = (tried: readonly Tried[], usual: Atoms): Case[] => {
  const common = shared([usual, ...tried.map(({ atoms }) => atoms)])
  return tried.flatMap(({ atoms, example: _, ...choice }) => {
    const rights = rightsIn({
      observe: less(atoms.observe, common.observe),
      enforce: less(atoms.enforce, common.enforce),
    })
    const { setting, is, value, default: whenLeft } = choice
    const head = { setting, is, ...(is === 'value' && { value }), ...(whenLeft && { default: whenLeft }) }
    return unlessNone(rights) ? [{ ...head, ...rights }] : []
  })
}

/** Each verb on its own, so that sets of rights can be compared. */
const atomsOf = ({ observe, enforce }: Rights): Atoms => ({ observe: atoms(observe), enforce: atoms(enforce) })

const atoms = (rules: readonly PolicyRule[]): ReadonlyMap<string, PolicyRule> =>
  new Map(
    rules
      .flatMap((rule) => rule.verbs.map((verb) => ({ ...rule, verbs: [verb] })))
      .map((rule) => [JSON.stringify(rule), rule]),
  )

const shared = ([first, ...others]: readonly Atoms[]): Atoms => {
  const of = (mode: Mode) =>
    new Map([...(first?.[mode] ?? [])].filter(([key]) => others.every((other) => other[mode].has(key))))
  return { observe: of('observe'), enforce: of('enforce') }
}

const less = (all: Atoms[Mode], without: Atoms[Mode]): Atoms[Mode] =>
  new Map([...all].filter(([key]) => !without.has(key)))

const rightsIn = ({ observe, enforce }: Atoms): Rights => ({
  observe: mergePermissions([...observe.values()]),
  enforce: mergePermissions([...enforce.values()]),
})

/** What rules need to be allowed in a cluster, and who needs it; merged, it is what a Role says. Pure. */
import type { OutputInput } from './options.ts'
import type { Action, Context, Mode, PolicyRule, Resource, Use } from './plugin.ts'
import { contextsIn } from './rules/contexts.ts'
import { parsed } from './rules/parsed.ts'
import { actionSteps, modeOf, type RuleInput } from './rules/rule.ts'
import { isTemplate } from './settings.ts'

/** A right, and who needs it. */
export interface Need {
  readonly rule: PolicyRule
  /** @example 'kubernetes:label of rule "Mark"' */
  readonly by: string
}

export interface NeedOptions {
  readonly rules: readonly RuleInput[]
  readonly mode: Mode
  /** Those that steps may name. */
  readonly contexts?: readonly Use<Context>[] | undefined
  /** They tell of what is observed too. */
  readonly outputs?: readonly OutputInput[] | undefined
  /** Where replicas agree on who answers what; undefined: there is one. */
  readonly claims?: Resource | undefined
}

/**
 * All that the rules and outputs need. Where a rule only observes, that is to read: what is done is not done then, and a server
 * that refuses a dry run is no failure.
 * @example mergePermissions(neededBy({ rules, mode: 'enforce', contexts }).map(({ rule }) => rule))
 */
export const neededBy = ({ rules, mode, contexts = [], outputs = [], claims }: NeedOptions): Need[] => [
  ...rules.flatMap((rule) => {
    const used = contextsOf(rule)
    const lookups = contexts.filter(({ plugin }) => used.has(plugin.type))
    const all = [
      ...actionSteps(rule).flatMap(({ action }) => needsOf(action, modeOf(rule, mode))),
      ...lookups.flatMap(({ plugin: { type, permissions = [] } }) => named(permissions, `context ${type}`)),
    ]
    return all.map(({ rule: right, by }) => ({ rule: right, by: `${by} of rule ${JSON.stringify(rule.name)}` }))
  }),
  ...outputs.flatMap(tellingNeeds),
  ...named(claims?.sharing ?? [], 'the setting claims'),
]

const tellingNeeds = (given: OutputInput): Need[] => {
  const { id, plugin, config } = 'output' in given ? given.output : given
  const { permissions = [] } = plugin
  return named(typeof permissions === 'function' ? permissions(config) : permissions, `output ${id}`)
}

const named = (rules: readonly PolicyRule[], by: string): Need[] => rules.map((rule) => ({ rule, by }))

const needsOf = ({ plugin, config }: Use<Action>, mode: Mode): Need[] => {
  const own = permissionsFor(plugin, config)
  if (mode === 'observe') return named(own.flatMap(readsOf), plugin.type)
  return named([...own, ...(plugin.undo ? undoing(plugin.undo) : [])], plugin.type)
}

const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch'])

/** A `get` of these is no look: it runs a command, or speaks to what answers there. */
const CONNECTS = /\/(?:exec|attach|portforward|proxy)$/

const readsOf = (rule: PolicyRule): PolicyRule[] => {
  const verbs = rule.verbs.filter((verb) => READS.has(verb))
  const resources = rule.resources.filter((resource) => !CONNECTS.test(resource))
  return verbs.length > 0 && resources.length > 0 ? [{ ...rule, verbs, resources }] : []
}

/** To find the notes, to agree on who takes changes back, and to do it. */
const undoing = ({ on, permissions = [] }: NonNullable<Action['undo']>): readonly PolicyRule[] => [
  ...on.map(({ apiVersion, resource }) => ({
    apiGroups: [apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''],
    resources: [resource],
    verbs: ['list'],
  })),
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'], namespace: 'own' },
  ...permissions,
]

const contextsOf = (rule: RuleInput): ReadonlySet<string> =>
  new Set(
    actionSteps(rule).flatMap(({ action: { config }, if: condition }) =>
      contextsIn(config, condition === undefined ? undefined : parsed(condition)),
    ),
  )

/**
 * What an action needs with these settings, which may hold templates. Where the rights depend on what a template gives,
 * they are those of any text, else of the other settings alone, else of the action's example.
 */
export const permissionsFor = (
  { permissions = [], config, example }: Action,
  settings: unknown,
): readonly PolicyRule[] => {
  if (typeof permissions !== 'function') return permissions
  const guesses = [settings, filled(settings), withoutTemplates(settings), example]
  const known = guesses.map((guess) => config.safeParse(guess)).find(({ success }) => success)
  return known ? permissions(known.data) : []
}

const filled = (value: unknown): unknown => {
  if (isTemplate(value)) return 'x'
  if (Array.isArray(value)) return value.map(filled)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]))
}

const withoutTemplates = (value: unknown): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter(([, inner]) => !hasTemplate(inner)))
    : value

const hasTemplate = (value: unknown): boolean =>
  isTemplate(value) || (typeof value === 'object' && value !== null && Object.values(value).some(hasTemplate))

/** One right on one resource; the verbs are those of all that are alike. */
interface Entry extends PolicyRule {
  readonly group: string
  readonly resource: string
}

/**
 * One rule for each resource, with all verbs, sorted. Rights on single objects stay apart, but for what is allowed on
 * all of them; so do those of the own namespace, and those with a warning.
 */
export const mergePermissions = (rules: readonly PolicyRule[]): PolicyRule[] => {
  const entries = rules.flatMap((rule) =>
    rule.apiGroups.flatMap((group) => rule.resources.map((resource): Entry => ({ ...rule, group, resource }))),
  )
  const merged = [...Map.groupBy(entries, keyOf).values()].map(together)
  return merged
    .map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => !merged.some((all) => hides(all, rule, verb))) }))
    .filter(({ verbs }) => verbs.length > 0)
    .sort((a, b) => compare(sortKey(a), sortKey(b)))
}

const keyOf = ({ group, resource, namespace, warning, resourceNames = [] }: Entry): string =>
  JSON.stringify([group, resource, namespace, warning, [...resourceNames].sort()])

const together = (entries: readonly Entry[]): PolicyRule => {
  const { group = '', resource = '', resourceNames = [], namespace, warning } = entries[0] ?? {}
  return {
    apiGroups: [group],
    resources: [resource],
    verbs: [...new Set(entries.flatMap(({ verbs }) => verbs))].sort(),
    ...(resourceNames.length > 0 && { resourceNames: [...resourceNames].sort() }),
    ...(namespace && { namespace }),
    ...(warning && { warning }),
  }
}

/** The verb of `rule` is in `all` too, which is wider. */
const hides = (all: PolicyRule, rule: PolicyRule, verb: string): boolean =>
  all !== rule && !all.warning === !rule.warning && isWider(all, rule) && covers(all, { ...rule, verbs: [verb] })

const isWider = (all: PolicyRule, rule: PolicyRule): boolean =>
  (!all.resourceNames && rule.resourceNames !== undefined) || (!all.namespace && rule.namespace !== undefined)

/** Whoever has `all` may do what `rule` says. */
export const covers = (all: PolicyRule, rule: PolicyRule): boolean =>
  isWithin(rule.apiGroups, all.apiGroups) &&
  isWithin(rule.resources, all.resources) &&
  isWithin(rule.verbs, all.verbs) &&
  (!all.namespace || rule.namespace !== undefined) &&
  (!all.resourceNames || (rule.resourceNames !== undefined && isWithin(rule.resourceNames, all.resourceNames)))

const isWithin = (some: readonly string[], all: readonly string[]): boolean => some.every((one) => all.includes(one))

const sortKey = ({ apiGroups, resources, resourceNames = [], namespace, warning }: PolicyRule): string =>
  [apiGroups[0], resources[0], resourceNames.join(), namespace ?? '', warning ?? ''].join('\0')

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** @example permissionText({ apiGroups: ['apps'], resources: ['daemonsets'], verbs: ['get'] }) // 'get apps/daemonsets' */
export const permissionText = ({ apiGroups, resources, verbs }: PolicyRule): string => {
  const [group = ''] = apiGroups
  return `${verbs.join(',')} ${group === '' ? '' : `${group}/`}${resources.join(',')}`
}

/** The actions of a Talon rule -> steps of ours that run in the same cases, with the same parameters. */
import { knownKeys } from '../config/walk.ts'
import { suggestion } from '../config/suggest.ts'
import { settingsSchema } from '../describe.ts'
import type { Action } from '../plugin.ts'
import { checkSettings } from '../settings.ts'
import { completeAction } from './talon-merge.ts'
import { type Kept, storeFor } from './talon-output.ts'
import { below, type Placed, type TalonAction, type TalonRule, type Tell } from './talon-read.ts'
import { literal } from './talon-template.ts'
import { withVariables } from './talon-variables.ts'

/** A step as a rules file writes it. */
export interface NativeStep {
  readonly action: string
  readonly id: string
  readonly if?: string
  readonly with?: Readonly<Record<string, unknown>>
  readonly timeout?: string
  readonly onError?: 'continue'
  readonly store?: string
}

const named = (category: string, names: string): string[] => names.split(' ').map((name) => `${category}:${name}`)

/** Talon's actionners. */
const ACTIONNERS = [
  ...named('kubernetes', 'terminate label annotation networkpolicy exec script log delete cordon drain'),
  ...named('kubernetes', 'download tcpdump sysdig'),
  ...['aws:lambda', 'gcp:function', 'calico:networkpolicy', 'cilium:networkpolicy'],
]

/** Those after which a rule ends unless told otherwise: their `continue` is false by default. */
const LAST: ReadonlySet<string> = new Set(named('kubernetes', 'terminate delete tcpdump sysdig'))

const LEVELLED: ReadonlySet<string> = new Set(named('kubernetes', 'label annotation'))

const CAPTURES: ReadonlySet<string> = new Set(named('kubernetes', 'tcpdump sysdig'))

/** What an actionner does by itself that our action does only when told. */
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  // The pod is not given the time to stop that it declares.
  'kubernetes:terminate': { grace_period_seconds: 0 },
  'kubernetes:log': { tail_lines: 20 },
  // Variables such as $K8S_POD_NAME are put in.
  'kubernetes:exec': { event_variables: true },
  'kubernetes:script': { event_variables: true },
  'kubernetes:download': { event_variables: true },
  // DaemonSets are not spared unless it is said, and nothing is waited for.
  'kubernetes:drain': { ignore_daemonsets: false, max_wait_period: 0 },
}

/** Parameters by which an actionner may leave a target alone, which is no error in Talon; and the reasons we give. */
const SPARING = ['ignore_daemonsets', 'ignore_statefulsets', 'ignore_standalone_pods', 'min_healthy_replicas']
const SPARED = ['daemonset', 'statefulset', 'standalone', 'min-healthy-replicas']

/** The actions there are, by type, each with the names of its settings. */
export type Catalog = ReadonlyMap<string, { readonly plugin: Action; readonly settings: readonly string[] }>

export const catalogOf = (actions: readonly Action[]): Catalog =>
  new Map(actions.map((plugin) => [plugin.type, { plugin, settings: knownKeys(settingsSchema(plugin.config), []) }]))

interface Context {
  readonly shared: ReadonlyMap<string, TalonAction>
  readonly catalog: Catalog
  readonly tell: Tell
  /** The outputs that keep files, with their settings; undefined: not known. */
  readonly stores?: ReadonlyMap<string, unknown> | undefined
}

/** The steps; undefined when one cannot be made, which is told. */
export const stepsOf = (rule: TalonRule, context: Context): NativeStep[] | undefined => {
  const { shared, tell } = context
  if (rule.actions.length === 0) tell(rule.spot, 'it has no action')
  const actions = rule.actions.map((own) => completeAction(own, shared.get(own.name), tell))
  const end = actions.findIndex(endsRule)
  const reached = end < 0 ? actions : actions.slice(0, end + 1)
  for (const { spot, name } of actions.slice(reached.length)) {
    const why = `${title(actions[end])} ends the rule; with \`continue: true\` it would not`
    tell(spot, `action ${JSON.stringify(name)} is never run: ${why}`, 'warning')
  }
  const ids = new Set<string>()
  const gates: string[] = []
  const steps = reached.map((action, i): readonly NativeStep[] | undefined => {
    const id = idOf(action.name, ids)
    const found = settingsOf(action, rule.actions[i] ?? action, rule.name, context)
    if (!found) return undefined
    const { settings, leftOut, ...kept } = found
    if (leftOut) return []
    const gate = gates.length > 0 && { if: gates.join(' and ') }
    const spares = i < reached.length - 1 && SPARING.some((name) => settings[name])
    if (spares && !action.ignoreErrors) gates.push(gateAfter(id))
    const goesOn = action.ignoreErrors || spares
    const filled = Object.keys(settings).length > 0 && { with: settings }
    const more = { ...filled, ...timeoutFor(settings), ...(goesOn && { onError: 'continue' as const }), ...kept }
    return [{ action: action.actionner?.value ?? '', id, ...gate, ...more }]
  })
  const whole = steps.every((step) => step !== undefined) ? steps.flat() : []
  return whole.length > 0 ? whole : undefined
}

/** A step has 30 s; one that is told to wait has them besides. Talon knows no deadline. */
const timeoutFor = ({ max_wait_period: wait }: Record<string, unknown>): { timeout?: string } =>
  typeof wait === 'number' && wait > 0 ? { timeout: `${wait + 30}s` } : {}

const title = (action: TalonAction | undefined): string => `action ${JSON.stringify(action?.name)}`

const endsRule = ({ continue: goesOn, actionner }: TalonAction): boolean =>
  goesOn === undefined ? LAST.has(actionner?.value ?? '') : !goesOn

/** Later steps run when this one succeeded or had a reason to leave its target alone. */
const gateAfter = (id: string): string =>
  `(steps.${id}.outcome in (succeeded, gone) or steps.${id}.error.reason in (${SPARED.map((one) => `"${one}"`).join(', ')}))`

const idOf = (name: string, taken: Set<string>): string => {
  const word =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^[^a-z]+|_$/g, '') || 'step'
  let id = word
  for (let n = 2; taken.has(id); n++) id = `${word}_${n}`
  taken.add(id)
  return id
}

/** The `with` of an action, checked; undefined when it is not available or something is wrong. */
const settingsOf = (action: TalonAction, own: TalonAction, rule: string, context: Context): Found | undefined => {
  const entry = entryOf(action, own, context)
  if (!entry) return undefined
  const kept = storeFor(action, entry.plugin, { ...context, title: title(action) })
  const settings = checkedSettings(action, entry, rule, context.tell)
  return kept && settings && { ...kept, settings }
}

interface Found extends Kept {
  readonly settings: Record<string, unknown>
}

type Entry = NonNullable<ReturnType<Catalog['get']>>

const entryOf = (
  { name, actionner }: TalonAction,
  own: TalonAction,
  { shared, catalog, tell }: Context,
): Entry | undefined => {
  const spot = own.actionner?.spot ?? own.spot
  if (name === '') tell(spot, 'an action has no name')
  if (!actionner) {
    tell(
      spot,
      `action ${JSON.stringify(name)} has no actionner, nor is there one of its name${suggestion(name, shared.keys())}`,
    )
    return undefined
  }
  const type = actionner.value
  const entry = type.includes(':') ? catalog.get(type) : undefined
  if (!entry) {
    const why = ACTIONNERS.includes(type)
      ? 'is not available in this version'
      : `is not a known actionner${suggestion(type, ACTIONNERS)}`
    tell(spot, `action ${JSON.stringify(name)}: ${type} ${why}`)
  }
  return name === '' ? undefined : entry
}

const checkedSettings = (
  action: TalonAction,
  { plugin, settings: known }: Entry,
  rule: string,
  tell: Tell,
): Record<string, unknown> | undefined => {
  const given: Record<string, unknown> = { ...DEFAULTS[plugin.type] }
  const spots = new Map<string, Placed>()
  for (const [key, placed] of action.parameters) {
    if (placed.value === null) continue
    const name = known.find((one) => one.toLowerCase() === key.toLowerCase())
    if (name === undefined) {
      const message = `${title(action)}: parameter ${key} means nothing to ${plugin.type} and is ignored`
      tell({ ...placed.spot, key: true }, `${message}${suggestion(key, known)}`, 'warning')
      continue
    }
    given[name] = adapted(plugin.type, name, placed, tell)
    spots.set(name, placed)
  }
  const about = { type: plugin.type, rule, action, title: title(action), tell }
  const settings = literal(withVariables(given, about)) as Record<string, unknown>
  const faults = checkSettings(plugin.config, settings, { templates: true })
  for (const { path, message } of faults) {
    const [first, ...inner] = path
    const placed = spots.get(String(first))
    tell(placed ? below(placed.spot, ...inner) : action.spot, `${title(action)}: ${message}`)
  }
  return faults.length === 0 ? settings : undefined
}

/** A parameter as our action takes it. Talon cuts fractions off, and takes any other `level` than node for pod. */
const adapted = (type: string, name: string, { value, spot }: Placed, tell: Tell): unknown => {
  if (typeof value === 'number' && !Number.isInteger(value)) {
    tell(spot, `${name}: ${value} counts as ${Math.trunc(value)}, as in Falco Talon`, 'warning')
    return Math.trunc(value)
  }
  if (LEVELLED.has(type) && name === 'level' && value !== 'node' && value !== 'pod') {
    tell(spot, `${name}: ${String(value)} counts as pod, as in Falco Talon`, 'warning')
    return 'pod'
  }
  // No lines at all stands for the default.
  if (type === 'kubernetes:log' && name === 'tail_lines' && value === 0) return DEFAULTS[type]?.[name]
  if (CAPTURES.has(type) && name === 'duration' && value === 0) return 5
  return value
}

/**
 * What a reload swaps as a whole: rules, outputs and guards. An event ends on the generation it began with; an output
 * that is the same in both keeps its connection and queue.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Chain, compileChain } from './chain.ts'
import { type OwnCluster, ownCluster } from './cluster.ts'
import { createDelivery, type Delivery, type DeliveryHost } from './deliver.ts'
import { deliverySettings } from './delivery-settings.ts'
import { createEnrich, type Enrich } from './enrich.ts'
import { messageOf, YarakError } from './errors.ts'
import { createGuard, type Guard, type GuardMemory, readGuards } from './guard.ts'
import { areaLog } from './log-area.ts'
import type { Scope } from './names.ts'
import type { GatewayOptions, OutputInput } from './options.ts'
import type { Context, Mode, Use } from './plugin.ts'
import { createMatcher, type Matcher } from './rules/matcher.ts'
import { missingFields } from './rules/needs.ts'
import { modeOf, type RuleInput } from './rules/rule.ts'
import { checkSettings } from './settings.ts'
import type { Templates } from './template.ts'

/** A rule, ready to answer events. */
export interface ReadyRule extends RuleInput {
  readonly chain: Chain
  /** What the rule and the gateway together allow. */
  readonly effective: Mode
  /** The fields that the rule looks at and an event lacks. */
  readonly missing: (scope: Scope) => readonly string[]
}

/** What a generation is made of. */
export type GenerationOptions = Pick<
  GatewayOptions,
  'rules' | 'outputs' | 'guards' | 'mode' | 'cluster' | 'contexts' | 'enrich'
>

export interface Generation {
  /** 1 for the first. */
  readonly number: number
  /** RFC 3339, UTC. */
  readonly loadedAt: string
  readonly options: GenerationOptions
  readonly mode: Mode
  /** Our own; undefined: it has no name. */
  readonly cluster: OwnCluster | undefined
  /** What is done to an event first. */
  readonly enrich: Enrich
  readonly matcher: Matcher<ReadyRule>
  readonly guard: Guard
  readonly outputs: readonly Delivery[]
  /** By type. */
  readonly contexts: ReadonlyMap<string, Use<Context>>
}

export interface GenerationHost extends DeliveryHost {
  readonly templates: Templates
  /** What the guards of all generations count in. */
  readonly memory: GuardMemory
}

/**
 * Makes everything ready, or throws and leaves nothing behind.
 * @param before what it is to follow: its outputs are taken over where they are the same
 * @throws YarakError `config` when an option is wrong
 */
export const createGeneration = (options: GenerationOptions, host: GenerationHost, before?: Generation): Generation => {
  const { rules = [], outputs = [], mode = 'observe' } = options
  const guard = createGuard(readGuards(options.guards ?? {}), { ...host, log: areaLog(host.log, 'guard') })
  const cluster = ownCluster(options.cluster)
  unique(
    'rule',
    rules.map(({ name }) => name),
  )
  unique('output', outputs.map(outputId))
  const known = new Set(outputs.map(outputId))
  const contexts = new Map((options.contexts ?? []).map((use) => [use.plugin.type, use]))
  const ready = rules.map((rule): ReadyRule => {
    const unknown = rule.notify?.find((id) => !known.has(id))
    if (unknown !== undefined) throw new YarakError('config', `rule ${rule.name}: notify names no output ${unknown}`)
    const chain = compileChain(rule, host.templates)
    checkNames(rule, chain, outputs, contexts)
    return { ...rule, chain, effective: modeOf(rule, mode), missing: missingFields(rule) }
  })
  const matcher = createMatcher(ready)
  const deliveries = outputs.map((output) => sameIn(before, output) ?? openDelivery(output, host))
  const number = (before?.number ?? 0) + 1
  const enrich = openEnrich(options, host)
  const loadedAt = new Date().toISOString()
  return { number, loadedAt, options, mode, cluster, enrich, matcher, guard, contexts, outputs: deliveries }
}

const openEnrich = ({ enrich }: GenerationOptions, { counters, log }: GenerationHost): Enrich =>
  enrich === undefined
    ? (event) => event
    : createEnrich(enrich, (field, error, event) => {
        counters.add('yarak_enrich_failures_total', { field })
        areaLog(log, 'event').warn('a templated field was left out', { field, event, error: messageOf(error) })
      })

/** @throws YarakError `config` when a step names a store that keeps no files, or a context that is not there */
const checkNames = (
  { name }: RuleInput,
  { steps }: Chain,
  outputs: readonly OutputInput[],
  contexts: ReadonlyMap<string, unknown>,
): void => {
  const stores = outputs.filter((one) => ('output' in one ? one.output : one).plugin.stores).map(outputId)
  for (const step of steps) {
    const where = `rule ${name}, ${step.id}`
    if (step.store !== undefined && !stores.includes(step.store))
      throw new YarakError('config', `${where}: the store ${step.store} is not an output that keeps files`)
    const unknown = step.contexts.find((one) => !contexts.has(one))
    if (unknown !== undefined) throw new YarakError('config', `${where}: there is no context ${unknown}`)
  }
}

export const outputId = (output: OutputInput): string => ('output' in output ? output.output.id : output.id)

/** @throws YarakError `config` when two have one name */
export const unique = (what: string, names: readonly string[]): void => {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name))
      throw new YarakError('config', `two ${what}s are called ${name}; give one a label or another name`)
    seen.add(name)
  }
}

/** The delivery of an earlier generation for the same output with the same settings. */
const sameIn = (before: Generation | undefined, output: OutputInput): Delivery | undefined => {
  const at = before?.options.outputs?.findIndex((other) => isDeepStrictEqual(other, output)) ?? -1
  return before?.outputs[at]
}

const openDelivery = (input: OutputInput, host: DeliveryHost): Delivery => {
  const { output: use, ...settings } = 'output' in input ? input : { output: input }
  const problems = checkSettings(deliverySettings, settings)
  if (problems[0]) throw new YarakError('config', `output ${use.id}: ${problems[0].message}`)
  return createDelivery(use, deliverySettings.parse(settings), host)
}

/** The generation in force, and those before it whose events are still in work. */
export interface Generations {
  readonly current: Generation
  /** The current one, held until {@link Generations.leave}. */
  enter(): Generation
  leave(generation: Generation): void
  /** From now on events enter `next`. */
  swap(next: Generation): void
}

/** @param retire called for each output once no event in work can reach it any more */
export const createGenerations = (first: Generation, retire: (output: Delivery) => void): Generations => {
  const held = new Map<Generation, number>([[first, 0]])
  let current = first

  const end = (generation: Generation): void => {
    held.delete(generation)
    const alive = new Set([...held.keys()].flatMap(({ outputs }) => outputs))
    for (const output of generation.outputs) if (!alive.has(output)) retire(output)
  }
  return {
    get current() {
      return current
    },
    enter() {
      held.set(current, (held.get(current) ?? 0) + 1)
      return current
    },
    leave(generation) {
      const left = (held.get(generation) ?? 1) - 1
      held.set(generation, left)
      if (left === 0 && generation !== current) end(generation)
    },
    swap(next) {
      const before = current
      current = next
      held.set(next, 0)
      if (held.get(before) === 0) end(before)
    },
  }
}

/** What steps see as `context.<type>` where nothing may be touched: what a test gives, else the simulated cluster. */
import { messageOf, YarakError } from '../errors.ts'
import { type Context, defineContext, type Use, z } from '../plugin.ts'
import { isolated, OutOfReach, type StandIns } from './offline.ts'

/** Members of contexts, by type. */
export type GivenContexts = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Where contexts are taken from. */
export interface ContextSources {
  readonly given?: GivenContexts
  /** Simulated resources: what is not given is looked up in them. */
  readonly standIns?: StandIns | undefined
  /** Told of each that was found. */
  readonly found?: (type: string, members: Readonly<Record<string, unknown>>) => void
}

/** The declarations with their defaults; a context that needs settings has none here, and so must be given. */
export const usesOf = (contexts: readonly Context[]): Use<Context>[] =>
  contexts.map((plugin) => ({ id: plugin.type, plugin, config: plugin.config.safeParse({}).data }))

/** Stands for a context that is not declared here, e.g. one of a plugin that a configuration names. */
export const unknownContext = (type: string): Context =>
  defineContext({
    type,
    summary: 'Not declared here.',
    config: z.strictObject({}),
    lookup: () => Promise.reject(new OutOfReach('its plugin')),
  })

/**
 * The same contexts, reaching nothing. One that is neither given nor to be found fails the step that names it, with the
 * reason `no-context-<type>`.
 * @example simulatedContexts(usesOf([k8snode]), { given: { k8snode: { hostname: 'n1' } } })
 */
export const simulatedContexts = (
  contexts: readonly Use<Context>[],
  { given = {}, standIns, found }: ContextSources = {},
): Use<Context>[] =>
  contexts.map((use) => ({
    ...use,
    plugin: {
      ...use.plugin,
      async lookup(config, about, io) {
        const { type } = use.plugin
        const look = async () => {
          if (config === undefined) throw new OutOfReach('what its settings name')
          return use.plugin.lookup(config, about, isolated(io, standIns))
        }
        const members = given[type] ?? (await look().catch((error: unknown) => fail(type, error)))
        found?.(type, members)
        return members
      },
    },
  }))

const fail = (type: string, error: unknown): never => {
  if (!(error instanceof OutOfReach)) throw error
  const message = `context.${type} is not known here: ${messageOf(error)}; a test case gives its members by \`contexts\``
  throw new YarakError('failed', message, { permanent: true, reason: `no-context-${type}` })
}

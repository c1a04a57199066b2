/** What a gateway is made of. YAML is only another way to write this. */
import type { Dispatcher } from 'undici'
import type { z } from 'zod'
import type { deliverySettings } from './deliver.ts'
import type { guardSettings } from './guard.ts'
import type { Journal } from './journal/index.ts'
import type { Input, Log, Mode, Output, Resource, Use } from './plugin.ts'
import type { RuleInput } from './rules/rule.ts'
import type { StateStore } from './state.ts'

/** An output, or an output with the settings that every output has. */
export type OutputInput = Use<Output> | ({ readonly output: Use<Output> } & z.input<typeof deliverySettings>)

/** Bounds on what is in memory at once. */
export interface Limits {
  /** Events being accepted. Default 256. */
  readonly accepting: number
  /** Responses running. Default 1,024. */
  readonly responses: number
  /** Runs of one action. Default 32. */
  readonly perAction: number
  /** Accepted events of one input that are not settled; an event beyond 6.5 KiB counts as several. Default 10,000. */
  readonly unsettled: number
  /** Responses that wait for the same target. Default 100. */
  readonly perTarget: number
  /** Milliseconds that a push event waits for room. Default 1,000. */
  readonly patience: number
}

export interface GatewayOptions {
  readonly inputs?: readonly Use<Input>[]
  readonly rules?: readonly RuleInput[]
  readonly outputs?: readonly OutputInput[]
  /** Settings of shared clients; a resource that is not here is opened with its defaults. */
  readonly resources?: readonly Use<Resource>[]
  /** `observe` shows what would be done and changes nothing. Default `observe`. */
  readonly mode?: Mode
  /** The name of the cluster, for names and spans. */
  readonly cluster?: string
  readonly guards?: z.input<typeof guardSettings>
  /** Where plugins may keep files. Default `./.yarak`. */
  readonly dataDir?: string
  /** Where plugins remember, e.g. read offsets. Default in memory. */
  readonly state?: StateStore
  /** Where accepted events and what was done about them are kept over a crash. Default in memory. */
  readonly journal?: Journal
  /** What plugins see as the environment. Default empty. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default silent. */
  readonly log?: Log
  /** Replaces the outbound HTTP connections, e.g. by undici's MockAgent in a test. */
  readonly dispatcher?: Dispatcher
  readonly limits?: Partial<Limits>
}

export const LIMITS: Limits = {
  accepting: 256,
  responses: 1_024,
  perAction: 32,
  unsettled: 10_000,
  perTarget: 100,
  patience: 1_000,
}

export const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

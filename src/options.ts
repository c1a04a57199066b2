/** What a gateway is made of. YAML is only another way to write this. */
import type { Dispatcher } from 'undici'
import type { z } from 'zod'
import type { Audit } from './audit.ts'
import type { ClusterInput, originSettings } from './cluster.ts'
import type { deliverySettings } from './delivery-settings.ts'
import type { metricsSettings } from './compat-metrics.ts'
import type { enrichSettings } from './enrich.ts'
import type { GuardSettings, guardSettings } from './guard.ts'
import type { Journal } from './journal/index.ts'
import type { Action, Context, Input, Log, Mode, Output, Resource, Use } from './plugin.ts'
import type { redactSettings } from './redact.ts'
import type { RuleInput } from './rules/rule.ts'
import type { StateStore } from './state.ts'
import type { TraceIds } from './telemetry.ts'
import type { traceSettings } from './trace-settings.ts'

/** An output, or an output with the settings that every output has. */
export type OutputInput = Use<Output> | ({ readonly output: Use<Output> } & z.input<typeof deliverySettings>)

/** An input, or an input with the settings that every input has. */
export type InputInput = Use<Input> | ({ readonly input: Use<Input> } & z.input<typeof originSettings>)

/** The input itself. */
export const inputOf = (given: InputInput): Use<Input> => ('input' in given ? given.input : given)

/** The same with its input changed. */
export const withInput = (given: InputInput, change: (use: Use<Input>) => Use<Input>): InputInput =>
  'input' in given ? { ...given, input: change(given.input) } : change(given)

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
  /** Milliseconds between two looks for changes whose time is over. Default 15,000. */
  readonly sweep: number
}

export interface GatewayOptions {
  readonly inputs?: readonly InputInput[]
  readonly rules?: readonly RuleInput[]
  readonly outputs?: readonly OutputInput[]
  /** What steps may name as `context.<type>`. Default none. */
  readonly contexts?: readonly Use<Context>[]
  /**
   * Actions whose changes are taken back, besides those of the rules: a rule that is no more has left some. By themselves
   * only in clusters that a rule acts in, or that `resources` names. Default none.
   */
  readonly undoing?: readonly Action[]
  /** Settings of shared clients; a resource that is not here is opened with its defaults. */
  readonly resources?: readonly Use<Resource>[]
  /**
   * Where gateways that share the work agree on who answers what: each response to an event that its source may have given
   * to several of them is claimed there before the first change, and inputs with `leader` run in one of them. Default
   * nobody shares it.
   * @example kubernetes
   */
  readonly claims?: Resource
  /** `observe` shows what would be done and changes nothing. Default `observe`. */
  readonly mode?: Mode
  /**
   * Our cluster: its name, or also the field that names it in an event, by default `k8s.cluster.name`. Events of other
   * clusters are told to the outputs, and not answered.
   */
  readonly cluster?: ClusterInput
  /**
   * What is made unreadable in everything that outputs are told, and in journal, spans and logs. Rules and actions see
   * the event as it came. Default nothing.
   */
  readonly redact?: z.input<typeof redactSettings>
  /** What is counted besides. Default nothing. */
  readonly metrics?: z.input<typeof metricsSettings>
  /** Where a person looks at a trace, with `{traceId}` in it, e.g. `http://jaeger:16686/trace/{traceId}`. */
  readonly traceUrl?: string
  /** As in a file, or already checked. */
  readonly guards?: z.input<typeof guardSettings> | GuardSettings
  /** What spans tell. Default no field of the event, and a trace for each event. */
  readonly telemetry?: z.input<typeof traceSettings>
  /** What is done to every event before anybody sees it. Default nothing. */
  readonly enrich?: z.input<typeof enrichSettings>
  /** Where plugins may keep files. Default `./.yarak`. */
  readonly dataDir?: string
  /** Where plugins remember, e.g. read offsets. Default in memory. */
  readonly state?: StateStore
  /** Where accepted events and what was done about them are kept over a crash. Default in memory. */
  readonly journal?: Journal
  /** Where OpenTelemetry's SDK takes trace ids from; for `telemetry.groupBy: target`. Default the SDK makes its own. */
  readonly traceIds?: TraceIds
  /**
   * Whether what is counted goes to the metrics SDK of the program, when it has registered one. Default true; of several
   * gateways in one process only one may, since their numbers have the same names there.
   */
  readonly exportMetrics?: boolean
  /** Told of what changes something, and of what was stopped. Default nobody. */
  readonly audit?: Audit
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
  sweep: 15_000,
}

export const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

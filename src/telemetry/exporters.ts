/** Where spans and log records go, as the standard variables say. */
import { type SpanContext, TraceFlags } from '@opentelemetry/api'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { CounterName, Counters } from '../counters.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../plugin.ts'
import { type Account, type Batches, createBatches, type Exporter, limitsOf, type Loss } from './batches.ts'
import { type Env, type Protocol, protocolOf, type Signal, type Tell, timeoutOf } from './env.ts'

/** What exporters do not take from the variables, or not as we read them. */
export interface OtlpOptions {
  /** Exports at once, of which an earlier one may hang. */
  readonly concurrencyLimit: number
  readonly timeoutMillis: number
}

/** How the exporters of a signal are made; each package is loaded when it is asked for. */
export type Makers<E> = Readonly<Record<Protocol, (options: OtlpOptions) => Promise<E>>> & {
  readonly console: () => Promise<E>
}

export interface Pipeline {
  readonly env: Env
  readonly log: Log
  readonly tell: Tell
  readonly counters?: Counters | undefined
}

const SPANS: Makers<Exporter<ReadableSpan>> = {
  'http/protobuf': async (options) =>
    new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter(options),
  'http/json': async (options) =>
    new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter(options),
  grpc: async (options) => new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter(options),
  console: async () => new (await import('@opentelemetry/sdk-trace')).ConsoleSpanExporter(),
}

/** A queue for each exporter of spans, and what fills it. */
export const spanBatches = (names: readonly string[], pipeline: Pipeline): Promise<Batches<ReadableSpan>[]> =>
  batchesOf(names, SPANS, { ...pipeline, signal: 'TRACES', what: 'spans', counter: 'yarak_spans_total' })

export const spanProcessor = (batches: Batches<ReadableSpan>): SpanProcessor => ({
  onStart() {},
  onEnd(span) {
    if (isSampled(span.spanContext())) batches.add(span)
  },
  forceFlush: () => batches.flush(),
  shutdown: () => batches.shutdown(),
})

const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & TraceFlags.SAMPLED) !== 0

/** What is exported, and what it is called. */
interface Exported extends Pick<Pipeline, 'env' | 'tell'> {
  readonly signal: Signal
  readonly what: string
}

interface Kind extends Pipeline, Exported {
  readonly counter: CounterName
}

/** A queue for each exporter that can be made. */
export const batchesOf = async <T extends object>(
  names: readonly string[],
  makers: Makers<Exporter<T>>,
  kind: Kind,
): Promise<Batches<T>[]> => {
  if (names.length === 0) return []
  const limits = limitsOf(kind.env, kind.signal === 'TRACES' ? 'OTEL_BSP' : 'OTEL_BLRP', kind.tell)
  const made = await exportersOf(names, makers, kind)
  return made.map(({ name, exporter }) => createBatches(exporter, limits, accountOf(name, kind), lengthOf))
}

interface Told {
  readonly attributes?: object
}

/** Characters of what can be long: attributes, those of events, and the text of a log record. */
const lengthOf = ({ attributes, events, body }: Told & { events?: readonly Told[]; body?: unknown }): number =>
  textsIn(attributes) + textsIn(body) + (events ?? []).reduce((sum, event) => sum + textsIn(event.attributes), 0)

const textsIn = (value: unknown): number => {
  if (typeof value === 'string') return value.length
  let sum = 0
  if (typeof value === 'object') for (const name in value) sum += textsIn(value[name as keyof typeof value])
  return sum
}

/** The exporters that can be made; why another cannot is told. */
export const exportersOf = async <E>(names: readonly string[], makers: Makers<E>, kind: Exported) => {
  const made = names.map(async (name) => {
    const exporter = name === 'otlp' ? await otlp(makers, kind) : await makers.console()
    return exporter === undefined ? [] : [{ name, exporter }]
  })
  return (await Promise.all(made)).flat()
}

/** One that hangs keeps its batch: no more of them than this. */
const AT_ONCE = 4

const otlp = async <E>(makers: Makers<E>, { env, signal, tell, what }: Exported): Promise<E | undefined> => {
  const timeoutMillis = timeoutOf(env, signal, tell)
  try {
    return await makers[protocolOf(env, signal, tell)]({ concurrencyLimit: AT_ONCE, timeoutMillis })
  } catch {
    // what the package says may hold the value of a header
    tell(`OTEL_EXPORTER_OTLP_* cannot be used as it is set: no ${what} are exported`)
    return undefined
  }
}

/** Counts, and says when exports begin to fail, and when they work again. */
const accountOf = (exporter: string, { what, counter, counters, log }: Kind): Account => {
  let failing = false
  const account = (count: number, loss?: Loss, error?: unknown): void => {
    counters?.add(counter, { exporter, outcome: loss ? 'lost' : 'exported', reason: loss ?? '' }, count)
    if (loss === 'queue_full' || loss === 'stopped') return
    if (loss && !failing) log.warn(`${what} cannot be exported`, { exporter, error: messageOf(error), lost: count })
    if (!loss && failing) log.info(`${what} are exported again`, { exporter })
    failing = loss !== undefined
  }
  return Object.assign(account, {
    full: () => log.warn(`${what} are lost: they come faster than they are exported`, { exporter }),
  })
}

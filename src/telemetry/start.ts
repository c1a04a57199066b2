/** Starts the OpenTelemetry SDK, for the binary. */
import { context, diag, logs, metrics, propagation, trace } from '@opentelemetry/api'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Counters } from '../counters.ts'
import type { Log } from '../plugin.ts'
import type { SpanRecord } from '../trace-tree.ts'
import { collector } from './collector.ts'
import { type Env, exporterNames, listOf, type Tell, textOf } from './env.ts'
import { spanBatches, spanProcessor } from './exporters.ts'
import type { Ids } from './ids.ts'
import { logBatches, logProcessor, type LogSink, logSink } from './logs.ts'
import { metricReadersOf } from './metric-readers.ts'
import { resourceOf } from './resource.ts'
import { matchedFirst, samplerOf } from './sampler.ts'

export interface TelemetryOptions {
  readonly version: string
  readonly env: Env
  /** Told of variables that cannot be used, and when spans cannot be exported, once for each outage. */
  readonly log: Log
  /** Where spans and log records that are exported or lost are counted. Default nowhere. */
  readonly counters?: Counters | undefined
  /** Called once for each finished trace that holds a response, e.g. to print it as a tree. */
  readonly onTrace?: ((spans: readonly SpanRecord[]) => void) | undefined
  /** Where ids come from; the same as tracing's. Default random ones. */
  readonly ids?: Ids | undefined
}

export interface Telemetry {
  /** Takes the lines of the log, when `OTEL_LOGS_EXPORTER` asks for them. */
  readonly logSink?: LogSink
  /** Exports what is left; waits at most `ms`. What is not exported then is counted as lost. */
  stop(ms: number): Promise<void>
}

/** As the specification has it, any case will do. */
const isDisabled = (env: Env): boolean => textOf(env, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true'

/** Those that the SDK knows. */
const PROPAGATORS = ['tracecontext', 'baggage', 'b3', 'b3multi', 'none']

/**
 * Starts the OpenTelemetry SDK as the standard `OTEL_*` variables say; loads nothing when there is nothing to do.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export const startTelemetry = async (options: TelemetryOptions): Promise<Telemetry> => {
  const { env, onTrace, log } = options
  if (isDisabled(env)) {
    if (onTrace) log.warn('OTEL_SDK_DISABLED is set: nothing is traced, and no response is shown')
    return { stop: async () => {} }
  }
  const tell = onceEach((problem) => log.warn(problem))
  const names = {
    spans: exporterNames(env, 'TRACES', tell),
    records: exporterNames(env, 'LOGS', tell),
    metrics: exporterNames(env, 'METRICS', tell),
  }
  const asked = Object.values(names).some(({ length }) => length > 0)
  return asked || onTrace ? start(options, names, tell) : { stop: async () => {} }
}

type Names = Readonly<Record<'spans' | 'records' | 'metrics', readonly string[]>>

const start = async (options: TelemetryOptions, names: Names, tell: Tell): Promise<Telemetry> => {
  const { env, onTrace, version, ids } = options
  listOf(env, 'OTEL_PROPAGATORS', PROPAGATORS, tell)
  const [{ NodeSDK }, sdkTrace, resource] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/sdk-trace'),
    resourceOf(version, env, tell),
  ])
  const pipeline = { ...options, tell }
  const spans = await spanBatches(names.spans, pipeline)
  const records = await logBatches(names.records, pipeline)
  const metricReaders = await metricReadersOf(names.metrics, pipeline)
  const sdk = new NodeSDK({
    resource,
    autoDetectResources: false,
    sampler: matchedFirst(sdkTrace, samplerOf(sdkTrace, env, tell)),
    ...(ids && { idGenerator: ids.generator }),
    spanProcessors: [...spans.map(spanProcessor), ...(onTrace ? [collector(onTrace)] : [])],
    logRecordProcessors: records.map(logProcessor),
    metricReaders,
    instrumentations: [],
  })
  sdk.start()
  const queues = [...spans, ...records]
  return {
    ...(records.length > 0 && { logSink: logSink(logs.getLogger('yarak', version)) }),
    async stop(ms) {
      const end = performance.now() + ms
      // metrics are last, so that they tell of these spans too: what hangs leaves them time
      const share = metricReaders.length > 0 ? ms / 2 : ms
      await within(share, Promise.all(queues.map((queue) => queue.shutdown())))
      for (const queue of queues) queue.abandon()
      await within(end - performance.now(), sdk.shutdown())
      for (const api of [trace, context, propagation, metrics, logs, diag]) api.disable()
    },
  }
}

/** Waits for the end of it, at most so many milliseconds, and does not mind how it ends. */
const within = async (ms: number, work: Promise<unknown>): Promise<void> => {
  const stop = new AbortController()
  const late = sleep(Math.max(0, ms), undefined, { signal: stop.signal })
  await Promise.race([work.catch(() => {}), late])
  stop.abort()
  await late.catch(() => {})
}

const onceEach = (tell: Tell): Tell => {
  const told = new Set<string>()
  return (problem) => {
    if (!told.has(problem)) tell(problem)
    told.add(problem)
  }
}

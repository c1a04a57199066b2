/** Starts the OpenTelemetry SDK, for the binary. */
import { context, propagation, trace } from '@opentelemetry/api'
import type { Counters } from '../counters.ts'
import type { Log } from '../plugin.ts'
import type { SpanRecord } from '../trace-tree.ts'
import { collector } from './collector.ts'
import { exportersOf, told } from './exporters.ts'
import { matchedFirst, samplerOf } from './sampler.ts'

export interface TelemetryOptions {
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told when spans cannot be exported, once for each outage. */
  readonly log: Log
  /** Where spans that are exported or lost are counted, and what is exported as metrics. Default nowhere. */
  readonly counters?: Counters | undefined
  /** Called once for each finished trace that holds a response, e.g. to print it as a tree. */
  readonly onTrace?: ((spans: readonly SpanRecord[]) => void) | undefined
}

export interface Telemetry {
  /** Exports what is left; waits at most `ms`. */
  stop(ms: number): Promise<void>
}

/** As the specification has it, any case will do. */
const isDisabled = (env: TelemetryOptions['env']): boolean => env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true'

/** True when the standard variables ask for an export; an empty one counts as not set. Without one, Yarak is silent. */
const wantsExport = (env: TelemetryOptions['env']): boolean =>
  env.OTEL_TRACES_EXPORTER !== 'none' &&
  Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_TRACES_EXPORTER)

const numberOf = (text: string | undefined, otherwise: number): number => (text?.trim() ? Number(text) : otherwise)

/**
 * Starts the OpenTelemetry SDK as the standard `OTEL_*` variables say; loads nothing when there is nothing to do.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export const startTelemetry = async (options: TelemetryOptions): Promise<Telemetry> => {
  const { env, onTrace, log } = options
  if (isDisabled(env) && onTrace) log.warn('OTEL_SDK_DISABLED is set: nothing is traced, and no response is shown')
  if (isDisabled(env) || (!wantsExport(env) && !onTrace)) return { stop: async () => {} }
  const [{ NodeSDK }, sdkTrace, { resourceFromAttributes, defaultResource }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
  ])
  const exporters = wantsExport(env) ? await exportersOf(env, log) : []
  const sdk = new NodeSDK({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': env.OTEL_SERVICE_NAME ?? 'yarak', 'service.version': options.version }),
    ),
    sampler: matchedFirst(sdkTrace, samplerOf(sdkTrace, env)),
    spanProcessors: [
      ...exporters.map(
        (exporter) =>
          new sdkTrace.BatchSpanProcessor({
            exporter: told(exporter, log),
            maxQueueSize: numberOf(env.OTEL_BSP_MAX_QUEUE_SIZE, 65_536),
            maxExportBatchSize: numberOf(env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE, 2_048),
            scheduledDelayMillis: numberOf(env.OTEL_BSP_SCHEDULE_DELAY, 1_000),
          }),
      ),
      ...(onTrace ? [collector(onTrace)] : []),
    ],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  })
  sdk.start()
  return {
    async stop(ms) {
      const late = new Promise<void>((done) => setTimeout(done, ms).unref())
      await Promise.race([sdk.shutdown().catch(() => {}), late])
      for (const api of [trace, context, propagation]) api.disable()
    },
  }
}

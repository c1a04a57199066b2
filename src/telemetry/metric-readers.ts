/** What exports metrics, as the standard variables ask for it. */
import type { MetricReader, PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { messageOf } from '../errors.ts'
import type { Log } from '../plugin.ts'
import { numberOf } from './env.ts'
import { exportersOf, type Makers, type Pipeline } from './exporters.ts'

const METRICS: Makers<PushMetricExporter> = {
  'http/protobuf': async (options) =>
    new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter(options),
  'http/json': async (options) =>
    new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter(options),
  grpc: async (options) => new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter(options),
  console: async () => new (await import('@opentelemetry/sdk-metrics')).ConsoleMetricExporter(),
}

/**
 * A reader for each exporter that can be made: each `OTEL_METRIC_EXPORT_INTERVAL`, of which one export takes at most
 * `OTEL_METRIC_EXPORT_TIMEOUT` (milliseconds; default 60,000 and 30,000).
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export const metricReadersOf = async (
  names: readonly string[],
  { env, log, tell }: Omit<Pipeline, 'counters'>,
): Promise<MetricReader[]> => {
  if (names.length === 0) return []
  const { PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics')
  const exportIntervalMillis = numberOf(env, 'OTEL_METRIC_EXPORT_INTERVAL', 60_000, tell)
  const timeout = numberOf(env, 'OTEL_METRIC_EXPORT_TIMEOUT', 30_000, tell)
  const exportTimeoutMillis = Math.min(timeout, exportIntervalMillis)
  const made = await exportersOf(names, METRICS, { env, tell, signal: 'METRICS', what: 'metrics' })
  return made.map(
    ({ exporter }) =>
      new PeriodicExportingMetricReader({ exporter: told(exporter, log), exportIntervalMillis, exportTimeoutMillis }),
  )
}

/** The exporter, saying when it begins to fail and when it works again. */
const told = (exporter: PushMetricExporter, log: Log): PushMetricExporter => {
  let failing = false
  const send = exporter.export.bind(exporter)
  exporter.export = (data, done) =>
    send(data, (result) => {
      const fails = result.error !== undefined || Number(result.code) !== 0
      if (fails && !failing) log.warn('metrics cannot be exported', { error: messageOf(result.error) })
      if (!fails && failing) log.info('metrics are exported again')
      failing = fails
      done(result)
    })
  return exporter
}

/** Where spans go, as the standard variables say. */
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import { messageOf } from '../errors.ts'
import type { Log } from '../plugin.ts'

type Env = Readonly<Record<string, string | undefined>>

export const exportersOf = async (env: Env, log: Log): Promise<SpanExporter[]> => {
  const names = (env.OTEL_TRACES_EXPORTER || 'otlp').split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !['otlp', 'console', 'none'].includes(name))
  if (unknown.length > 0)
    log.warn(`OTEL_TRACES_EXPORTER: ${unknown.join(', ')} is not known; there are otlp, console and none`)
  return Promise.all([
    ...(names.includes('otlp') ? [otlpExporter(env)] : []),
    ...(names.includes('console')
      ? [import('@opentelemetry/sdk-trace').then(({ ConsoleSpanExporter }) => new ConsoleSpanExporter())]
      : []),
  ])
}

const otlpExporter = async (env: Env): Promise<SpanExporter> => {
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL
  if (protocol === 'grpc') return new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter()
  if (protocol === 'http/json') return new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter()
  return new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter()
}

/** The exporter, saying when it begins to fail and when it works again. */
export const told = (exporter: SpanExporter, log: Log): SpanExporter => {
  let failing = false
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const fails = result.error !== undefined || Number(result.code) !== 0
        if (fails && !failing)
          log.warn('spans cannot be exported', { error: messageOf(result.error), spans: spans.length })
        if (!fails && failing) log.info('spans are exported again')
        failing = fails
        done(result)
      })
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}

/** The log as OpenTelemetry's log records. */
import { type Logger, ROOT_CONTEXT, SeverityNumber, trace, TraceFlags } from '@opentelemetry/api'
import type { LogRecordProcessor, ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { Batches, Exporter } from './batches.ts'
import { batchesOf, type Makers, type Pipeline } from './exporters.ts'

/** A line of the log. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** RFC 3339, or milliseconds since the epoch. */
  readonly time: string | number
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Never throws, never waits. */
export type LogSink = (line: LogLine) => void

const RECORDS: Makers<Exporter<ReadableLogRecord>> = {
  'http/protobuf': async (options) =>
    new (await import('@opentelemetry/exporter-logs-otlp-proto')).OTLPLogExporter(options),
  'http/json': async (options) => new (await import('@opentelemetry/exporter-logs-otlp-http')).OTLPLogExporter(options),
  grpc: async (options) => new (await import('@opentelemetry/exporter-logs-otlp-grpc')).OTLPLogExporter(options),
  console: async () => new (await import('@opentelemetry/sdk-logs')).ConsoleLogRecordExporter(),
}

/** A queue for each exporter of log records, and what fills it. */
export const logBatches = (names: readonly string[], pipeline: Pipeline): Promise<Batches<ReadableLogRecord>[]> =>
  batchesOf(names, RECORDS, { ...pipeline, signal: 'LOGS', what: 'log records', counter: 'yarak_log_records_total' })

export const logProcessor = (batches: Batches<ReadableLogRecord>): LogRecordProcessor => ({
  onEmit: (record) => batches.add(record),
  forceFlush: () => batches.flush(),
  shutdown: () => batches.shutdown(),
})

/** @see https://opentelemetry.io/docs/specs/otel/logs/data-model/#displaying-severity */
const SEVERITY = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
} as const

/** The message as the body, the fields as attributes, the span that `trace_id` and `span_id` name as the context. */
export const logSink =
  (logger: Logger): LogSink =>
  ({ level, time, message, fields: { trace_id, span_id, ...fields } }) =>
    logger.emit({
      timestamp: new Date(time),
      severityNumber: SEVERITY[level],
      severityText: level.toUpperCase(),
      body: message,
      attributes: attributesOf(fields),
      context: contextOf(trace_id, span_id),
    })

const contextOf = (traceId: unknown, spanId: unknown) =>
  typeof traceId === 'string' && typeof spanId === 'string'
    ? trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED })
    : ROOT_CONTEXT

type Value = string | number | boolean

const attributesOf = (fields: Readonly<Record<string, unknown>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value == null ? [] : [[name, valueOf(value)]])))

/** What is no plain value is told as JSON. */
const valueOf = (value: unknown): Value => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}

/** Parts of a log: each line says what it is about, and can have a level of its own. */
import type { LineLevel } from './log-levels.ts'
import type { Log, LogFields } from './plugin.ts'
import type { Span } from './telemetry.ts'

/** What the lines of the engine are about: `area` of a line; those of a plugin have its id as `plugin` instead. */
export const LOG_AREAS = [
  ...['event', 'response', 'guard', 'delivery', 'journal', 'input', 'undo'],
  ...['listener', 'admin', 'config', 'trace'],
] as const

/** A log that can be asked beforehand, so that nothing is made for a line that is not written. */
export interface AskedLog extends Log {
  /** @param name an area, or the id of a plugin. Default: every line is wanted */
  wants?(level: LineLevel, name: string | undefined): boolean
}

/** The names that OpenTelemetry gives them in logs: {@link https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/} */
export interface TraceFields {
  readonly trace_id: string
  readonly span_id: string
}

/** What a line has of the span that it belongs to; undefined when nothing is traced. */
export const traceFields = (span: Pick<Span, 'traceparent'> | undefined): TraceFields | undefined => {
  const [, trace_id, span_id] = span?.traceparent?.split('-') ?? []
  return trace_id && span_id ? { trace_id, span_id } : undefined
}

/** What a line is about: the id of a plugin, or an area. */
export const subjectOf = ({ plugin, area }: LogFields = {}): string | undefined => {
  const name = plugin ?? area
  return typeof name === 'string' ? name : undefined
}

/**
 * A log whose lines go through `change` when they are wanted.
 * @param about what a line is about, by its fields
 */
export const mapLog = (
  log: AskedLog,
  about: (fields: LogFields | undefined) => string | undefined,
  change: (message: string, fields: LogFields | undefined) => readonly [string, LogFields?],
): AskedLog => {
  const wants = (level: LineLevel, name: string | undefined): boolean => log.wants?.(level, name) ?? true
  const line =
    (level: LineLevel) =>
    (message: string, fields?: LogFields): void => {
      if (wants(level, about(fields))) log[level](...change(message, fields))
    }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error'), wants }
}

/**
 * The same log, each line with the part that it is about, unless it says so itself, and the ids of the active span.
 * @param ids of the active span. Default none
 * @example areaLog(log, 'journal').warn('the disk is slow') // {"level":"warn",…,"area":"journal","message":…}
 */
export const areaLog = (
  log: AskedLog,
  area: (typeof LOG_AREAS)[number],
  ids?: () => TraceFields | undefined,
): AskedLog =>
  mapLog(
    log,
    (fields) => subjectOf(fields) ?? area,
    (message, fields) => [message, { area, ...ids?.(), ...fields }],
  )

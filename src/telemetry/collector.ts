/** Whole traces, for whoever prints them. */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { SpanRecord } from '../trace-tree.ts'

/** How long after a trace's last open span we wait for another one, in milliseconds. */
const QUIET = 60
/** Traces kept while they are open; beyond it the oldest is let go. */
const MAX_TRACES = 2_000
/** Spans of one trace that are kept; a trace that grows beyond it, as that of a busy target can, is told in parts. */
const MAX_SPANS = 10_000

interface OpenTrace {
  open: number
  spans: SpanRecord[]
  timer?: NodeJS.Timeout
}

/** A span processor that hands over whole traces, once nothing of them is open any more. */
export const collector = (onTrace: (spans: readonly SpanRecord[]) => void) => {
  const traces = new Map<string, OpenTrace>()
  const tell = (spans: readonly SpanRecord[]): void => {
    if (spans.some(({ name }) => name.startsWith('respond '))) onTrace(spans)
  }
  const flush = (traceId: string): void => {
    const found = traces.get(traceId)
    clearTimeout(found?.timer)
    traces.delete(traceId)
    if (found) tell(found.spans)
  }
  return {
    onStart(span: { spanContext(): { traceId: string } }) {
      const { traceId } = span.spanContext()
      const found = traces.get(traceId) ?? { open: 0, spans: [] }
      clearTimeout(found.timer)
      found.open++
      traces.set(traceId, found)
      const oldest = traces.size > MAX_TRACES ? traces.keys().next().value : undefined
      if (oldest !== undefined) traces.delete(oldest)
    },
    onEnd(span: ReadableSpan) {
      const { traceId } = span.spanContext()
      const found = traces.get(traceId)
      if (!found) return
      if (found.spans.push(recordOf(span)) >= MAX_SPANS) tell(found.spans.splice(0))
      if (--found.open === 0) found.timer = setTimeout(() => flush(traceId), QUIET).unref()
    },
    async forceFlush() {},
    async shutdown() {
      for (const traceId of [...traces.keys()]) flush(traceId)
    },
  }
}

const millis = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1_000_000

/** A finished span as plain data. */
export const recordOf = (span: ReadableSpan): SpanRecord => ({
  name: span.name,
  kind: (SpanKind[span.kind] ?? 'INTERNAL').toLowerCase(),
  traceId: span.spanContext().traceId,
  spanId: span.spanContext().spanId,
  parentId: span.parentSpanContext?.spanId,
  start: millis(span.startTime),
  end: millis(span.endTime),
  failed: span.status.code === SpanStatusCode.ERROR,
  message: span.status.message,
  attributes: span.attributes,
  events: span.events.map((event) => ({ name: event.name, attributes: event.attributes ?? {} })),
  links: span.links.map(({ context: { spanId } }) => spanId),
})

/** Records spans in memory, through the real SDK. */
import { NodeSDK } from '@opentelemetry/sdk-node'
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { recordOf } from '../src/telemetry/collector.ts'
import type { SpanRecord } from '../src/trace-tree.ts'

/** Call once in a test file: every span of its tests is recorded. */
export const recordSpans = () => {
  const exporter = new InMemorySpanExporter()
  const sdk = new NodeSDK({
    autoDetectResources: false,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    metricReaders: [],
    logRecordProcessors: [],
  })
  beforeAll(() => sdk.start())
  beforeEach(() => exporter.reset())
  afterAll(() => sdk.shutdown())
  const all = (): SpanRecord[] => exporter.getFinishedSpans().map(recordOf)
  return {
    all,
    /** The only span of this name. */
    one(name: string): SpanRecord {
      const found = all().filter((span) => span.name === name)
      if (found.length !== 1)
        throw new Error(
          `${found.length} spans are called ${name}; there are: ${all()
            .map((span) => span.name)
            .join(', ')}`,
        )
      return found[0] as SpanRecord
    },
    /** `name > child`, one line a span, by start, indented: the shape of a trace. */
    shape(): string {
      const spans = all().toSorted((a, b) => a.start - b.start)
      const known = new Set(spans.map(({ spanId }) => spanId))
      const lines = (parent: string | undefined, depth: number): string[] =>
        spans
          .filter(({ parentId }) => (parent === undefined ? !parentId || !known.has(parentId) : parentId === parent))
          .flatMap((span) => [`${'  '.repeat(depth)}${span.name}`, ...lines(span.spanId, depth + 1)])
      return lines(undefined, 0).join('\n')
    },
  }
}

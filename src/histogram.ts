/** A distribution in fixed buckets, with the last example of each. */
import { type Sample, writeLabels } from './metrics-page.ts'
import type { Labels } from './series.ts'
import type { Span } from './telemetry.ts'

/** Upper bounds, in seconds; beyond the last is one more bucket. The same for all, so that they can be added and compared. */
export const BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
]

/** A measurement, and the span that it was made of. */
interface Example {
  readonly traceparent: string
  readonly value: number
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface Histogram {
  /** Measurements by bucket, of this bucket alone. */
  readonly counts: number[]
  readonly examples: (Example | undefined)[]
  sum: number
}

export const createHistogram = (): Histogram => ({
  counts: Array.from({ length: BUCKETS.length + 1 }, () => 0),
  examples: [],
  sum: 0,
})

/** @param span an example, when it is recorded: of another there would be nothing to look at */
export const measure = (histogram: Histogram, seconds: number, span: Pick<Span, 'traceparent'> | undefined): void => {
  let bucket = 0
  while (seconds > (BUCKETS[bucket] ?? Infinity)) bucket++
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1
  histogram.sum += seconds
  const traceparent = span?.traceparent
  if (traceparent?.endsWith('1')) histogram.examples[bucket] = { traceparent, value: seconds, at: Date.now() }
}

/** The lines of one series: buckets that add up, the sum and the count. */
export const samplesOf = ({ counts, examples, sum }: Histogram, of: Labels): Sample[] => {
  const labels = writeLabels(of)
  const before = labels === '' ? '' : `${labels},`
  let total = 0
  const buckets = counts.map((count, bucket): Sample => {
    total += count
    const example = examples[bucket]
    return {
      suffix: '_bucket',
      labels: `${before}le="${BOUNDS[bucket]}"`,
      value: total,
      ...(example && { exemplar: { labels: spanLabels(example), value: example.value, at: example.at } }),
    }
  })
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: total }]
}

/** As OpenMetrics wants them, and Prometheus 3 keeps them, in whatever form they are read: `1.0`, `+Inf`. */
const BOUNDS: readonly string[] = [
  ...BUCKETS.map((bound) => (Number.isInteger(bound) ? bound.toFixed(1) : String(bound))),
  '+Inf',
]

const spanLabels = ({ traceparent }: Example): string => {
  const [, trace_id = '', span_id = ''] = traceparent.split('-')
  return writeLabels({ trace_id, span_id })
}

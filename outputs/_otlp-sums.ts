/** Counts that only grow, as OTLP exports them. */
import type { FieldValue } from '../src/plugin.ts'
import { attributes } from './_otlp.ts'

export type Labels = Readonly<Record<string, FieldValue>>

/** So much more of one series. */
export interface Increase {
  readonly metric: string
  readonly labels: Labels
  readonly by: number
}

interface Series {
  readonly metric: string
  readonly labels: Labels
  readonly value: number
}

/** All series by metric and labels; never changed, so that what was not exported is not kept. */
export type Sums = ReadonlyMap<string, Series>

/** Series of one metric, as OpenTelemetry's SDKs have it by default; the rest is one series more. */
const MAX_SERIES = 2_000

const OVERFLOW: Labels = { 'otel.metric.overflow': true }

/** The sums with all increases in them. */
export const increased = (sums: Sums, increases: readonly Increase[]): Sums => {
  const next = new Map(sums)
  const counts = Map.groupBy(next.values(), ({ metric }) => metric)
  const sizes = new Map([...counts].map(([metric, series]) => [metric, series.length]))
  for (const one of increases) {
    const isNew = !next.has(keyOf(one.metric, one.labels))
    const size = sizes.get(one.metric) ?? 0
    const labels = isNew && size >= MAX_SERIES ? OVERFLOW : one.labels
    const key = keyOf(one.metric, labels)
    if (!next.has(key)) sizes.set(one.metric, size + 1)
    next.set(key, { metric: one.metric, labels, value: (next.get(key)?.value ?? 0) + one.by })
  }
  return next
}

const keyOf = (metric: string, labels: Labels): string => JSON.stringify([metric, labels])

const CUMULATIVE = 2

/**
 * All sums as metrics, in order of their first increase.
 * @param descriptions of the metrics
 * @param since nanoseconds since 1970 when they were 0
 */
export const metricsOf = (sums: Sums, descriptions: Labels, since: bigint, now: bigint): object[] =>
  [...Map.groupBy(sums.values(), ({ metric }) => metric)].map(([name, series]) => ({
    name,
    description: descriptions[name],
    sum: {
      dataPoints: series.map(({ labels, value }) => ({
        startTimeUnixNano: String(since),
        timeUnixNano: String(now),
        asInt: String(value),
        attributes: attributes(labels),
      })),
      aggregationTemporality: CUMULATIVE,
      isMonotonic: true,
    },
  }))

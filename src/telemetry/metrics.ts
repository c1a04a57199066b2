/** Metrics by OpenTelemetry: what is counted, for the SDK of a host or of the binary. */
import {
  type Context,
  createNoopMeter,
  type Meter,
  metrics,
  type Observable,
  type ObservableCallback,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api'
import { COUNTERS, type Counters, type Example, type Gauge, HISTOGRAMS, type HistogramName } from '../counters.ts'
import { BUCKETS } from '../histogram.ts'

/**
 * Gives everything that is counted to the meter provider that is registered now, so that a program's own SDK exports it;
 * without one, does nothing. Of several gateways in one process only one is to be given (`exportMetrics: false` for the others), since the names are the same.
 * The names are those of `/metrics` as OpenTelemetry has them, which Prometheus turns back: see {@link instrumentOf}.
 * @returns what ends it: each number is told once more, so that the last export of a program has how it ended
 * @example
 * const end = bridgeMetrics(gateway.counters, '1.0.0') // after the SDK was started
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export const bridgeMetrics = (counters: Counters, version: string): (() => void) => {
  const meter = metrics.getMeter('yarak', version)
  if (meter === createNoopMeter()) return () => {}
  const ends: (() => void)[] = []
  let ended = false
  const observe = (instrument: Observable, read: Gauge['read']): void => {
    const callback: ObservableCallback = (result) => {
      for (const [labels, value] of read()) result.observe(value, labels)
      // not while the instrument goes through its callbacks
      if (ended) queueMicrotask(() => instrument.removeCallback(callback))
    }
    instrument.addCallback(callback)
  }
  for (const [name, help] of entriesOf(COUNTERS))
    observe(createObservable(meter, { name, help, type: 'counter' }), () => counters.series(name))
  const histograms = new Map(entriesOf(HISTOGRAMS).map(([name, help]) => [name, createHistogram(meter, name, help)]))
  ends.push(
    counters.watch({
      added: (gauge) => observe(createObservable(meter, gauge), gauge.read),
      observed: (name, seconds, labels, span) => histograms.get(name)?.record(seconds, labels, contextOf(span)),
    }),
  )
  return () => {
    ended = true
    for (const end of ends) end()
  }
}

const createObservable = (meter: Meter, { name: given, help, type }: Omit<Gauge, 'read'>): Observable => {
  const { name, unit } = instrumentOf(given)
  const options = { unit, description: help }
  return type === 'counter' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options)
}

const createHistogram = (meter: Meter, given: HistogramName, description: string) => {
  const { name, unit } = instrumentOf(given)
  return meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...BUCKETS] } })
}

/** Where an SDK finds the span that the measurement is an example of. */
const contextOf = (span: Example | undefined): Context => {
  const [, traceId, spanId, flags] = span?.traceparent?.split('-') ?? []
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number(flags) })
}

/** @see https://ucum.org/ucum */
const UNITS: readonly (readonly [suffix: RegExp, unit: string])[] = [
  [/_seconds$/, 's'],
  [/_bytes$/, 'By'],
]

/**
 * The name and unit of an instrument: two words that are its namespace, then what it is. `_total` and the unit go, as
 * Prometheus puts these back; what is counted is a unit in braces, which it leaves out.
 * @example instrumentOf('yarak_notices_dead_lettered_total') // { name: 'yarak.notices.dead_lettered', unit: '{notice}' }
 */
export const instrumentOf = (metric: string): { name: string; unit: string } => {
  const bare = metric.replace(/_total$/, '')
  const [suffix, unit] = UNITS.find(([suffix]) => suffix.test(bare)) ?? []
  const [first = '', second, ...rest] = (suffix ? bare.replace(suffix, '') : bare).split('_')
  const name = [first, ...(second ? [second] : []), ...(rest.length > 0 ? [rest.join('_')] : [])].join('.')
  const [, thing] = /_([a-z]+)s(?=_|$)/.exec(bare) ?? []
  return { name, unit: unit ?? (thing ? `{${thing}}` : '') }
}

const entriesOf = <N extends string>(record: Readonly<Record<N, string>>): [N, string][] =>
  Object.entries(record) as [N, string][]

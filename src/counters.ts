/** What happened, in numbers: every item is counted in exactly one term of the accounting (DESIGN, Accounting). */

import { createHistogram, type Histogram, measure, samplesOf } from './histogram.ts'
import { type Family, type FamilyType, type Format, writeLabels, writePage } from './metrics-page.ts'
import { boundReading, boundValue, createSeries, type Labels, type SeriesSet } from './series.ts'
import type { Span } from './telemetry.ts'

export { page } from './metrics-page.ts'

/**
 * Every counter and what it counts; the names are those of `/metrics`. Where the texts speak of a sum, it holds at any
 * time, within one process and over all labels.
 */
export const COUNTERS = {
  yarak_events_received_total:
    'Events handed to the gateway, by input. With the resumed ones: the sum of rejected, settled and unsettled.',
  yarak_events_rejected_total: 'Events refused, by input and reason.',
  yarak_events_settled_total:
    'Events of which every response ended and every notice was delivered or given up, by input.',
  yarak_events_resumed_total: 'Events taken up from the journal, which an earlier run had accepted, by input.',
  yarak_events_repeated_total: 'Events that a source delivered again and that needed nothing any more, by input.',
  yarak_input_skipped_total: 'Things an input read that are not events, by input and reason.',
  yarak_reloads_total: 'Reloads of the configuration, by outcome.',
  yarak_input_failures_total: 'Times an input failed and was started again, by input.',
  yarak_enrich_failures_total: 'Templated fields that an event did not get, by field.',
  yarak_falco_internal_total: "Falco's own reports (source internal), by rule.",
  yarak_rules_matched_total:
    'Matches of a rule, by rule: the sum of responses joined, suppressed, ended, running and queued.',
  yarak_rule_field_missing_total:
    'Matches of a rule that looks at a field which the event does not have, by rule and field.',
  yarak_responses_joined_total: 'Matches answered by a response that ran, or had just succeeded, by rule.',
  yarak_responses_suppressed_total: 'Matches that got no response, by rule and reason.',
  yarak_responses_ended_total: 'Responses that ended, by rule and outcome.',
  yarak_guard_refusals_total: 'Steps, or changes of a step, that the guard refused, by reason.',
  yarak_steps_ended_total: 'Steps that ended, by action and outcome.',
  yarak_undos_total: 'Changes that were to be taken back, by action and outcome.',
  yarak_notices_offered_total:
    'Notices offered, by output. With the restored ones: the sum of delivered, filtered, dead-lettered and queued.',
  yarak_notices_delivered_total: 'Notices delivered, by output.',
  yarak_notices_filtered_total: 'Notices that a filter left out, by output.',
  yarak_notices_folded_total: 'Alerts held back for a digest, by output: it is offered in their place, and not they.',
  yarak_notices_dead_lettered_total: 'Notices given up, by output and reason.',
  yarak_notices_restored_total: 'Notices that an earlier run left in the journal, by output.',
  yarak_notices_retried_total: 'Further tries of deliveries, by output.',
  yarak_listener_client_errors_total: 'Connections and requests that a listener refused, by address and reason.',
  yarak_spans_total: 'Spans that were exported, or lost, by exporter, outcome and reason.',
  yarak_log_records_total: 'Log records that were exported, or lost, by exporter, outcome and reason.',
  yarak_admin_refusals_total: 'Admin calls that were refused, by reason.',
  yarak_audit_failures_total: 'Lines of the audit record that could not be written.',
  yarak_log_lines_total: 'Lines of the log, by level.',
} as const

export type CounterName = keyof typeof COUNTERS

/** Every distribution and what it measures, in seconds. */
export const HISTOGRAMS = {
  yarak_alert_to_action_seconds: 'From the time of an alert to the begin of the first step that it led to, by rule.',
  yarak_alert_to_settled_seconds: 'From the time of an alert to the end of its last response and notice, by input.',
  yarak_response_duration_seconds: 'How long responses took, by rule and outcome.',
  yarak_step_duration_seconds: 'How long steps took, with all tries, by action and outcome.',
  yarak_delivery_duration_seconds: 'How long one try of a delivery took, by output and outcome.',
} as const

export type HistogramName = keyof typeof HISTOGRAMS

/** What a measurement may be an example of. */
export type Example = Pick<Span, 'traceId' | 'traceparent'>

/** What is read when it is asked for. */
export interface Gauge {
  readonly name: string
  readonly help: string
  readonly type: Exclude<FamilyType, 'histogram'>
  read(): Iterable<readonly [Labels, number]>
}

/** Is told of what cannot be read later. */
export interface Watcher {
  /** A gauge is there; at first of all those that are there already. */
  added(gauge: Gauge): void
  /** @param labels of the series that it was counted in */
  observed(name: HistogramName, seconds: number, labels: Labels, span: Example | undefined): void
}

/**
 * The registry of a process. A metric has at most 1,000 series, a distribution 200; what is new beyond is counted in one
 * more, whose every label is `overflow`. Values of labels are cut to 200 characters.
 */
export interface Counters {
  /**
   * @param labels always the same names in the same order
   * @param by default 1; with 0 the series is there before anything happened, so that Prometheus sees it grow from nothing
   */
  add(name: CounterName, labels?: Labels, by?: number): void
  /** The sum over all series whose labels include those given. */
  sum(name: CounterName, labels?: Labels): number
  /**
   * One measurement of a distribution; one that is no number, or below zero, is left out.
   * @param span whose trace is an example of it, when it is recorded
   */
  observe(name: HistogramName, seconds: number, labels?: Labels, span?: Example): void
  /**
   * A value read when asked for, e.g. a queue's length. A second one of the same name takes the place of the first.
   * @param type default `gauge`; `counter`: it only grows; `summary`: its label `quantile` says of what
   * @example counters.gauge('jobs_waiting', 'Jobs that wait, by kind.', () => [[{ kind: 'scan' }, jobs.length]])
   */
  gauge(name: string, help: string, read: Gauge['read'], type?: Gauge['type']): void
  /** All series of a counter. */
  series(name: CounterName): Iterable<readonly [Labels, number]>
  /** @returns what ends it */
  watch(watcher: Watcher): () => void
  /**
   * Everything, as Prometheus reads it.
   * @param format default `text`
   * @param more as {@link writePage} has it
   */
  text(format?: Format, more?: string): string
}

const MAX_SERIES = 1_000
/** Each has a line for every bucket. */
const MAX_HISTOGRAMS = 200

export const createCounters = (): Counters => {
  const counts = new Map<CounterName, SeriesSet<{ total: number }>>()
  const histograms = new Map<HistogramName, SeriesSet<Histogram>>()
  const gauges = new Map<string, Gauge>()
  let watchers: readonly Watcher[] = []

  const seriesOf = (name: CounterName): readonly (readonly [Labels, number])[] =>
    [...(counts.get(name)?.all() ?? [])].map(({ labels, value }) => [labels, value.total])

  return {
    add(name, labels = NONE, by = 1) {
      setOf(counts, name, MAX_SERIES, newCount).at(labels).value.total += by
    },
    sum(name, labels = NONE) {
      const wanted = Object.entries(labels).map(([label, value]) => [label, boundValue(value)] as const)
      return seriesOf(name)
        .filter(([own]) => wanted.every(([label, value]) => own[label] === value))
        .reduce((total, [, value]) => total + value, 0)
    },
    observe(name, seconds, labels = NONE, span) {
      if (!Number.isFinite(seconds) || seconds < 0) return
      const series = setOf(histograms, name, MAX_HISTOGRAMS, createHistogram).at(labels)
      measure(series.value, seconds, span)
      for (const watcher of watchers) watcher.observed(name, seconds, series.labels, span)
    },
    gauge(name, help, read, type = 'gauge') {
      const isNew = !gauges.has(name)
      gauges.set(name, { name, help, type, read: () => boundReading(read(), MAX_SERIES) })
      if (isNew) for (const watcher of watchers) watcher.added(latest(gauges, name))
    },
    series: seriesOf,
    watch(watcher) {
      watchers = [...watchers, watcher]
      for (const name of gauges.keys()) watcher.added(latest(gauges, name))
      return () => void (watchers = watchers.filter((one) => one !== watcher))
    },
    text: (format = 'text', more) =>
      writePage(
        [
          ...entriesOf(COUNTERS).flatMap(([name, help]) =>
            counts.has(name) ? family(name, help, 'counter', seriesOf(name)) : [],
          ),
          ...entriesOf(HISTOGRAMS).flatMap(([name, help]) =>
            histograms.has(name) ? histogramFamily(name, help, histograms.get(name)) : [],
          ),
          ...[...gauges.values()].map(({ name, help, type, read }) => family(name, help, type, read())),
        ],
        format,
        more,
      ),
  }
}

const NONE: Labels = Object.freeze({})

const newCount = (): { total: number } => ({ total: 0 })

const setOf = <N, T>(sets: Map<N, SeriesSet<T>>, name: N, max: number, make: () => T): SeriesSet<T> => {
  const found = sets.get(name)
  if (found) return found
  const made = createSeries(max, make)
  sets.set(name, made)
  return made
}

/** Reads whatever has taken its place. */
const latest = (gauges: ReadonlyMap<string, Gauge>, name: string): Gauge => ({
  ...(gauges.get(name) as Gauge),
  read: () => gauges.get(name)?.read() ?? [],
})

const entriesOf = <N extends string>(record: Readonly<Record<N, string>>): [N, string][] =>
  Object.entries(record) as [N, string][]

const family = (name: string, help: string, type: FamilyType, series: Iterable<readonly [Labels, number]>): Family => ({
  ...{ name, help, type },
  samples: [...series].map(([labels, value]) => ({ labels: writeLabels(labels), value })),
})

const histogramFamily = (name: string, help: string, set: SeriesSet<Histogram> | undefined): Family => ({
  ...{ name, help, type: 'histogram' },
  samples: [...(set?.all() ?? [])].flatMap(({ labels, value }) => samplesOf(value, labels)),
})

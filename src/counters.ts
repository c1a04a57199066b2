/** What happened, in numbers: every item is counted in exactly one term of the accounting (DESIGN, Accounting). */

import type { Span } from './telemetry.ts'

type Labels = Readonly<Record<string, string>>

/** Every counter and what it counts; the names are those of `/metrics`. */
export const COUNTERS = {
  yarak_events_received_total: 'Events handed to the gateway, by input.',
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
  yarak_rules_matched_total: 'Matches of a rule, by rule.',
  yarak_rule_field_missing_total:
    'Matches of a rule that looks at a field which the event does not have, by rule and field.',
  yarak_responses_joined_total: 'Matches answered by a response that ran, or had just succeeded, by rule.',
  yarak_responses_suppressed_total: 'Matches that got no response, by rule and reason.',
  yarak_responses_ended_total: 'Responses that ended, by rule and outcome.',
  yarak_guard_refusals_total: 'Steps, or changes of a step, that the guard refused, by reason.',
  yarak_steps_ended_total: 'Steps that ended, by action and outcome.',
  yarak_undos_total: 'Changes that were to be taken back, by action and outcome.',
  yarak_notices_offered_total: 'Notices offered to an output.',
  yarak_notices_delivered_total: 'Notices that an output took.',
  yarak_notices_filtered_total: 'Notices that the filter of an output left out.',
  yarak_notices_folded_total: 'Alerts that were held back for the digest of an output.',
  yarak_notices_dead_lettered_total: 'Notices given up, by output and reason.',
  yarak_notices_restored_total: 'Notices that an earlier run left in the journal, by output.',
  yarak_notices_retried_total: 'Further tries of deliveries, by output.',
  yarak_listener_client_errors_total: 'Connections and requests that a listener refused, by address and reason.',
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

export interface Counters {
  add(name: CounterName, labels?: Labels, by?: number): void
  /** The sum over all series whose labels include those given. */
  sum(name: CounterName, labels?: Labels): number
  /**
   * One measurement of a distribution.
   * @param span whose trace is an example of it
   */
  observe(name: HistogramName, seconds: number, labels?: Labels, span?: Pick<Span, 'traceId' | 'traceparent'>): void
  /** A value read when asked for, e.g. a queue's length. */
  gauge(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void
  /** The Prometheus text format, version 0.0.4. */
  text(): string
}

/** Series of one counter; beyond it they are counted under `overflow`. */
const MAX_SERIES = 1_000

export const createCounters = (): Counters => {
  const all = new Map<CounterName, Map<string, { labels: Labels; value: number }>>()
  const gauges: { name: string; help: string; read: () => Iterable<readonly [Labels, number]> }[] = []
  const seriesOf = (name: CounterName) => {
    const series = all.get(name) ?? new Map<string, { labels: Labels; value: number }>()
    all.set(name, series)
    return series
  }
  return {
    add(name, labels = {}, by = 1) {
      const series = seriesOf(name)
      const found = series.get(keyOf(labels))
      if (found) return void (found.value += by)
      const kept = series.size < MAX_SERIES ? labels : overflow(labels)
      const over = series.get(keyOf(kept))
      if (over) over.value += by
      else series.set(keyOf(kept), { labels: kept, value: by })
    },
    sum(name, labels = {}) {
      const wanted = Object.entries(labels)
      return [...(all.get(name)?.values() ?? [])]
        .filter((one) => wanted.every(([label, value]) => one.labels[label] === value))
        .reduce((total, { value }) => total + value, 0)
    },
    observe: () => {},
    gauge: (name, help, read) => void gauges.push({ name, help, read }),
    text() {
      const counters = Object.entries(COUNTERS).flatMap(([name, help]) => {
        const series = all.get(name as CounterName)
        return series
          ? page(
              name,
              help,
              'counter',
              [...series.values()].map((one) => [one.labels, one.value]),
            )
          : []
      })
      const read = gauges.flatMap(({ name, help, read }) => page(name, help, 'gauge', [...read()]))
      return `${[...counters, ...read].join('\n')}\n`
    },
  }
}

const keyOf = (labels: Labels): string => {
  let key = ''
  for (const name in labels) key += `${labels[name]}\0`
  return key
}

const overflow = (labels: Labels): Labels => Object.fromEntries(Object.keys(labels).map((name) => [name, 'overflow']))

const escape = (text: string): string =>
  text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)

/** A family in the text format, line by line. */
export const page = (
  name: string,
  help: string,
  type: string,
  series: readonly (readonly [Labels, number])[],
): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
  ...series.map(([labels, value]) => {
    const inner = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`)
    return `${name}${inner.length > 0 ? `{${inner.join(',')}}` : ''} ${value}`
  }),
]

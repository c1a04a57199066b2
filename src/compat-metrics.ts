/** The counters of Falcosidekick and Falco Talon under their own names, so that dashboards made for these go on working. */
import { z } from 'zod'
import type { Outcome, Report } from './action.ts'
import { page } from './counters.ts'
import { type FalcoEvent, severity } from './event.ts'

/** Series of one counter by default; what comes beyond is `other`. */
const MAX_SERIES = 5_000

/** Labels as Prometheus takes them, once each dot is a `_`. */
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_.]*$/

export const compatMetricsSettings = z.strictObject({
  extraLabels: z
    .array(z.string().regex(LABEL, 'must be the name of a field, of letters, digits, _ and .'))
    .default([])
    .describe(
      'Text fields that are labels of `falcosecurity_falcosidekick_falco_events_total`, with `_` for each `.`.',
    ),
  maxSeries: z
    .int()
    .min(1)
    .default(MAX_SERIES)
    .describe('Series of one counter; beyond, labels whose values are free are `other`. Default 5000.'),
})

/** The section `metrics`. */
export const metricsSettings = z.strictObject({
  compat: z
    .union([z.boolean(), compatMetricsSettings])
    .default(false)
    .describe(
      'Also counts under the names of Falcosidekick and Falco Talon, so that dashboards made for these go on working.',
    ),
})

export interface CompatMetricsOptions extends z.output<typeof compatMetricsSettings> {
  /** Called once for a counter that has more series than it may. */
  readonly onOverflow?: (metric: string) => void
}

export interface CompatMetrics {
  /** An event was taken: parsed, and not refused. */
  accepted(event: FalcoEvent): void
  /** What came was no event, or was refused. */
  rejected(): void
  /** A rule selected the event. */
  matched(rule: string, event: FalcoEvent): void
  /** A response ended: each of its steps is an action. */
  ended(report: Report, event: FalcoEvent): void
  /**
   * A notice is delivered, or given up.
   * @param type of the output, e.g. `aws.s3`
   * @param report that the notice told of
   */
  told(type: string, isDelivered: boolean, report?: Report): void
  /** A file that a step made was kept by an output, or could not be. */
  stored(file: { readonly rule: string; readonly step: string; readonly type: string; readonly isKept: boolean }): void
  /** The Prometheus text format, version 0.0.4; empty before anything was counted. */
  text(): string
}

type Labels = Readonly<Record<string, string>>

const METRICS = {
  falcosecurity_falcosidekick_inputs_total: 'Events that came, by source and status.',
  falcosecurity_falcosidekick_outputs_total: 'Notices, by destination and status.',
  falcosecurity_falcosidekick_falco_events_total: 'Events of Falco.',
  falcosecurity_falco_talon_events_total: 'number of received events',
  falcosecurity_falco_talon_matches_total: 'number of matched events',
  falcosecurity_falco_talon_actions_total: 'number of actions',
  falcosecurity_falco_talon_notifications_total: 'number of notifications',
  falcosecurity_falco_talon_outputs_total: 'number of outputs',
} as const

type Metric = keyof typeof METRICS

/** Their values are closed lists, or set by whoever runs this. */
const BOUNDED: ReadonlySet<string> = new Set([
  'status',
  'priority',
  'priority_raw',
  'destination',
  'notifier',
  'target',
  'actionner',
])

/** Where Falcosidekick's name is not the type without its dot. */
const DESTINATIONS: Labels = { fission: 'Fission', 'aws.securitylake': 'awssecuritylake.' }

const STATUSES: Readonly<Record<Outcome, 'success' | 'failure' | 'ignored'>> = {
  succeeded: 'success',
  gone: 'success',
  skipped: 'ignored',
  refused: 'ignored',
  failed: 'failure',
  timed_out: 'failure',
  unknown: 'failure',
  interrupted: 'failure',
}

/** What of a step's objects are labels. */
const OBJECTS = ['namespace', 'pod', 'node'] as const

/**
 * Counts beside Yarak's own counters. Nothing is read from these; they are for the eyes of dashboards.
 * @example
 * const compat = createCompatMetrics({ ...compatMetricsSettings.parse({}), onOverflow: (metric) => log.warn(metric) })
 * compat.accepted(event)
 * compat.text() // 'falcosecurity_falcosidekick_inputs_total{source="requests",status="accepted"} 1 …'
 */
export const createCompatMetrics = ({ extraLabels, maxSeries, onOverflow }: CompatMetricsOptions): CompatMetrics => {
  const families = new Map<Metric, Map<string, { readonly labels: Labels; value: number }>>()
  const overflowed = new Set<Metric>()

  const overflow = (metric: Metric): void => {
    if (!overflowed.has(metric)) onOverflow?.(metric)
    overflowed.add(metric)
  }

  const add = (metric: Metric, given: Labels): void => {
    const family = families.get(metric) ?? new Map<string, { labels: Labels; value: number }>()
    families.set(metric, family)
    const isOver = family.size >= maxSeries && !family.has(JSON.stringify(given))
    if (isOver) overflow(metric)
    const labels = isOver ? withOther(given) : given
    const series = family.get(JSON.stringify(labels)) ?? { labels, value: 0 }
    series.value++
    family.set(JSON.stringify(labels), series)
  }

  return {
    accepted(event) {
      const { rule, priority, source } = event
      add('falcosecurity_falcosidekick_inputs_total', { source: 'requests', status: 'accepted' })
      add('falcosecurity_falcosidekick_falco_events_total', eventLabels(event, extraLabels))
      add('falcosecurity_falco_talon_events_total', { event: rule, priority, source })
    },
    rejected: () => add('falcosecurity_falcosidekick_inputs_total', { source: 'requests', status: 'rejected' }),
    matched: (rule, { rule: event, priority, source }) =>
      add('falcosecurity_falco_talon_matches_total', { rule, event, priority, source }),
    ended({ rule, steps }, { rule: event }) {
      for (const { id, action, outcome, objects = {} } of steps.filter((step) => step.action !== 'wait')) {
        const about = Object.fromEntries(OBJECTS.flatMap((name) => (objects[name] ? [[name, objects[name]]] : [])))
        const labels = { rule, event, action: id, actionner: action, status: STATUSES[outcome], ...about }
        add('falcosecurity_falco_talon_actions_total', labels)
      }
    },
    told(type, isDelivered, report) {
      const destination = DESTINATIONS[type] ?? type.replace('.', '')
      add('falcosecurity_falcosidekick_outputs_total', { destination, status: isDelivered ? 'ok' : 'error' })
      if (!report) return
      const status = isDelivered ? 'success' : 'failure'
      add('falcosecurity_falco_talon_notifications_total', { rule: report.rule, notifier: type, status })
    },
    stored({ rule, step, type, isKept }) {
      const status = isKept ? 'success' : 'failure'
      add('falcosecurity_falco_talon_outputs_total', { rule, action: step, target: type.replace('.', ':'), status })
    },
    text() {
      const lines = Object.entries(METRICS).flatMap(([name, help]) => {
        const series = [...(families.get(name as Metric)?.values() ?? [])]
        return series.length > 0
          ? page(
              name,
              help,
              'counter',
              series.map(({ labels, value }) => [labels, value]),
            )
          : []
      })
      return lines.map((line) => `${line}\n`).join('')
    },
  }
}

const withOther = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, BOUNDED.has(name) ? value : 'other']))

const textField = (event: FalcoEvent, name: string): string => {
  const value = event.field(name)
  return typeof value === 'string' ? value : ''
}

const eventLabels = (event: FalcoEvent, extraLabels: readonly string[]): Labels => ({
  ...Object.fromEntries(extraLabels.map((name) => [name.replaceAll('.', '_'), textField(event, name)])),
  hostname: event.hostname ?? 'unknown',
  rule: event.rule,
  priority: String(severity(event.priority) + 1),
  priority_raw: event.priority.toLowerCase(),
  source: event.source,
  k8s_ns_name: textField(event, 'k8s.ns.name'),
  k8s_pod_name: textField(event, 'k8s.pod.name'),
})

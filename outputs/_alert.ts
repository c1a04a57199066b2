/** An Alertmanager alert of a notice: labels, annotations, end. Pure. */
import { type FalcoEvent, type Notice, type Outcome, type Priority, type Report, severity } from '../src/plugin.ts'

/** One element of the body of `POST /api/v2/alerts`. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly endsAt: string
}

/** What of the settings shapes an alert. */
export interface AlertSettings {
  /** Milliseconds; 0: Alertmanager's own `resolve_timeout` holds. */
  readonly expiresAfter: number
  readonly extraLabels: Readonly<Record<string, string>>
  readonly extraAnnotations: Readonly<Record<string, string>>
  readonly customSeverityMap: Readonly<Partial<Record<Priority, string>>>
  readonly dropEventDefaultPriority: Priority
  readonly dropEventThresholds: readonly { readonly above: number; readonly priority: Priority }[]
}

/** Go's zero time: Alertmanager reads it as no end. */
const NO_END = '0001-01-01T00:00:00Z'

/**
 * The alert of a notice: of its report when it has one, else of its event.
 *
 * Source: `outputs/alertmanager.go` of Falcosidekick 2.x; the alert of a report is our own.
 */
export const alertOf = (notice: Notice, settings: AlertSettings): Alert => {
  const { labels, annotations, time } = notice.report
    ? ofReport(notice.event, notice.report)
    : ofEvent(notice.event, settings)
  return {
    labels: wellFormed({ ...labels, ...settings.extraLabels }),
    annotations: wellFormed({ ...annotations, ...settings.extraAnnotations }),
    endsAt: settings.expiresAfter === 0 ? NO_END : new Date(Date.parse(time) + settings.expiresAfter).toISOString(),
  }
}

/** Alertmanager refuses what is no UTF-8, and a lone surrogate has none. */
const wellFormed = (values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.toWellFormed()]))

const ofEvent = (event: FalcoEvent, settings: AlertSettings) => {
  const drops = dropsOf(event, settings)
  const priority = drops.reduce((most, drop) => moreSevere(most, drop.priority), event.priority)
  return {
    time: event.time,
    labels: {
      ...fieldLabels(event),
      ...Object.fromEntries(drops.map(({ name, bucket }) => [name, bucket])),
      source: 'falco',
      rule: event.rule,
      alertname: event.rule,
      eventsource: event.source,
      ...(event.hostname && { hostname: event.hostname }),
      ...(event.tags.length > 0 && { tags: event.tags.join(',') }),
      priority,
      severity: settings.customSeverityMap[priority] ?? SEVERITIES[priority],
    },
    annotations: { info: event.output, description: event.output, summary: event.rule },
  }
}

const SEVERITIES: Readonly<Record<Priority, string>> = {
  Emergency: 'critical',
  Alert: 'critical',
  Critical: 'critical',
  Error: 'warning',
  Warning: 'warning',
  Notice: 'information',
  Informational: 'information',
  Debug: 'information',
}

const moreSevere = (one: Priority, other: Priority): Priority => (severity(other) > severity(one) ? other : one)

/** Falco's own reports of dropped events: counters whose every value would be an alert of its own. */
const isDropCounter = (name: string): boolean => name.startsWith('n_drop')
const isEventCounter = (name: string): boolean => name.startsWith('n_evts')

/** Texts and numbers among the fields; other types make no label. */
const fieldLabels = (event: FalcoEvent): Record<string, string> => {
  const labels = Object.entries(event.fields).flatMap(([name, value]): [string, string][] => {
    if (isDropCounter(name) || isEventCounter(name) || !isTextOrNumber(value)) return []
    const label = labelName(name)
    return label ? [[label, String(value)]] : []
  })
  return Object.fromEntries(labels.sort(([one], [other]) => (one < other ? -1 : 1)))
}

const isTextOrNumber = (value: unknown): value is string | number | bigint =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'

/**
 * A field's name as a label's (`[A-Za-z_][A-Za-z0-9_]*`); empty when nothing of it is left.
 * @example labelName('proc.aname[2]') // 'proc_aname_2'
 */
export const labelName = (name: string): string =>
  name
    .replaceAll(/[^A-Za-z0-9_]/g, '_')
    .replaceAll('__', '_')
    .replaceAll(/^_+|_+$/g, '')
    .replace(/^(?=\d)/, '_')

interface Drop {
  readonly name: string
  readonly bucket: string
  readonly priority: Priority
}

/** The counters of drops in buckets, so that the alert stays one alert while they grow. */
const dropsOf = (event: FalcoEvent, settings: AlertSettings): Drop[] =>
  Object.entries(event.fields).flatMap(([name, value]) => {
    const count = isDropCounter(name) && isTextOrNumber(value) && value !== '' ? Number(value) : NaN
    return Number.isInteger(count) ? [{ name, ...bucketOf(count, settings) }] : []
  })

const bucketOf = (count: number, { dropEventThresholds, dropEventDefaultPriority }: AlertSettings) => {
  if (count === 0) return { bucket: '0', priority: 'Warning' as const }
  const over = dropEventThresholds.toSorted((one, other) => other.above - one.above).find(({ above }) => count > above)
  return over
    ? { bucket: `>${over.above}`, priority: over.priority }
    : { bucket: String(count), priority: dropEventDefaultPriority }
}

const OUTCOME_SEVERITY: Readonly<Record<Outcome, string>> = {
  succeeded: 'information',
  gone: 'information',
  skipped: 'information',
  refused: 'warning',
  failed: 'critical',
  timed_out: 'critical',
  unknown: 'critical',
  interrupted: 'critical',
}

/** Labels group (rule, target, outcome); what differs from one response to the next is an annotation. */
const ofReport = (event: FalcoEvent, report: Report) => {
  const steps = report.steps.map((step) => `${step.action}: ${step.outcome}${step.summary && `, ${step.summary}`}`)
  return {
    time: report.startedAt,
    labels: {
      source: 'yarak',
      rule: report.rule,
      alertname: report.rule,
      outcome: report.outcome,
      mode: report.mode,
      event_rule: event.rule,
      eventsource: event.source,
      ...(event.hostname && { hostname: event.hostname }),
      ...(report.target && { target: report.target }),
      priority: event.priority,
      severity: OUTCOME_SEVERITY[report.outcome],
    },
    annotations: {
      info: event.output,
      description: steps.join('\n'),
      summary: `${report.rule}: ${report.outcome}`,
      response: report.id,
      ...(report.traceId && { trace: report.traceId }),
    },
  }
}

/** What Loki is pushed: notices as lines of streams, a stream for each set of labels. Pure. */
import { message, type Notice } from '../src/plugin.ts'
import { fit, utf8Bytes } from './_chat.ts'
import { payload } from './_payload.ts'
import { jsonWithin } from './_shrink.ts'

export interface LineSettings {
  readonly format: 'text' | 'json'
  readonly extraLabels: readonly string[]
}

/** A line, when it was, and its stream. */
export interface Entry {
  readonly labels: Readonly<Record<string, string>>
  /** Nanoseconds since the epoch. */
  readonly time: bigint
  readonly line: string
}

/** Loki's defaults of `max_label_names_per_series`, `max_label_value_length`, `max_line_size`, in bytes. */
const MAX_LABELS = 15
const MAX_VALUE = 2_048
const MAX_LINE = 256 * 1024

const clipBytes = (text: string, max: number): string => fit(text, max, (same) => same, utf8Bytes)

/** Nanoseconds since the epoch, with every digit of an RFC 3339 time. */
export const nanosOf = (time: string): bigint => {
  const [, fraction = ''] = /\.(\d+)/.exec(time) ?? []
  const seconds = Date.parse(time.replace(`.${fraction}`, '')) / 1_000
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
}

/** `k8s.ns.name` becomes `k8s_ns_name`, `proc.aname[2]` `proc_aname2`. */
const labelName = (field: string): string =>
  field
    .replaceAll(/[[\]]/g, '')
    .replaceAll(/\W/g, '_')
    .replace(/^(?=\d)/, '_')

const labelsOf = ({ event, report }: Notice, extraLabels: readonly string[]): Record<string, string> => {
  const { rule, source, priority, hostname, tags } = event
  const field = (name: string): [string, string][] => {
    const value = event.field(name)
    return typeof value === 'string' ? [[labelName(name), value]] : []
  }
  const own: [string, string][] = [
    ...Object.entries({ rule, source, priority }),
    ...['k8s.ns.name', 'k8s.pod.name'].flatMap(field),
    ...(hostname ? Object.entries({ hostname }) : []),
    ...(tags.length > 0 ? Object.entries({ tags: tags.toSorted().join(',') }) : []),
    ...(report ? Object.entries({ response_rule: report.rule, outcome: report.outcome }) : []),
  ]
  const names = new Set(own.map(([name]) => name))
  const extra = extraLabels.flatMap(field).filter(([name]) => name && !names.has(name))
  const all = [...own, ...extra.map(([name, value]) => [name, value.replaceAll('"', '')] as const)]
  return Object.fromEntries(all.slice(0, MAX_LABELS).map(([name, value]) => [name, clipBytes(value, MAX_VALUE)]))
}

/** A report on one line: what it is called, what was done, the rest as `name=value`. */
const reportLine = (notice: Notice): string => {
  const { title, text, fields } = message(notice)
  const rest = fields.filter(({ name }) => name !== 'rule' && name !== 'outcome' && name !== 'time')
  return `${title}: ${text.replaceAll('\n', '; ')} (${rest.map(({ name, value }) => `${name}=${value}`).join(' ')})`
}

const eventLine = ({ event, digest }: Notice): string =>
  digest ? `${event.output} (${digest.count} alerts from ${digest.first} to ${digest.last})` : event.output

const lineOf = (notice: Notice, format: LineSettings['format']): string =>
  format === 'json'
    ? jsonWithin(payload(notice), MAX_LINE)
    : clipBytes(notice.report ? reportLine(notice) : eventLine(notice), MAX_LINE)

/** @example entryOf(notice, { format: 'text', extraLabels: [] }).labels // { rule, source, priority, ... } */
export const entryOf = (notice: Notice, { format, extraLabels }: LineSettings): Entry => ({
  labels: labelsOf(notice, extraLabels),
  time: nanosOf(notice.report?.startedAt ?? notice.event.time),
  line: lineOf(notice, format),
})

/** About the bytes that an entry adds to a request. */
export const sizeOf = ({ labels, line }: Entry): number =>
  Buffer.byteLength(JSON.stringify(line)) + Buffer.byteLength(JSON.stringify(labels)) + 64

/** The body of a push: each stream once, its lines in the order of their times. */
export const pushOf = (entries: readonly Entry[]) => {
  const streams = Map.groupBy(entries, ({ labels }) => JSON.stringify(labels))
  return {
    streams: [...streams.values()].map((some) => ({
      stream: some[0]?.labels ?? {},
      values: some
        .toSorted((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0))
        .map(({ time, line }) => [String(time), line]),
    })),
  }
}

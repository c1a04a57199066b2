/** A notice as a message of syslog. Pure. */
import { message, type MessageField, type Notice, PRIORITIES, type Priority } from '../src/plugin.ts'
import { fit, utf8Bytes } from './_chat.ts'
import { payload } from './_payload.ts'
import { jsonWithin } from './_shrink.ts'
import { clip, printable } from './_text.ts'

/** Of whom the frame tells where the event names no host: ourselves. */
export interface Sender {
  readonly host: string
  readonly pid: number
}

/** A host as every server reads it: of letters, digits and `.-_`, at the ends of the first two only. */
const hostName = (text: string): string =>
  text
    .replaceAll(/[^\w.-]/g, '_')
    .slice(0, 255)
    .replaceAll(/^[\W_]+|[\W_]+$/g, '') || '-'

/** RFC 5424 has six digits of a second at most. */
const timestamp = (time: string): string => time.replace(/(\.\d{6})\d+/, '$1')

/** Falco's priorities are syslog's severities, 0 to 7; the facility is 0, as in Falcosidekick. */
const severityOf = ({ event }: Notice): number => PRIORITIES.indexOf(event.priority)

/**
 * What goes before the text of a message.
 * @example frameOf(notice, 3164, { host: 'gateway', pid: 1 }) // '<5>2026-01-31T12:00:00.123456Z node-1 Falco[1]: '
 */
export const frameOf = (notice: Notice, rfc: 3164 | 5424, { host, pid }: Sender): string => {
  const time = timestamp(notice.report?.startedAt ?? notice.event.time)
  const name = hostName(notice.event.hostname ?? host)
  const priority = `<${severityOf(notice)}>`
  return rfc === 5424 ? `${priority}1 ${time} ${name} Falco ${pid} - - ` : `${priority}${time} ${name} Falco[${pid}]: `
}

/** The event as JSON on one line, of at most so many bytes: texts are cut first, and the JSON stays JSON. */
export const jsonText = (notice: Notice, bytes: number): string => jsonWithin(payload(notice), bytes)

// ── CEF ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const CEF_SEVERITY: Readonly<Record<Priority, number>> = {
  Emergency: 10,
  Alert: 9,
  Critical: 8,
  Error: 7,
  Warning: 6,
  Notice: 4,
  Informational: 3,
  Debug: 0,
}

/** In a header `|` ends a part and there are no lines; in an extension `=` ends a name, and lines are written `\n`. */
const inHeader = (text: string): string => printable(text.replaceAll(/\s/g, ' ').replaceAll(/[\\|]/g, '\\$&'))
const inExtension = (text: string): string => printable(text.replaceAll(/[\\=]/g, '\\$&'))

/** Of a report, what its event does not tell. */
const ofReport = ({ name }: MessageField): boolean => !['rule', 'event', 'time'].includes(name)

/**
 * CEF, of at most so many bytes: values are cut, each by as much as needed.
 *
 * Source: the `syslog` output of Falcosidekick; ArcSight's "Implementing Common Event Format", "Character Encoding".
 */
export const cefText = (notice: Notice, bytes: number): string => {
  const parts = partsOf(notice)
  for (let length = bytes; length > 16; length = Math.floor(length / 2)) {
    const text = cefOf(parts, (value) => clip(value, length))
    if (utf8Bytes(text) <= bytes) return text
  }
  return fit(
    cefOf(parts, (value) => clip(value, 16)),
    bytes,
    (same) => same,
    utf8Bytes,
  )
}

type Parts = ReturnType<typeof partsOf>

const partsOf = (notice: Notice) => {
  const { event, report } = notice
  const { output: msg, source, hostname, tags } = event
  const start = report?.startedAt ?? event.time
  const fields = message({ id: notice.id, event }).fields.filter(({ isField }) => isField)
  return {
    header: report ? ['Falco Response', report.rule] : ['Falco Event', event.rule],
    severity: CEF_SEVERITY[event.priority],
    before: Object.entries({ uuid: event.uuid ?? event.id, start, msg, source, hostname }),
    fields,
    after: [
      ...(tags.length > 0 ? [['tags', tags.join(',')] as const] : []),
      ...(notice.digest ? [['cnt', String(notice.digest.count)] as const] : []),
      ...(report ? message(notice).fields.filter(ofReport) : []).map(({ name, value }) => [name, value] as const),
    ],
  }
}

const cefOf = ({ header, severity, before, fields, after }: Parts, cut: (text: string) => string): string => {
  const head = ['CEF:0', 'Falcosecurity', 'Falco', '1.0', ...header.map((text) => inHeader(cut(text))), severity]
  const pair = ([name, value]: readonly [string, string | undefined]) =>
    value ? [`${name}=${inExtension(cut(value))}`] : []
  const list = fields.map(({ name, value }) => inExtension(`${cut(name)}:${cut(value)}`)).join(' ')
  const extension = [...before.flatMap(pair), `outputfields=${list}`, ...after.flatMap(pair)]
  return `${head.join('|')}|${extension.join(' ')}`
}

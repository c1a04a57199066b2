/** A notice as a mail: subject, plain text, HTML. Pure. */
import { message, type MessageField, type Notice } from '../src/plugin.ts'
import { clip, printable } from './_text.ts'

/** What the text of a mail is made of. */
export interface Mail {
  readonly subject: string
  readonly text: string
  readonly html: string
}

const MAX_SUBJECT = 200
const MAX_VALUE = 4_000
const MAX_NAME = 200
const MAX_FIELDS = 200
/** Of all values together; servers take 10 MB and more, people do not. */
const MAX_VALUES = 64_000

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

const html = (text: string): string => text.replaceAll(/[&<>"]/g, (one) => ENTITIES[one] ?? one)

/** One line of which no part can be taken for another header. */
const oneLine = (text: string): string =>
  printable(text.slice(0, MAX_SUBJECT * 2).replaceAll(/[\s\u0085]+/g, ' ')).trim()

const subjectOf = (title: string, { event, report, digest }: Notice): string => {
  const end = digest ? ` (${digest.count} alerts)` : ''
  const text = report ? title : `[${event.priority}] ${event.output}`
  return clip(oneLine(text), MAX_SUBJECT - end.length) + end
}

/** Lines of a value; the second and further are indented, so that none can be taken for the next field. */
const linesOf = (value: string): string[] => value.split(/\r?\n/).map(printable)

interface Row {
  readonly name: string
  readonly value: string
}

const capital = ({ name, value }: Row): Row => ({ name: name.charAt(0).toUpperCase() + name.slice(1), value })

/** What every event has, in the order of Falcosidekick's mails; of a report what was done comes first. */
const headOf = (notice: Notice, text: string, fields: readonly MessageField[]): Row[] => {
  const own = fields.filter(({ isField }) => !isField)
  const isFirst = ({ name }: Row) => name === 'priority'
  const shown = text ? [{ name: notice.report ? 'steps' : 'output', value: text }] : []
  return [...own.filter(isFirst), ...shown, ...own.filter((one) => !isFirst(one))].map(capital)
}

/** The first of them, cut to what is shown, and how many are not. */
const fitted = (rows: readonly Row[]): Row[] => {
  let left = MAX_VALUES
  const shown = rows.slice(0, MAX_FIELDS).map(({ name, value }) => {
    const kept = clip(value, Math.max(20, Math.min(MAX_VALUE, left)))
    left -= kept.length
    return { name: clip(oneLine(name), MAX_NAME), value: kept }
  })
  const cut = rows.length - shown.length
  return cut > 0 ? [...shown, { name: 'cut', value: `${cut} more fields` }] : shown
}

const textOf = (head: readonly Row[], fields: readonly Row[]): string => {
  const lines = (rows: readonly Row[]) => rows.map(({ name, value }) => `${name}: ${linesOf(value).join('\n  ')}\n`)
  return [...lines(head), ...(fields.length > 0 ? ['\n--Fields--\n', ...lines(fields)] : [])].join('')
}

const NAME = 'background:#858585;color:#fff;font-weight:bold;vertical-align:top'
const VALUE = 'background:#d1d6da'
const TABLE = 'font-family:arial,helvetica,sans-serif;font-size:13px;width:700px'

/** The address of a trace is a link; nothing of an event is. */
const cell = (value: string, link: string | undefined): string => {
  const shown = linesOf(value).map(html).join('<br>')
  return value === link ? `<a href="${html(link)}">${shown}</a>` : shown
}

const tableOf = (rows: readonly Row[], link?: string): string => {
  const row = ({ name, value }: Row) =>
    `<tr><td style="${NAME}">${html(name)}</td><td style="${VALUE}">${cell(value, link)}</td></tr>\n`
  return `<table cellpadding="5" cellspacing="0" style="${TABLE}">\n${rows.map(row).join('')}</table>\n`
}

const htmlOf = (title: string, colour: string, head: readonly Row[], fields: readonly Row[], link?: string): string =>
  [
    '<!doctype html>\n<meta charset="utf-8">\n',
    `<p style="${TABLE};background:${colour};text-align:center"><strong>${html(clip(oneLine(title), MAX_SUBJECT))}</strong></p>\n`,
    tableOf(head, link),
    ...(fields.length > 0 ? [`<p style="${TABLE}"><strong>Fields</strong></p>\n`, tableOf(fields)] : []),
  ].join('')

/**
 * What a notice says in a mail. Nothing of an event becomes markup, a link or a header.
 *
 * Source: the text part is that of Falcosidekick 2.x (`outputs/smtp_templates.go`), line for line.
 * @example mailOf(notice).subject // '[Notice] A shell was spawned in a container …'
 */
export const mailOf = (notice: Notice): Mail => {
  const { title, text, fields, colour, traceUrl } = message(notice)
  const head = fitted(headOf(notice, text, fields))
  const more = fitted(fields.filter(({ isField }) => isField))
  const link = traceUrl && /^https?:\/\//.test(traceUrl) ? traceUrl : undefined
  return {
    subject: subjectOf(title, notice),
    text: textOf(head, more),
    html: htmlOf(title, colour, head, more, link),
  }
}

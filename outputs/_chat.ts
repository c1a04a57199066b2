/** What chat outputs share: fields in a vendor's order and within its limits, text that can do nothing, attachments. */
import {
  message,
  type Message,
  type MessageField,
  messageTemplate,
  type MessageTemplate,
  type Notice,
  z,
} from '../src/plugin.ts'
import { clip } from './_text.ts'

// ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** @param escape makes values of the event safe where the text goes */
export const messageFormat = (escape: (value: string) => string) =>
  messageTemplate(escape)
    .optional()
    .describe('Text above the rest, for events: a template, e.g. `{{ rule }} by {{ user.name }}`. Default none.')

export const outputFormat = () =>
  z
    .enum(['all', 'text', 'fields'])
    .default('all')
    .describe('What is shown: the text, the fields, or all of both. Default all.')

/** The text of a `messageFormat`; undefined when there is none, it is empty, or the notice is a report. */
export const formatted = (
  notice: Notice,
  template: MessageTemplate | undefined,
  max: number,
  sizeOf?: (text: string) => number,
): string | undefined =>
  (notice.report || !template ? undefined : fit(template.render(notice), max, same, sizeOf)) || undefined

// ── text that can do nothing ────────────────────────────────────────────────────────────────────────────────────────

const same = (text: string): string => text

/**
 * A zero-width space behind every `@` that could begin a mention; `root@host` stays as it is.
 * @example unmentioned('@all') // '@\u200ball'
 */
export const unmentioned = (text: string): string => text.replaceAll(/(?<![A-Za-z0-9])@/g, '$&\u200b')

/**
 * {@link unmentioned}, and the same behind every `<` and `](` that could begin a mention or a link, where the vendor has
 * no other way to take the meaning from them. `a < b` stays as it is.
 * @example defused('@all <!here>') // '@\u200ball <\u200b!here>'
 */
export const defused = (text: string): string => unmentioned(text).replaceAll(/<(?=\S)|\](?=[(\[])/g, '$&\u200b')

/**
 * Text that Markdown shows as it is, and that mentions nobody.
 *
 * Source: CommonMark 0.31, 2.4 (backslash escapes); in front of a line what would make it a heading, a quote or a list.
 * @example markdown('*x* [a](b)') // '\\*x\\* \\[a\\]\u200b(b)'
 */
export const markdown = (text: string): string =>
  defused(text)
    .replaceAll(/[\\`*_~|[\]]/g, String.raw`\$&`)
    .replaceAll(/^([^\S\n]*(?:\d+(?=[.)]))?)([-+#>=.)])/gm, String.raw`$1\$2`)

/** `escape`, but for the address of the trace, which is the operator's and is to stay a link. */
export const keepingLink =
  ({ traceUrl }: Pick<Notice, 'traceUrl'>, escape: (text: string) => string) =>
  (text: string): string =>
    text === traceUrl ? text : escape(text)

// ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Bytes of a text in a JSON body, without the quotes. */
export const jsonBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2

export const utf8Bytes = (text: string): number => Buffer.byteLength(text)

const units = (text: string): number => text.length

/**
 * A text, escaped, whose size is at most `max`; a longer one ends in the mark of {@link clip}. No escape is cut in two.
 * @param sizeOf of the escaped text; at least the number of its UTF-16 units
 * @example fit('a_b_c_d_e_f_g', 12, markdown) // 'a\\_… \\[cut\\]'
 */
export const fit = (
  text: string,
  max: number,
  escape: (text: string) => string = same,
  sizeOf: (text: string) => number = units,
): string => {
  const cutAt = (length: number): string => escape(clip(text, length))
  let [low, high] = [0, Math.min(text.length, max)]
  const whole = cutAt(high)
  if (sizeOf(whole) <= max) return whole
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (sizeOf(cutAt(middle)) <= max) low = middle
    else high = middle - 1
  }
  return cutAt(low)
}

/** How much of the fields a vendor takes. Sizes are of escaped text. */
export interface FieldLimits {
  readonly count: number
  readonly name: number
  readonly value: number
  /** Of all names and values together. */
  readonly total: number
  /** Default UTF-16 units. */
  readonly sizeOf?: (text: string) => number
}

/** A field, escaped and cut, with what it was. */
export interface FittedField extends MessageField {
  readonly raw: MessageField
}

/** The room that the last row needs, which tells how many fields were left out. */
const LAST_ROW = 40

/**
 * The fields, escaped and within the limits. Rule, time and the like are cut rather than left out; the event's own fields
 * that find no room are left out, and the last field, `cut`, says how many.
 * @param escape of a value is told of which field it is, of a name is not
 */
export const fitFields = (
  fields: readonly MessageField[],
  { count, name, value, total, sizeOf = units }: FieldLimits,
  escape: (text: string, of?: MessageField) => string,
): FittedField[] => {
  const cut = (field: MessageField, max: number): FittedField => ({
    ...field,
    raw: field,
    name: fit(field.name, name, escape, sizeOf),
    value: fit(field.value, max, (text) => escape(text, field), sizeOf),
  })
  const size = (field: MessageField): number => sizeOf(field.name) + sizeOf(field.value)
  const room = total - LAST_ROW
  const kept = new Map<MessageField, FittedField>()
  let left = -1
  for (let max = value; left < 0 && max > 0; max = Math.floor(max * 0.8)) {
    for (const one of fields) if (!one.isField) kept.set(one, cut(one, max))
    left = [...kept.values()].reduce((rest, one) => rest - size(one), room)
  }
  for (const field of fields) {
    if (!field.isField || kept.size >= count - 1) continue
    const one = cut(field, value)
    if (size(one) > left) continue
    left -= size(one)
    kept.set(field, one)
  }
  const shown = fields.flatMap((field) => kept.get(field) ?? [])
  const missing = fields.length - shown.length
  const last = { name: 'cut', value: `${missing} more fields` }
  return missing > 0 ? [...shown, { ...last, raw: last }] : shown
}

// ── fields in order ─────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The fields of a notice. Those of an event are put in the order of the names, where `*` stands for its own fields; what
 * is not named is left out, but for the number of alerts of a digest. Those of a report come as they are.
 * @example fieldsOf(notice, ['rule', 'priority', '*', 'time'])
 */
export const fieldsOf = (notice: Notice, order: readonly string[]): readonly MessageField[] => {
  const { fields } = message(notice)
  if (notice.report) return fields
  return [...order, 'alerts'].flatMap((name) =>
    fields.filter((one) => (name === '*' ? one.isField : !one.isField && one.name === name)),
  )
}

/** The text of a notice; with `alone`, where no field is shown, also how many alerts a digest stands for. */
export const textOf = ({ text, fields }: Message, alone = false): string => {
  const alerts = alone && fields.find(({ name, isField }) => name === 'alerts' && !isField)
  return alerts ? `${text}\nalerts: ${alerts.value}` : text
}

/**
 * An escape for a text of several lines, so that only a line of its own begins one.
 * @example fit(text, 1_000, byLine((one) => `* ${printable(one)}`))
 */
export const byLine =
  (escape: (line: string) => string) =>
  (text: string): string =>
    text.split('\n').map(escape).join('\n')

// ── attachments ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** How a vendor wants its attachments. */
export interface AttachmentStyle {
  /** As {@link fieldsOf} takes it. */
  readonly order: readonly string[]
  readonly escape: (text: string) => string
  readonly text: number
}

/** Of Slack and whatever takes Slack's attachments. */
const ATTACHMENT_FIELDS: FieldLimits = { count: 61, name: 300, value: 2_000, total: 19_000 }
const MAX_TITLE = 300

/** Values shorter than this stand two in a row, as in Falcosidekick. */
const SHORT = 36
const ALWAYS_SHORT: ReadonlySet<string> = new Set(['rule', 'priority', 'source', 'hostname', 'tags'])

const isShort = ({ name, value, isField }: MessageField): boolean => {
  if (!isField && (name === 'time' || ALWAYS_SHORT.has(name))) return name !== 'time'
  return [...value.slice(0, 2 * SHORT)].length < SHORT
}

/**
 * A notice as an attachment of Slack, Mattermost or Rocket.Chat; the report of a response has a title besides.
 *
 * Source: Falcosidekick's `slackAttachment` (`outputs/slack.go`);
 * https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
 */
export const attachment = (
  notice: Notice,
  { outputFormat, footer }: { readonly outputFormat: 'all' | 'text' | 'fields'; readonly footer?: string | undefined },
  { order, escape, text: max }: AttachmentStyle,
) => {
  const shown = message(notice)
  const title = fit(shown.title, MAX_TITLE, escape)
  const text = fit(textOf(shown, outputFormat === 'text'), max, escape)
  const fields = fitFields(fieldsOf(notice, order), ATTACHMENT_FIELDS, keepingLink(notice, escape))
  return {
    fallback: notice.report ? title : text,
    color: shown.colour,
    ...(notice.report && { title }),
    ...(shown.traceUrl && { title_link: shown.traceUrl }),
    ...(outputFormat !== 'fields' && text && { text }),
    fields:
      outputFormat === 'text'
        ? null
        : fields.map((one) => ({ title: one.name, value: one.value, short: isShort(one.raw) })),
    ...(outputFormat !== 'text' && footer && { footer }),
  }
}

/** A message of AWS SNS: its text, its attributes, and the form that carries a batch of them. */
import { type FieldValue, message, type Notice, toJson } from '../src/plugin.ts'
import { fifo, isFifo, jsonMessage, plainText, type RefusedEntry } from './_aws-messages.ts'
import { payload } from './_payload.ts'
import { shrink } from './_shrink.ts'

/** Bytes of one message with its attributes, and of all of a batch. */
export const MAX_BYTES = 262_144
/** What is left for the ids of a FIFO topic and the types of attributes. */
const MAX_OWN = MAX_BYTES - 8_192

export interface Attribute {
  readonly type: 'String' | 'Number'
  readonly value: string
}

export interface SnsMessage {
  readonly text: string
  readonly attributes: ReadonlyMap<string, Attribute>
  /** Further members, e.g. `MessageGroupId`. */
  readonly members: Readonly<Record<string, string>>
}

interface Settings {
  readonly topicArn: string
  readonly rawJson: boolean
  readonly maxAttributes?: number | undefined
}

/** The message of a notice. */
export const snsMessage = (notice: Notice, { topicArn, rawJson, maxAttributes }: Settings): SnsMessage => {
  const members = isFifo(topicArn) ? fifo(notice) : {}
  if (rawJson) return { text: jsonMessage(payload(notice), MAX_OWN), attributes: new Map(), members }
  const { text, values } = shrink({ text: textFor(notice), values: valuesOf(notice) }, MAX_OWN)
  const attributes = [...attributesOf(values as Values)].slice(0, maxAttributes)
  return { text: plainText(String(text)), attributes: new Map(attributes), members }
}

type Values = Readonly<Record<string, FieldValue>>

const textFor = (notice: Notice): string => {
  if (!notice.report) return notice.event.output
  const { title, text } = message(notice)
  return [title, text].filter(Boolean).join('\n')
}

const valuesOf = (notice: Notice): Values => {
  const { event, report, digest } = notice
  const { priority, rule, source, tags, hostname = '' } = event
  const alerts = digest?.count ?? null
  if (!report) return { priority, rule, source, tags: tags.join(','), hostname, alerts, ...others(event.fields) }
  const shown = message(notice).fields.filter(({ name }) => name !== 'event')
  return { priority, source, ...Object.fromEntries(shown.map(({ name, value }) => [name, value])) }
}

const OWN = new Set(['priority', 'rule', 'source', 'tags', 'hostname', 'alerts'])

/** The fields in the order of their names; none may stand in for a member of the event. */
const others = (fields: Values): Values =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => !OWN.has(name))
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  )

const attributesOf = (values: Values): Map<string, Attribute> => {
  const attributes = new Map<string, Attribute>()
  for (const [field, value] of Object.entries(values)) {
    const name = attributeName(field)
    const attribute = attributeOf(value)
    if (name && attribute && !attributes.has(name)) attributes.set(name, attribute)
  }
  return attributes
}

/**
 * A name that SNS takes: `A-Z a-z 0-9 _ - .`, at most 256 characters, no dot at an end or after another, not of AWS.
 * @example attributeName('proc.aname[2]') // 'proc.aname.2'
 */
export const attributeName = (field: string): string =>
  field
    .replaceAll(']', '')
    .replaceAll('[', '.')
    .replaceAll(/[^A-Za-z0-9_.-]/g, '_')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/^\./, '')
    .replace(/^(?=(?:aws|amazon)\.)/i, '_')
    .slice(0, 256)
    .replace(/\.$/, '')

/** Digits that SNS compares as a number; it takes 38 of them. */
const NUMBER = /^-?(?=(?:\D*\d){1,38}\D*$)\d+(?:\.\d+)?$/

const attributeOf = (value: FieldValue): Attribute | undefined => {
  if (value === null || value === '') return undefined
  const text = typeof value === 'object' ? toJson(value) : String(value)
  const isNumber = (typeof value === 'number' || typeof value === 'bigint') && NUMBER.test(text)
  return isNumber ? { type: 'Number', value: text } : { type: 'String', value: plainText(text) }
}

/** Bytes that count against the limit of a batch. */
export const sizeOf = ({ text, attributes, members }: SnsMessage): number => {
  const texts = [...attributes].flatMap(([name, { type, value }]) => [name, type, value])
  return Buffer.byteLength([text, ...texts, ...Object.values(members)].join(''))
}

/** The form of `PublishBatch`; the id of an entry is its index. */
export const publishForm = (topicArn: string, messages: readonly SnsMessage[]): string => {
  const form = new URLSearchParams({ Action: 'PublishBatch', Version: '2010-03-31', TopicArn: topicArn })
  for (const [i, { text, attributes, members }] of messages.entries()) {
    const entry = `PublishBatchRequestEntries.member.${i + 1}`
    form.append(`${entry}.Id`, String(i))
    form.append(`${entry}.Message`, text)
    for (const [name, value] of Object.entries(members)) form.append(`${entry}.${name}`, value)
    for (const [n, [name, { type, value }]] of [...attributes].entries()) {
      const attribute = `${entry}.MessageAttributes.entry.${n + 1}`
      form.append(`${attribute}.Name`, name)
      form.append(`${attribute}.Value.DataType`, type)
      form.append(`${attribute}.Value.StringValue`, value)
    }
  }
  return String(form)
}

/** The entries that an answer in XML tells to have failed. */
export const failedEntries = (xml: string): RefusedEntry[] => {
  const list = /<Failed>([\s\S]*?)<\/Failed>/.exec(xml)?.[1] ?? ''
  return [...list.matchAll(/<member>([\s\S]*?)<\/member>/g)].map(([, member = '']) => {
    const told = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(member)?.[1] ?? ''
    return { Id: told('Id'), Code: told('Code'), Message: told('Message'), SenderFault: told('SenderFault') === 'true' }
  })
}

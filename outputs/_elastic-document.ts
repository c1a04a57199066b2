/** The document that a notice becomes, and in which index. Pure. */
import { type FieldValue, type Notice, toJson } from '../src/plugin.ts'
import type { ElasticSettings } from './_elastic-settings.ts'
import { payload } from './_payload.ts'

type Fields = Readonly<Record<string, FieldValue>>

export interface Doc {
  readonly id: string
  readonly index: string
  /** As {@link payload}, with `@timestamp`. */
  readonly members: Readonly<Record<string, unknown>> & { readonly output_fields: Fields }
}

const LENGTH = { daily: 10, monthly: 7, annually: 4, none: 0 } as const

/** A response is of the time when it began. */
const timeOf = ({ event, report }: Notice): string => report?.startedAt ?? event.time

const indexOf = (time: string, { index, suffix }: ElasticSettings): string => {
  const date = new Date(time).toISOString().slice(0, LENGTH[suffix]).replaceAll('-', '.')
  return date ? `${index}-${date}` : index
}

const flat = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.replaceAll('.', '_'), value]))

/** @example docOf(notice, settings).index // 'falco-2026.01.31' */
export const docOf = (notice: Notice, settings: ElasticSettings): Doc => {
  const time = timeOf(notice)
  const { fields } = notice.event
  const isFlat = settings.flattenFields || settings.createIndexTemplate
  return {
    id: notice.id,
    index: indexOf(time, settings),
    members: { ...payload(notice), output_fields: isFlat ? flat(fields) : fields, '@timestamp': time },
  }
}

/** The two lines of `_bulk`: what is done with the document is not done twice. */
export const bulkLines = ({ id, index, members }: Doc): string =>
  `${toJson({ create: { _index: index, _id: id } })}\n${toJson(members)}\n`

/**
 * The field that the words of a server name, which may be a part of one of ours, or hold several of them.
 * @example fieldIn('failed to parse field [output_fields.proc.aname[2]] of type [long]') // 'proc.aname[2]'
 */
export const fieldIn = (reason: string): string | undefined => /\[output_fields\.(.+?)\](?![^\s.,:])/.exec(reason)?.[1]

const isWithin = (one: string, other: string): boolean => one === other || one.startsWith(`${other}.`)

/** The document without a field; undefined when it has none that is meant. */
export const without = (doc: Doc, field: string): Doc | undefined => {
  const all = Object.entries(doc.members.output_fields)
  const left = all.filter(([name]) => !isWithin(name, field) && !isWithin(field, name))
  if (left.length === all.length) return undefined
  return { ...doc, members: { ...doc.members, output_fields: Object.fromEntries(left) } }
}

/** What the outputs that write into a bucket have in common: names of objects. */
import { inChunks, type Notice, toJson, z } from '../src/plugin.ts'
import { payload } from './_payload.ts'

/** Folders before the name of every object, without slashes at the ends. */
export const prefixSetting = () =>
  z
    .string()
    .max(500)
    .regex(/^[^\p{Cc}\\?#]*$/u, 'must have no control characters, \\, ? and #')
    .transform((text) => text.replaceAll(/^\/+|\/+$/g, ''))

/** @example inFolder('falco', 'a.log') // 'falco/a.log' */
export const inFolder = (prefix: string, name: string): string => (prefix ? `${prefix}/${name}` : name)

/** The name of an object as the path of a URL. */
export const pathOf = (name: string): string => name.split('/').map(encodeURIComponent).join('/')

/**
 * `<day>/<time>_<event>.json`, for a report `<day>/<time>_<event>_<response>.json`, times in UTC, of the event: the same
 * notice, delivered again, takes the same place.
 *
 * Source: Falcosidekick's `<day>/<time>.json` (`outputs/aws.go`, `outputs/gcp.go`), whose time is the sender's own, in
 * the sender's time zone, so that two events of one moment take one place.
 */
export const noticeName = ({ event, report }: Notice): string => {
  const seconds = new Date(event.time).toISOString().slice(0, 19)
  const time = `${seconds}${/\.\d+/.exec(event.time)?.[0] ?? ''}Z`
  const ids = [event.id, ...(report ? [report.id] : [])].map((id) => id.replaceAll(/[^A-Za-z0-9-]/g, '-'))
  return `${seconds.slice(0, 10)}/${[time, ...ids].join('_')}.json`
}

/** The body of a notice's object: as `webhook` sends it. */
export const noticeBody = (notice: Notice): string => toJson(payload(notice))

/** Whether a notice is an object of its own. */
export const formatSetting = () =>
  z
    .enum(['json', 'ndjson'])
    .default('json')
    .describe('json: one object for each event; ndjson: one for many, with an event on each line. Default json.')

/** Only where many are one object is it worth waiting for them. */
export const objectBatching = ({ format }: { readonly format: 'json' | 'ndjson' }) =>
  format === 'ndjson' ? { batch: 1_000, linger: 10_000 } : { batch: 1, linger: 0 }

/** A notice and its body. */
export interface NoticeBody {
  readonly notice: Notice
  readonly body: string
}

/** Bytes of an object that holds many; it is in memory as a whole. */
const MANY = 16 * 1024 * 1024

/** The notices of each object. */
export const objectGroups = (notices: readonly Notice[], format: 'json' | 'ndjson' = 'json'): NoticeBody[][] =>
  inChunks(
    notices.map((notice) => ({ notice, body: noticeBody(notice) })),
    { count: format === 'json' ? 1 : 1_000, size: MANY },
    ({ body }) => Buffer.byteLength(body) + 1,
  )

/** An object that is to be written. */
export interface NoticeObject {
  readonly name: string
  readonly contentType: string
  readonly body: string
}

/**
 * The object of a group of {@link objectGroups}. One of many has the name of the first of them with how many they are:
 * `<day>/<time>_<event>_<count>.ndjson`.
 */
export const objectOf = (group: readonly NoticeBody[], format: 'json' | 'ndjson' = 'json'): NoticeObject => {
  const name = group
    .slice(0, 1)
    .map(({ notice }) => noticeName(notice))
    .join('')
  const body = group.map(({ body }) => body)
  return format === 'json'
    ? { name, contentType: 'application/json', body: body.join('') }
    : {
        name: name.replace(/\.json$/, `_${group.length}.ndjson`),
        contentType: 'application/x-ndjson',
        body: body.map((line) => `${line}\n`).join(''),
      }
}

/** What the outputs that write into a bucket have in common: names of objects. */
import { type Notice, toJson, z } from '../src/plugin.ts'
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

/** The headers of a CloudEvent in binary mode. Pure. */
import type { Notice } from '../src/plugin.ts'
import { clip } from './_text.ts'

/** UTF-16 units of one attribute: at most 2,304 bytes of a header once encoded. Servers refuse heads of over 8 KiB. */
const MAX_VALUE = 256

/**
 * A text as the value of a header: what is not a visible ASCII character, `"` and `%` as `%XX` of its UTF-8.
 *
 * Source: HTTP Protocol Binding for CloudEvents 1.0.2, 3.1.3.2.
 * @example headerValue('Euro € 😀') // 'Euro%20%E2%82%AC%20%F0%9F%98%80'
 */
export const headerValue = (text: string): string =>
  clip(text, MAX_VALUE).replaceAll(/[^\x21-\x7e]|["%]/gu, (one) =>
    [...Buffer.from(one)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )

/** The required attributes and those that tell what the event is about; an attribute is never empty. */
const attributesOf = ({ event, report }: Notice): Readonly<Record<string, string | undefined>> => {
  const shared = { specversion: '1.0', priority: event.priority, hostname: event.hostname, eventsource: event.source }
  return report
    ? {
        ...shared,
        id: report.id,
        source: '/yarak',
        type: 'falco.response.v1',
        time: report.startedAt,
        rule: report.rule,
        outcome: report.outcome,
        mode: report.mode,
      }
    : {
        ...shared,
        id: event.uuid ?? event.id,
        source: 'https://falco.org',
        type: 'falco.rule.output.v1',
        time: event.time,
        rule: event.rule,
      }
}

/** @param extensions by name; they replace those that are made of the event */
export const ceHeaders = (notice: Notice, extensions: Readonly<Record<string, string>>): Record<string, string> => {
  const all = Object.entries({ ...attributesOf(notice), ...extensions })
  return Object.fromEntries(all.flatMap(([name, value]) => (value ? [[`ce-${name}`, headerValue(value)]] : [])))
}

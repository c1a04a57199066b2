/**
 * CloudEvents 1.0 in the structured form: the envelope around an event.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
import type { IncomingHttpHeaders } from 'node:http'
import { YarakError } from '../src/plugin.ts'
import { splitMembers } from './_batch.ts'
import type { Item } from './_http-emit.ts'

/** The event in an envelope, every digit kept; and the trace that the envelope names. */
export const fromCloudEvent = (text: string): Item => {
  try {
    return opened(text)
  } catch (error) {
    const wrong = error instanceof YarakError ? error : invalid('the CloudEvent is not valid JSON')
    return { body: text, wrong }
  }
}

/** @throws YarakError `invalid` for a version in the `ce-` headers (the binary form) that is not known */
export const checkBinary = (headers: IncomingHttpHeaders): void => {
  const version = headers['ce-specversion']
  if (version !== undefined) checkVersion(version)
}

const opened = (text: string): Item => {
  const members = splitMembers(text)
  if (!members) throw invalid('the CloudEvent is not a JSON object')
  checkVersion(textOf(members.get('specversion')))
  return { body: dataOf(members), headers: contextOf(members) }
}

const dataOf = (members: ReadonlyMap<string, string>): string => {
  const encoded = textOf(members.get('data_base64'))
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString('utf8')
  const data = members.get('data')
  if (data === undefined) throw invalid('the CloudEvent has no data')
  return textOf(data) ?? data
}

/** The distributed tracing extension. */
const contextOf = (members: ReadonlyMap<string, string>) => {
  const traceparent = textOf(members.get('traceparent'))
  const tracestate = textOf(members.get('tracestate'))
  return traceparent === undefined ? {} : { traceparent, ...(tracestate !== undefined && { tracestate }) }
}

/** The value of a JSON string; undefined for anything else. */
const textOf = (json: string | undefined): string | undefined =>
  json?.startsWith('"') ? (JSON.parse(json) as string) : undefined

const checkVersion = (version: unknown): void => {
  if (typeof version !== 'string' || !/^1\.\d+$/.test(version)) throw invalid('specversion must be 1.0')
}

const invalid = (message: string): YarakError => new YarakError('invalid', message, { permanent: true })

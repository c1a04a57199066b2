/** What the outputs that speak OTLP have in common: settings, values, the request and its answer. */
import { type FieldValue, type HttpRequest, type HttpResponse, type Io, toJson, YarakError, z } from '../src/plugin.ts'
import { protobuf } from './_otlp-protobuf.ts'
import { serverUrl } from './_settings.ts'
import { clip } from './_text.ts'

/** @param signal whose path is added to an address without one */
export const otlpSettings = (signal: 'traces' | 'metrics' | 'logs') => ({
  endpoint: serverUrl()
    .transform((text) => (new URL(text).pathname === '/' ? `${text.replace(/\/+$/, '')}/v1/${signal}` : text))
    .describe(
      `Address of the receiver, e.g. \`http://otel-collector:4318\`. Without a path: \`/v1/${signal}\` is added.`,
    ),
  protocol: z
    .enum(['http/protobuf', 'http/json'])
    .default('http/protobuf')
    .describe('How it is written. Default `http/protobuf`. There is no `grpc`: receivers have HTTP too, on port 4318.'),
})

export interface OtlpSettings {
  readonly endpoint: string
  readonly protocol: 'http/protobuf' | 'http/json'
}

/** UTF-16 units of one text: OTLP has no limit, but receivers and stores do. */
const MAX_TEXT = 32_768

/** A text of an event: well-formed, and not longer than stores take. */
export const textOf = (text: string): string => clip(text, MAX_TEXT)

export type AnyValue = Readonly<Record<string, unknown>>

const INT64 = 2n ** 63n

/** A value with its type; integers beyond 64 bits are texts. */
export const anyValue = (value: FieldValue): AnyValue => {
  if (value === null) return {}
  if (typeof value === 'string') return { stringValue: textOf(value) }
  if (typeof value === 'boolean') return { boolValue: value }
  if (isList(value)) return { arrayValue: { values: value.map(anyValue) } }
  if (typeof value === 'object') return { kvlistValue: { values: attributes(value) } }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return { doubleValue: value }
  const isLong = BigInt(value) >= INT64 || BigInt(value) < -INT64
  return isLong ? { stringValue: String(value) } : { intValue: String(value) }
}

const isList = (value: FieldValue): value is readonly FieldValue[] => Array.isArray(value)

/** Attributes by name, but for those that are null. */
export const attributes = (values: Readonly<Record<string, FieldValue | undefined>>): object[] =>
  Object.entries(values).flatMap(([key, value]) =>
    value === undefined || value === null ? [] : [{ key: textOf(key), value: anyValue(value) }],
  )

/** A field as a text, as Falcosidekick's attributes are; what is nested as JSON. */
export const plain = (value: FieldValue): string | null =>
  value === null ? null : typeof value === 'object' ? toJson(value) : String(value)

/** The version that Falcosidekick gives out for Falco, by which stored data is found. */
const VERSION = 'v0.1.0'

export const resourceOf = (version = VERSION) => ({
  resource: { attributes: attributes({ 'service.name': 'falco', 'service.version': version }) },
  schemaUrl: 'https://opentelemetry.io/schemas/1.23.1',
})

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** The place in a trace that a W3C header names. */
export const traceOf = (traceparent: string | undefined) => {
  const [, traceId, spanId, flags = ''] = TRACEPARENT.exec(traceparent ?? '') ?? []
  return traceId && spanId ? { traceId, spanId, flags: Number.parseInt(flags, 16) } : undefined
}

const requestOf = (body: object, { endpoint, protocol }: OtlpSettings): HttpRequest => ({
  url: endpoint,
  template: new URL(endpoint).pathname,
  ...(protocol === 'http/json'
    ? { headers: { 'content-type': 'application/json' }, body }
    : { headers: { 'content-type': 'application/x-protobuf' }, body: protobuf(body) }),
})

/**
 * Exports one request.
 * @throws YarakError as of a status 422 when the receiver answers that it took only a part ("Partial Success" of OTLP)
 */
export const postOtlp = async (body: object, settings: OtlpSettings, io: Io, signal?: AbortSignal): Promise<void> => {
  const refusal = refusalOf(await io.http(requestOf(body, settings), signal))
  if (refusal === undefined) return
  const { origin } = new URL(settings.endpoint)
  throw new YarakError('failed', `${origin} refused a part${refusal}`, { permanent: true, reason: '422' })
}

interface Partial {
  readonly partialSuccess?: Readonly<Record<string, string | number>>
}

/** Why a part was refused, behind a colon; undefined when all was taken. */
const refusalOf = ({ headers, body }: HttpResponse): string | undefined => {
  if (!String(headers['content-type']).includes('json')) return refusalIn(body)
  const { errorMessage = '', ...counts } = parsed(body).partialSuccess ?? {}
  return Object.values(counts).some((count) => Number(count) > 0) ? behindColon(String(errorMessage)) : undefined
}

const parsed = (body: string): Partial => {
  try {
    return (JSON.parse(body) ?? {}) as Partial
  } catch {
    return {}
  }
}

/** `partial_success` (1) with a count (1), and maybe a message (2). */
const refusalIn = (body: string): string | undefined => {
  const [found, message = ''] = /^\n.{1,3}?\x08[^\0].{0,9}?(?:\x12.{1,3}?(\P{C}*))?$/su.exec(body) ?? []
  return found === undefined ? undefined : behindColon(message)
}

const behindColon = (message: string): string => (message ? `: ${message.slice(0, 200)}` : '')

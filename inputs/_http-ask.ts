/** A request to the HTTP input and its answer, the same over node:http and over Hono. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { YarakError } from '../src/plugin.ts'

/**
 * Reads a body: hands over chunk after chunk, and waits while `take` waits.
 * Rejects with what `take` throws, and with `aborted` when the sender went away.
 */
export type Each = (take: (chunk: Buffer) => void | Promise<void>) => Promise<void>

export interface Ask {
  readonly headers: IncomingHttpHeaders
  readonly each: Each
  /** Absent when the request came by no socket of node's, e.g. from a test or in another runtime. */
  readonly socket: Socket | undefined
  /** What stands in the path in the place of the secret. */
  readonly token?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The status of refusals that have no code of their own, by their reason. */
const STATUS: Readonly<Record<string, number>> = {
  forbidden: 403,
  too_slow: 408,
  unsupported: 415,
  too_many: 429,
}

/** The word that a sender sees for an error. */
export const wordOf = ({ reason, code }: YarakError): string => (Object.hasOwn(STATUS, reason) ? reason : code)

export const statusOf = (error: YarakError): number => STATUS[error.reason] ?? error.status

/** The body was not read to its end, so the connection cannot be used again. */
const UNREAD: ReadonlySet<string> = new Set(['too_large', 'too_slow', 'closing'])

/** The headers that go with an error. */
export const headersOf = (error: YarakError): Record<string, string> => ({
  ...([429, 503].includes(statusOf(error)) && {
    'retry-after': String(Math.ceil((error.retryAfter ?? 1_000) / 1_000)),
  }),
  ...(UNREAD.has(wordOf(error)) && { connection: 'close' }),
  ...(error.reason === 'unsupported' && { 'accept-encoding': 'gzip, deflate' }),
})

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => {
  const text = JSON.stringify(body)
  return {
    status,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) },
    body: text,
  }
}

/**
 * @param more further members of the body
 * @param headers further ones, e.g. the challenge of a 401
 */
export const refused = (error: YarakError, more: object, headers: Readonly<Record<string, string>>): Answer =>
  json(statusOf(error), { error: wordOf(error), message: error.message, ...more }, { ...headersOf(error), ...headers })

export const refusal = (reason: string, message: string): YarakError =>
  new YarakError('invalid', message, { reason, permanent: true })

export const tooLarge = (what: string, limit: number): YarakError =>
  new YarakError('too_large', `the ${what} is over ${limit} bytes`, { permanent: true })

export const NOT_ALLOWED: Answer = json(
  405,
  { error: 'method_not_allowed', message: 'send events with POST' },
  { allow: 'POST' },
)

export const PONG: Answer = {
  status: 200,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': '5' },
  body: 'pong\n',
}

/**
 * The way of nearly every request over node:http: one event, whole in what was read from the socket at once, with no
 * header that changes anything. The rules are those of every other request; what is left out is looking for what is
 * not there, listening for what has come already, and a timer that could never fire.
 */
import type { IncomingMessage } from 'node:http'

const NAMES = ['Host', 'User-Agent', 'Accept', 'Accept-Encoding', 'Connection', 'Content-Length', 'Content-Type']

/** Headers that say nothing of who sends, how the body is coded, or what traces it; as senders write them. */
const PLAIN: ReadonlySet<string> = new Set(NAMES.flatMap((name) => [name, name.toLowerCase()]))

const TYPES: ReadonlySet<string> = new Set(['application/json', 'application/json; charset=utf-8'])

/**
 * Whether a request has plain headers only, and a type that leaves open what the body is.
 * @param raw names and values in turn: node parses the others only when they are asked for
 * @example isPlain(['Host', 'a', 'Content-Type', 'application/json']) // true
 */
export const isPlain = (raw: readonly string[]): boolean => {
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    if (!PLAIN.has(name)) return false
    if ((name === 'Content-Type' || name === 'content-type') && !TYPES.has(raw[at + 1] as string)) return false
  }
  return true
}

/**
 * The body of a request that has come whole, if it is not over the limit. To be asked once node is through with what
 * it read from the socket, i.e. in a microtask; undefined: it is to be listened to.
 * @param limit bytes
 */
export const wholeBody = (request: IncomingMessage, limit: number): Buffer | undefined =>
  request.complete && request.readableLength > 0 && request.readableLength <= limit
    ? (request.read() as Buffer)
    : undefined

/** Identities: stable where the source can redeliver, else ordered by time. */
import { hash, randomFillSync } from 'node:crypto'

const short = (...parts: readonly string[]): string => hash('sha256', parts.join('\0')).slice(0, 32)

/** The id of an event from a replayable input: the same at every redelivery. A UUID, RFC 9562 version 8. */
export const replayedEventId = (input: string, position: string): string => asUuid(short(input, position), '8')

/** The id of the response of one rule to one event, of a cluster if known. 32 hexadecimal digits: a valid label value. */
export const responseId = (event: string, rule: string, cluster?: string): string =>
  cluster === undefined ? short(event, rule) : short(event, rule, cluster)

/** Bytes of randomness drawn at a time: each draw costs as much as parsing an event. */
const POOL = 10_000
/** Hexadecimal digits of it that one UUID takes. */
const RANDOM = 20

/**
 * Makes UUIDs that sort by time, RFC 9562 version 7.
 * @example createUuids()(Date.now()) // '019ab3c4-...', of milliseconds since the epoch
 */
export const createUuids = (): ((now: number) => string) => {
  const pool = Buffer.allocUnsafe(POOL)
  let random = ''
  let at = 0
  let time = NaN
  let prefix = ''
  return (now) => {
    if (at === random.length) {
      random = randomFillSync(pool).toString('hex')
      at = 0
    }
    if (now !== time) {
      const digits = now.toString(16).padStart(12, '0')
      prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-7`
      time = now
    }
    const from = at
    at += RANDOM
    return `${prefix}${random.slice(from, from + 3)}-${variantOf(random.charAt(from + 3))}${random.slice(from + 4, from + 7)}-${random.slice(from + 7, from + 19)}`
  }
}

/** 32 hexadecimal digits with the version, a digit, and the variant of RFC 9562 put in. */
const asUuid = (hex: string, version: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}${hex.slice(13, 16)}-${variantOf(hex.charAt(16))}${hex.slice(17, 20)}-${hex.slice(20)}`

const variantOf = (digit: string): string => '89ab'.charAt(Number.parseInt(digit, 16) & 3)

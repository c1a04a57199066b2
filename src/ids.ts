/** Identities: stable where the source can redeliver, else ordered by time. */
import { createHash, randomBytes } from 'node:crypto'

const short = (...parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32)

/** The id of an event from a replayable input: the same at every redelivery. A UUID, RFC 9562 version 8. */
export const replayedEventId = (input: string, position: string): string => asUuid(short(input, position), 0x80)

/** The id of the response of one rule to one event. 32 hexadecimal digits: valid as a label value. */
export const responseId = (event: string, rule: string): string => short(event, rule)

/**
 * A UUID that sorts by time, RFC 9562 version 7.
 * @param now milliseconds since the epoch
 */
export const uuidv7 = (now: number): string => {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  return asUuid(bytes.toString('hex'), 0x70)
}

/** @param version the version in the upper half of its byte */
const asUuid = (hex: string, version: number): string => {
  const bytes = Buffer.from(hex, 'hex')
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | version
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const text = bytes.toString('hex')
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-')
}

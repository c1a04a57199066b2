/** A payload made to fit where the other side takes so many bytes and no more. Pure. */
import { toJson } from '../src/plugin.ts'
import { clip } from './_text.ts'

type Payload = Readonly<Record<string, unknown>>

/** Texts are cut down to this before a list or a map loses entries. */
const SHORT = 64

/**
 * The JSON text of a payload, of at most so many bytes: as it is when it fits, else of {@link shrink}.
 * @example jsonWithin(payload(notice), 256 * 1024)
 */
export const jsonWithin = (payload: Payload, bytes: number): string => {
  const whole = toJson(payload)
  return fits(whole, bytes) ? whole : toJson(shrink(payload, bytes))
}

/**
 * The payload with its longest texts cut, as far as needed and each with the mark of {@link clip}, so that its JSON takes
 * at most so many bytes; `truncated: true` tells of it. Only when all texts are short and it is still too large do the
 * longest lists and maps lose their last entries. One that fits is given back as it is.
 * @param bytes at least 4 KiB for an event of Falco's; what cannot be made to fit comes back as small as it can be
 * @example shrink({ output: 'x'.repeat(9_000), rule: 'R' }, 4_096) // { output: 'xx…x… [cut]', rule: 'R', truncated: true }
 */
export const shrink = (payload: Payload, bytes: number): Payload => {
  if (fits(toJson(payload), bytes)) return payload
  const cut = (length: number, count: number): Payload => ({
    ...(limited(payload, length, count) as Payload),
    truncated: true,
  })
  const size = (length: number, count = Infinity): number => Buffer.byteLength(toJson(cut(length, count)))
  if (size(SHORT) <= bytes) return cut(greatest(SHORT, bytes, bytes, size), Infinity)
  return cut(
    SHORT,
    greatest(1, bytes, bytes, (count) => size(SHORT, count)),
  )
}

const fits = (json: string, bytes: number): boolean => json.length <= bytes && Buffer.byteLength(json) <= bytes

/** Texts of at most `length` UTF-16 units, lists and maps of at most `count` entries. */
const limited = (value: unknown, length: number, count: number): unknown => {
  if (typeof value === 'string') return value.length > length ? clip(value, length) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.slice(0, count).map((inner) => limited(inner, length, count))
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, count)
      .map(([name, inner]) => [limited(name, length, count), limited(inner, length, count)]),
  )
}

/**
 * A number from `least` up to `most` whose size is within the limit: the greatest, or one that uses nearly all of it;
 * `least` when none is. Tries few, as each try costs: the size mostly grows evenly, and else halving ends it.
 */
const greatest = (least: number, most: number, limit: number, sizeOf: (one: number) => number): number => {
  let [low, lowSize, high, highSize] = [least, sizeOf(least), most, sizeOf(most)]
  if (highSize <= limit) return most
  for (let halve = false; high - low > 1 && lowSize < limit * ENOUGH; halve = !halve) {
    const share = halve ? 0.5 : (limit * AIM - lowSize) / (highSize - lowSize)
    const middle = Math.min(high - 1, Math.max(low + 1, low + Math.floor((high - low) * share)))
    const size = sizeOf(middle)
    if (size <= limit) [low, lowSize] = [middle, size]
    else [high, highSize] = [middle, size]
  }
  return low
}

/** Shares of the limit: so much used is enough, and so much is tried for. */
const ENOUGH = 0.99
const AIM = 0.995

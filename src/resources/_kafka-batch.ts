/**
 * Batches of records that cannot be decompressed. kafkajs gives up on all it fetched with one of them, again and again;
 * so what cannot be read is replaced by as many records that say so, at the same offsets, and everything goes on.
 *
 * Source: the record batch format, version 2, https://kafka.apache.org/documentation/#recordbatch.
 */

/** What is known of a batch without reading its records. */
export interface BatchHeader {
  /** Records in it. */
  readonly count: number
  /** Distance of its last offset from its first: with a compacted topic more than `count` tells. */
  readonly lastOffsetDelta: number
}

/** Bytes from the beginning of a batch to its records, and where its members are. */
const HEADER = 61
const LENGTH_AT = 8
const MAGIC_AT = 16
const LAST_DELTA_AT = 23
const COUNT_AT = 57

/** Beyond it a count is not believed. */
const MAX_RECORDS = 1_000_000

/**
 * The header of the batch that these records were cut out of: kafkajs gives the codec a view into what the broker sent.
 * Undefined when it is not there.
 */
export const headerOf = (records: Uint8Array): BatchHeader | undefined => {
  if (records.byteOffset < HEADER) return undefined
  const view = new DataView(records.buffer, records.byteOffset - HEADER, HEADER)
  const isBatch =
    view.getInt8(MAGIC_AT) === 2 && view.getInt32(LENGTH_AT) === HEADER - LENGTH_AT - 4 + records.byteLength
  const header = { count: view.getInt32(COUNT_AT), lastOffsetDelta: view.getInt32(LAST_DELTA_AT) }
  const isSound = header.count > 0 && header.count <= Math.min(header.lastOffsetDelta + 1, MAX_RECORDS)
  return isBatch && isSound ? header : undefined
}

/** The records, decompressed, are as many as their header says. */
export const isWhole = (records: Buffer, { count }: BatchHeader): boolean => {
  let at = 0
  for (let i = 0; i < count; i++) {
    const [length, start] = readVarint(records, at)
    if (length <= 0 || start + length > records.length) return false
    at = start + length
  }
  return true
}

const REASON = Symbol('unreadable')

type Marked = ArrayBufferLike & { [REASON]?: string }

/** Bytes of a batch that are kept, to be looked at. */
const KEPT = 4_096

/**
 * Records in place of those that cannot be read. The value of the first is the beginning of the batch as it came, the
 * others have an empty one; {@link reasonOf} knows them.
 */
export const standIns = (records: Uint8Array, { count, lastOffsetDelta }: BatchHeader, reason: string): Buffer => {
  const written = Array.from({ length: count }, (_, i) =>
    record(i === count - 1 ? lastOffsetDelta : i, i === 0 ? records.subarray(0, KEPT) : new Uint8Array()),
  )
  const all = Buffer.allocUnsafeSlow(written.reduce((size, one) => size + one.length, 0))
  written.reduce((at, one) => at + one.copy(all, at), 0)
  const memory: Marked = all.buffer
  memory[REASON] = reason
  return all
}

/** Why the record that has this value cannot be read; undefined for one that can. */
export const reasonOf = (value: Uint8Array | null): string | undefined => {
  const memory: Marked | undefined = value?.buffer
  return memory?.[REASON]
}

/** Attributes, distance of the time, distance of the offset, no key, the value, no headers. */
const record = (offsetDelta: number, value: Uint8Array): Buffer => {
  const body = Buffer.from([0, 0, ...varint(offsetDelta), ...varint(-1), ...varint(value.length), ...value, 0])
  return Buffer.concat([Buffer.from(varint(body.length)), body])
}

/** Zigzag varints, as Protocol Buffers have them. */
const varint = (value: number): number[] => {
  const bytes: number[] = []
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return [...bytes, rest]
}

/** The value, and where the next thing begins; -1 when it is cut off. */
const readVarint = (bytes: Buffer, from: number): readonly [number, number] => {
  let value = 0
  for (let at = from, shift = 0; at < bytes.length && shift < 32; at++, shift += 7) {
    const byte = bytes[at] ?? 0
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return [(value >>> 1) ^ -(value & 1), at + 1]
  }
  return [-1, from]
}

/** Compression of batches: all four codecs of Kafka are read, all but lz4 are written. */
import { promisify } from 'node:util'
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import { messageOf } from '../plugin.ts'
import { headerOf, isWhole, standIns } from './_kafka-batch.ts'
import { readLz4 } from './_lz4.ts'

/** Bytes that a batch may have: the brokers' own limit concerns what is compressed. */
const LIMIT = 64 * 1024 ** 2

/** What kafkajs takes for a codec. */
export interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}

/** By the number that the protocol gives a codec; 5 to 7 are not given to any. */
export const createCodecs = (): ReadonlyMap<number, Codec> =>
  new Map([
    [
      1,
      codec(
        'gzip',
        (bytes) => promisify(gunzip)(bytes, LIMITED),
        (bytes) => promisify(gzip)(bytes),
      ),
    ],
    [2, codec('snappy', unsnap, snap)],
    [3, codec('lz4', async (bytes) => readLz4(bytes, LIMIT))],
    [
      4,
      codec(
        'zstd',
        (bytes) => promisify(zstdDecompress)(bytes, LIMITED),
        (bytes) => promisify(zstdCompress)(bytes),
      ),
    ],
    ...[5, 6, 7].map((number) => [number, codec(`codec ${number}`, notKnown)] as const),
  ])

type Turn = (bytes: Buffer) => Promise<Buffer>

const LIMITED = { maxOutputLength: LIMIT }

const notKnown: Turn = () => Promise.reject(new Error('not known here'))

/** A batch that cannot be read becomes {@link standIns}: it is passed over, and the rest goes on. */
const codec = (name: string, read: Turn, write: Turn = notKnown): Codec => ({
  compress: ({ buffer }) => write(buffer),
  async decompress(bytes) {
    const header = headerOf(bytes)
    try {
      const records = await read(bytes)
      if (header && !isWhole(records, header)) throw new Error('the records are cut off')
      return records
    } catch (error) {
      if (!header) throw error
      return standIns(bytes, header, `${name}: ${messageOf(error)}`)
    }
  },
})

// ── snappy ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How the framing of the Java clients begins: this, two versions, and then blocks, each after its length. */
const XERIAL = Buffer.from('\x82SNAPPY\0', 'latin1')
const XERIAL_HEADER = 16

const snap: Turn = async (bytes) => (await import('snappyjs')).compress(bytes)

const unsnap: Turn = async (bytes) => {
  const { uncompress } = await import('snappyjs')
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return uncompress(bytes, LIMIT)
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER, room = LIMIT; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at)
    const block = uncompress(bytes.subarray(at + 4, end), room)
    blocks.push(block)
    room -= block.length
    at = end
  }
  return Buffer.concat(blocks)
}

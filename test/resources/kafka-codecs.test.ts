import { createRequire } from 'node:module'
import fc from 'fast-check'
import lz4js from 'lz4js'
import { describe, expect, it } from 'vitest'
import { headerOf, isWhole, reasonOf, standIns } from '../../src/resources/_kafka-batch.ts'
import { createCodecs } from '../../src/resources/_kafka-codecs.ts'
import { readLz4 } from '../../src/resources/_lz4.ts'

// kafkajs's own reader and writer of batches, which the fetches of a consumer go through
const require = createRequire(import.meta.url)
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(options: object): Promise<{ buffer: Buffer }>
}
const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => object
const decode = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: object) => Promise<{
  records: { offset: string; value: Buffer | null }[]
}>
const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (options: object) => object
const { Codecs } = require('kafkajs/src/protocol/message/compression') as { Codecs: { [type: number]: () => unknown } }

const codecs = createCodecs()
for (const [type, codec] of codecs) Codecs[type] = () => codec

const CODECS = [
  ['none', 0],
  ['gzip', 1],
  ['snappy', 2],
  ['zstd', 4],
] as const

/** A batch as a broker sends it, behind other bytes. */
const batchOf = async (values: readonly string[], compression: number, firstOffset = 40): Promise<Buffer> => {
  const records = values.map((value, offsetDelta) =>
    Record({ offsetDelta, timestampDelta: 0, key: null, value: Buffer.from(value), headers: {} }),
  )
  const written = await RecordBatch({
    ...{ compression, records, firstOffset },
    ...{ firstTimestamp: 1, maxTimestamp: 1, producerId: -1, producerEpoch: 0, firstSequence: 0 },
    ...{ transactional: false, lastOffsetDelta: values.length - 1 },
  })
  return Buffer.concat([Buffer.from('before'), written.buffer])
}

const read = async (batch: Buffer) => (await decode(new Decoder(batch.subarray(6)))).records

const HEADER = 6 + 61

describe.each(CODECS)('a batch with %s', (_, type) => {
  it('is read as it was written', async () => {
    const values = ['one', 'two', 'x'.repeat(5_000)]
    const records = await read(await batchOf(values, type))
    expect(records.map(({ value }) => value?.toString())).toEqual(values)
    expect(records.map(({ value }) => reasonOf(value))).toEqual([undefined, undefined, undefined])
  })
})

describe.each(CODECS.slice(1))('a batch with %s that is corrupt', (name, type) => {
  it('becomes as many records that say so, at the same offsets', async () => {
    const batch = await batchOf(['one', 'two', 'three'.repeat(100)], type)
    batch.fill(0xff, HEADER)
    const records = await read(batch)
    expect(records.map(({ offset }) => offset)).toEqual(['40', '41', '42'])
    expect(reasonOf(records[0]?.value ?? null)).toContain(`${name}: `)
    expect(records.every(({ value }) => reasonOf(value) !== undefined)).toBe(true)
    expect(records[0]?.value).toEqual(batch.subarray(HEADER, HEADER + 4_096))
    expect(records.slice(1).map(({ value }) => value?.length)).toEqual([0, 0])
  })
})

describe('a batch', () => {
  it.each([5, 6, 7])('with codec %i, which nobody has defined, becomes records that say so', async (type) => {
    const batch = await batchOf(['one', 'two'], 1)
    batch.writeInt16BE(type, 6 + 21)
    const records = await read(batch)
    expect(records.map(({ value }) => reasonOf(value))).toEqual(Array(2).fill(`codec ${type}: not known here`))
  })

  it('that holds fewer records than it says is not believed', async () => {
    const batch = await batchOf(['one', 'two'], 1)
    batch.writeInt32BE(2, 6 + 23)
    batch.writeInt32BE(3, 6 + 57)
    const records = await read(batch)
    expect(records.map(({ value }) => reasonOf(value))).toEqual(Array(3).fill('gzip: the records are cut off'))
  })

  it('of a compacted topic ends at the offset that it ended at', async () => {
    const batch = await batchOf(['one', 'two'], 1)
    batch.writeInt32BE(99, 6 + 23)
    batch.fill(0, HEADER)
    expect((await read(batch)).map(({ offset }) => offset)).toEqual(['40', '139'])
  })

  it('that grows beyond all measure is refused', async () => {
    const batch = await batchOf(['x'.repeat(70 * 1024 ** 2)], 1)
    const [record] = await read(batch)
    expect(reasonOf(record?.value ?? null)).toMatch(/^gzip: .*(large|bytes)/i)
  })

  it('whose header is not there or makes no sense is left to kafkajs', async () => {
    expect(headerOf(Buffer.from('records'))).toBeUndefined()
    const gzip = codecs.get(1)
    await expect(gzip?.decompress(Buffer.allocUnsafeSlow(100))).rejects.toThrow()
    const batch = await batchOf(['one'], 1)
    batch.writeInt32BE(2_000_000_000, 6 + 57)
    expect(headerOf(batch.subarray(HEADER))).toBeUndefined()
  })
})

describe('records that stand in', () => {
  it('are whole, however many, whatever the batch held', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(10_000), fc.uint8Array(), (count, gap, bytes) => {
        const header = { count, lastOffsetDelta: count - 1 + gap }
        expect(isWhole(standIns(bytes, header, 'why'), header)).toBe(true)
      }),
    )
  })

  it('are told from records whose value is the same', () => {
    expect(reasonOf(Buffer.from('anything'))).toBeUndefined()
    expect(reasonOf(null)).toBeUndefined()
  })
})

describe('snappy', () => {
  const snappy = codecs.get(2)

  it('is read in the framing of the Java clients', async () => {
    const block = async (text: string): Promise<Buffer> => {
      const packed = (await snappy?.compress({ buffer: Buffer.from(text) })) ?? Buffer.of()
      const length = Buffer.alloc(4)
      length.writeUInt32BE(packed.length)
      return Buffer.concat([length, packed])
    }
    const head = Buffer.from('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01', 'latin1')
    const framed = Buffer.concat([head, await block('first '.repeat(20)), await block('second')])
    expect((await snappy?.decompress(framed))?.toString()).toBe(`${'first '.repeat(20)}second`)
  })
})

describe('lz4', () => {
  const LIMIT = 1024 ** 2
  const pack = (content: Uint8Array): Buffer => Buffer.from(lz4js.compress(content))
  const text = (words: string) => Buffer.from(words)

  it('is read as another implementation writes it', () => {
    const word = fc.constantFrom('alert ', 'shell ', 'x', '\n', 'kube-system ')
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 5_000 }).map((bytes) => Buffer.from(bytes)),
      fc.array(word, { maxLength: 2_000 }).map((words) => text(words.join(''))),
    )
    fc.assert(fc.property(content, (bytes) => void expect(readLz4(pack(bytes), LIMIT).equals(bytes)).toBe(true)))
  })

  it('is read with the optional parts of a frame: size, checksums, several blocks', () => {
    const block = (content: string) => [text(content), Buffer.from([0, 0, 0, 0])]
    const size = (bytes: number) => {
      const head = Buffer.alloc(4)
      head.writeUInt32LE((bytes | 0x80000000) >>> 0)
      return head
    }
    const frame = Buffer.concat([
      Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x5c, 0x40, 9, 0, 0, 0, 0, 0, 0, 0, 0x00]),
      ...[size(5), ...block('first'), size(4), ...block('last')],
      Buffer.from([0, 0, 0, 0, 1, 2, 3, 4]),
    ])
    expect(readLz4(frame, LIMIT).toString()).toBe('firstlast')
  })

  it('repeats what overlaps itself, and reads lengths of several bytes', () => {
    // one literal, then a match of 4 + 15 + 255 + 3 bytes at distance 1, then five literals
    const block = Buffer.from([0x1f, 0x61, 1, 0, 255, 3, 0x50, 0x76, 0x77, 0x78, 0x79, 0x7a])
    const frame = Buffer.concat([
      Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0, block.length, 0, 0, 0]),
      block,
      Buffer.alloc(4),
    ])
    expect(readLz4(frame, LIMIT).toString()).toBe(`${'a'.repeat(278)}vwxyz`)
  })

  it('is refused where it is wrong: never a crash, never bytes from elsewhere', () => {
    const good = pack(text('alert '.repeat(200)))
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, length) => {
        const bad = Buffer.from(good.subarray(0, length))
        if (at < bad.length) bad[at] = byte
        try {
          expect(readLz4(bad, LIMIT).length).toBeLessThanOrEqual(LIMIT)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['nothing', Buffer.of(), 'no LZ4 frame'],
    ['another format', Buffer.from('not an lz4 frame'), 'no LZ4 frame'],
    ['a dictionary', Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x61, 0x40, 0, 0, 0, 0, 0, 0]), 'dictionary'],
    ['a block that ends too early', pack(text('alert '.repeat(200))).subarray(0, 20), 'cut off'],
    [
      'a match before the beginning',
      Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0, 4, 0, 0, 0, 0x11, 0x61, 9, 0, 0, 0, 0, 0]),
      'outside',
    ],
  ])('is refused: %s', (_, frame, words) => expect(() => readLz4(frame, LIMIT)).toThrow(words))

  it('is refused when it grows beyond the limit', () => {
    expect(() => readLz4(pack(Buffer.alloc(LIMIT + 1)), LIMIT)).toThrow('more than 1048576 bytes')
  })

  it('is not written', async () => {
    await expect(codecs.get(3)?.compress({ buffer: Buffer.of() })).rejects.toThrow('not known')
  })
})

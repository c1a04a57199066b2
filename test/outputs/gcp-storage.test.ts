import { describe, expect, it } from 'vitest'
import { gcpStorage } from '../../outputs/gcp-storage.ts'
import type { StoredFile } from '../../src/plugin.ts'
import { aNotice, aReport, type Answers, outputCases, type RecordedRequest, testIo } from '../../src/testing.ts'
import { createFakeGcs } from './_fake-gcs.ts'
import { aStream, MIB, pieces, textOfStream } from './_streams.ts'

const NEVER = new AbortController().signal
const AUTHORIZATION = 'Bearer ya29.hush'
const google = { authorization: async () => AUTHORIZATION }
const ioWith = (answer?: Answers) => testIo({ ...(answer !== undefined && { answer }), resources: { google } })

const aFile: StoredFile = {
  name: 'a.pcap',
  contentType: 'application/x-pcap',
  metadata: { rule: 'Shell', trace: 'abc' },
}

const rig = async (more: object = {}) => {
  const gcs = createFakeGcs(AUTHORIZATION)
  const io = ioWith((request) => gcs.answer(request))
  const sender = await gcpStorage.open(gcpStorage.config.parse({ bucket: 'evidence', ...more }), io)
  const store = (chunks: AsyncIterable<Uint8Array>, file = aFile, signal = NEVER) =>
    sender.store?.(file, chunks, signal) ?? expect.fail('it keeps no files')
  const ranges = () => io.requests.flatMap(({ headers }) => headers['content-range'] ?? [])
  return { gcs, io, sender, store, ranges }
}

const isAt = ({ headers }: RecordedRequest, start: number) =>
  headers['content-range']?.startsWith(`bytes ${start}-`) === true

describe('gcp.storage', () => {
  for (const { name, run } of outputCases(gcpStorage, { io: ioWith })) it(name, run)

  it('writes many into one object when it is to', async () => {
    const { gcs, sender } = await rig({ prefix: 'falco', format: 'ndjson' })
    await sender.send([aNotice(), aNotice({ report: aReport() })], NEVER)
    const [[name, object] = expect.fail('nothing was written')] = gcs.objects
    expect(name).toBe('falco/2026-01-31/2026-01-31T12:00:00.123456789Z_019c13e6-8b3b-7000-8000-000000000001_2.ndjson')
    expect(object.about).toEqual({ contentType: 'application/x-ndjson' })
    const lines = object.body.trimEnd().split('\n')
    expect(lines.map((line) => 'response' in (JSON.parse(line) as object))).toEqual([false, true])
    expect(gcs.objects.size).toBe(1)
  })

  it('writes events and reports as objects', async () => {
    const { gcs, sender } = await rig({ prefix: 'falco' })
    await sender.send([aNotice(), aNotice({ report: aReport() })], NEVER)
    const [[name, object] = expect.fail('nothing was written'), second] = gcs.objects
    expect(name).toBe('falco/2026-01-31/2026-01-31T12:00:00.123456789Z_019c13e6-8b3b-7000-8000-000000000001.json')
    expect(object.about).toEqual({ contentType: 'application/json' })
    expect(JSON.parse(second?.[1].body ?? '')).toHaveProperty('response')
  })

  it('has an account of its own when it has a key', async () => {
    const credentials = JSON.stringify({ type: 'service_account', client_email: 'a@b', private_key: 'none' })
    const sender = await gcpStorage.open(gcpStorage.config.parse({ bucket: 'evidence', credentials }), ioWith())
    await expect(sender.send([aNotice()], NEVER)).rejects.toThrow('the private_key cannot be used')
  })

  it('is told what is no bucket', () => {
    expect(() => gcpStorage({ bucket: 'a/b' })).toThrow('name of a bucket')
  })
})

describe('a file in gcp.storage', () => {
  it('is an object with type and metadata', async () => {
    const { gcs, io, store, ranges } = await rig({ prefix: 'cases/' })
    expect(await store(pieces('ab', 'c'))).toEqual({ url: 'gs://evidence/cases/a.pcap' })
    expect(gcs.objects.get('cases/a.pcap')).toEqual({
      body: 'abc',
      about: { contentType: 'application/x-pcap', metadata: { rule: 'Shell', trace: 'abc' } },
    })
    expect(ranges()).toEqual(['bytes 0-2/3'])
    expect(JSON.stringify(io.spans)).not.toContain('session-1')
    expect(io.requests[1]?.headers).not.toHaveProperty('authorization')
  })

  it('may be empty', async () => {
    const { gcs, store, ranges } = await rig()
    await store(pieces())
    expect(gcs.objects.get('a.pcap')?.body).toBe('')
    expect(ranges()).toEqual(['bytes */0'])
  })

  it('goes in pieces of 8 MiB, no more than two in memory', async () => {
    const { gcs, store, ranges } = await rig()
    const size = 16 * MIB + 7
    const { state, chunks } = aStream(size)
    const ahead: number[] = []
    gcs.state.override = ({ headers }) => {
      const start = /^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1]
      if (start !== undefined) ahead.push(state.taken - Number(start))
      return undefined
    }
    await store(chunks)
    expect(ranges()).toEqual([
      `bytes 0-${8 * MIB - 1}/*`,
      `bytes ${8 * MIB}-${16 * MIB - 1}/*`,
      `bytes ${16 * MIB}-${size - 1}/${size}`,
    ])
    expect(gcs.objects.get('a.pcap')?.body === (await textOfStream(size))).toBe(true)
    expect(Math.max(...ahead)).toBeLessThan(16 * MIB)
  })

  it('goes on where the store is, when it did not take all', async () => {
    const { gcs, store } = await rig()
    gcs.state.keeps = 3 * MIB
    await store(aStream(9 * MIB).chunks)
    expect(gcs.objects.get('a.pcap')?.body === (await textOfStream(9 * MIB))).toBe(true)
  })

  it('asks where the store is after a piece was cut off, be it there or not', async () => {
    const { gcs, store, ranges } = await rig()
    let cuts = 0
    gcs.state.override = (request) => {
      if (!isAt(request, 0) || cuts++ > 0) return undefined
      gcs.state.override = undefined
      gcs.answer(request)
      return new Error('ECONNRESET')
    }
    await store(aStream(9 * MIB).chunks)
    expect(ranges().slice(0, 3)).toEqual([
      `bytes 0-${8 * MIB - 1}/*`,
      'bytes */*',
      `bytes ${8 * MIB}-${9 * MIB - 1}/${9 * MIB}`,
    ])
    expect(gcs.objects.get('a.pcap')?.body).toHaveLength(9 * MIB)
  })

  it('is there when only the last answer was lost', async () => {
    const { gcs, store, ranges } = await rig()
    gcs.state.override = (request) => {
      if (!isAt(request, 0)) return undefined
      gcs.state.override = undefined
      gcs.answer(request)
      return { status: 503, headers: { 'retry-after': '0' } }
    }
    await store(pieces('abc'))
    expect(ranges()).toEqual(['bytes 0-2/3', 'bytes */3'])
    expect(gcs.objects.get('a.pcap')?.body).toBe('abc')
  })

  it.each([
    ['its source fails', aStream(20 * MIB, 17 * MIB).chunks, 'the socket was cut', undefined],
    ['a piece is refused', aStream(20 * MIB).chunks, 'answered 403', { status: 403 }],
    ['the store takes nothing', aStream(20 * MIB).chunks, 'no progress', { status: 308 }],
    ['the store makes things up', aStream(20 * MIB).chunks, 'not sent', { status: 308, headers: { range: 'bytes=0-99999999' } }], // prettier-ignore
  ])('leaves nothing when %s: the upload is cancelled', async (_why, chunks, message, answer) => {
    const { gcs, store } = await rig()
    gcs.state.override = (request) => (answer && isAt(request, 0) ? answer : undefined)
    await expect(store(chunks)).rejects.toThrow(message)
    expect([gcs.objects.size, gcs.sessions.size]).toEqual([0, 0])
  })

  it('leaves nothing when it is cut short', async () => {
    const { gcs, store } = await rig()
    const stop = new AbortController()
    gcs.state.override = (request) => {
      if (!isAt(request, 8 * MIB)) return undefined
      setImmediate(() => stop.abort(new Error('stopped')))
      return 'hang'
    }
    await expect(store(aStream(20 * MIB).chunks, aFile, stop.signal)).rejects.toThrow('stopped')
    expect([gcs.objects.size, gcs.sessions.size]).toEqual([0, 0])
  })

  it.each([
    [{ size: '2' }, '2 bytes in place of 3'],
    [{ size: '3', md5Hash: 'AAAA' }, 'another checksum'],
  ])('is not said to be kept when the store has %j', async (body, message) => {
    const { gcs, store } = await rig()
    gcs.state.override = (request) => (isAt(request, 0) ? { body } : undefined)
    await expect(store(pieces('abc'))).rejects.toThrow(message)
  })

  it('fails when the upload has no address', async () => {
    const { gcs, store } = await rig()
    gcs.state.override = () => ({})
    await expect(store(pieces('abc'))).rejects.toThrow('no address of the upload')
  })
})

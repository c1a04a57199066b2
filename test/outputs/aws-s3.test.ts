import { describe, expect, it } from 'vitest'
import { awsS3 } from '../../outputs/aws-s3.ts'
import type { Notice, StoredFile } from '../../src/plugin.ts'
import {
  aNotice,
  anEvent,
  aReport,
  outputCases,
  type RecordedRequest,
  testIo,
  type TestIoOptions,
} from '../../src/testing.ts'
import { signatureFault } from '../aws-signature.ts'
import { createFakeS3, s3Fault } from './_fake-s3.ts'
import { aStream, MIB, pieces, textOfStream } from './_streams.ts'

const NEVER = new AbortController().signal
const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const settings = { bucket: 'evidence', region: 'eu-central-1', ...keys }
const aFile: StoredFile = {
  name: '2026_shop_web-1_capture.pcap',
  contentType: 'application/vnd.tcpdump.pcap',
  metadata: { rule: 'Shell  in a container ', response: '7d0f', trace: 'abc' },
}

const rig = async (more: object = {}, options: TestIoOptions = {}) => {
  const s3 = createFakeS3({ ...keys, region: 'eu-central-1' })
  const io = testIo({ answer: (request) => s3.answer(request), ...options })
  const sender = await awsS3.open(awsS3.config.parse({ ...settings, ...more }), io)
  const send = (...notices: Notice[]) => sender.send(notices, NEVER)
  const store = (chunks: AsyncIterable<Uint8Array>, file = aFile, signal = NEVER) =>
    sender.store?.(file, chunks, signal) ?? expect.fail('it keeps no files')
  return { s3, io, send, store }
}

const isPart = ({ method, url }: RecordedRequest, part: number) =>
  method === 'PUT' && new URL(url).searchParams.get('partNumber') === String(part)

const shortOf = ({ method, url }: RecordedRequest) =>
  `${method} ${[...new URL(url).searchParams.keys()].join('&')}`.trim()

describe('aws.s3', () => {
  for (const { name, run } of outputCases(awsS3)) it(name, run)

  it('is a store', () => expect(awsS3.stores).toBe(true))

  it('writes an event as an object, signed, with checksum and ACL', async () => {
    const { s3, io, send } = await rig()
    const event = anEvent({ output_fields: { 'evt.time': 1_769_860_800_123_456_789n } })
    await send(aNotice({ event }))
    const [[key, object] = expect.fail('nothing was written')] = s3.objects
    expect(key).toBe('falco/2026-01-31/2026-01-31T12:00:00.123456789Z_019c13e6-8b3b-7000-8000-000000000001.json')
    expect(object.body).toContain('"evt.time":1769860800123456789')
    expect(object.headers).toMatchObject({
      'content-type': 'application/json',
      'x-amz-acl': 'bucket-owner-full-control',
    })
    expect(new URL(io.requests[0]?.url ?? '').host).toBe('evidence.s3.eu-central-1.amazonaws.com')
  })

  it('writes a report as an object of its own', async () => {
    const { s3, send } = await rig({ prefix: '/a/b/', objectCannedACL: 'private' })
    await send(aNotice(), aNotice({ report: aReport() }))
    expect([...s3.objects.keys()].every((key) => key.startsWith('a/b/2026-01-31/'))).toBe(true)
    expect([...s3.objects.values()].map(({ body }) => 'response' in (JSON.parse(body) as object))).toEqual([
      false,
      true,
    ])
    expect([...s3.objects.values()][0]?.headers['x-amz-acl']).toBe('private')
  })

  it.each([
    [{ endpoint: 'http://store:9000/' }, 'http://store:9000/evidence/falco/'],
    [{ bucket: 'with.dots' }, 'https://s3.eu-central-1.amazonaws.com/with.dots/falco/'],
    [{ region: 'cn-north-1' }, 'https://evidence.s3.cn-north-1.amazonaws.com.cn/falco/'],
  ])('with %j addresses %s', async (more, start) => {
    const { io, send } = await rig(more, { answer: {} })
    await send(aNotice())
    expect(io.requests[0]?.url.startsWith(start)).toBe(true)
    const region = 'region' in more ? more.region : 'eu-central-1'
    expect(signatureFault(io.requests[0] ?? expect.fail(), { ...keys, region, service: 's3' })).toBeUndefined()
  })

  it('takes keys and region of the environment when it has none, with their session', async () => {
    const env = {
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_SESSION_TOKEN: 'session',
      AWS_REGION: 'eu-central-1',
    }
    const io = testIo({ env })
    const sender = await awsS3.open(awsS3.config.parse({ bucket: 'evidence' }), io)
    await sender.send([aNotice()], NEVER)
    const [request = expect.fail()] = io.requests
    expect(request.headers['x-amz-security-token']).toBe('session')
    expect(signatureFault(request, { ...keys, region: 'eu-central-1', service: 's3' })).toBeUndefined()
  })

  it('says at the start that there is no region', async () => {
    await expect(async () => awsS3.open(awsS3.config.parse({ bucket: 'evidence' }), testIo())).rejects.toMatchObject({
      code: 'config',
      reason: 'no-region',
    })
  })

  it('needs both halves of a key, and a bucket', () => {
    expect(() => awsS3({ bucket: 'evidence', accessKeyId: 'A' })).toThrow('accessKeyId and secretAccessKey together')
    expect(() => awsS3({ bucket: 'a/b' })).toThrow('name of a bucket')
    expect(() => awsS3({ bucket: 'abc', objectCannedACL: 'public' as never })).toThrow('objectCannedACL')
  })
})

describe('many in one object', () => {
  const ndjson = { format: 'ndjson' }
  const on = (id: string, more: object = {}) => aNotice({ id, event: anEvent({ uuid: id, ...more }) })

  it('are one on each line, under the name of the first with how many they are', async () => {
    const { s3, send } = await rig(ndjson)
    await send(on('a', { output: 'two\nlines' }), on('b'), aNotice({ report: aReport() }))
    const [[key, object] = expect.fail('nothing was written')] = s3.objects
    expect(key).toBe('falco/2026-01-31/2026-01-31T12:00:00.123456789Z_019c13e6-8b3b-7000-8000-000000000001_3.ndjson')
    expect(object.headers).toMatchObject({ 'content-type': 'application/x-ndjson' })
    expect(object.body.endsWith('\n')).toBe(true)
    const lines = object.body.trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { uuid: string }).uuid).slice(0, 2)).toEqual(['a', 'b'])
    expect(s3.objects.size).toBe(1)
  })

  it('are several objects where they are large, and those that were not written are told', async () => {
    const { s3, send } = await rig(ndjson)
    const large = (id: string) => on(id, { output: 'x'.repeat(6 * MIB) })
    s3.override = (request) => (request.body.includes('"uuid":"c"') ? s3Fault(503, 'SlowDown') : undefined)
    await expect(send(large('a'), large('b'), large('c'))).rejects.toMatchObject({
      permanent: false,
      failed: [{ index: 2, permanent: false, reason: '503' }],
    })
    expect([...s3.objects.keys()].map((key) => /_(\d+)\.ndjson$/.exec(key)?.[1])).toEqual(['2'])
  })

  it('are waited for, and single ones are not', () => {
    const batching = (more: object) => awsS3.batching?.(awsS3.config.parse({ ...settings, ...more }))
    expect(batching(ndjson)).toEqual({ batch: 1_000, linger: 10_000 })
    expect(batching({})).toEqual({ batch: 1, linger: 0 })
  })

  it('are not compressed, since what is sent is signed', async () => {
    const given: unknown[] = []
    const io = testIo()
    const http: typeof io.http = (request) => (given.push(request.compression), io.http(request))
    const sender = await awsS3.open(awsS3.config.parse(settings), { ...io, http })
    await sender.send([aNotice()], NEVER)
    expect(given).toEqual(['none'])
  })
})

describe('a file in aws.s3', () => {
  it('of one part is one object, with type and metadata', async () => {
    const { s3, io, store } = await rig()
    expect(await store(pieces('ab', 'c'))).toEqual({ url: `s3://evidence/falco/${aFile.name}` })
    expect(s3.objects.get(`falco/${aFile.name}`)).toMatchObject({
      body: 'abc',
      headers: {
        'content-type': 'application/vnd.tcpdump.pcap',
        'x-amz-acl': 'bucket-owner-full-control',
        'x-amz-meta-response': '7d0f',
        'x-amz-meta-trace': 'abc',
      },
    })
    expect(io.requests.map(shortOf)).toEqual(['PUT'])
    expect(io.spans.map(({ name }) => name)).toEqual(['PUT /{key}'])
  })

  it('may be empty, and without a type', async () => {
    const { s3, store } = await rig()
    await store(pieces(), { name: 'x', metadata: {} })
    expect(s3.objects.get('falco/x')).toMatchObject({
      body: '',
      headers: { 'content-type': 'application/octet-stream' },
    })
  })

  it('of more goes in parts of 8 MiB, and no more than two of them are in memory', async () => {
    const { s3, io, store } = await rig()
    const size = 20 * MIB + 5
    const { state, chunks } = aStream(size)
    const ahead: number[] = []
    s3.override = (request) => {
      const part = Number(new URL(request.url).searchParams.get('partNumber'))
      if (part > 0) ahead.push(state.taken - (part - 1) * 8 * MIB)
      return undefined
    }
    await store(chunks)
    expect(io.requests.map(shortOf)).toEqual([
      'POST uploads',
      ...Array<string>(3).fill('PUT partNumber&uploadId'),
      'POST uploadId',
    ])
    const object = s3.objects.get(`falco/${aFile.name}`)
    expect(object?.body === (await textOfStream(size))).toBe(true)
    expect(object?.headers).toMatchObject({ 'x-amz-meta-response': '7d0f', 'content-type': aFile.contentType })
    expect(Math.max(...ahead)).toBeLessThan(16 * MIB)
    expect(s3.uploads.size).toBe(0)
  })

  it('of exactly 8 MiB is one object', async () => {
    const { io, store } = await rig()
    await store(aStream(8 * MIB).chunks)
    expect(io.requests.map(shortOf)).toEqual(['PUT'])
  })

  it('is sent again, part by part, where the store is busy or the connection was cut', async () => {
    const { s3, io, store } = await rig()
    const faults = [s3Fault(503, 'SlowDown'), new Error('ECONNRESET')]
    s3.override = (request) => {
      const fault = isPart(request, 2) ? faults.shift() : undefined
      return fault instanceof Error || !fault ? fault : { ...fault, headers: { 'retry-after': '0' } }
    }
    await store(aStream(9 * MIB).chunks)
    expect(io.requests.filter((one) => isPart(one, 2))).toHaveLength(3)
    expect(s3.objects.get(`falco/${aFile.name}`)?.body).toHaveLength(9 * MIB)
  })

  it('leaves nothing when its source fails: the upload is given up', async () => {
    const { s3, io, store } = await rig()
    await expect(store(aStream(20 * MIB, 17 * MIB).chunks)).rejects.toThrow('the socket was cut')
    expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0])
    expect(shortOf(io.requests.at(-1) ?? expect.fail())).toBe('DELETE uploadId')
  })

  it('sends nothing when its source fails within the first part', async () => {
    const { io, store } = await rig()
    await expect(store(aStream(20 * MIB, MIB).chunks)).rejects.toThrow('the socket was cut')
    expect(io.requests).toEqual([])
  })

  it('leaves nothing when a part is refused, and lets go of its source', async () => {
    const { s3, store } = await rig()
    s3.override = (request) => (isPart(request, 1) ? s3Fault(403, 'AccessDenied') : undefined)
    const { state, chunks } = aStream(40 * MIB)
    await expect(store(chunks)).rejects.toMatchObject({ code: 'failed', reason: '403', permanent: true })
    expect([s3.objects.size, s3.uploads.size, state.ended]).toEqual([0, 0, true])
  })

  it('leaves nothing when it is cut short', async () => {
    const { s3, store } = await rig()
    const stop = new AbortController()
    s3.override = (request) => {
      if (!isPart(request, 2)) return undefined
      setImmediate(() => stop.abort(new Error('stopped')))
      return 'hang'
    }
    await expect(store(aStream(20 * MIB).chunks, aFile, stop.signal)).rejects.toThrow('stopped')
    expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0])
  })

  it('is not there when S3 says so after it has answered 200', async () => {
    const { s3, store } = await rig()
    s3.override = (request) => (shortOf(request) === 'POST uploadId' ? { ...s3Fault(200, 'InvalidPart') } : undefined)
    await expect(store(aStream(9 * MIB).chunks)).rejects.toMatchObject({ reason: 'invalidpart', permanent: true })
    expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0])
  })

  it('is put together again when S3 could not for a moment', async () => {
    const { s3, store } = await rig()
    const faults = [s3Fault(200, 'InternalError')]
    s3.override = (request) => (shortOf(request) === 'POST uploadId' ? faults.shift() : undefined)
    await store(aStream(9 * MIB).chunks)
    expect(s3.objects.size).toBe(1)
  })

  it.each([
    ['POST uploads', {}, 'no UploadId'],
    ['PUT partNumber&uploadId', {}, 'no ETag'],
  ])('is refused by what does not speak S3: %s', async (call, answer, message) => {
    const { s3, store } = await rig()
    s3.override = (request) => (shortOf(request) === call ? answer : undefined)
    await expect(store(aStream(9 * MIB).chunks)).rejects.toThrow(message)
  })
})

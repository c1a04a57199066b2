import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { azureBlob } from '../../outputs/azure-blob.ts'
import type { StoredFile } from '../../src/plugin.ts'
import { aNotice, type Answer, aReport, outputCases, type RecordedRequest, testIo } from '../../src/testing.ts'
import { aStream, MIB, pieces, textOfStream } from './_streams.ts'

const NEVER = new AbortController().signal
const KEY = Buffer.from('the key of the account').toString('base64')

const md5 = (text: string) => createHash('md5').update(text).digest('base64')
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** The string to sign, line by line as the reference of Azure Storage lists it, and its signature. */
const sharedKey = ({ method, url, headers, body }: RecordedRequest): string => {
  const { pathname, searchParams } = new URL(url)
  const own = Object.keys(headers).filter((name) => name.startsWith('x-ms-'))
  const lines = [
    method,
    headers['content-encoding'] ?? '',
    headers['content-language'] ?? '',
    body.length === 0 ? '' : String(Buffer.byteLength(body)),
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    headers['date'] ?? '',
    headers['if-modified-since'] ?? '',
    headers['if-match'] ?? '',
    headers['if-none-match'] ?? '',
    headers['if-unmodified-since'] ?? '',
    headers['range'] ?? '',
  ]
  const resource = [...searchParams.keys()].sort().map((name) => `\n${name}:${searchParams.get(name)}`)
  const text =
    lines.map((line) => `${line}\n`).join('') +
    own
      .sort()
      .map((name) => `${name}:${headers[name]}\n`)
      .join('') +
    `/secops${pathname}${resource.join('')}`
  const signature = createHmac('sha256', Buffer.from(KEY, 'base64')).update(text).digest('base64')
  return `SharedKey secops:${signature}`
}

/** Puts of blobs, blocks and block lists. */
const createFakeBlobs = () => {
  const blobs = new Map<string, { body: string; headers: Readonly<Record<string, string>> }>()
  const blocks = new Map<string, string>()
  const state = { override: undefined as ((request: RecordedRequest) => Answer | 'hang' | undefined) | undefined }
  const fault = (status: number, code: string): Answer => ({ status, headers: { 'x-ms-error-code': code }, body: code })
  const answer = (request: RecordedRequest): Answer | 'hang' => {
    const given = state.override?.(request)
    if (given !== undefined) return given
    const { method, url, headers, body } = request
    const { pathname, searchParams } = new URL(url)
    if (method !== 'PUT' || headers['x-ms-version'] === undefined) return fault(400, 'InvalidHeaderValue')
    if (headers['content-md5'] !== md5(body)) return fault(400, 'Md5Mismatch')
    const comp = searchParams.get('comp')
    if (comp === 'block') {
      blocks.set(`${pathname} ${searchParams.get('blockid')}`, body)
    } else if (comp === 'blocklist') {
      const ids = [...body.matchAll(/<Latest>([^<]+)<\/Latest>/g)].map(([, id]) => `${pathname} ${id}`)
      if (ids.length === 0 || !ids.every((id) => blocks.has(id))) return fault(400, 'InvalidBlockList')
      blobs.set(pathname, { body: ids.map((id) => blocks.get(id)).join(''), headers })
    } else {
      if (headers['x-ms-blob-type'] !== 'BlockBlob') return fault(400, 'MissingRequiredHeader')
      blobs.set(pathname, { body, headers })
    }
    return { status: 201 }
  }
  return { blobs, blocks, state, answer }
}

const aFile: StoredFile = {
  name: 'a.pcap',
  contentType: 'application/x-pcap',
  metadata: { rule: 'A shell', trace: 'abc' },
}

const rig = async (more: object = { accountKey: KEY }) => {
  const fake = createFakeBlobs()
  const azure = { authorization: async (audience: string) => `Bearer for ${audience}` }
  const io = testIo({ answer: (request) => fake.answer(request), resources: { azure } })
  const sender = await azureBlob.open(azureBlob.config.parse({ account: 'secops', container: 'evidence', ...more }), io)
  const store = (chunks: AsyncIterable<Uint8Array>, file = aFile, signal = NEVER) =>
    sender.store?.(file, chunks, signal) ?? expect.fail('it keeps no files')
  return { ...fake, io, sender, store }
}

describe('azure.blob', () => {
  for (const { name, run } of outputCases(azureBlob)) it(name, run)

  it('writes events and reports as blobs, signed with the key of the account', async () => {
    const { blobs, io, sender } = await rig({ accountKey: KEY, prefix: 'falco' })
    await sender.send([aNotice(), aNotice({ report: aReport() })], NEVER)
    expect([...blobs.keys()][0]).toBe(
      '/evidence/falco/2026-01-31/2026-01-31T12%3A00%3A00.123456789Z_019c13e6-8b3b-7000-8000-000000000001.json',
    )
    expect(JSON.parse([...blobs.values()][1]?.body ?? '')).toHaveProperty('response')
    expect(io.requests.map(({ headers }) => headers.authorization)).toEqual(io.requests.map(sharedKey))
  })

  it('shows a SAS token in the query, and tells it nowhere', async () => {
    const { io, sender } = await rig({ sasToken: '?sv=2021-12-02&sp=cw&sig=a%2Bb%3D' })
    await sender.send([aNotice()], NEVER)
    const [request = expect.fail()] = io.requests
    expect(new URL(request.url).searchParams.get('sig')).toBe('a+b=')
    expect(request.url).toContain('sig=a%2Bb%3D')
    expect(request.headers).not.toHaveProperty('authorization')
    expect(JSON.stringify(io.spans)).not.toContain('sig')
  })

  it('is else who `resources: azure` is', async () => {
    const { io, sender } = await rig({})
    await sender.send([aNotice()], NEVER)
    expect(io.requests[0]?.headers.authorization).toBe('Bearer for https://storage.azure.com')
  })

  it('speaks to another address, e.g. an emulator', async () => {
    const { io, sender } = await rig({ accountKey: KEY, endpoint: 'http://127.0.0.1:10000/secops' })
    await sender.send([aNotice()], NEVER)
    expect(io.requests[0]?.url.startsWith('http://127.0.0.1:10000/secops/evidence/2026-01-31/')).toBe(true)
    expect(io.requests.map(({ headers }) => headers.authorization)).toEqual(io.requests.map(sharedKey))
  })

  it.each([
    [{ account: 'Sec-Ops' }, 'name of a storage account'],
    [{ container: 'a/b' }, 'name of a container'],
    [{ accountKey: 'no key!' }, 'must be in Base64'],
    [{ accountKey: KEY, sasToken: 'x' }, 'not both'],
  ])('refuses %j', (more, message) => {
    expect(() => azureBlob({ account: 'secops', container: 'evidence', ...more })).toThrow(message)
  })
})

describe('a file in azure.blob', () => {
  it('of one block is put at once, with type, metadata and checksum', async () => {
    const { blobs, io, store } = await rig()
    expect(await store(pieces('ab', 'c'))).toEqual({
      url: 'https://secops.blob.core.windows.net/evidence/a.pcap',
    })
    expect(blobs.get('/evidence/a.pcap')).toMatchObject({
      body: 'abc',
      headers: {
        'content-type': 'application/x-pcap',
        'x-ms-meta-rule': 'A shell',
        'x-ms-meta-trace': 'abc',
        'x-ms-meta-sha256': sha256('abc'),
      },
    })
    expect(io.spans.map(({ name }) => name)).toEqual(['PUT /{container}/{blob}'])
  })

  it('may be empty', async () => {
    const { blobs, io, store } = await rig()
    await store(pieces(), { name: 'x', metadata: {} })
    expect(blobs.get('/evidence/x')).toMatchObject({
      body: '',
      headers: { 'content-type': 'application/octet-stream' },
    })
    expect(io.requests[0]?.headers.authorization).toBe(sharedKey(io.requests[0] ?? expect.fail()))
  })

  it('of more goes in blocks of 8 MiB, no more than two in memory, and appears with their list', async () => {
    const { blobs, blocks, state, io, store } = await rig()
    const size = 16 * MIB + 5
    const stream = aStream(size)
    const ahead: number[] = []
    state.override = ({ url }) => {
      if (url.includes('comp=block&')) ahead.push(stream.state.taken - blocks.size * 8 * MIB)
      expect(blobs.size).toBe(0)
      return undefined
    }
    await store(stream.chunks)
    const blob = blobs.get('/evidence/a.pcap')
    const text = await textOfStream(size)
    expect(blob?.body === text).toBe(true)
    expect(blob?.headers).toMatchObject({
      'x-ms-blob-content-type': 'application/x-pcap',
      'x-ms-meta-trace': 'abc',
      'x-ms-meta-sha256': sha256(text),
    })
    expect(Math.max(...ahead)).toBeLessThan(16 * MIB)
    expect(io.requests.map(({ headers }) => headers.authorization)).toEqual(io.requests.map(sharedKey))
    expect(io.spans.map(({ name }) => name)).toEqual([
      ...Array<string>(3).fill('PUT /{container}/{blob}?comp=block'),
      'PUT /{container}/{blob}?comp=blocklist',
    ])
  })

  it('is sent again, block by block, where the service is busy', async () => {
    const { blobs, state, io, store } = await rig()
    const faults: Answer[] = [{ status: 503, headers: { 'retry-after': '0' } }]
    state.override = ({ url }) => (url.includes('comp=block&') ? faults.shift() : undefined)
    await store(aStream(9 * MIB).chunks)
    expect(io.requests).toHaveLength(4)
    expect(blobs.get('/evidence/a.pcap')?.body).toHaveLength(9 * MIB)
  })

  it.each([
    ['its source fails', aStream(20 * MIB, 17 * MIB).chunks, 'the socket was cut', undefined],
    ['a block is refused', aStream(20 * MIB).chunks, 'answered 403', { status: 403 }],
  ])('does not appear when %s', async (_why, chunks, message, answer) => {
    const { blobs, state, store } = await rig()
    state.override = () => answer
    await expect(store(chunks)).rejects.toThrow(message)
    expect(blobs.size).toBe(0)
  })

  it('does not appear when it is cut short', async () => {
    const { blobs, state, store } = await rig()
    const stop = new AbortController()
    state.override = ({ url }) => {
      if (!url.includes('comp=blocklist')) return undefined
      setImmediate(() => stop.abort(new Error('stopped')))
      return 'hang'
    }
    await expect(store(aStream(9 * MIB).chunks, aFile, stop.signal)).rejects.toThrow('stopped')
    expect(blobs.size).toBe(0)
  })
})

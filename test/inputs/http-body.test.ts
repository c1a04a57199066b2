import { once } from 'node:events'
import { Agent, type ClientRequest, createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createGzip, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { http } from '../../inputs/http.ts'
import { YarakError } from '../../src/plugin.ts'
import { type TestInputIo, testInputIo } from '../../src/testing.ts'
import { alert, gate } from '../kit.ts'
import { closed, type HttpSettings, listening, serving } from './_http-rig.ts'

const line = (rule: string): string => `${JSON.stringify(alert({ rule }))}\n`
const NDJSON = { 'content-type': 'application/x-ndjson' }

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await closed(server)
})

/** The input on node:http, over an {@link InputIo} of the test. */
const input = async (settings: HttpSettings = {}, io: TestInputIo = testInputIo()) => {
  const handle = http.handle?.(http.config.parse(settings), io)
  const server = await listening(createServer((asked, answer) => void handle?.(asked, answer)))
  servers.push(server)
  const { port } = server.address() as AddressInfo
  const open = (headers: Record<string, string> = {}, agent: Agent | false = false): ClientRequest =>
    request({ host: '127.0.0.1', port, method: 'POST', path: '/', headers, agent })
  return { io, server, port, open }
}

const answerOf = async (asked: ClientRequest): Promise<{ status: number; json: unknown; raw: IncomingMessage }> => {
  const [raw] = (await once(asked, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of raw) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return { status: raw.statusCode ?? 0, json: text && (JSON.parse(text) as unknown), raw }
}

const rulesOf = (io: TestInputIo) => io.emitted.map(({ raw }) => (JSON.parse(String(raw)) as { rule: string }).rule)

describe('lines', () => {
  it.each([
    ['by content type', NDJSON],
    ['by shape', {}],
  ])('are emitted as they come, %s', async (_how, headers) => {
    const { io, open } = await input()
    const asked = open(headers)
    asked.write(line('a') + line('b').slice(0, 20))
    await vi.waitFor(() => expect(rulesOf(io)).toEqual(['a']))
    asked.write(line('b').slice(20) + line('c'))
    await vi.waitFor(() => expect(rulesOf(io)).toEqual(['a', 'b', 'c']))
    asked.end(line('d').trim())
    expect((await answerOf(asked)).json).toEqual({ accepted: 4, rejected: [] })
  })

  it('are emitted as they come out of gzip', async () => {
    const { io, open } = await input()
    const asked = open({ ...NDJSON, 'content-encoding': 'gzip' })
    const gzip = createGzip()
    gzip.pipe(asked)
    gzip.write(line('a'))
    gzip.flush()
    await vi.waitFor(() => expect(rulesOf(io)).toEqual(['a']))
    gzip.end(line('b'))
    expect((await answerOf(asked)).json).toEqual({ accepted: 2, rejected: [] })
  })

  it('over the limit are named, and what they begin with is kept, and the others are taken', async () => {
    const { io, open } = await input({ maxLine: 300 })
    const asked = open(NDJSON).end(line('a') + line('x'.repeat(500)) + line('b'))
    expect((await answerOf(asked)).json).toEqual({
      accepted: 2,
      rejected: [{ index: 1, code: 'too_large', message: 'the line is over 300 bytes' }],
    })
    expect(rulesOf(io)).toEqual(['a', 'b'])
    expect(io.counted).toEqual(['rejected too_large'])
    expect(io.lost).toMatchObject([{ reason: 'too_large', message: 'the line is over 300 bytes' }])
    expect(String(io.lost[0]?.body)).toMatch(/^\{"rule":"xxx/)
    expect(io.lost[0]?.position).toBe(`bytes ${line('a').length}-${(line('a') + line('x'.repeat(500))).length - 1}`)
  })

  it('before the body goes over its limit are taken, and the answer says so', async () => {
    const { io, open } = await input({ maxBody: 2_000 })
    const asked = open({ ...NDJSON, 'transfer-encoding': 'chunked' })
    asked.write(line('a'))
    await vi.waitFor(() => expect(rulesOf(io)).toEqual(['a']))
    asked.end(line('b'.repeat(2_000)))
    expect(await answerOf(asked)).toMatchObject({
      status: 413,
      json: { error: 'too_large', message: 'the body is over 2000 bytes', accepted: 1, rejected: [] },
    })
    expect(io.counted).toEqual(['rejected too_large'])
  })

  it('of a sender that goes away in between are taken, and the rest is counted', async () => {
    const { io, open } = await input()
    const asked = open(NDJSON).on('error', () => {})
    asked.write(line('a') + '{"rule":')
    await vi.waitFor(() => expect(rulesOf(io)).toEqual(['a']))
    asked.destroy()
    await vi.waitFor(() => expect(io.counted).toEqual(['rejected aborted']))
    expect(rulesOf(io)).toEqual(['a'])
  })

  it('let others have a turn, and are emitted a few at a time', async () => {
    let running = 0
    let most = 0
    let turns = 0
    const spin = (): void => void (turns++, (next = setImmediate(spin)))
    let next = setImmediate(spin)
    const io = testInputIo({
      async emit() {
        most = Math.max(most, ++running)
        await Promise.resolve()
        running--
        return { id: 'x', done: Promise.resolve([]) }
      },
    })
    const { open } = await input({}, io)
    const all = [1, 2, 3, 4].map(() => answerOf(open().end(`[${Array(2_000).fill('{}').join(',')}]`)))
    for (const { json } of await Promise.all(all)) expect(json).toEqual({ accepted: 2_000, rejected: [] })
    clearImmediate(next)
    expect(most).toBeLessThanOrEqual(200)
    expect(turns).toBeGreaterThanOrEqual(20)
  })

  it('that are wrong by the thousand are not all named', async () => {
    const rig = await serving('handle')
    const got = await rig.ask({ body: '7\n'.repeat(1_500), headers: NDJSON })
    expect(got.status).toBe(400)
    const { rejected, ...rest } = JSON.parse(got.body) as { rejected: unknown[] }
    expect([rejected.length, rest]).toEqual([1_000, { accepted: 0, more: 500 }])
    expect(await rig.counted('rejected', 'invalid')).toBe(1_500)
    await rig.stop()
  })
})

describe('a slow sender', () => {
  it.each([{}, NDJSON])('is told 408, and its connection ends (%j)', async (headers) => {
    const { io, open } = await input({ bodyTimeout: '20ms' })
    const asked = open({ ...headers, 'content-length': '1000' })
    asked.write('{"rule"')
    const { status, json, raw } = await answerOf(asked)
    expect([status, json]).toEqual([408, { error: 'too_slow', message: 'the body took longer than 20 ms' }])
    expect(raw.headers.connection).toBe('close')
    expect([io.counted, io.emitted]).toEqual([['rejected too_slow'], []])
  })

  it('is one that keeps sending too, one byte after another', async () => {
    const { io, open } = await input({ bodyTimeout: '100ms' })
    const asked = open().on('error', () => {})
    const drip = setInterval(() => asked.write(' '), 5)
    expect((await answerOf(asked)).status).toBe(408)
    clearInterval(drip)
    asked.destroy()
    expect(io.counted).toEqual(['rejected too_slow'])
  })

  it('is not one that waits for us', async () => {
    const held = gate()
    const io = testInputIo({
      async emit() {
        await held.promise
        return { id: 'x', done: Promise.resolve([]) }
      },
    })
    const { open } = await input({ bodyTimeout: '50ms' }, io)
    const asked = open(NDJSON)
    asked.write(line('a'))
    asked.end(line('b'))
    setTimeout(held.resolve, 200)
    expect(await answerOf(asked)).toMatchObject({ status: 200, json: { accepted: 2 } })
  })

  it('that goes away is counted, and nothing is emitted', async () => {
    const { io, server, open } = await input()
    const asked = open().on('error', () => {})
    asked.write('{"rule":')
    await once(server, 'request')
    asked.destroy()
    await vi.waitFor(() => expect(io.counted).toEqual(['rejected aborted']))
    expect(io.emitted).toEqual([])
  })
})

describe('limits', () => {
  it('holds only so many bodies: the next waits for its turn, or is told 503', async () => {
    const { io, server, open } = await input({ concurrency: 1 })
    const first = open()
    first.write(' ')
    await once(server, 'request')
    const { status, json, raw } = await answerOf(open().end(line('b')))
    expect([status, json]).toEqual([503, { error: 'overloaded', message: 'too many bodies are being read' }])
    expect(raw.headers['retry-after']).toBe('1')
    const waiting = answerOf(open().end(line('c')))
    first.end(line('a'))
    expect((await answerOf(first)).status).toBe(200)
    expect((await waiting).status).toBe(200)
    expect([rulesOf(io), io.counted]).toEqual([['a', 'c'], ['rejected overloaded']])
  })

  it('takes so many events a second, and tells 429 to the rest', async () => {
    const { io, open } = await input({ rate: { perSecond: 0.001, burst: 3 } })
    expect((await answerOf(open().end(line('a')))).status).toBe(200)
    const batch = await answerOf(open().end(line('b') + line('c') + line('d')))
    expect([batch.status, batch.json]).toEqual([
      200,
      { accepted: 2, rejected: [{ index: 2, code: 'too_many', message: 'more events than the rate allows' }] },
    ])
    const none = await answerOf(open().end(line('e')))
    expect([none.status, none.json, none.raw.headers['retry-after']]).toMatchObject([429, { error: 'too_many' }, '1'])
    expect((await answerOf(open().end(`[${line('f')},${line('g')}]`))).status).toBe(429)
    expect(io.counted).toEqual(Array(4).fill('rejected too_many'))
    expect(io.lost).toEqual([])
  })

  it('ends endless gzip that becomes nothing', async () => {
    const { io, open } = await input({ maxBody: '64KiB' })
    const asked = open({ 'content-encoding': 'gzip' }).on('error', () => {})
    asked.write(gzipSync('').subarray(0, 10))
    const drip = setInterval(() => asked.write(Buffer.alloc(50_000).fill('\x00\x00\x00\xff\xff', 'latin1')), 1)
    expect((await answerOf(asked)).status).toBe(413)
    clearInterval(drip)
    asked.destroy()
    expect(io.counted).toEqual(['rejected too_large'])
  })
})

describe('connections', () => {
  it('gets the answer to a sender that is still sending', async () => {
    const { port } = await input({ maxBody: '64KiB' })
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n`)
    socket.write(Buffer.alloc(3_000_000))
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 413 [\s\S]*connection: close[\s\S]*the body is over/i)
  })

  it('stays open after a refusal', async () => {
    const { server, open } = await input({ token: 's3cret' })
    const connections = vi.fn()
    server.on('connection', connections)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect((await answerOf(open({}, agent).end(line('a')))).status).toBe(401)
    expect((await answerOf(open({ authorization: 'Bearer s3cret' }, agent).end(line('a')))).status).toBe(200)
    expect(connections).toHaveBeenCalledTimes(1)
    agent.destroy()
  })

  it('stays open after a refusal in the middle of a body', async () => {
    const { server, open } = await input()
    const connections = vi.fn()
    server.on('connection', connections)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const asked = open({ 'content-encoding': 'gzip', 'content-length': '2000000' }, agent)
    const answer = answerOf(asked)
    asked.write('no gzip')
    expect((await answer).status).toBe(400)
    asked.end(Buffer.alloc(2_000_000 - 7))
    await once(asked, 'close')
    expect((await answerOf(open({}, agent).end(line('a')))).status).toBe(200)
    expect(connections).toHaveBeenCalledTimes(1)
    agent.destroy()
  })

  it.each([false, true])('asks for the body of a sender that waits to be asked (host listens: %s)', async (listens) => {
    const { server, open, io } = await input({ token: 's3cret' })
    if (listens) server.on('checkContinue', (asked, answer) => server.emit('request', asked, answer))
    const continued = vi.fn()
    const asked = open({ expect: '100-continue', authorization: 'Bearer s3cret' }).on('information', continued)
    asked.flushHeaders()
    await once(asked, 'continue')
    asked.end(line('a'))
    expect((await answerOf(asked)).status).toBe(200)
    expect([rulesOf(io), continued.mock.calls.length]).toEqual([['a'], 1])
  })

  it('refuses a sender before its body, when the host lets it', async () => {
    const { server, open } = await input({ token: 's3cret' })
    server.on('checkContinue', (asked, answer) => server.emit('request', asked, answer))
    const continued = vi.fn()
    const asked = open({ expect: '100-continue' }).on('continue', continued)
    asked.flushHeaders()
    expect((await answerOf(asked)).status).toBe(401)
    expect(continued).not.toHaveBeenCalled()
  })
})

describe('what goes wrong with us', () => {
  it('is told as 500 without its message, and logged', async () => {
    const io = testInputIo({ emit: () => Promise.reject(new TypeError('private')) })
    const { open } = await input({}, io)
    const { status, json } = await answerOf(open().end(line('a')))
    expect([status, json]).toEqual([500, { error: 'failed', message: 'the event could not be taken' }])
    expect(io.lines).toMatchObject([
      { level: 'error', fields: { error: expect.stringContaining('private') as string } },
    ])
  })

  it('is told as 500 for a whole batch too, and not as the fault of the sender', async () => {
    const io = testInputIo({ emit: () => Promise.reject(new YarakError('failed', 'private')) })
    const { open } = await input({}, io)
    const { status, json } = await answerOf(open().end(line('a') + line('b')))
    const rejected = [0, 1].map((index) => ({ index, code: 'failed', message: 'the event could not be taken' }))
    expect([status, json]).toEqual([500, { accepted: 0, rejected }])
    expect(io.lines).toMatchObject([
      { level: 'error', fields: { error: expect.stringContaining('private') as string } },
    ])
  })

  it('is told as the gateway says, with when to come again', async () => {
    const full = new YarakError('overloaded', 'the journal is full', { retryAfter: 4_200 })
    const { open } = await input({}, testInputIo({ emit: () => Promise.reject(full) }))
    const { status, json, raw } = await answerOf(open().end(line('a')))
    expect([status, json]).toEqual([503, { error: 'overloaded', message: 'the journal is full' }])
    expect(raw.headers['retry-after']).toBe('5')
  })
})

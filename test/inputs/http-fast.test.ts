/** Nearly every request takes a shorter way: nobody must be able to tell. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isPlain } from '../../inputs/_http-fast.ts'
import { http } from '../../inputs/http.ts'
import { YarakError } from '../../src/plugin.ts'
import { type TestInputIo, testInputIo } from '../../src/testing.ts'
import { alert, gate } from '../kit.ts'
import { bySocket, closed, type Got, type HttpSettings, listening } from './_http-rig.ts'

const ALERT = JSON.stringify(alert())
const JSON_TYPE = { 'content-type': 'application/json' }
/** A header that changes nothing, but is not known to. */
const LONG_WAY = { 'x-anything': '1' }

const servers: Server[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await closed(server)
})

const input = async (settings: HttpSettings = {}, io: TestInputIo = testInputIo()) => {
  const handle = http.handle?.(http.config.parse(settings), io)
  const server = await listening(createServer((asked, answer) => void handle?.(asked, answer)))
  servers.push(server)
  const { port } = server.address() as AddressInfo
  return { io, server, port, url: `http://127.0.0.1:${port}` }
}

/** A connection of our own: what it got so far, and a way to send bytes as they are. */
const wire = async (port: number) => {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  sockets.push(socket)
  await once(socket, 'connect')
  let got = ''
  socket.on('data', (chunk: Buffer) => void (got += chunk.toString()))
  return { socket, statuses: () => [...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)) }
}

const head = (length: number, path = '/'): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`

/** Takes no event before `held` is opened. */
const holdingIo = () => {
  const held = gate()
  const started = gate()
  const emit = async () => {
    started.resolve()
    await held.promise
    return { id: 'x', done: Promise.resolve([]) }
  }
  return { held, started, io: testInputIo({ emit }) }
}

/** An answer without what differs from one answer to the next. */
const told = ({ status, headers, body }: Got) => {
  const { date: _date, ...rest } = headers
  return { status, headers: { ...rest, ...(rest['yarak-event-id'] && { 'yarak-event-id': '...' }) }, body }
}

/** What a request leads to: its answer, what is emitted, counted and kept. */
const led = async (settings: HttpSettings, path: string, headers: Record<string, string>, body: string) => {
  const { io, server, url } = await input(settings)
  const answer = told(await bySocket(url, { path, headers: { ...JSON_TYPE, ...headers }, body }))
  await closed(servers.splice(servers.indexOf(server), 1)[0])
  return { answer, emitted: io.emitted, counted: io.counted, lost: io.lost, lines: io.lines }
}

describe('plain headers', () => {
  it.each([
    ['of libcurl', ['Host', 'x', 'User-Agent', 'falco', 'Accept', '*/*', 'Content-Type', 'application/json'], true],
    ['of Go', ['Host', 'x', 'Content-Type', 'application/json; charset=utf-8', 'Accept-Encoding', 'gzip'], true],
    ['in lower case', ['host', 'x', 'content-length', '7', 'content-type', 'application/json'], true],
    ['and none', [], true],
    ['but a type of lines', ['Content-Type', 'application/json-seq'], false],
    ['but a second type', ['content-type', 'application/json', 'Content-Type', 'application/x-ndjson'], false],
    ['but a coding', ['Host', 'x', 'Content-Encoding', 'gzip'], false],
    ['but chunks', ['Transfer-Encoding', 'chunked'], false],
    ['but a wait', ['Expect', '100-continue'], false],
    ['but a trace', ['Host', 'x', 'traceparent', '00-00-00-00'], false],
    ['but a browser', ['Origin', 'http://x'], false],
    ['but a proxy', ['X-Forwarded-For', '192.0.2.1'], false],
    ['but a proof', ['Authorization', 'Bearer x'], false],
    ['in odd capitals', ['HOST', 'x'], false],
  ])('%s', (_name, raw, plain) => expect(isPlain(raw)).toBe(plain))
})

describe('the shorter way leads to the same', () => {
  const body = fc.oneof(
    fc.constantFrom(
      ALERT,
      `${ALERT}\n`,
      `${ALERT}\n${ALERT}`,
      ALERT + ALERT,
      `[${ALERT},${ALERT}]`,
      JSON.stringify(alert(), undefined, 2),
      JSON.stringify(alert({ output: '}{' })),
      JSON.stringify({ log: ALERT }),
      '{"message":"Falco initialized"}',
      `\ufeff${ALERT}`,
      ` ${ALERT}`,
      '{"rule":"x"',
      '{}',
      '',
      'x'.repeat(3_000),
      JSON.stringify(alert({ output: 'é'.repeat(1_500) })),
    ),
    fc.json(),
    fc.string({ unit: 'binary' }),
  )
  const settings = fc.constantFrom<HttpSettings>(
    {},
    { trust: true },
    { token: 's3cret' },
    { hmac: { secret: 'k3y', header: 'content-type' } },
    { clientCertificates: {} },
    { trustedProxies: ['127.0.0.1'] },
    { rate: { perSecond: 0.001, burst: 1 } },
    { unwrap: 'none' },
    { maxBody: 2_000 },
    { secretPath: 'open-sesame' },
    { catchAll: true },
  )
  const path = fc.constantFrom('/', '/?x=1', '/elsewhere', '/in/open-sesame', '/in/open-sesamf')

  it('whatever is sent, and whatever is set', async () => {
    await fc.assert(
      fc.asyncProperty(settings, path, body, async (some, at, text) => {
        const given = { catchAll: true, ...some }
        expect(await led(given, at, {}, text)).toEqual(await led(given, at, LONG_WAY, text))
      }),
      { numRuns: 300 },
    )
  }, 60_000)

  it('at the limit of the size', async () => {
    const sent = [0, 1].map((over) => led({ maxBody: ALERT.length - over }, '/', {}, ALERT))
    expect((await Promise.all(sent)).map(({ answer }) => answer.status)).toEqual([200, 413])
  })

  it('when the gateway fails', async () => {
    const io = testInputIo({ emit: () => Promise.reject(new TypeError('private')) })
    const { url } = await input({}, io)
    const sent = [JSON_TYPE, { ...JSON_TYPE, ...LONG_WAY }].map((headers) => bySocket(url, { headers, body: ALERT }))
    const [short, long] = (await Promise.all(sent)).map(told)
    expect(short).toEqual(long)
    expect(short).toMatchObject({ status: 500, body: expect.not.stringContaining('private') as string })
  })

  it('when it stops', async () => {
    const stop = new AbortController()
    const { io, url } = await input({}, { ...testInputIo(), signal: stop.signal })
    stop.abort()
    expect(await bySocket(url, { headers: JSON_TYPE, body: ALERT })).toMatchObject({ status: 503 })
    expect([io.emitted, io.counted]).toEqual([[], ['rejected closing']])
  })
})

describe('a connection', () => {
  it.each([
    ['head and body', head(ALERT.length), ALERT],
    ['in the middle of the head', 'POST / HT', head(ALERT.length).slice(9) + ALERT],
    ['in the middle of the body', head(ALERT.length) + ALERT.slice(0, 40), ALERT.slice(40)],
  ])('may bring a request in two parts: %s', async (_name, first, second) => {
    const { io, port } = await input()
    const { socket, statuses } = await wire(port)
    for (let sent = 1; sent <= 2; sent++) {
      socket.write(first)
      await new Promise((resolve) => setTimeout(resolve, 20))
      socket.write(second)
      await vi.waitFor(() => expect(statuses()).toEqual(Array(sent).fill(200)))
    }
    expect(io.emitted.map(({ raw }) => raw)).toEqual([ALERT, ALERT])
  })

  it('may bring many requests at once, of all kinds: each is answered, in order', async () => {
    const refusing = async (raw: unknown) => {
      if (raw !== ALERT) throw new YarakError('invalid', 'no event')
      return { id: 'x', done: Promise.resolve([]) }
    }
    const { io, port } = await input({}, testInputIo({ emit: refusing }))
    const { socket, statuses } = await wire(port)
    const one = head(ALERT.length) + ALERT
    const traced = one.replace('Host: x', 'Host: x\r\nX-Anything: 1')
    socket.write(one + traced + head(1) + '7' + one + head(0) + traced + one)
    await vi.waitFor(() => expect(statuses()).toEqual([200, 200, 400, 200, 400, 200, 200]))
    expect(io.emitted).toHaveLength(5)
  })

  it('is not trusted because of what it proved before', async () => {
    const { io, port } = await input({ secretPath: 'open-sesame' })
    const { socket, statuses } = await wire(port)
    for (const path of ['/in/open-sesame', '/in/open-sesamf', '/', '/in/open-sesame'])
      socket.write(head(ALERT.length, path) + ALERT)
    await vi.waitFor(() => expect(statuses()).toEqual([200, 403, 403, 200]))
    expect(io.emitted.map(({ options }) => options.authenticated)).toEqual(['path', 'path'])
  })

  it('of this machine proves nothing with what came from elsewhere', async () => {
    const { io, port } = await input()
    const { socket, statuses } = await wire(port)
    const one = head(ALERT.length) + ALERT
    for (const [before, sent] of [one, one.replace('Host: x', 'Host: x\r\nVia: 1.1 x'), one].entries()) {
      socket.write(sent)
      await vi.waitFor(() => expect(statuses()).toEqual(Array(before + 1).fill(200)))
    }
    expect(io.emitted.map(({ options }) => options.authenticated)).toEqual(['loopback', undefined, 'loopback'])
  })

  it('that is cut while its event is taken harms nothing, and the event is taken once', async () => {
    const { held, started, io } = holdingIo()
    const { port, url } = await input({ concurrency: 1 }, io)
    const { socket } = await wire(port)
    socket.write(head(ALERT.length) + ALERT)
    await started.promise
    socket.resetAndDestroy()
    const next = bySocket(url, { headers: JSON_TYPE, body: ALERT })
    held.resolve()
    expect((await next).status).toBe(200)
    expect([io.emitted.length, io.counted]).toEqual([2, []])
  })

  it('that is cut before its body is whole is counted', async () => {
    const { io, server, port } = await input()
    const { socket } = await wire(port)
    server.once('request', () => socket.resetAndDestroy())
    socket.write(head(ALERT.length) + ALERT.slice(0, 40))
    await vi.waitFor(() => expect(io.counted).toEqual(['rejected aborted']))
    expect(io.emitted).toEqual([])
  })
})

describe('places', () => {
  it('are shared by both ways: who finds none waits, or is told 503', async () => {
    const { held, started, io: holding } = holdingIo()
    const { url } = await input({ concurrency: 1 }, holding)
    const first = bySocket(url, { headers: JSON_TYPE, body: ALERT })
    await started.promise
    expect((await bySocket(url, { headers: JSON_TYPE, body: ALERT })).status).toBe(503)
    const waiting = bySocket(url, { headers: { ...JSON_TYPE, ...LONG_WAY }, body: ALERT })
    held.resolve()
    expect([(await first).status, (await waiting).status]).toEqual([200, 200])
  })

  it('are free again after what is refused', async () => {
    const emit = () => Promise.reject(new YarakError('overloaded', 'full'))
    const { url } = await input({ concurrency: 1 }, testInputIo({ emit }))
    for (let i = 0; i < 3; i++)
      expect(await bySocket(url, { headers: JSON_TYPE, body: ALERT })).toMatchObject({
        status: 503,
        body: expect.stringContaining('full') as string,
      })
  })
})

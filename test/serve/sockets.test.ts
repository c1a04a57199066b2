import type { IncomingMessage, ServerResponse } from 'node:http'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { gatewayWith, get, listener, mount, raw, refusals, serve, statuses } from './_kit.ts'

/** Limits that a test can wait for. */
const SHORT = { headers: 150, request: 300, keepAlive: 150, idle: 2_000, check: 20 }

/** Reads the body on node:http and tells its length; `/throws` throws; other paths are left to Hono. */
const echo = (request: IncomingMessage, response: ServerResponse): boolean => {
  if (request.url === '/throws') throw new Error('the inner reason')
  if (request.url !== '/') return false
  let length = 0
  request.on('data', (chunk: Buffer) => (length += chunk.length))
  request.on('end', () => response.writeHead(200, { 'content-length': 3 }).end(String(length).padStart(3)))
  request.on('error', () => {})
  return true
}

const app = new Hono().post('/hono', async (c) => c.text(`hono ${(await c.req.text()).length}`))

const echoing = (limits: Partial<typeof SHORT> = {}) =>
  serve(['127.0.0.1:0'], gatewayWith(mount('echo', app, echo)), { limits: { ...SHORT, ...limits } })

const POST = (path: string, body: string, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\n${more}content-length: ${body.length}\r\n\r\n${body}`

const GET = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nhost: x\r\n${more}\r\n`

/** The connection ends with the answer. */
const CLOSE = 'connection: close\r\n'

describe('a client that is slow', () => {
  it('with its headers is told 408 and cut', async () => {
    const { first } = echoing()
    const url = await first()
    const slow = raw(url, 'POST / HTTP/1.1\r\nhost: x\r\n')
    const drip = setInterval(() => slow.socket.write('x-a: b\r\n'), 30)
    const came = await slow.all()
    clearInterval(drip)
    expect(came).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[^]*connection: close\r\n\r\n\{"error":"timed_out",/)
    expect(await refusals(url)).toEqual({ timeout: 1 })
  })

  it.each(['/', '/hono'])('with its body is told 408 and cut: %s', async (path) => {
    const { first } = echoing()
    const url = await first()
    const slow = raw(url, `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{`)
    const drip = setInterval(() => slow.socket.write('x'), 30)
    const came = await slow.all()
    clearInterval(drip)
    expect(statuses(came)).toEqual([408])
    expect(await refusals(url)).toEqual({ timeout: 1 })
  })

  it('and sends nothing at all is closed', async () => {
    const { first } = echoing()
    const url = await first()
    expect(statuses(await raw(url).all())).toEqual([408])
    expect(await refusals(url)).toEqual({ timeout: 1 })
  })

  it('and sends nothing after its first request is closed in silence', async () => {
    const { first } = echoing()
    const url = await first()
    expect(statuses(await raw(url, GET('/healthz')).all())).toEqual([200])
    expect(await refusals(url)).toEqual({})
  })

  it('and does not read its answer is closed', async () => {
    const big = new Hono().get('/big', (c) => c.body('x'.repeat(32 * 1024 * 1024)))
    const { first, url } = serve(['127.0.0.1:0'], gatewayWith(mount('big', big)), { limits: { ...SHORT, idle: 200 } })
    const one = raw(await first(), GET('/big'))
    one.socket.pause()
    const open = async () => (await get(`${await url(0)}/metrics`)).text
    await expect.poll(open, { timeout: 5_000 }).toMatch(/^yarak_listener_connections\{[^}]+\} 1$/m)
  })

  it('does not hold up the others', async () => {
    const { first } = echoing({ headers: 5_000, request: 5_000 })
    const url = await first()
    for (let i = 0; i < 50; i++) raw(url, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n{')
    const one = raw(url, POST('/', 'abc'))
    await one.until(/ {2}3$/)
  })
})

describe('what is not HTTP', () => {
  it.each([
    ['noise', '\u0016\u0003\u0001\u0000\u0005hello\r\n\r\n'],
    ['a version that is not known', 'GET / HTTP/9.9\r\nhost: x\r\n\r\n'],
    ['a header name with a space', 'GET / HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n'],
    ['a header that goes on in the next line', 'GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['chunks of no known size', 'POST /hono HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n'],
    ['a bare line feed in the headers', 'GET / HTTP/1.1\nhost: x\n\n'],
  ])('is told 400, counted and closed: %s', async (_what, text) => {
    const { first, logged } = echoing()
    const url = await first()
    const came = await raw(url, text).all()
    expect(came).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*connection: close\r\n\r\n\{"error":"invalid",/)
    expect(await refusals(url)).toEqual({ bad_request: 1 })
    expect(logged.filter(([level]) => level !== 'debug' && level !== 'info')).toEqual([])
  })

  it('with headers that are too large is told 431', async () => {
    const { first } = echoing()
    const url = await first()
    const came = await raw(url, GET('/', `x-large: ${'x'.repeat(17_000)}\r\n`)).all()
    expect(came).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n[^]*\{"error":"too_large",/)
    expect(await refusals(url)).toEqual({ headers_too_large: 1 })
    expect(statuses(await raw(url, GET('/healthz', `${CLOSE}x-large: ${'x'.repeat(15_000)}\r\n`)).all())).toEqual([200])
  })

  it('and one that goes away in the middle are counted, nothing else', async () => {
    const { first, logged } = echoing({ headers: 5_000, request: 5_000 })
    const url = await first()
    const one = raw(url, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{')
    one.socket.end()
    await one.all()
    await expect.poll(() => refusals(url)).toEqual({ aborted: 1 })
    const two = raw(url, 'POST /hono HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{')
    await expect
      .poll(async () => (await get(`${url}/metrics`)).text)
      .toMatch(/^yarak_listener_connections\{[^}]+\} 2$/m)
    two.socket.resetAndDestroy()
    await expect.poll(() => refusals(url)).toMatchObject({ aborted: 2 })
    expect(logged.filter(([level]) => level === 'warn')).toEqual([])
  })
})

describe('what is unusual', () => {
  it('several requests at once on one connection are answered in order', async () => {
    const { first } = echoing()
    const one = raw(await first(), POST('/', 'a') + POST('/hono', 'bb') + GET('/healthz') + POST('/', 'dddd', CLOSE))
    const came = await one.all()
    expect(statuses(came)).toEqual([200, 200, 200, 200])
    expect(came).toMatch(/ {2}1HTTP[^]*hono 2HTTP[^]*"ok"\}HTTP[^]* {2}4$/)
  })

  it.each(['/', '/hono'])('Expect: 100-continue gets its 100, then the answer: %s', async (path) => {
    const { first } = echoing()
    const one = raw(
      await first(),
      `POST ${path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 3\r\n\r\n`,
    )
    await one.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    one.socket.write('abc')
    expect(statuses(await one.all())).toEqual([100, 200])
  })

  it('another Expect is refused with 417', async () => {
    const { first } = echoing()
    expect(statuses(await raw(await first(), GET('/healthz', `${CLOSE}expect: miracles\r\n`)).all())).toEqual([417])
  })

  it.each(['websocket', 'h2c'])('an upgrade to %s is not taken: the request is answered as it is', async (to) => {
    const { first } = echoing()
    const more = `connection: upgrade, http2-settings, close\r\nupgrade: ${to}\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n`
    expect(statuses(await raw(await first(), GET('/healthz', more)).all())).toEqual([200])
  })

  it('CONNECT is closed, and tunnels nothing', async () => {
    const { first } = echoing()
    expect(await raw(await first(), 'CONNECT other:443 HTTP/1.1\r\nhost: other\r\n\r\n').all()).toBe('')
  })

  it('HTTP/1.0 without a host is answered', async () => {
    const { first } = echoing()
    expect(statuses(await raw(await first(), 'GET /healthz HTTP/1.0\r\n\r\n').all())).toEqual([200])
    expect(statuses(await raw(await first(), 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n').all())).toEqual([
      400,
    ])
  })

  it.each(['/', '/hono'])('a client that closes its half after sending gets its answer: %s', async (path) => {
    const hold = new Hono().post('/hono', async (c) => {
      await new Promise((done) => setTimeout(done, 30))
      return c.text('late')
    })
    const late = (request: IncomingMessage, response: ServerResponse): boolean => {
      if (request.url === '/') setTimeout(() => response.end('late'), 30)
      return request.url === '/'
    }
    const { first } = serve(['127.0.0.1:0'], gatewayWith(mount('late', hold, late)), { limits: SHORT })
    const one = raw(await first())
    one.socket.end(POST(path, 'abc'))
    expect(await one.all()).toMatch(/^HTTP\/1\.1 200 OK[^]*late/)
  })

  it('a handle that throws answers 500 and takes nothing down', async () => {
    const { first, logged } = echoing()
    const url = await first()
    const came = await raw(url, POST('/throws', 'a')).all()
    expect(came).toMatch(/^HTTP\/1\.1 500 [^]*\{"error":"failed","message":"the request failed"\}/)
    expect(came).not.toContain('inner')
    expect(logged).toContainEqual(['error', 'a request failed', { error: 'the inner reason' }])
    expect((await get(`${url}/healthz`)).status).toBe(200)
  })
})

describe('more connections than a listener holds', () => {
  it('are closed as they come, counted, and told once', async () => {
    const at = listener('127.0.0.1:0', { maxConnections: 2 })
    const { first, logged } = serve([at, '127.0.0.1:0'], gatewayWith())
    const url = await first()
    const held = [raw(url, GET('/healthz')), raw(url, GET('/healthz'))]
    for (const one of held) await one.until('"ok"')
    expect(await raw(url, GET('/healthz')).all()).toBe('')
    expect(await raw(url, GET('/healthz')).all()).toBe('')
    held[0]?.socket.destroy()
    await expect
      .poll(() => refusals(url).catch(() => {}))
      .toEqual({ too_many_connections: expect.any(Number) as number })
    const warnings = logged.filter(([level]) => level === 'warn')
    expect(warnings).toEqual([
      [
        'warn',
        'a connection was refused',
        { address: '127.0.0.1:0', reason: 'too_many_connections', error: 'more than 2 connections' },
      ],
    ])
  })
})

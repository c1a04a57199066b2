import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { request } from 'undici'
import { afterAll, describe, expect, it } from 'vitest'
import { http } from '../inputs/http.ts'
import { createGateway } from '../src/index.ts'
import { alert } from './kit.ts'
import { agent, gatewayWith, get, later, mount, other, portOf, raw, serve } from './serve/_kit.ts'

const base = mkdtempSync(join(tmpdir(), 'yarak-serve-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

/** A new folder. */
const folder = (): string => mkdtempSync(join(base, 'x-'))

const withHttp = () => createGateway({ inputs: [http({})] })

describe('a listener', () => {
  it('serves the inputs, and health and metrics beside them', async () => {
    const { first, logged } = serve(['127.0.0.1:0'], withHttp())
    const url = await first()
    expect(logged).toEqual([['info', 'listening', { address: url }]])
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await get(`${url}/healthz`)).toMatchObject({ status: 200, text: '{"status": "ok"}' })
    expect(await get(`${url}/livez`)).toMatchObject({ status: 200, text: 'ok' })
    const { statusCode, headers } = await request(url, {
      method: 'POST',
      body: JSON.stringify(alert()),
      dispatcher: agent(),
    })
    expect([statusCode, headers['yarak-event-id']]).toEqual([200, expect.stringMatching(/^[0-9a-f-]{36}$/)])
    const { text } = await get(`${url}/metrics`)
    expect(text).toContain('yarak_events_received_total{input="http"} 1\n')
    expect(text).toContain('yarak_listener_up{address="127.0.0.1:0"} 1\n')
    expect(text).toMatch(/^process_resident_memory_bytes \d{7,}$/m)
    expect(text).toMatch(/^process_start_time_seconds 1\d{9}$/m)
    expect(text).toMatch(/^yarak_listener_connections\{address="127\.0\.0\.1:0"\} [1-9]$/m)
    expect((await get(`${url}/nothing`)).text).toBe('{"error":"not_found","message":"nothing is served at /nothing"}')
  })

  it('answers a failure of ours with 500, without its text, which goes to the log', async () => {
    const app = new Hono().get('/bad', () => {
      throw new Error('the inner reason')
    })
    const { first, logged } = serve(['127.0.0.1:0'], gatewayWith(mount('bad', app)))
    expect(await get(`${await first()}/bad`)).toMatchObject({
      status: 500,
      text: '{"error":"failed","message":"the request failed"}',
    })
    expect(logged).toContainEqual(['error', 'a request failed', { error: 'the inner reason' }])
  })

  it.skipIf(
    !Object.values(networkInterfaces())
      .flat()
      .some((one) => one?.address === '::1'),
  )('takes [::1], and [::] for IPv4 too (skipped without IPv6)', async () => {
    const { listeners } = serve(['[::1]:0', '[::]:0'])
    const [six = '', both = ''] = await Promise.all(listeners.ready)
    expect(six).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await get(`${six}/healthz`)).status).toBe(200)
    expect((await get(`${both.replace('[::]', '127.0.0.1')}/healthz`)).status).toBe(200)
  })
})

describe('a port that is taken', () => {
  it('is told once for each try, in /readyz and in the metrics, while the other listener serves', async () => {
    const taken = await other({ port: 0, host: '127.0.0.1' })
    const text = `127.0.0.1:${portOf(taken)}`
    const { listeners, logged } = serve([text, '127.0.0.1:0'], withHttp())
    const url = (await listeners.ready[1]) ?? ''
    await expect.poll(() => listeners.status()[0]?.state).toBe('failing')
    expect(logged.filter(([level]) => level === 'error')).toEqual([
      [
        'error',
        'cannot listen, trying again',
        { address: text, error: 'the address is in use by another process', in_ms: expect.any(Number) as number },
      ],
    ])
    const answer = await get(`${url}/readyz`)
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.text)).toMatchObject({
      ready: false,
      mode: 'observe',
      inputs: [{ id: 'http', state: 'serving' }],
      listeners: [
        { address: text, state: 'failing', error: 'the address is in use by another process' },
        { address: '127.0.0.1:0', state: 'listening' },
      ],
    })
    expect((await get(`${url}/metrics`)).text).toContain(`yarak_listener_up{address="${text}"} 0\n`)
    expect((await get(`${url}/healthz`)).status).toBe(200)

    await new Promise<void>((done) => taken.close(() => done()))
    await listeners.ready[0]
    expect((await get(`http://${text}/readyz`)).status).toBe(200)
  })

  it('ends the tries when the gateway stops', async () => {
    const taken = await other({ port: 0, host: '127.0.0.1' })
    const { listeners } = serve([`127.0.0.1:${portOf(taken)}`])
    await expect.poll(() => listeners.status()[0]?.state).toBe('failing')
    await listeners.close()
    await expect(listeners.ready[0]).rejects.toMatchObject({ code: 'closing' })
    expect(listeners.status()).toMatchObject([{ state: 'closed' }])
  })

  it.each([
    ['192.0.2.1:0', 'this machine has no such address'],
    ['unix:/nowhere/at/all.sock', /the folder does not exist|permission denied/],
    [`unix:/tmp/${'x'.repeat(200)}`, /EINVAL|ENAMETOOLONG/],
  ])('%s is told too', async (text, reason) => {
    const { listeners } = serve([text])
    await expect.poll(() => listeners.status()[0]?.error).toMatch(reason)
  })

  it('leaves nothing that listens when it is closed before it was open', async () => {
    const { listeners, first } = serve(['127.0.0.1:0'])
    await listeners.close()
    const url = await first().catch(() => undefined)
    if (url) await expect(get(`${url}/healthz`)).rejects.toThrow(/ECONNREFUSED/)
    expect(listeners.status()).toMatchObject([{ state: 'closed' }])
  })
})

describe('a unix socket', () => {
  const overSocket = (socketPath: string) => get('http://localhost/healthz', agent({ connect: { socketPath } }))

  it('is served, and removed at the end', async () => {
    const at = join(folder(), 'y.sock')
    const { first, listeners } = serve([`unix:${at}`])
    expect(await first()).toBe(`unix:${at}`)
    expect((await overSocket(at)).status).toBe(200)
    await listeners.close(0)
    expect(existsSync(at)).toBe(false)
  })

  it('replaces the file that a process left behind when it died', async () => {
    const at = join(folder(), 'y.sock')
    const { spawnSync } = await import('node:child_process')
    const die = `require('node:net').createServer().listen(${JSON.stringify(at)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', die])
    expect(existsSync(at)).toBe(true)
    const { first } = serve([`unix:${at}`])
    await first()
    expect((await overSocket(at)).status).toBe(200)
  })

  it('that somebody answers is not taken away', async () => {
    const at = join(folder(), 'y.sock')
    const theirs = await other({ path: at })
    const { listeners } = serve([`unix:${at}`])
    await expect
      .poll(() => listeners.status())
      .toMatchObject([{ address: `unix:${at}`, state: 'failing', error: 'the address is in use by another process' }])
    const reached = new Promise<boolean>((done) => theirs.once('connection', () => done(true)))
    const socket = connect(at)
    later(() => socket.destroy())
    expect(await reached).toBe(true)
  })

  it.each(['a file', 'a link'])('does not replace %s', async (what) => {
    const inside = folder()
    const at = join(inside, 'y.sock')
    writeFileSync(join(inside, 'precious'), 'precious')
    if (what === 'a file') writeFileSync(at, 'precious')
    else symlinkSync(join(inside, 'precious'), at)
    const { listeners } = serve([`unix:${at}`])
    await expect.poll(() => listeners.status()[0]?.error).toBe('there is a file of that name that is not a socket')
    expect(existsSync(at)).toBe(true)
  })
})

describe('close', () => {
  it('does not wait for connections that are kept alive and idle', async () => {
    const { first, listeners } = serve(['127.0.0.1:0'])
    const one = raw(await first(), 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
    await one.until('"ok"')
    expect(one.came()).toMatch(/connection: keep-alive/i)
    await listeners.close(60_000)
    await one.all()
  })

  it('answers what is being asked, and says that the connection ends', async () => {
    const hold = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const app = new Hono().get('/slow', async (c) => {
      asked.resolve()
      await hold.promise
      return c.text('answered')
    })
    const { first, listeners } = serve(['127.0.0.1:0'], gatewayWith(mount('slow', app)))
    const one = raw(await first(), 'GET /slow HTTP/1.1\r\nhost: x\r\n\r\n')
    await asked.promise
    const closing = listeners.close(60_000)
    hold.resolve()
    await closing
    expect(await one.all()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n[^]*answered/i)
  })

  it('cuts a request that is never finished, at the deadline', async () => {
    const { first, listeners } = serve(['127.0.0.1:0'], withHttp())
    const url = await first()
    const headless = raw(url, 'POST / HTTP/1.1\r\nhost: x\r\n')
    const bodyless = raw(url, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"rule"')
    await expect.poll(async () => (await get(`${url}/metrics`)).text).toMatch(/yarak_listener_connections\{.*\} 3/)
    await listeners.close(20)
    await Promise.all([headless.all(), bodyless.all()])
    expect(listeners.status()).toMatchObject([{ state: 'closed' }])
  })

  it('takes no new connections', async () => {
    const { first, listeners } = serve(['127.0.0.1:0'])
    const url = await first()
    await listeners.close()
    await expect(get(`${url}/healthz`)).rejects.toThrow(/ECONNREFUSED/)
  })
})

import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { Hono } from 'hono'
import type { HttpBindings } from '@hono/node-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Listener, TlsSettings } from '../../src/config/listen.ts'
import { type Authority, authority, type KeyPair, loopback } from '../real/certificates.ts'
import {
  agent,
  gatewayWith,
  get,
  later,
  listener,
  mount,
  other,
  portOf,
  raw,
  refusals,
  serve,
  statuses,
} from './_kit.ts'

const dir = mkdtempSync(join(tmpdir(), 'yarak-tls-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

let ca: Authority
let strange: Authority
let pair: KeyPair
let renewed: KeyPair
let sender: KeyPair
let stranger: KeyPair

beforeAll(async () => {
  ;[ca, strange] = await Promise.all([authority(dir, 'ca'), authority(dir, 'strange')])
  pair = await ca.issue('server', { name: 'first', hosts: loopback })
  renewed = await ca.issue('renewed', { name: 'second', hosts: loopback })
  sender = await ca.issue('sender', { name: 'falco' })
  stranger = await strange.issue('stranger', { name: 'falco' })
})

const read = (file: string): string => readFileSync(file, 'utf8')

const clientOf = (client?: KeyPair) => ({
  ca: read(ca.cert),
  ...(client && { cert: read(client.cert), key: read(client.key) }),
})

const by = (client?: KeyPair, more: object = {}) => agent({ connect: { ...clientOf(client), ...more } })

const tls = (more: Partial<TlsSettings> = {}): TlsSettings => ({
  certFile: pair.cert,
  keyFile: pair.key,
  clientAuth: 'none',
  minVersion: 'TLSv1.2',
  ...more,
})

const secure = (more: Partial<TlsSettings> = {}, rest: Partial<Listener> = {}): Listener =>
  listener('127.0.0.1:0', { ...rest, tls: tls(more) })

/** A TLS connection; rejects when there is none. */
const handshake = (url: string, options: ConnectionOptions = {}): Promise<TLSSocket> =>
  new Promise((done, fail) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca: read(ca.cert), ...options })
    later(() => socket.destroy())
    socket.once('secureConnect', () => done(socket)).once('error', fail)
  })

/** The common name that the server shows. */
const shown = async (url: string): Promise<string> => {
  const socket = await handshake(url)
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

describe('a listener with TLS', () => {
  it('serves HTTPS, both ways in, and says so in the log', async () => {
    const app = new Hono<{ Bindings: HttpBindings }>().get('/hono', (c) => c.text(c.req.url.slice(0, 5)))
    const both = mount('in', app as unknown as Hono, (request, response) => {
      if (request.url === '/') response.end('handle')
      return request.url === '/'
    })
    const { first, logged } = serve([secure()], gatewayWith(both))
    const url = await first()
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    const dispatcher = by()
    expect((await get(`${url}/healthz`, dispatcher)).text).toBe('{"status": "ok"}')
    expect((await get(url, dispatcher)).text).toBe('handle')
    expect((await get(`${url}/hono`, dispatcher)).text).toBe('https')
    expect(logged).toEqual([['info', 'listening', { address: url, tls: 'TLSv1.2', client_certificates: 'none' }]])
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s, and nothing older than it is told', async (version) => {
    const { first } = serve([secure({ minVersion: version })])
    const url = await first()
    const speak = async (max: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      (await handshake(url, { maxVersion: max, minVersion: 'TLSv1' })).getProtocol()
    expect(await speak('TLSv1.3')).toBe('TLSv1.3')
    await expect(speak(version === 'TLSv1.3' ? 'TLSv1.2' : 'TLSv1.1')).rejects.toThrow()
    if (version === 'TLSv1.2') expect(await speak('TLSv1.2')).toBe('TLSv1.2')
  })

  it('on a unix socket', async () => {
    const at = join(dir, 'tls.sock')
    const { first } = serve([listener(`unix:${at}`, { tls: tls() })])
    expect(await first()).toBe(`unix:${at}`)
    const dispatcher = by(undefined, { socketPath: at, servername: 'localhost' })
    expect((await get('https://localhost/healthz', dispatcher)).status).toBe(200)
  })

  it('counts what is no TLS, tells of it once, and closes it', async () => {
    const { first, logged } = serve([secure()])
    const url = await first()
    for (let i = 0; i < 3; i++) await raw(url, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n').all()
    expect(await refusals(url, by())).toEqual({ tls: 3 })
    expect(logged.filter(([level]) => level === 'warn')).toEqual([
      ['warn', 'a connection was refused', { address: '127.0.0.1:0', reason: 'tls', error: 'http request' }],
    ])
  })

  it('closes a connection that never shakes hands', async () => {
    const { first } = serve([secure()], gatewayWith(), { limits: { handshake: 100 } })
    const url = await first()
    expect(await raw(url).all()).toBe('')
    expect(await refusals(url, by())).toEqual({ tls: 1 })
  })

  it('and one that shakes hands and then is silent or slow', async () => {
    const { first } = serve([secure()], gatewayWith(), { limits: { headers: 100, check: 20 } })
    const url = await first()
    for (const begun of ['', 'GET / HTTP/1.1\r\nhost: x\r\n']) {
      const socket = await handshake(url)
      let came = ''
      socket.setEncoding('utf8').on('data', (text: string) => (came += text))
      if (begun) socket.write(begun)
      await new Promise((done) => socket.once('end', done))
      expect(statuses(came)).toEqual([408])
    }
    expect(await refusals(url, by())).toEqual({ timeout: 2 })
  })

  it('cuts those in the middle of the handshake when it closes', async () => {
    const { first, listeners } = serve([secure()])
    const socket = connectPlain(Number(new URL(await first()).port), '127.0.0.1')
    later(() => socket.destroy())
    const closed = new Promise((done) => socket.on('error', () => {}).once('close', done))
    await new Promise((done) => socket.once('connect', done))
    await listeners.close(20)
    await closed
  })
})

describe('client certificates', () => {
  const who = () => {
    const app = new Hono<{ Bindings: HttpBindings }>().get('/who', (c) => {
      const socket = c.env.incoming.socket as TLSSocket
      return c.text(`${socket.authorized} ${String(socket.getPeerCertificate().subject?.CN)}`)
    })
    return gatewayWith(mount('who', app as unknown as Hono))
  }

  it('that are required let in whom the authority knows, and nobody else', async () => {
    const { first, logged } = serve([secure({ caFile: ca.cert, clientAuth: 'require' })], who())
    const url = await first()
    expect((await get(`${url}/who`, by(sender))).text).toBe('true falco')
    await expect(get(`${url}/who`, by())).rejects.toThrow()
    await expect(get(`${url}/who`, by(stranger))).rejects.toThrow()
    expect((await refusals(url, by(sender)))['tls']).toBeGreaterThanOrEqual(2)
    expect(logged[0]).toEqual(['info', 'listening', { address: url, tls: 'TLSv1.2', client_certificates: 'require' }])
    const [, , fields] = logged.find(([level]) => level === 'warn') ?? []
    expect(fields).toEqual({ address: '127.0.0.1:0', reason: 'tls', error: 'peer did not return a certificate' })
  })

  it('that are asked for are left to the inputs', async () => {
    const { first } = serve([secure({ caFile: ca.cert, clientAuth: 'request' })], who())
    const url = await first()
    expect((await get(`${url}/who`, by(sender))).text).toBe('true falco')
    expect((await get(`${url}/who`, by())).text).toBe('false undefined')
    expect((await get(`${url}/who`, by(stranger))).text).toBe('false falco')
  })

  it('are needed at their port, while health is in plain text at another', async () => {
    const { url, logged } = serve([
      secure({ caFile: ca.cert, clientAuth: 'require' }, { exceptPaths: ['/healthz', '/metrics'] }),
      listener('127.0.0.1:0', { paths: ['/healthz', '/metrics'] }),
    ])
    const [mutual, plain] = [await url(0), await url(1)]
    expect((await get(`${plain}/healthz`)).status).toBe(200)
    expect((await get(`${plain}/readyz`)).status).toBe(404)
    expect((await get(`${mutual}/healthz`, by(sender))).status).toBe(404)
    expect((await get(`${mutual}/readyz`, by(sender))).status).toBe(200)
    expect(logged).toContainEqual(['info', 'listening', { address: plain, paths: ['/healthz', '/metrics'] }])
    expect(logged[0]?.[2]).toMatchObject({ except_paths: ['/healthz', '/metrics'] })
  })
})

describe('renewed certificates', () => {
  /** A folder as Kubernetes mounts a secret: names are links into `..data`, a link that is swapped. */
  const mounted = (first: KeyPair) => {
    const at = mkdtempSync(join(dir, 'secret-'))
    let version = 0
    const swap = (certFile: string, keyFile: string): void => {
      const to = `..v${++version}`
      mkdirSync(join(at, to))
      copyFileSync(certFile, join(at, to, 'tls.crt'))
      copyFileSync(keyFile, join(at, to, 'tls.key'))
      symlinkSync(to, join(at, '..data_tmp'))
      renameSync(join(at, '..data_tmp'), join(at, '..data'))
    }
    swap(first.cert, first.key)
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, join(at, name))
    return { certFile: join(at, 'tls.crt'), keyFile: join(at, 'tls.key'), swap }
  }

  const served = async () => {
    const { swap, ...files } = mounted(pair)
    const { first, logged } = serve([secure(files)], gatewayWith(), { reread: 20 })
    const url = await first()
    return { url, swap, files, logged, renewals: () => logged.filter(([, message]) => message.includes('renewed')) }
  }

  it('are shown to new connections, and those that are open go on', async () => {
    const { url, swap, renewals } = await served()
    const dispatcher = by()
    expect(await shown(url)).toBe('first')
    expect((await get(`${url}/healthz`, dispatcher)).status).toBe(200)
    swap(renewed.cert, renewed.key)
    await expect.poll(() => shown(url)).toBe('second')
    expect((await get(`${url}/healthz`, dispatcher)).status).toBe(200)
    expect(renewals()).toEqual([['info', 'the certificate was renewed', { address: '127.0.0.1:0' }]])
  })

  it('that cannot be used are told once, and the ones before stay', async () => {
    const { url, swap, files, renewals } = await served()
    swap(renewed.cert, pair.key)
    await expect.poll(() => renewals().length).toBe(1)
    expect(renewals()[0]).toEqual([
      'error',
      'a renewed certificate cannot be used, the one before stays',
      { address: '127.0.0.1:0', error: 'keyFile is not the key of the certificate' },
    ])
    expect(await shown(url)).toBe('first')
    rmSync(files.certFile)
    await expect.poll(() => renewals().length).toBe(2)
    expect(renewals()[1]?.[2]).toMatchObject({ error: 'certFile cannot be read: there is no such file' })
    expect(await shown(url)).toBe('first')
    writeFileSync(files.certFile, read(renewed.cert))
    swap(renewed.cert, renewed.key)
    await expect.poll(() => shown(url)).toBe('second')
    expect(renewals().at(-1)?.[0]).toBe('info')
  })

  it('of the authority let in the new senders, and keep out the old', async () => {
    const caFile = join(dir, 'clients.crt')
    copyFileSync(ca.cert, caFile)
    const { first } = serve([secure({ caFile, clientAuth: 'require' })], gatewayWith(), { reread: 20 })
    const url = await first()
    expect((await get(`${url}/healthz`, by(sender))).status).toBe(200)
    copyFileSync(strange.cert, caFile)
    await expect
      .poll(() =>
        get(`${url}/healthz`, by(stranger)).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
    await expect(get(`${url}/healthz`, by(sender))).rejects.toThrow()
  })

  it('that are missing at the start are waited for, as a taken port is', async () => {
    const at = mkdtempSync(join(dir, 'late-'))
    const files = { certFile: join(at, 'tls.crt'), keyFile: join(at, 'tls.key') }
    const { listeners, first, logged } = serve([secure(files)])
    await expect.poll(() => listeners.status()[0]?.state).toBe('failing')
    expect(listeners.status()[0]?.error).toMatch(/^certFile cannot be read: there is no such file; keyFile cannot/)
    copyFileSync(pair.cert, files.certFile)
    copyFileSync(pair.key, files.keyFile)
    expect(await shown(await first())).toBe('first')
    expect(logged.filter(([level]) => level === 'error').length).toBeGreaterThanOrEqual(1)
  })

  it('are not looked at any more once the listener is closed', async () => {
    const { swap, ...files } = mounted(pair)
    const { listeners, first, logged } = serve([secure(files)], gatewayWith(), { reread: 10 })
    await first()
    await listeners.close(0)
    swap(renewed.cert, pair.key)
    const port = portOf(await other({ port: 0, host: '127.0.0.1' }))
    for (let i = 0; i < 20; i++) await new Promise((done) => connectPlain(port, '127.0.0.1').end().once('close', done))
    expect(logged.filter(([level]) => level === 'error')).toEqual([])
  })
})

/** The connections of outputs that send lines, on sockets of this machine. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { datagramsOf, type Lines, streamOf } from '../../outputs/_lines.ts'
import { type Authority, authority, type KeyPair, loopback } from '../real/certificates.ts'
import { NEVER } from './_logs.ts'

const host = '127.0.0.1'
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const kept = <T extends { close(): unknown }>(one: T): T => {
  closers.push(() => one.close())
  return one
}

/** A server that keeps what it hears. */
const listen = async (server: Server, port = 0) => {
  const sockets: Socket[] = []
  const heard = { text: '' }
  const keep = (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {}).on('data', (chunk) => (heard.text += chunk.toString()))
  }
  server.on('connection', (socket: Socket) => server.listenerCount('secureConnection') === 0 && keep(socket))
  server.on('tlsClientError', () => {})
  server.listen(port, host)
  await once(server, 'listening')
  const stop = async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise((done) => server.close(done))
  }
  closers.push(stop)
  return { port: (server.address() as AddressInfo).port, sockets, heard, keep, stop }
}

const heardBy = (heard: { text: string }, text: string) => vi.waitFor(() => expect(heard.text).toBe(text), 5_000)

describe('a stream', () => {
  it('is one connection, on which all goes in order', async () => {
    const { port, sockets, heard } = await listen(createServer())
    const lines = kept(streamOf({ host, port }, undefined))
    await Promise.all([lines.write(['a\n', 'b\n'], NEVER), lines.write(['c\n'], NEVER)])
    await lines.write(['d\n'], NEVER)
    await heardBy(heard, 'a\nb\nc\nd\n')
    expect(sockets).toHaveLength(1)
  })

  it('is opened again by the next write when the server has closed it', async () => {
    const { port, sockets, heard } = await listen(createServer())
    const lines = kept(streamOf({ host, port }, undefined))
    await lines.write(['a\n'], NEVER)
    await heardBy(heard, 'a\n')
    sockets[0]?.end()
    await vi.waitFor(() => expect(sockets[0]?.closed).toBe(true), 5_000)
    await lines.write(['b\n'], NEVER)
    await heardBy(heard, 'a\nb\n')
    expect(sockets).toHaveLength(2)
  })

  it('says that nobody is there, and goes on when somebody is again', async () => {
    const first = await listen(createServer())
    const { port } = first
    const lines = kept(streamOf({ host, port }, undefined))
    await lines.write(['a\n'], NEVER)
    await heardBy(first.heard, 'a\n')
    await first.stop()
    await vi.waitFor(
      () =>
        expect(lines.write(['lost\n'], NEVER)).rejects.toMatchObject({
          code: 'unavailable',
          permanent: false,
          reason: 'econnrefused',
          message: expect.stringContaining(`tcp://${host}:${port}`) as string,
        }),
      5_000,
    )
    const second = await listen(createServer(), port)
    await lines.write(['b\n'], NEVER)
    await heardBy(second.heard, 'b\n')
  })

  it('waits for a server that does not read, until it is told to stop', async () => {
    const { port, sockets } = await listen(createServer({ pauseOnConnect: true }))
    const lines = kept(streamOf({ host, port }, undefined))
    const stop = new AbortController()
    const writing = lines.write(['x'.repeat(64 * 1024 * 1024)], stop.signal)
    await vi.waitFor(() => expect(sockets).toHaveLength(1), 5_000)
    stop.abort()
    await expect(writing).rejects.toMatchObject({ code: 'interrupted', permanent: false })
  })

  it('lets one write that was stopped take no other along for good', async () => {
    const { port, heard } = await listen(createServer())
    const lines = kept(streamOf({ host, port }, undefined))
    await expect(lines.write(['a\n'], AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' })
    await lines.write(['b\n'], NEVER)
    await heardBy(heard, 'b\n')
  })

  it('can be closed before it was opened, and twice', async () => {
    const lines = streamOf({ host, port: 1 }, undefined)
    await lines.close()
    await lines.close()
  })

  it('delivers what was written before it is closed', async () => {
    const { port, heard } = await listen(createServer())
    const lines = streamOf({ host, port }, undefined)
    await lines.write(['x'.repeat(1_000_000)], NEVER)
    await lines.close()
    await vi.waitFor(() => expect(heard.text).toHaveLength(1_000_000), 5_000)
  })
})

describe('a stream by TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-lines-'))
  const made: { ca?: Authority; server?: KeyPair } = {}
  beforeAll(async () => {
    made.ca = await authority(dir)
    made.server = await made.ca.issue('server', { name: 'logs', hosts: loopback })
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  const read = (file = '') => readFileSync(file)
  const secure = async (more: object = {}) => {
    const server = createTlsServer({ cert: read(made.server?.cert), key: read(made.server?.key), ...more }, (socket) =>
      listening.keep(socket),
    )
    const listening = await listen(server)
    return listening
  }

  it.each([
    ['by its authority', () => ({ caFile: made.ca?.cert, verify: true })],
    ['unseen', () => ({ verify: false })],
  ])('trusts the server %s', async (_how, tls) => {
    const { port, heard } = await secure()
    const lines = kept(streamOf({ host: 'localhost', port }, tls()))
    await lines.write(['a\n'], NEVER)
    await heardBy(heard, 'a\n')
  })

  it('delivers what was written before it is closed', async () => {
    const { port, heard } = await secure()
    const lines = streamOf({ host, port }, { verify: false })
    await lines.write(['x'.repeat(1_000_000)], NEVER)
    await lines.close()
    await vi.waitFor(() => expect(heard.text).toHaveLength(1_000_000), 5_000)
  })

  it('sends nothing to a server that it does not trust', async () => {
    const { port, heard } = await secure()
    const lines = kept(streamOf({ host, port }, { verify: true }))
    await expect(lines.write(['a\n'], NEVER)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'unable_to_verify_leaf_signature',
    })
    expect(heard.text).toBe('')
  })

  it('shows its own certificate to a server that asks for one', async () => {
    const pair = await made.ca?.issue('client', { name: 'yarak' })
    const { port, heard, sockets } = await secure({ requestCert: true, ca: read(made.ca?.cert) })
    const tls = { verify: true, caFile: made.ca?.cert, certFile: pair?.cert, keyFile: pair?.key }
    await kept(streamOf({ host, port }, tls)).write(['a\n'], NEVER)
    await heardBy(heard, 'a\n')
    expect(sockets).toHaveLength(1)
  })

  it('stops at once while the server keeps it waiting', async () => {
    const { port, sockets } = await listen(createServer())
    const lines = kept(streamOf({ host, port }, { verify: true }))
    const stop = new AbortController()
    const writing = lines.write(['a\n'], stop.signal)
    await vi.waitFor(() => expect(sockets).toHaveLength(1), 5_000)
    stop.abort()
    await expect(writing).rejects.toMatchObject({ code: 'interrupted' })
    sockets[0]?.destroy()
  })

  it('names the file that it cannot read', async () => {
    const lines = streamOf({ host, port: 1 }, { verify: true, caFile: '/no/such.pem' })
    await expect(lines.write(['a\n'], NEVER)).rejects.toMatchObject({ code: 'config', reason: 'tls-file' })
  })
})

describe('datagrams', () => {
  const receiver = async (port = 0) => {
    const socket = createSocket('udp4')
    const heard: string[] = []
    socket.on('message', (bytes) => heard.push(bytes.toString()))
    socket.bind(port, host)
    await once(socket, 'listening')
    const stop = () => new Promise<void>((done) => socket.close(() => done()))
    return { port: socket.address().port, heard, stop }
  }
  const open = (port: number, name = host): Lines => kept(datagramsOf({ host: name, port }))

  it('are one for each text', async () => {
    const { port, heard, stop } = await receiver()
    await open(port).write(['a', 'b'], NEVER)
    await vi.waitFor(() => expect(heard).toEqual(['a', 'b']), 5_000)
    await stop()
  })

  it('tell when the system says that nobody listens, and go on when somebody does', async () => {
    const first = await receiver()
    const { port } = first
    const lines = open(port)
    await lines.write(['a'], NEVER)
    await vi.waitFor(() => expect(first.heard).toEqual(['a']), 5_000)
    await first.stop()
    await vi.waitFor(
      () => expect(lines.write(['lost'], NEVER)).rejects.toMatchObject({ code: 'unavailable', reason: 'econnrefused' }),
      5_000,
    )
    const second = await receiver(port)
    await lines.write(['b'], NEVER)
    await vi.waitFor(() => expect(second.heard).toEqual(['b']), 5_000)
    await second.stop()
  })

  it('tell which ones were not sent', async () => {
    const { port, heard, stop } = await receiver()
    await expect(open(port).write(['a', 'x'.repeat(70_000), 'c'], NEVER)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'emsgsize',
      failed: [
        { index: 1, permanent: false, reason: 'emsgsize' },
        { index: 2, permanent: false, reason: 'emsgsize' },
      ],
    })
    await vi.waitFor(() => expect(heard).toEqual(['a']), 5_000)
    await stop()
  })

  it('say that a host has no address', async () => {
    await expect(open(1, 'no-such-host.invalid').write(['a'], NEVER)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(open(1).write(['a'], AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' })
  })
})

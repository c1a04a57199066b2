import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { type Dispatcher, Pool } from 'undici'
import { exchange } from '../src/http-exchange.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A server that says, byte by byte, what the test wants when a request has come. */
const serve = async (answer: (socket: Socket, request: string) => void) => {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => answer(socket, chunk.toString('latin1')))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pool = new Pool(origin, { connections: 1 })
  closers.push(
    () => new Promise<void>((resolve) => void server.close(() => resolve())),
    () => sockets.forEach((socket) => socket.destroy()),
    () => pool.destroy(),
  )
  const ask = (more: Partial<Dispatcher.DispatchOptions> = {}, signal?: AbortSignal) =>
    exchange(pool, { origin, path: '/', method: 'POST', ...more }, signal)
  return { ask, sockets, pool, origin }
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nok'

/** A body that tells when it is let go. */
const endless = () => {
  const body = new Readable({ read: () => setImmediate(() => body.destroyed || body.push('x'.repeat(1_024))) })
  body.on('error', () => {})
  return body
}

const reason = new Error('enough')

describe('an exchange', () => {
  it('has status, headers and body', async () => {
    const { ask } = await serve((socket) => void socket.write(OK))
    expect(await ask()).toMatchObject({ status: 200, headers: { 'x-a': 'b' }, body: 'ok' })
    expect(await ask()).toMatchObject({ status: 200 })
  })

  it('has the answer itself, and not what is told before it', async () => {
    const { ask } = await serve((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n')
      socket.write(OK)
    })
    const answer = await ask()
    expect(answer).toMatchObject({ status: 200, body: 'ok' })
    expect(answer.headers['link']).toBeUndefined()
  })

  it('has the first MiB of a body, also when a character is cut in two, and the connection goes on', async () => {
    const size = 1024 * 1024
    const body = Buffer.concat([Buffer.alloc(size - 1, 'a'), Buffer.from('é'), Buffer.alloc(size, 'b')])
    let first = true
    const { ask, sockets } = await serve((socket) => {
      if (!first) return void socket.write(OK)
      first = false
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`)
      socket.write(body)
    })
    const answer = await ask()
    expect(answer.body.slice(0, size - 1)).toBe('a'.repeat(size - 1))
    expect(answer.body).toHaveLength(size)
    expect(await ask()).toMatchObject({ body: 'ok' })
    expect(sockets.size).toBe(1)
  })

  it('fails when the connection is cut before and in the middle of the answer', async () => {
    const cut = await serve((socket) => void socket.resetAndDestroy())
    await expect(cut.ask()).rejects.toMatchObject({ code: expect.any(String) as string })
    const half = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal')
      setImmediate(() => socket.end())
    })
    await expect(half.ask()).rejects.toThrow()
  })

  it('fails for what is no HTTP, and for a request that cannot be sent', async () => {
    const { ask } = await serve((socket) => void socket.write('SSH-2.0-OpenSSH_9.6\r\n'))
    await expect(ask()).rejects.toThrow()
    await expect(ask({ headers: { 'x-a': 'b\r\nx-b: c' } })).rejects.toThrow()
  })
})

describe('a signal', () => {
  it('that is aborted already sends nothing, and lets go of the body', async () => {
    let requests = 0
    const { ask } = await serve(() => requests++)
    const body = endless()
    await expect(ask({ body }, AbortSignal.abort(reason))).rejects.toBe(reason)
    expect([requests, body.destroyed]).toEqual([0, true])
  })

  it('ends a request that waits for a connection, at once and with its body', async () => {
    const { ask } = await serve(() => {})
    const [first, stop] = [new AbortController(), new AbortController()]
    const busy = ask({}, first.signal)
    const body = endless()
    const waiting = ask({ body }, stop.signal)
    stop.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    first.abort(reason)
    await expect(busy).rejects.toBe(reason)
    await expect.poll(() => body.destroyed).toBe(true)
  })

  it('ends an answer in the middle of its body, and closes the connection', async () => {
    const stop = new AbortController()
    const { ask, sockets } = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal')
      setImmediate(() => stop.abort(reason))
    })
    await expect(ask({}, stop.signal)).rejects.toBe(reason)
    await expect.poll(() => [...sockets].every(({ destroyed, readableEnded }) => destroyed || readableEnded)).toBe(true)
  })

  it('ends an upload, and lets go of its stream', async () => {
    const stop = new AbortController()
    let came = 0
    const { ask } = await serve((_socket, text) => {
      came += text.length
      if (came > 64 * 1_024) stop.abort(reason)
    })
    const body = endless()
    await expect(ask({ body }, stop.signal)).rejects.toBe(reason)
    await expect.poll(() => body.destroyed).toBe(true)
  })

  it('has no listener left afterwards, however it ended', async () => {
    const { ask } = await serve((socket, text) => void (text.includes('/cut') ? socket.destroy() : socket.write(OK)))
    const { signal } = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args: unknown[]) => void (listeners++, Reflect.apply(addEventListener, signal, args))
    signal.removeEventListener = (...args: unknown[]) =>
      void (listeners--, Reflect.apply(removeEventListener, signal, args))
    await ask({}, signal)
    await expect(ask({ path: '/cut' }, signal)).rejects.toThrow()
    await expect(ask({ headers: { 'x-a': 'b\r\n' } }, signal)).rejects.toThrow()
    expect(listeners).toBe(0)
  })
})

describe('an upload of a stream', () => {
  it('arrives whole', async () => {
    let got = ''
    const { ask } = await serve((socket, text) => {
      got += text
      if (got.endsWith('0\r\n\r\n')) socket.write(OK)
    })
    const answer = await ask({ body: Readable.from([Buffer.from('first '), Buffer.from('second')]) })
    expect(answer.status).toBe(200)
    expect(got.toLowerCase()).toContain('transfer-encoding: chunked')
    expect(got).toMatch(/first [\s\S]*second/)
  })

  it('that fails on its way is the error of the exchange', async () => {
    const { ask } = await serve(() => {})
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('a')
        throw new Error('the file is gone')
      })(),
    )
    await expect(ask({ body: broken })).rejects.toThrow('the file is gone')
  })
})

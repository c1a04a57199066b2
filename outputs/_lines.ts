/** Texts to a server that answers nothing: over one TCP or TLS connection, or as datagrams. */
import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect, isIP, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { type FailedItem, YarakError } from '../src/plugin.ts'
import { connection } from './_connection.ts'
import { tlsOptions, type TlsSettings } from './_tls.ts'

/** Where the server is. */
export interface Place {
  readonly host: string
  readonly port: number
}

export interface Lines {
  /**
   * Hands all to the system, in order; connects first when there is no connection.
   * @throws YarakError `unavailable` or `interrupted`; `failed` names those that were not sent when some were
   */
  write(texts: readonly string[], signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

const CONNECT = 10_000
const CLOSE = 2_000

/**
 * One TCP connection, by TLS when there are settings for it. The server does not say what it took: what was on its way
 * when the connection broke may be lost, or come twice.
 * @example const lines = streamOf({ host: 'logs.example.com', port: 5044 }, undefined); await lines.write(['{}\r\n'], signal)
 */
export const streamOf = ({ host, port }: Place, tls: TlsSettings): Lines => {
  const name = `${tls ? 'tls' : 'tcp'}://${host}:${port}`
  const link = connection<Socket>({
    name,
    open: (lost) => openStream({ host, port }, tls, lost),
    close: closed,
  })
  return {
    async write(texts, signal) {
      await setImmediate() // so that a connection that was closed meanwhile is not taken for open
      await link.use((socket) => written(socket, texts.join('')), signal)
    },
    close: () => link.close(),
  }
}

const openStream = async ({ host, port }: Place, tls: TlsSettings, lost: () => void): Promise<Socket> => {
  const secure = tls && { ...(await tlsOptions(tls)), ...(isIP(host) === 0 && { servername: host }) }
  const socket = secure ? connectTls({ host, port, ...secure }) : connect({ host, port })
  socket.on('error', () => {})
  socket.setTimeout(CONNECT, () => socket.destroy(new Error(`no connection within ${CONNECT / 1_000} s`)))
  await once(socket, secure ? 'secureConnect' : 'connect')
  socket.setTimeout(0).setKeepAlive(true, 30_000).on('close', lost)
  return socket.resume() // what is not read hides that the server closed
}

/** Says that all is said, and waits until the server has it; a socket that is cut at once drops what is on its way. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) return resolve()
    const timer = setTimeout(() => socket.destroy(), CLOSE)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.end()
  })

const written = (socket: Socket, text: string): Promise<void> =>
  new Promise((resolve, reject) => socket.write(text, (error) => (error ? reject(error) : resolve())))

/**
 * One datagram for each text. That nobody listens is told by the system, if at all, after the next one: that one is tried
 * again.
 * @example const lines = datagramsOf({ host: 'statsd', port: 8125 }); await lines.write(['a:1|c'], signal)
 */
export const datagramsOf = ({ host, port }: Place): Lines => {
  const link = connection<Outlet>({
    name: `udp://${host}:${port}`,
    open: () => openDatagrams({ host, port }),
    close: ({ socket }) => socket.close(),
  })
  return {
    async write(texts, signal) {
      let sent = 0
      try {
        await link.use(async (outlet) => {
          for (const text of texts) {
            await sendDatagram(outlet, text)
            sent++
          }
        }, signal)
      } catch (error) {
        throw error instanceof YarakError && sent > 0 ? restOf(error, sent, texts.length) : error
      }
    },
    close: () => link.close(),
  }
}

interface Outlet {
  readonly socket: Datagrams
  /** What the system told since the last datagram. */
  error?: Error
}

const openDatagrams = async ({ host, port }: Place): Promise<Outlet> => {
  const { address, family } = await lookup(host)
  const outlet: Outlet = { socket: createSocket(family === 6 ? 'udp6' : 'udp4') }
  outlet.socket.on('error', (error) => (outlet.error = error))
  outlet.socket.connect(port, address)
  await once(outlet.socket, 'connect')
  return outlet
}

const sendDatagram = ({ socket, error }: Outlet, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    if (error) return reject(error)
    socket.send(text, (failure) => (failure ? reject(failure) : resolve()))
  })

const restOf = (error: YarakError, sent: number, of: number): YarakError => {
  const { code, message, reason, permanent } = error
  const failed: FailedItem[] = Array.from({ length: of - sent }, (_, i) => ({ index: sent + i, permanent, reason }))
  return new YarakError(code, `${of - sent} of ${of}: ${message}`, { cause: error, reason, permanent, failed })
}

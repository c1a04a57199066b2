/** A server on node:http or node:https that a slow, silent or broken client cannot hold. */
import {
  createServer as createPlain,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createSecure, type Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { type Listener, MAX_CONNECTIONS } from '../config/listen.ts'

/** How long a client may take, in milliseconds; and, in bytes, how long its headers may be. */
export const LIMITS = {
  /** The TLS handshake. */
  handshake: 10_000,
  /** From the first moment of a connection, or of a further request on it, to the end of the headers. */
  headers: 10_000,
  /** To the end of the body. An input may want it sooner. */
  request: 120_000,
  /** Between two requests of a connection. Longer than the minute after which load balancers let go. */
  keepAlive: 75_000,
  /** Without a byte in either direction while an answer is on its way. */
  idle: 120_000,
  /** How often the limits for headers and requests are looked at. */
  check: 2_000,
  headerBytes: 16 * 1024,
}

export type Limits = typeof LIMITS

/** Why a connection or request was refused, as it is counted. */
export type Refusal = 'bad_request' | 'headers_too_large' | 'timeout' | 'aborted' | 'tls' | 'too_many_connections'

/** Told of each refusal, and why in words that hold no text of the client. */
export type Refused = (reason: Refusal, error: string) => void

export interface Guarded {
  readonly server: Server | SecureServer
  /** Connections that are open. */
  readonly connections: () => number
  /** Says on every answer from now on that its connection ends, takes no new ones, and cuts all at the deadline. */
  drain(deadline: number): Promise<void>
}

/** A server for a listener; not yet listening, and with TLS not before it has its certificates. */
export const createGuarded = (
  listener: Listener,
  answer: RequestListener,
  refused: Refused,
  limits: Limits,
): Guarded => {
  /** Connections that speak HTTP, with the latest answer on each. */
  const speaking = new Map<Duplex, ServerResponse | undefined>()
  const connected = new Set<Socket>()
  let draining = false
  const server = makeServer(listener, limits, (request, response) => {
    speaking.set(request.socket, response)
    if (draining) response.setHeader('connection', 'close')
    answer(request, response)
  })
  server.on('connection', (socket: Socket) => {
    connected.add(socket)
    socket.once('close', () => connected.delete(socket))
  })
  server.on(listener.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    speaking.set(socket, undefined)
    socket.once('close', () => speaking.delete(socket))
  })
  server.on('drop', () => refused('too_many_connections', `more than ${server.maxConnections} connections`))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!speaking.has(socket)) {
      refused('tls', handshakeError(error, socket as TLSSocket))
      return void socket.destroy()
    }
    const refusal = REFUSALS[error.code ?? ''] ?? BAD
    refused(refusal.reason, error.message)
    refuse(socket, speaking.get(socket), refusal)
  })
  return {
    server,
    connections: () => connected.size,
    async drain(deadline) {
      draining = true
      for (const response of speaking.values())
        if (response?.headersSent === false) response.setHeader('connection', 'close')
      await close(server, connected, deadline)
    },
  }
}

const makeServer = ({ tls, maxConnections = MAX_CONNECTIONS }: Listener, limits: Limits, answer: RequestListener) => {
  const options = {
    headersTimeout: limits.headers,
    requestTimeout: limits.request,
    keepAliveTimeout: limits.keepAlive,
    connectionsCheckingInterval: limits.check,
    maxHeaderSize: limits.headerBytes,
    // The other machine may be gone without a word: the kernel asks.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  }
  const clients = { requestCert: tls?.clientAuth !== 'none', rejectUnauthorized: tls?.clientAuth === 'require' }
  const server = tls
    ? createSecure({ ...options, ...clients, handshakeTimeout: limits.handshake }, answer)
    : createPlain(options, answer)
  server.timeout = limits.idle
  server.maxConnections = maxConnections
  // A client that has sent all and closed its half of the connection (nc -N) still gets its answer.
  return Object.assign(server, { httpAllowHalfOpen: true })
}

/** With a certificate that is not accepted, the error only says that the connection ended. */
const handshakeError = (error: NodeJS.ErrnoException & { reason?: string }, socket: TLSSocket): string =>
  String(socket.authorizationError ?? error.reason ?? error.message)

interface Answer {
  readonly reason: Refusal
  readonly status?: number
  readonly code?: string
  readonly message?: string
}

const BAD: Answer = { reason: 'bad_request', status: 400, code: 'invalid', message: 'this is not a valid HTTP request' }
const GONE: Answer = { reason: 'aborted' }

const REFUSALS: Readonly<Record<string, Answer>> = {
  HPE_HEADER_OVERFLOW: {
    reason: 'headers_too_large',
    status: 431,
    code: 'too_large',
    message: 'the headers are too large',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    reason: 'bad_request',
    status: 413,
    code: 'too_large',
    message: 'the chunk extensions are too large',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    reason: 'timeout',
    status: 408,
    code: 'timed_out',
    message: 'the request took too long to arrive',
  },
  HPE_INVALID_EOF_STATE: GONE,
  ECONNRESET: GONE,
  EPIPE: GONE,
  ETIMEDOUT: GONE,
}

/** Answers on the bare socket, unless an answer is being written to it, and ends it. */
const refuse = (socket: Socket, response: ServerResponse | undefined, { status, code, message }: Answer): void => {
  const writing = response?.headersSent === true && !response.writableFinished
  if (status !== undefined && socket.writable && !writing) {
    const body = JSON.stringify({ error: code, message })
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
      'connection: close',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  }
  socket.destroySoon()
}

/** How often kept-alive connections that have become idle are looked for, in milliseconds. */
const SWEEP = 50

const close = async (server: Server | SecureServer, connected: Set<Socket>, deadline: number): Promise<void> => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const idle = setInterval(() => server.closeIdleConnections(), SWEEP)
  const late = setTimeout(() => {
    for (const socket of connected) socket.destroy()
  }, deadline)
  await closed
  clearInterval(idle)
  clearTimeout(late)
}

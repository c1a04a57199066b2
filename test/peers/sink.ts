/** A stand-in for every server that Falcosidekick sends to: keeps what comes, and says that all is well. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import type { KeyPair } from '../real/certificates.ts'

/** What one event became on the wire. */
export interface Sent {
  /** Of an HTTP request; `tcp` or `udp` else. */
  readonly method: string
  /** With its query; without the segment that names the section. Of a fixed host also that. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Text; what is no UTF-8 is base64. */
  readonly body: string
  readonly encoding?: 'base64'
}

export interface Heard extends Sent {
  readonly section: string
}

/** Headers of the connection, not of the payload. */
const LEFT_OUT =
  /^(host|connection|content-length|accept-encoding|user-agent|proxy-connection|transfer-encoding|traceparent)$/

const headersOf = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.headers)
      .filter(([name]) => !LEFT_OUT.test(name))
      .map(([name, value]) => [name, String(value)]),
  )

const textOf = (bytes: Buffer): Pick<Sent, 'body' | 'encoding'> => {
  const text = bytes.toString('utf8')
  return Buffer.from(text).equals(bytes) ? { body: text } : { body: bytes.toString('base64'), encoding: 'base64' }
}

/** What servers say that are asked before they are told. */
const answer = (section: string): string =>
  section === 'spyderbat'
    ? '[]'
    : section.startsWith('otlp')
      ? ''
      : section.startsWith('cloudevents')
        ? ''
        : '{"errors":false,"items":[],"status":"success"}'

export const openSink = async (keys: KeyPair, hosts: Readonly<Record<string, string>>, sockets: readonly string[]) => {
  const heard: Heard[] = []
  const closers: (() => void)[] = []

  const hear = async (request: IncomingMessage, response: ServerResponse, domain?: string): Promise<void> => {
    const raw = await buffer(request)
    const url = new URL(request.url ?? '/', `http://${domain ?? request.headers.host ?? 'sink'}`)
    const fixed = hosts[url.host]
    const [, first = '', ...rest] = url.pathname.split('/')
    const section = fixed ?? (first === 'report' ? 'wavefront' : first)
    const path = fixed ? `${url.host}${url.pathname}${url.search}` : `/${rest.join('/')}${url.search}`
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw
    heard.push({ section, method: request.method ?? '', path, headers: headersOf(request), ...textOf(body) })
    response.writeHead(section.startsWith('pagerduty') ? 202 : 200, { 'content-type': 'application/json' })
    response.end(answer(section))
  }

  const web = createServer((request, response) => void hear(request, response))
  const secure = createTlsServer(
    { key: readFileSync(keys.key), cert: readFileSync(keys.cert) },
    (request, response) => void hear(request, response, request.headers.host?.replace(/:443$/, '')),
  )
  const listen = async (server: typeof web | typeof secure): Promise<number> => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(
      () => void server.close(),
      () => server.closeAllConnections(),
    )
    return (server.address() as AddressInfo).port
  }
  const [httpPort, tlsPort] = await Promise.all([listen(web), listen(secure)])
  web.on('connect', (_request, client) => {
    const upstream = connect(tlsPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(client)
      client.pipe(upstream)
    })
    for (const one of [client, upstream]) one.on('error', () => {})
  })

  const tcp = new Map<string, number>()
  const udp = new Map<string, number>()
  for (const section of sockets) {
    const stream = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (bytes) => heard.push({ section, method: 'tcp', path: '', headers: {}, ...textOf(bytes) }))
    })
    stream.listen(0, '127.0.0.1')
    await once(stream, 'listening')
    closers.push(() => void stream.close())
    tcp.set(section, (stream.address() as AddressInfo).port)
    const datagrams = createSocket('udp4', (bytes) =>
      heard.push({ section, method: 'udp', path: '', headers: {}, ...textOf(bytes) }),
    )
    datagrams.bind(0, '127.0.0.1')
    await once(datagrams, 'listening')
    closers.push(() => void datagrams.close())
    udp.set(section, datagrams.address().port)
  }
  return {
    url: `http://127.0.0.1:${httpPort}`,
    tcp: (section: string): number => tcp.get(section) ?? 0,
    udp: (section: string): number => udp.get(section) ?? 0,
    /** What came since the last call. */
    take: (): Heard[] => heard.splice(0),
    heard: heard as readonly Heard[],
    close: () => {
      for (const close of closers) close()
    },
  }
}

/**
 * The exec endpoint of an API server: the documented web socket protocol, the commands being played, or run on this
 * machine as kwok runs them.
 * @see https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets
 */
import { spawn } from 'node:child_process'
import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import { type FakeCluster, type Seen, TOKEN } from './fake-cluster.ts'

/** One command as it was asked for. */
export interface ExecCall {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly protocol: string
  /** What was written to it, once that is closed; undefined: it has no input. */
  readonly stdin: Promise<Buffer> | undefined
}

export interface Answer {
  /** Resolves when it is on its way. */
  stdout(data: string | Uint8Array): Promise<void>
  stderr(data: string): Promise<void>
  exit(code: number): void
  /** Any `meta/v1 Status`. */
  status(status: object): void
  /** Cuts the connection. */
  drop(): void
  /** Fires when the client is gone. */
  readonly closed: AbortSignal
}

export type Play = (call: ExecCall, answer: Answer) => void | Promise<void>

interface Socket {
  readonly protocol: string
  on(event: 'message', listener: (data: Buffer) => void): void
  on(event: 'close', listener: () => void): void
  send(data: Buffer, done: () => void): void
  close(): void
  terminate(): void
}

interface SocketServer {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: Socket) => void): void
}

interface SocketPackage {
  readonly WebSocketServer: new (options: object) => SocketServer
}

const { WebSocketServer } = createRequire(import.meta.url)('ws') as SocketPackage

/** Serves exec at the cluster; `calls` has all that was asked for. `protocols` are those that it speaks. */
export const fakeExec = (cluster: FakeCluster, play: Play, protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']) => {
  const calls: ExecCall[] = []
  const handleProtocols = (offered: Set<string>) => protocols.find((one) => offered.has(one)) ?? false
  const server = new WebSocketServer({ noServer: true, handleProtocols })
  cluster.upgrade = (request, socket, head) => {
    const url = new URL(request.url ?? '/', 'http://fake')
    const refused = refusal(cluster, request, url)
    if (refused === 'hang') return void socket.resume().on('end', () => socket.destroy())
    if (refused === 'cut') return void socket.destroy()
    if (refused) return void socket.end(refused)
    server.handleUpgrade(request, socket, head, (connection) => {
      const call = callOf(url, request, connection)
      calls.push(call)
      void play(call, answerOn(connection))
    })
  }
  return calls
}

const PATH = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/exec$/

const refusal = (cluster: FakeCluster, { headers, method = '' }: IncomingMessage, url: URL): string | undefined => {
  const seen = { method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers, body: undefined }
  const given = cluster.override?.(seen as Seen)
  if (given === 'hang' || given === 'cut') return given
  if (given) return text(given.status, given.body, given.headers)
  if (headers.authorization !== `Bearer ${TOKEN}`) return text(401, { kind: 'Status', code: 401 })
  return PATH.test(url.pathname) ? undefined : text(404, { kind: 'Status', code: 404 })
}

const text = (code: number, body: unknown, headers: Readonly<Record<string, string>> = {}): string => {
  const json = JSON.stringify(body)
  const lines = Object.entries({
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
  })
  return [`HTTP/1.1 ${code} Refused`, ...lines.map(([name, value]) => `${name}: ${value}`), '', json].join('\r\n')
}

const callOf = (url: URL, { headers }: IncomingMessage, socket: Socket): ExecCall => {
  const [, namespace = '', pod = ''] = PATH.exec(url.pathname) ?? []
  const query = url.searchParams
  return {
    ...{ namespace: decodeURIComponent(namespace), pod: decodeURIComponent(pod), query, headers },
    container: query.get('container') ?? '',
    command: query.getAll('command'),
    protocol: socket.protocol,
    stdin: query.get('stdin') === 'true' ? inputOf(socket) : undefined,
  }
}

const inputOf = (socket: Socket): Promise<Buffer> =>
  new Promise((done) => {
    const chunks: Buffer[] = []
    socket.on('message', (data) => {
      if (data[0] === 0) chunks.push(data.subarray(1))
      if (data[0] === 255 && data[1] === 0) done(Buffer.concat(chunks))
    })
  })

const answerOn = (socket: Socket): Answer => {
  const closed = new AbortController()
  socket.on('close', () => closed.abort())
  const send = (channel: number, data: string | Uint8Array) =>
    new Promise<void>((done) =>
      socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(data)]), () => setImmediate(done)),
    )
  const status = (value: object) => {
    void send(3, JSON.stringify({ metadata: {}, ...value })).then(() => socket.close())
  }
  return {
    stdout: (data) => send(1, data),
    stderr: (data) => send(2, data),
    status,
    exit(code) {
      const causes = [{ reason: 'ExitCode', message: String(code) }]
      const message = `command terminated with non-zero exit code: exit status ${code}`
      if (code === 0) status({ status: 'Success' })
      else status({ status: 'Failure', reason: 'NonZeroExitCode', message, details: { causes } })
    },
    drop: () => socket.terminate(),
    closed: closed.signal,
  }
}

/** What containerd has a kubelet tell of a program that is not there. */
export const notFound = (program: string) => ({
  status: 'Failure',
  reason: 'InternalError',
  code: 500,
  message: `Internal error occurred: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "0a1b": OCI runtime exec failed: exec failed: unable to start container process: exec: "${program}": executable file not found in $PATH: unknown`,
})

/** Runs the command on this machine, in a folder, with the programs of `path` only. */
export const locally =
  ({ cwd, path = '/usr/bin:/bin' }: { readonly cwd: string; readonly path?: string }): Play =>
  async ({ command, stdin }, answer) => {
    const [program = '', ...args] = command
    const child = spawn(program, args, { cwd, env: { PATH: path }, stdio: 'pipe' })
    child.on('error', () => answer.status(notFound(program)))
    child.stdout.on('data', (data: Buffer) => void answer.stdout(data))
    child.stderr.on('data', (data: Buffer) => void answer.stderr(data.toString()))
    child.on('close', (code, signal) => {
      if (child.pid !== undefined) answer.exit(code ?? (signal === 'SIGKILL' ? 137 : 143))
    })
    child.stdin.on('error', () => {})
    child.stdin.end((await stdin) ?? '')
  }

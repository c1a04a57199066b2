/** A command in a container, over a web socket. */
import type { KubeConfig } from '@kubernetes/client-node'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { messageOf, YarakError } from '../plugin.ts'
import { apiError } from './_kube-errors.ts'
import type { Caller } from './_kube-http.ts'
import { type ApiPath, describeRequest, parseApiPath } from './_kube-path.ts'
import { apiPath } from './_kube-raw.ts'

export interface ExecRequest {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  /** The program and its arguments; no shell comes between. */
  readonly command: readonly string[]
  /** Written to its standard input, which is then closed. Absent: it has none. */
  readonly stdin?: Uint8Array | undefined
}

/** How a command ended. */
export interface Exited {
  readonly code: number
  /** The last 4 KiB of its standard error. */
  readonly stderr: string
}

/**
 * The standard output of a command, and in the end how it ended. Taken no faster than it is read.
 * @throws YarakError `unknown` with the reason `dropped` when the connection is lost before the end is told, the command
 * may then run on; `failed` with the reason `not-executable` when the container has no such program, nothing was done
 * then, or `exec` when the node cannot run it for another reason
 */
export type ExecOutput = AsyncGenerator<Uint8Array, Exited>

export interface ExecOptions {
  readonly config: KubeConfig
  readonly caller: Caller
  /** Milliseconds until the connection is there. */
  readonly timeout: number
}

/** What is used of the web socket package, which brings no types. */
interface Socket {
  on(event: 'message', listener: (data: Buffer) => void): void
  on(event: 'close' | 'open', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'unexpected-response', listener: (request: ClientRequest, response: IncomingMessage) => void): void
  send(data: Uint8Array, done: (error?: Error) => void): void
  pause(): void
  resume(): void
  terminate(): void
}

interface SocketPackage {
  readonly WebSocket: new (url: string, protocols: readonly string[], options: object) => Socket
}

/** That of the Kubernetes client, loaded with it. */
const PACKAGE: string = 'ws'

/** `v5` is the first that can say that the input has ended. */
const [V5, V4] = ['v5.channel.k8s.io', 'v4.channel.k8s.io']

/** The first byte of a message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 }

/** How much may wait to be read. */
const WINDOW = 1024 * 1024
const PIECE = 32 * 1024
const STDERR = 4096

/**
 * Runs a command and gives its output to `read`, within a client span. When `read` returns or throws before the output
 * has ended the connection is dropped; that alone does not end the command.
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/ and KEP-4006 for the protocol
 */
export const tracedExec = <T>(
  options: ExecOptions,
  request: ExecRequest,
  read: (output: ExecOutput) => Promise<T>,
): Promise<T> => {
  const { config, caller } = options
  const url = urlOf(config, request)
  const path = parseApiPath(apiPathOf(request))
  const attributes = {
    'http.request.method': 'GET',
    'url.template': path.template,
    'server.address': url.hostname,
    ...(url.port && { 'server.port': Number(url.port) }),
  }
  return caller.call({ name: `GET ${path.template}`, attributes }, async (call) => {
    const protocols = request.stdin ? [V5] : [V5, V4]
    const { socket, opened, output } = await open(url, protocols, call.headers, { ...options, path })
    const end = () => socket.terminate()
    caller.signal?.addEventListener('abort', end, { once: true })
    try {
      if (caller.signal?.aborted) end()
      call.set('http.response.status_code', await opened.catch((error) => raise(notOpened(error, path))))
      if (request.stdin) void write(socket, request.stdin)
      return await read(output)
    } catch (error) {
      throw caller.signal?.aborted ? cutShort(path, caller.signal) : error
    } finally {
      caller.signal?.removeEventListener('abort', end)
      end()
    }
  })
}

const apiPathOf = ({ namespace, pod }: ExecRequest): string =>
  apiPath('v1', 'namespaces', namespace, 'pods', pod, 'exec')

const urlOf = (config: KubeConfig, request: ExecRequest): URL => {
  const { server = '' } = config.getCurrentCluster() ?? {}
  const url = new URL(`${server.replace(/\/+$/, '')}${apiPathOf(request)}`)
  url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:'
  const { container, stdin, command } = request
  const query = { container, stdin: String(stdin !== undefined), stdout: 'true', stderr: 'true', tty: 'false' }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  for (const one of command) url.searchParams.append('command', one)
  return url
}

type Opening = ExecOptions & { readonly path: ApiPath }

const open = async (
  url: URL,
  protocols: readonly string[],
  headers: Readonly<Record<string, string>>,
  { config, timeout, path }: Opening,
) => {
  const { WebSocket } = (await import(PACKAGE)) as SocketPackage
  const options: { headers?: Record<string, string> } = {}
  await config.applyToHTTPSOptions(options)
  const socket = new WebSocket(url.href, protocols, {
    ...options,
    headers: { ...options.headers, ...headers, 'User-Agent': 'yarak' },
    handshakeTimeout: timeout,
    perMessageDeflate: false,
  })
  const opened = Promise.withResolvers<101>()
  // Who waits for it may not have begun to.
  opened.promise.catch(() => {})
  socket.on('open', () => opened.resolve(101))
  socket.on('error', opened.reject)
  socket.on('unexpected-response', (request, response) => {
    void refusal(response, path)
      .then(opened.reject, opened.reject)
      .finally(() => request.destroy())
  })
  return { socket, opened: opened.promise, output: outputOf(socket) }
}

const refusal = async (response: IncomingMessage, path: ApiPath): Promise<YarakError> => {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const { statusCode: status = 0, headers } = response
  const body = Buffer.concat(chunks).toString()
  return apiError({ method: 'GET', path, status, body, retryAfter: headers['retry-after'] })
}

const write = async (socket: Socket, stdin: Uint8Array): Promise<void> => {
  const send = (channel: number, data: Uint8Array) =>
    new Promise<void>((done, fail) => {
      socket.send(Buffer.concat([Buffer.of(channel), data]), (error) => (error ? fail(error) : done()))
    })
  try {
    for (let at = 0; at < stdin.length; at += PIECE) await send(CHANNEL.stdin, stdin.subarray(at, at + PIECE))
    await send(CHANNEL.close, Buffer.of(CHANNEL.stdin))
  } catch {
    // The connection is gone, which the output tells.
  }
}

/** `meta/v1 Status`, as far as it tells how a command ended. */
interface Status {
  readonly status?: string
  readonly message?: string
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] }
}

const outputOf = (socket: Socket): ExecOutput => {
  const stdout = new PassThrough({ highWaterMark: WINDOW })
  let stderr: Buffer = Buffer.alloc(0)
  let status: Status | undefined
  socket.on('message', (data) => {
    const body = data.subarray(1)
    if (data[0] === CHANNEL.stdout && !stdout.writableEnded && !stdout.write(body)) {
      socket.pause()
      stdout.once('drain', () => socket.resume())
    }
    if (data[0] === CHANNEL.stderr) stderr = Buffer.concat([stderr, body]).subarray(-STDERR)
    if (data[0] !== CHANNEL.status) return
    status = statusIn(body)
    stdout.end()
  })
  socket.on('close', () => status ?? stdout.destroy(dropped()))
  // It may fail before anybody reads it.
  stdout.on('error', () => {})
  return (async function* () {
    for await (const chunk of stdout) yield chunk as Uint8Array
    return exitedOf(status ?? {}, stderr.toString())
  })()
}

const statusIn = (body: Buffer): Status => {
  try {
    return JSON.parse(body.toString()) as Status
  } catch {
    return { message: 'the end of the command is told in a form that is not known' }
  }
}

const dropped = (): YarakError =>
  new YarakError('unknown', 'the connection was lost before the command ended, which may run on', {
    permanent: true,
    reason: 'dropped',
  })

/** What container runtimes say when they could not start the program; some put it on the standard error. */
const ABSENT = /executable file not found|no such file or directory|OCI runtime exec failed|unable to start container/i
const NOT_STARTED: readonly number[] = [126, 127, 128, 255]
const BY_RUNTIME = /OCI runtime exec failed|unable to start container process/i

const exitedOf = ({ status, message = '', details }: Status, stderr: string): Exited => {
  if (status === 'Success') return { code: 0, stderr }
  const code = Number(details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message ?? Number.NaN)
  const started = Number.isInteger(code) && !(NOT_STARTED.includes(code) && BY_RUNTIME.test(stderr))
  if (started) return { code, stderr }
  const said = (message || stderr).replaceAll(/\s+/g, ' ').slice(0, 300)
  const absent = ABSENT.test(said) || BY_RUNTIME.test(stderr)
  throw new YarakError('failed', `the command was not started: ${said}`, {
    permanent: absent,
    reason: absent ? 'not-executable' : 'exec',
  })
}

const raise = (error: unknown): never => {
  throw error
}

const cutShort = (path: ApiPath, { reason }: AbortSignal): YarakError =>
  new YarakError('interrupted', `${describeRequest('GET', path)} was cut short`, { cause: reason })

const notOpened = (error: unknown, path: ApiPath): YarakError => {
  if (error instanceof YarakError) return error
  const { code } = error as { code?: string }
  const message = `${describeRequest('GET', path)}: the API server does not answer: ${messageOf(error)}`
  return new YarakError('unavailable', message, {
    reason: typeof code === 'string' ? code.toLowerCase() : 'network',
  })
}

/** Listeners for tests, what reaches them, and the end of both after each test. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Hono } from 'hono'
import { Agent, request } from 'undici'
import { afterEach, expect } from 'vitest'
import { type Listener, parseAddress } from '../../src/config/index.ts'
import { createGateway, type Gateway } from '../../src/index.ts'
import type { Handle, LogFields } from '../../src/plugin.ts'
import { listen, type ListenOptions, type Listeners } from '../../src/serve.ts'

/** What a test leaves to be closed. */
const left: (() => unknown)[] = []
afterEach(async () => {
  for (const close of left.splice(0).reverse()) await close()
})

/** Closes something at the end of the test, the latest first. */
export const later = (close: () => unknown): void => void left.push(close)

export type Logged = [level: string, message: string, fields?: LogFields]

/** A log that remembers. */
export const memoryLog = () => {
  const lines: Logged[] = []
  const at =
    (level: string) =>
    (message: string, fields?: LogFields): void =>
      void lines.push([level, message, ...(fields ? [fields] : [])] as Logged)
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

/** An address text, with what else a listener is. */
export const listener = (text: string, more: Omit<Listener, 'host' | 'port' | 'path'> = {}): Listener => {
  const address = parseAddress(text)
  if (!address) throw new Error(`no address: ${text}`)
  return { ...address, ...more }
}

/** A mount whose routes are those of a Hono app, and whose handle, if any, comes first. */
export const mount = (input: string, app = new Hono(), handle?: Handle) => ({ input, app, ...(handle && { handle }) })

/** A gateway with these mounts and no inputs of its own. */
export const gatewayWith = (...mounts: Gateway['mounts']): Gateway => ({ ...createGateway({}), mounts })

/** Serves a gateway until the end of the test. */
export const serve = (at: readonly (string | Listener)[], gateway = gatewayWith(), options: ListenOptions = {}) => {
  const { lines, log } = memoryLog()
  const places = at.map((one) => (typeof one === 'string' ? listener(one) : one))
  const listeners = listen(gateway, places, log, options)
  later(() => gateway.stop())
  later(() => listeners.close(0))
  return {
    listeners,
    gateway,
    logged: lines,
    first: (): Promise<string> => urlOf(listeners, 0),
    url: (i: number): Promise<string> => urlOf(listeners, i),
  }
}

const urlOf = async ({ ready }: Listeners, i: number): Promise<string> => (await ready[i]) ?? ''

/** Connections of one test, kept alive. */
export const agent = (options: ConstructorParameters<typeof Agent>[0] = {}): Agent => {
  const made = new Agent(options)
  later(() => made.destroy())
  return made
}

export const get = async (url: string, dispatcher = agent()) => {
  const { statusCode, headers, body } = await request(url, { dispatcher })
  return { status: statusCode, headers, text: await body.text() }
}

/** The refusals that the metrics of a listener count, by reason. */
export const refusals = async (url: string, dispatcher?: Agent): Promise<Record<string, number>> => {
  const { text } = await get(`${url}/metrics`, dispatcher)
  const lines = text.matchAll(/^yarak_listener_client_errors_total\{address="[^"]+",reason="(\w+)"\} (\d+)$/gm)
  return Object.fromEntries([...lines].map(([, reason = '', count]) => [reason, Number(count)]))
}

/** A server of somebody else. */
export const other = async (at: { port: number; host: string } | { path: string }): Promise<Server> => {
  const server = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((done) => server.listen(at, done))
  later(() => new Promise<void>((done) => server.close(() => done())))
  return server
}

export const portOf = (server: Server): number => (server.address() as { port: number }).port

/** A raw connection, and all that came over it. */
export const raw = (url: string, text = '') => {
  const socket: Socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true })
  later(() => socket.destroy())
  let came = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (came += chunk))
  socket.on('error', () => {})
  const ended = new Promise<void>((done) => socket.on('end', done).on('close', () => done()))
  if (text) socket.write(text)
  return {
    socket,
    came: () => came,
    /** All that came, once the server has ended the connection. */
    async all(): Promise<string> {
      await ended
      socket.destroy()
      return came
    },
    /** Waits until this has come. */
    until: (wanted: string | RegExp) => expect.poll(() => came, { interval: 5, timeout: 5_000 }).toMatch(wanted),
  }
}

/** The status lines in what came over a connection. */
export const statuses = (came: string): number[] =>
  [...came.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))

/** Telemetry as the binary starts it, for one test at a time. */
import { createServer, type Server } from 'node:http'
import { createServer as createTcp } from 'node:net'
import { afterEach, vi } from 'vitest'
import { createCounters } from '../../src/counters.ts'
import type { Log, LogFields } from '../../src/plugin.ts'
import { createTracing, type StartOptions, type Tracing } from '../../src/telemetry.ts'
import type { Ids } from '../../src/telemetry/ids.ts'
import { startTelemetry } from '../../src/telemetry/start.ts'
import type { SpanRecord } from '../../src/trace-tree.ts'
import { receiver } from '../_otlp.ts'

const left: (() => unknown)[] = []
afterEach(async () => {
  for (const close of left.splice(0).reverse()) await close()
  vi.unstubAllEnvs()
})

/** Runs after the test. */
export const after = (close: () => unknown): void => void left.push(close)

/** A log that keeps what it says but details. */
export const notes = () => {
  const lines: string[] = []
  const fields: (LogFields | undefined)[] = []
  const note = (message: string, more?: LogFields): void => {
    lines.push(message)
    fields.push(more)
  }
  const log: Log = { debug: () => {}, info: note, warn: note, error: note }
  return { lines, fields, log }
}

interface Options {
  readonly onTrace?: (spans: readonly SpanRecord[]) => void
  readonly ids?: Ids
}

/** Sets these variables, and no others of OpenTelemetry. */
export const setEnv = (env: Readonly<Record<string, string>>): void => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
}

/** Telemetry as these variables of the environment say, and nothing else. */
export const telemetry = async (env: Readonly<Record<string, string>>, { onTrace, ids }: Options = {}) => {
  setEnv(env)
  const { log, lines, fields } = notes()
  const counters = createCounters()
  const started = await startTelemetry({ version: '1.2.3', env, log, onTrace, counters, ids })
  let stopped: Promise<void> | undefined
  const stop = (ms = 5_000): Promise<void> => (stopped ??= started.stop(ms))
  after(() => stop(0))
  const count = (outcome: string, reason?: string): number =>
    counters.sum('yarak_spans_total', { outcome, ...(reason !== undefined && { reason }) })
  return { stop, lines, fields, counters, count, sink: started.logSink, tracing: createTracing('1', { ids }) }
}

/** A collector of traces. */
export const collector = async () => {
  const made = await receiver()
  after(made.close)
  return made
}

/** The spans of one event: reception, match, response. */
export const event = (tracing: Tracing, matched = 1, options: StartOptions = {}): void => {
  const reception = tracing.start('POST /', { kind: 'server', ...options, attributes: { 'yarak.matched': matched } })
  tracing.start('match', { parent: reception }).end()
  if (matched > 0) tracing.start('respond r', { parent: reception }).end()
  reception.end()
}

/** The names of the spans of an event that a rule matched. */
export const ALL = ['POST /', 'match', 'respond r']

const portOf = (server: { address(): unknown }): number => (server.address() as { port: number }).port

/** Where nobody listens, or where a connection is taken and nothing is answered. */
export const deadEnd = async (what: 'nobody listens' | 'nobody answers'): Promise<string> => {
  const server = createTcp((socket) => after(() => socket.destroy()))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const close = (): Promise<void> => new Promise((done) => server.close(() => done()))
  const url = `http://127.0.0.1:${portOf(server)}`
  if (what === 'nobody listens') await close()
  else left.unshift(close)
  return url
}

/** Takes JSON, answers as it is told to. */
export const jsonServer = async (status = 200) => {
  const bodies: { path: string; body: unknown }[] = []
  const answer = { status }
  const server: Server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      bodies.push({ path: request.url ?? '', body: JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) })
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  after(
    () =>
      new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  )
  return { url: `http://127.0.0.1:${portOf(server)}`, bodies, answer }
}

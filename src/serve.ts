/** The binary's listeners: where they are, which routes they serve, and how they stop. */
import { rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { backoff, pause } from './backoff.ts'
import { type Address, addressText } from './config/settings.ts'
import { messageOf, YarakError } from './errors.ts'
import type { Gateway } from './gateway.ts'
import type { Log } from './plugin.ts'

export interface Listener {
  /** Resolves with the address once it listens; keeps trying while the port is taken. */
  readonly ready: Promise<string>
  close(): Promise<void>
}

/** Serves the gateway's inputs, and its health and metrics. */
export const listen = (gateway: Pick<Gateway, 'app' | 'ops'>, address: Address, log: Log): Listener => {
  const draining = new AbortController()
  const root = new Hono()
  root.use(async (c, next) => {
    await next()
    if (draining.signal.aborted) c.header('connection', 'close')
  })
  root.route('/', gateway.ops)
  root.route('/', gateway.app)
  root.notFound((c) => c.json({ error: 'not_found', message: `nothing is served at ${c.req.path}` }, 404))
  root.onError((error, c) => {
    log.error('a request failed', { error: messageOf(error) })
    return c.json({ error: 'failed', message: 'the request failed' }, 500)
  })
  const server = createAdaptorServer({ fetch: root.fetch }) as Server
  return {
    ready: bind(server, address, log, draining.signal),
    async close() {
      draining.abort()
      if (!server.listening) return
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const idle = setInterval(() => server.closeIdleConnections(), 50)
      await closed
      clearInterval(idle)
    },
  }
}

const bind = async (server: Server, address: Address, log: Log, stop: AbortSignal): Promise<string> => {
  const text = addressText(address)
  if ('path' in address) await rm(address.path, { force: true })
  for (let attempt = 1; ; attempt++) {
    try {
      await listening(server, address)
      const bound = server.address()
      return typeof bound === 'object' && bound ? `http://${hostText(bound.address)}:${bound.port}` : text
    } catch (error) {
      const wait = backoff(attempt, 1_000, 30_000)
      log.error(`cannot listen on ${text}, trying again`, { error: explain(error), in_ms: Math.round(wait) })
      await pause(wait, stop)
      if (stop.aborted) throw new YarakError('closing', `stopped before listening on ${text}`, { cause: error })
    }
  }
}

const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const explain = (error: unknown): string => {
  const { code } = error as { code?: string }
  if (code === 'EADDRINUSE') return 'the address is in use by another process'
  return code === 'EACCES' ? 'permission denied' : messageOf(error)
}

const listening = (server: Server, address: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })

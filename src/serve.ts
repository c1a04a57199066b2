/** The binary's listeners: where they are, which routes they serve, and how they stop. */
import { lstat, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { backoff, pause } from './backoff.ts'
import { type Address, addressText } from './config/settings.ts'
import { createCounters } from './counters.ts'
import { messageOf, YarakError } from './errors.ts'
import type { Gateway } from './gateway.ts'
import type { Log } from './plugin.ts'

export interface ListenerStatus {
  /** As it is configured, e.g. `127.0.0.1:2801`. */
  readonly address: string
  readonly state: 'starting' | 'listening' | 'failing' | 'closed'
  /** Why it fails. */
  readonly error?: string
}

export interface Listeners {
  /** One for each address: resolves with where it listens once it does; each keeps trying while its port is taken. */
  readonly ready: readonly Promise<string>[]
  status(): readonly ListenerStatus[]
  /** Takes no new connections, answers what is being asked, and cuts what is not done after `deadline` milliseconds. */
  close(deadline?: number): Promise<void>
}

type Served = Pick<Gateway, 'app' | 'ops' | 'health'>

/** Serves the gateway's inputs, and its health and metrics, which tell of the listeners too. */
export const listen = (gateway: Served, addresses: readonly Address[], log: Log): Listeners => {
  const draining = new AbortController()
  const status = (): ListenerStatus[] => all.map((one) => one.status())
  const { fetch } = routes(gateway, status, draining.signal, log)
  const all = addresses.map((address) => open(createAdaptorServer({ fetch }) as Server, address, log, draining.signal))
  return {
    ready: all.map(({ ready }) => ready),
    status,
    async close(deadline = 5_000) {
      draining.abort()
      await Promise.all(all.map((one) => one.close(deadline)))
    },
  }
}

const routes = (gateway: Served, status: () => ListenerStatus[], draining: AbortSignal, log: Log): Hono => {
  const counters = createCounters()
  counters.gauge('yarak_listener_up', 'Whether a listener listens, by address.', () =>
    status().map(({ address, state }) => [{ address }, state === 'listening' ? 1 : 0]),
  )
  const root = new Hono()
  root.use(async (c, next) => {
    await next()
    if (draining.aborted) c.header('connection', 'close')
  })
  root.get('/readyz', (c) => {
    const listeners = status()
    const now = gateway.health()
    const ready = now.ready && listeners.every(({ state }) => state === 'listening')
    return c.json({ ...now, ready, listeners }, ready ? 200 : 503)
  })
  root.get('/metrics', async (c) => {
    const answer = await gateway.ops.fetch(c.req.raw)
    return new Response((await answer.text()) + counters.text(), answer)
  })
  root.route('/', gateway.ops)
  root.route('/', gateway.app)
  root.notFound((c) => c.json({ error: 'not_found', message: `nothing is served at ${c.req.path}` }, 404))
  root.onError((error, c) => {
    log.error('a request failed', { error: messageOf(error) })
    return c.json({ error: 'failed', message: 'the request failed' }, 500)
  })
  return root
}

interface Listener {
  readonly ready: Promise<string>
  status(): ListenerStatus
  close(deadline: number): Promise<void>
}

const open = (server: Server, address: Address, log: Log, stop: AbortSignal): Listener => {
  let now: ListenerStatus = { address: addressText(address), state: 'starting' }
  const ready = bind(server, address, stop, (error, wait) => {
    now = { address: now.address, state: 'failing', error }
    log.error(`cannot listen on ${now.address}, trying again`, { error, in_ms: Math.round(wait) })
  })
  ready.then(
    () => {
      now = { address: now.address, state: 'listening' }
      server.on('error', (error) => log.error(`${now.address} could not take a connection`, { error: explain(error) }))
    },
    () => {},
  )
  return {
    ready,
    status: () => now,
    async close(deadline) {
      await ready.catch(() => {})
      now = { address: now.address, state: 'closed' }
      if (server.listening) await drain(server, deadline)
    },
  }
}

/** How often kept-alive connections that have become idle are looked for, in milliseconds. */
const SWEEP = 50

const drain = async (server: Server, deadline: number): Promise<void> => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const idle = setInterval(() => server.closeIdleConnections(), SWEEP)
  const late = setTimeout(() => server.closeAllConnections(), deadline)
  await closed
  clearInterval(idle)
  clearTimeout(late)
}

type OnFailure = (error: string, wait: number) => void

const bind = async (server: Server, address: Address, stop: AbortSignal, failed: OnFailure): Promise<string> => {
  const text = addressText(address)
  for (let attempt = 1; ; attempt++) {
    if (stop.aborted) throw new YarakError('closing', `stopped before listening on ${text}`)
    try {
      if ('path' in address) await clearStale(address.path)
      await listening(server, address)
      const bound = server.address()
      return typeof bound === 'object' && bound ? `http://${hostText(bound.address)}:${bound.port}` : text
    } catch (error) {
      const wait = backoff(attempt, 1_000, 30_000)
      failed(explain(error), wait)
      await pause(wait, stop)
    }
  }
}

const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use by another process',
  EADDRNOTAVAIL: 'this machine has no such address',
  EAFNOSUPPORT: 'this machine does not speak that address family',
  EACCES: 'permission denied',
  ENOENT: 'the folder does not exist',
  ENOTFOUND: 'the name is not known',
}

const explain = (error: unknown): string => REASONS[(error as { code?: string }).code ?? ''] ?? messageOf(error)

/** Removes the socket file that a process left behind; never one that is still answered, and no other kind of file. */
const clearStale = async (path: string): Promise<void> => {
  const found = await lstat(path).catch(() => undefined)
  if (!found) return
  if (!found.isSocket()) throw new YarakError('config', 'there is a file of that name that is not a socket')
  if (await isAnswered(path)) throw Object.assign(new Error(path), { code: 'EADDRINUSE' })
  await rm(path, { force: true })
}

/** Only a refusal proves that nobody listens: a busy or forbidden socket is somebody's. */
const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })

const listening = (server: Server, address: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })

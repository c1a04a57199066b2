/** The binary's listeners: where they are, what they serve to whom, and how they stop. */
import type { Server as SecureServer } from 'node:https'
import { Hono } from 'hono'
import { systemFiles } from './config/files.ts'
import { addressText, type Listener } from './config/listen.ts'
import { countReady } from './gauges.ts'
import type { Gateway } from './gateway.ts'
import type { WholeHealth } from './ops.ts'
import type { Log, LogFields } from './plugin.ts'
import { bind, explain } from './serve/bind.ts'
import { createCertificates } from './serve/certificates.ts'
import { wholeHealth } from './serve/health.ts'
import { createAnswer, type Served } from './serve/routes.ts'
import { createGuarded, type Limits, LIMITS, type Refusal } from './serve/server.ts'

export interface ListenerStatus {
  /** As it is configured, e.g. `127.0.0.1:2801`. */
  readonly address: string
  readonly state: 'starting' | 'listening' | 'failing' | 'closed'
  /** When this state began; RFC 3339, UTC. */
  readonly since: string
  /** The admin routes are there: no event is lost without it. */
  readonly admin?: true
  /** Why it fails. */
  readonly error?: string
}

export interface Listeners {
  /** One for each address, those of the admin routes last: resolves with where it listens once it does; each keeps trying while its port is taken. */
  readonly ready: readonly Promise<string>[]
  status(): readonly ListenerStatus[]
  /** Of the gateway and the listeners, as `/readyz` tells it. */
  health(): WholeHealth
  /** Takes no new connections, answers what is being asked, and cuts what is not done after `deadline` milliseconds. */
  close(deadline?: number): Promise<void>
}

export interface ListenOptions {
  /** The admin routes, and the listeners that serve them; no other does, and these serve no input. */
  readonly admin?: { readonly app: Hono; readonly listeners: readonly Listener[] }
  readonly limits?: Partial<Limits>
  /** Milliseconds between two looks at the files of the certificates. Default 10,000. */
  readonly reread?: number
}

/**
 * Serves the gateway's inputs, and its health and metrics, which tell of the listeners too.
 * @example const { ready } = listen(gateway, [{ host: '::', port: 2801 }], log, { admin: { app, listeners } })
 */
export const listen = (
  gateway: Pick<Gateway, 'mounts' | 'ops' | 'health' | 'counters'>,
  listeners: readonly Listener[],
  log: Log,
  options: ListenOptions = {},
): Listeners => {
  const draining = new AbortController()
  const { counters } = gateway
  const status = (): ListenerStatus[] => all.map((one) => one.status())
  const health = (): WholeHealth => wholeHealth(gateway.health(), status())
  countReady(counters, health)
  counters.gauge('yarak_listener_up', 'Whether a listener listens, by address.', () =>
    status().map(({ address, state }) => [{ address }, state === 'listening' ? 1 : 0]),
  )
  counters.gauge('yarak_listener_connections', 'Connections that are open, by address.', () =>
    all.map((one) => [{ address: one.status().address }, one.connections()]),
  )
  counters.gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => [
    [{}, process.memoryUsage.rss()],
  ])
  counters.gauge('process_start_time_seconds', 'When the process started, in seconds since the epoch.', () => [
    [{}, Math.round(performance.timeOrigin / 1_000)],
  ])
  const served: Served = { gateway, extra: closedToAdmins(), health, counters, log }
  const openAll = (some: readonly Listener[], to: Served): OpenListener[] =>
    some.map((listener) => open(listener, to, options, draining.signal))
  const { admin } = options
  const all = openAll(listeners, served)
  if (admin) all.push(...openAll(admin.listeners.map(adminOnly), { ...served, extra: admin.app, admin: true }))
  return {
    ready: all.map(({ ready }) => ready),
    status,
    health,
    async close(deadline = 5_000) {
      draining.abort()
      await Promise.all(all.map((one) => one.close(deadline)))
    },
  }
}

/** Never on the way in for events, not even to an input that takes every path. */
const closedToAdmins = (): Hono => new Hono().all('/admin/*', (c) => c.notFound())

const adminOnly = (listener: Listener): Listener => ({ ...listener, inputs: [] })

interface OpenListener {
  readonly ready: Promise<string>
  status(): ListenerStatus
  connections(): number
  close(deadline: number): Promise<void>
}

/** Binds at once, and again and again while it cannot: another process may be about to give up the port. */
const open = (listener: Listener, served: Served, options: ListenOptions, stop: AbortSignal): OpenListener => {
  const { log, admin } = served
  const { tls } = listener
  const address = addressText(listener)
  let now: ListenerStatus = { address, state: 'starting', since: timeText(), ...(admin && { admin }) }
  const set = (state: ListenerStatus['state'], error?: string): void => {
    const since = now.state === state ? now.since : timeText()
    now = { address, state, since, ...(admin && { admin }), ...(error !== undefined && { error }) }
  }
  const refused = createRefused(address, served)
  const { server, connections, drain } = createGuarded(listener, createAnswer(listener, served, refused), refused, {
    ...LIMITS,
    ...options.limits,
  })
  const certificates =
    tls &&
    createCertificates(server as SecureServer, {
      tls,
      files: systemFiles(),
      log,
      address,
      every: options.reread ?? 10_000,
    })
  const bound = bind(server, listener, {
    prepare: () => certificates?.load(),
    isPrivate: admin === true,
    stop,
    failed(error, wait) {
      set('failing', error)
      log.error('cannot listen, trying again', { address, error, in_ms: Math.round(wait) })
    },
  })
  const ready = bound.then((text) => ('path' in listener ? text : `${tls ? 'https' : 'http'}://${text}`))
  ready.then(
    (at) => {
      if (!stop.aborted) set('listening')
      const end = certificates?.watch()
      server.on('close', () => end?.())
      server.on('error', (error) => log.error('a connection could not be taken', { address, error: explain(error) }))
      log.info('listening', { address: at, ...(admin ? { admin, ...tlsOf(listener) } : factsOf(listener)) })
    },
    () => {},
  )
  return {
    ready,
    status: () => now,
    connections,
    async close(deadline) {
      await ready.catch(() => {})
      set('closed')
      if (server.listening) await drain(deadline)
    },
  }
}

const timeText = (): string => new Date().toISOString()

/** What the log says of a listener beside its address. */
const factsOf = ({ inputs, paths, exceptPaths, ...listener }: Listener): LogFields => ({
  ...tlsOf(listener),
  ...(inputs && { inputs }),
  ...(paths && { paths }),
  ...(exceptPaths && { except_paths: exceptPaths }),
})

const tlsOf = ({ tls }: Pick<Listener, 'tls'>): LogFields =>
  tls ? { tls: tls.minVersion, client_certificates: tls.clientAuth } : {}

/** Refusals that a wrong setting brings about: worth a line of the log, not one for each. */
const TOLD: readonly Refusal[] = ['tls', 'too_many_connections']

/** Milliseconds between two lines of the log about refusals of one kind. */
const QUIET = 60_000

const createRefused = (address: string, { counters, log }: Served) => {
  const told = new Map<Refusal, number>()
  return (reason: Refusal, error: string): void => {
    counters.add('yarak_listener_client_errors_total', { address, reason })
    const quiet = !TOLD.includes(reason) || Date.now() - (told.get(reason) ?? -Infinity) < QUIET
    if (!quiet) told.set(reason, Date.now())
    log[quiet ? 'debug' : 'warn']('a connection was refused', { address, reason, error })
  }
}

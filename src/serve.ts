/** The binary's listeners: where they are, what they serve to whom, and how they stop. */
import type { Server as SecureServer } from 'node:https'
import { Hono } from 'hono'
import { systemFiles } from './config/files.ts'
import { addressText, type Listener } from './config/listen.ts'
import type { Gateway } from './gateway.ts'
import type { Log, LogFields } from './plugin.ts'
import { bind, explain } from './serve/bind.ts'
import { createCertificates } from './serve/certificates.ts'
import { createAnswer, type Served } from './serve/routes.ts'
import { createGuarded, type Limits, LIMITS, type Refusal } from './serve/server.ts'

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

export interface ListenOptions {
  /** More routes at the root of every listener, e.g. those of the administration. */
  readonly extra?: Hono
  readonly limits?: Partial<Limits>
  /** Milliseconds between two looks at the files of the certificates. Default 10,000. */
  readonly reread?: number
}

/**
 * Serves the gateway's inputs, and its health and metrics, which tell of the listeners too.
 * @example const { ready } = listen(gateway, [{ host: '::', port: 2801 }], log, { extra: admin })
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
  const served: Served = { gateway, extra: options.extra ?? new Hono(), status, counters, log }
  const all = listeners.map((listener) => open(listener, served, options, draining.signal))
  return {
    ready: all.map(({ ready }) => ready),
    status,
    async close(deadline = 5_000) {
      draining.abort()
      await Promise.all(all.map((one) => one.close(deadline)))
    },
  }
}

interface OpenListener {
  readonly ready: Promise<string>
  status(): ListenerStatus
  connections(): number
  close(deadline: number): Promise<void>
}

/** Binds at once, and again and again while it cannot: another process may be about to give up the port. */
const open = (listener: Listener, served: Served, options: ListenOptions, stop: AbortSignal): OpenListener => {
  const { log } = served
  const { tls } = listener
  const address = addressText(listener)
  let now: ListenerStatus = { address, state: 'starting' }
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
    stop,
    failed(error, wait) {
      now = { address, state: 'failing', error }
      log.error(`cannot listen on ${address}, trying again`, { error, in_ms: Math.round(wait) })
    },
  })
  const ready = bound.then((text) => ('path' in listener ? text : `${tls ? 'https' : 'http'}://${text}`))
  ready.then(
    (at) => {
      if (!stop.aborted) now = { address, state: 'listening' }
      const end = certificates?.watch()
      server.on('close', () => end?.())
      server.on('error', (error) => log.error(`${address} could not take a connection`, { error: explain(error) }))
      log.info('listening', { address: at, ...factsOf(listener) })
    },
    () => {},
  )
  return {
    ready,
    status: () => now,
    connections,
    async close(deadline) {
      await ready.catch(() => {})
      now = { address, state: 'closed' }
      if (server.listening) await drain(deadline)
    },
  }
}

/** What the log says of a listener beside its address. */
const factsOf = ({ tls, inputs, paths, exceptPaths }: Listener): LogFields => ({
  ...(tls && { tls: tls.minVersion, client_certificates: tls.clientAuth }),
  ...(inputs && { inputs }),
  ...(paths && { paths }),
  ...(exceptPaths && { except_paths: exceptPaths }),
})

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

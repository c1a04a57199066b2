/** Keeps the inputs running: one that fails is started again after a while, and the others never notice. */
import type { Hono } from 'hono'
import type { Agreement } from './agreement.ts'
import { backoff, pause } from './backoff.ts'
import type { Counters } from './counters.ts'
import { asYarakError, messageOf } from './errors.ts'
import type { Handle, Input, InputIo, Log, Use } from './plugin.ts'

export interface InputStatus {
  readonly id: string
  /**
   * `serving` has routes only; `standby` waits, since it runs in another process; `ended` has come to its end. One that
   * failed and was started again is `failing` until it has brought something, or has run for half a minute: to have begun
   * is no proof that its source is back.
   */
  readonly state: 'serving' | 'standby' | 'running' | 'failing' | 'ended'
  /** Why it fails. */
  readonly error?: string
  /** When this state began; RFC 3339, UTC. */
  readonly since: string
}

/** What an input serves. */
export interface Mount {
  readonly input: string
  readonly app: Hono
  readonly handle?: Handle
}

export interface Supervisor {
  readonly mounts: readonly Mount[]
  start(): void
  /** Resolves when every input that runs by itself has ended; at once when there is none. */
  ended(): Promise<void>
  status(): readonly InputStatus[]
}

interface Entry {
  readonly use: Use<Input>
  readonly io: InputIo
  /** It runs only while this process leads; undefined: it runs anyway. */
  readonly lead?: Agreement['lead'] | undefined
}

interface Host {
  readonly log: Log
  readonly counters: Counters
  readonly signal: AbortSignal
}

/**
 * An input that has run this long, in milliseconds, works: it is told so, and its back-off starts anew. A try of a source
 * that does not answer takes less, e.g. five connections of 5 s each.
 */
const STEADY = 30_000

export const createSupervisor = (entries: readonly Entry[], host: Host): Supervisor => {
  const status = new Map<string, InputStatus>()
  const enter = (id: string, state: InputStatus['state'], error?: string): void => {
    const before = status.get(id)
    const since = before?.state === state ? before.since : new Date().toISOString()
    status.set(id, { id, state, since, ...(error !== undefined && { error }) })
  }
  for (const { use, lead } of entries) enter(use.id, lead ? 'standby' : 'serving')
  const runs: Promise<void>[] = []
  const mounts = entries.flatMap(({ use, io }): Mount[] => {
    const app = use.plugin.routes?.(use.config, io)
    const handle = use.plugin.handle?.(use.config, io)
    return app ? [{ input: use.id, app, ...(handle && { handle }) }] : []
  })

  const keep = async (entry: Entry, run: NonNullable<Input['run']>): Promise<void> => {
    const { id } = entry.use
    if (!entry.lead) enter(id, 'running')
    for (let attempt = 1; !host.signal.aborted; attempt++) {
      const since = Date.now()
      try {
        await leading(entry, (io) => (attempt === 1 ? run(entry.use.config, io) : runAgain(entry.use, io, run)))
        enter(id, 'ended')
        return
      } catch (error) {
        if (host.signal.aborted) return
        if (Date.now() - since > STEADY) attempt = 1
        if (!(await failed(id, error, attempt))) return
      }
    }
  }

  const leading = ({ use: { id }, io, lead }: Entry, run: (io: InputIo) => Promise<void>): Promise<void> => {
    if (!lead) return run(io)
    const work = (signal: AbortSignal): Promise<void> => {
      if (status.get(id)?.state !== 'failing') enter(id, 'running')
      return run({ ...io, signal })
    }
    return lead(`input-${id}`, io.signal, work, () => enter(id, 'standby'))
  }

  /** It is `failing` until it has shown that it works. */
  const runAgain = async ({ id, config }: Use<Input>, io: InputIo, run: NonNullable<Input['run']>): Promise<void> => {
    const over = new AbortController()
    const works = (): void => {
      if (!over.signal.aborted && status.get(id)?.state === 'failing') enter(id, 'running')
    }
    void pause(STEADY, over.signal).then(works)
    try {
      await run(config, heard(io, works))
    } finally {
      over.abort()
    }
  }

  /** False: trying again cannot help. */
  const failed = async (id: string, thrown: unknown, attempt: number): Promise<boolean> => {
    const { permanent, retryAfter } = asYarakError(thrown)
    const error = messageOf(thrown)
    enter(id, 'failing', error)
    host.counters.add('yarak_input_failures_total', { input: id })
    if (permanent) {
      host.log.error('an input failed and cannot go on', { input: id, error })
      return false
    }
    const wait = retryAfter ?? backoff(attempt, 1_000, 30_000)
    host.log.error('an input failed and will be started again', { input: id, error, in_ms: Math.round(wait) })
    await pause(wait, host.signal)
    return true
  }

  return {
    mounts,
    start() {
      for (const entry of entries) if (entry.use.plugin.run) runs.push(keep(entry, entry.use.plugin.run))
    },
    async ended() {
      await Promise.all(runs)
    },
    status: () => [...status.values()],
  }
}

/** The same, and `told` each time that the input has brought something. */
const heard = (io: InputIo, told: () => void): InputIo => ({
  ...io,
  emit: (raw, options) =>
    io.emit(raw, options).then((receipt) => {
      told()
      return receipt
    }),
  count(...what) {
    told()
    io.count(...what)
  },
  measure(...what) {
    told()
    io.measure(...what)
  },
})

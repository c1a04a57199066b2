/** Keeps the inputs running: one that fails is started again after a while, and the others never notice. */
import type { Hono } from 'hono'
import { backoff, pause } from './backoff.ts'
import type { Counters } from './counters.ts'
import { asYarakError, messageOf } from './errors.ts'
import type { Input, InputIo, Log, Use } from './plugin.ts'

export interface InputStatus {
  readonly id: string
  /** `serving` has routes only; `ended` has come to its end. */
  readonly state: 'serving' | 'running' | 'failing' | 'ended'
  /** Why it fails. */
  readonly error?: string
}

export interface Supervisor {
  readonly routes: readonly Hono[]
  start(): void
  /** Resolves when every input that runs by itself has ended; at once when there is none. */
  ended(): Promise<void>
  status(): readonly InputStatus[]
}

interface Entry {
  readonly use: Use<Input>
  readonly io: InputIo
}

interface Host {
  readonly log: Log
  readonly counters: Counters
  readonly signal: AbortSignal
}

/** An input that ran this long, in milliseconds, starts its back-off anew. */
const STEADY = 60_000

export const createSupervisor = (entries: readonly Entry[], host: Host): Supervisor => {
  const status = new Map<string, InputStatus>(entries.map(({ use: { id } }) => [id, { id, state: 'serving' }]))
  const runs: Promise<void>[] = []
  const routes = entries.flatMap(({ use, io }) => use.plugin.routes?.(use.config, io) ?? [])

  const keep = async ({ use, io }: Entry, run: NonNullable<Input['run']>): Promise<void> => {
    const { id } = use
    for (let attempt = 1; !host.signal.aborted; attempt++) {
      status.set(id, { id, state: 'running' })
      const since = Date.now()
      try {
        await run(use.config, io)
        status.set(id, { id, state: 'ended' })
        return
      } catch (error) {
        if (host.signal.aborted) return
        if (Date.now() - since > STEADY) attempt = 1
        await failed(id, error, attempt)
      }
    }
  }

  const failed = async (id: string, error: unknown, attempt: number): Promise<void> => {
    const wait = asYarakError(error).retryAfter ?? backoff(attempt, 1_000, 30_000)
    status.set(id, { id, state: 'failing', error: messageOf(error) })
    host.counters.add('yarak_input_failures_total', { input: id })
    host.log.error('an input failed and will be started again', {
      input: id,
      error: messageOf(error),
      in_ms: Math.round(wait),
    })
    await pause(wait, host.signal)
  }

  return {
    routes,
    start() {
      for (const entry of entries) if (entry.use.plugin.run) runs.push(keep(entry, entry.use.plugin.run))
    },
    async ended() {
      await Promise.all(runs)
    },
    status: () => [...status.values()],
  }
}

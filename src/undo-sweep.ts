/** Takes changes back when their time is over, in this process or whichever else shares the place and leads. */
import { backoff, pause } from './backoff.ts'
import { messageOf } from './errors.ts'
import type { Log, Resource, Undoable } from './plugin.ts'
import { isUndone, type Undoer, type UndoingAction } from './undo.ts'

export interface SweepHost {
  readonly undoer: Pick<Undoer, 'place' | 'list' | 'one'>
  readonly log: Log
  /** The actions whose changes are looked after, as of now. */
  watched(): readonly UndoingAction[]
  /** Milliseconds between two looks. */
  readonly interval: number
  /** Ends it. */
  readonly signal: AbortSignal
}

export interface Sweeper {
  /** Begins or ends to look after places, as the watched actions now are. Call at the start, and when they change. */
  follow(): void
  /** Resolves when the signal has fired and nothing is in work. */
  ended(): Promise<void>
}

interface Followed {
  readonly stop: AbortController
  readonly ended: Promise<void>
}

export const createSweeper = (host: SweepHost): Sweeper => {
  const followed = new Map<Resource, Followed>()
  const failures = createFailures(host.interval)

  const sweep = async (resource: Resource, signal: AbortSignal): Promise<void> => {
    const watched = host.watched().filter(({ undo }) => undo.in === resource)
    const changes = await host.undoer.list(watched)
    failures.keep(changes)
    for (const change of changes) {
      if (signal.aborted) return
      if (isExpired(change) && failures.isDue(change)) {
        const done = await host.undoer.one(change, signal, failures.has(change))
        if (!isUndone(done) && !signal.aborted) failures.add(change)
      }
    }
  }

  /** Until the signal fires; a place that cannot be opened is tried again. */
  const look = async (resource: Resource, signal: AbortSignal): Promise<void> => {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const place = await host.undoer.place(resource)
        await place.lead(host.interval, signal, (until) => sweep(resource, until))
      } catch (error) {
        const fields = { resource: resource.type, error: messageOf(error) }
        if (attempt === 1) host.log.warn('changes are not undone by themselves', fields)
        await pause(backoff(attempt, host.interval, LONGEST * host.interval), signal)
      }
    }
  }

  const begin = (resource: Resource, before: Promise<void> | undefined): Followed => {
    const stop = new AbortController()
    const signal = AbortSignal.any([host.signal, stop.signal])
    return { stop, ended: (before ?? Promise.resolve()).then(() => look(resource, signal)) }
  }

  return {
    follow() {
      const wanted = new Set(host.watched().map(({ undo }) => undo.in))
      for (const [resource, { stop }] of followed) if (!wanted.has(resource)) stop.abort()
      for (const resource of wanted) {
        const before = followed.get(resource)
        if (!before || before.stop.signal.aborted) followed.set(resource, begin(resource, before?.ended))
      }
    },
    async ended() {
      await Promise.all([...followed.values()].map(({ ended }) => ended))
    },
  }
}

const isExpired = ({ expires }: Undoable): boolean => expires !== undefined && Date.parse(expires) <= Date.now()

/** The longest wait after a failure, in intervals. */
const LONGEST = 40

/** Changes that could not be taken back: each is tried again later and later. */
const createFailures = (interval: number) => {
  const failures = new Map<string, { readonly attempts: number; readonly due: number }>()
  return {
    has: (change: Undoable) => failures.has(keyOf(change)),
    isDue: (change: Undoable) => (failures.get(keyOf(change))?.due ?? 0) <= performance.now(),
    add(change: Undoable) {
      const attempts = (failures.get(keyOf(change))?.attempts ?? 0) + 1
      failures.set(keyOf(change), {
        attempts,
        due: performance.now() + backoff(attempts, interval, LONGEST * interval),
      })
    },
    /** Forgets what is not there any more. */
    keep(changes: readonly Undoable[]) {
      const there = new Set(changes.map(keyOf))
      for (const key of failures.keys()) if (!there.has(key)) failures.delete(key)
    },
  }
}

const keyOf = ({ note, object, at }: Undoable): string => JSON.stringify([object.uid, note, at])

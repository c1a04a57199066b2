/** Shared clients: opened on first use, reopened after a failed open, looked after, closed when the gateway stops. */
import { orAborted } from './backoff.ts'
import { deadlineAfter } from './deadline.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import type { Io, Resource, Use } from './plugin.ts'
import { lookAgain } from './watch.ts'

/** How one of them is. */
export interface ResourceHealth {
  readonly id: string
  readonly type: string
  /** `unused`: it has settings, and nobody has used it; `ok`: it is open, and answered when it was last asked. */
  readonly state: 'unused' | 'ok' | 'failing'
  /** Why it fails. */
  readonly error?: string
  /** When this state began; RFC 3339, UTC. Absent of what is unused. */
  readonly since?: string
}

export interface Resources {
  use<T>(resource: Resource<T>): Promise<T>
  /** Those that have settings or were used. */
  health(): readonly ResourceHealth[]
  /**
   * Asks each that is in use whether the other side is there; meanwhile a use makes it be asked at once, too. Resolves
   * when the signal has fired.
   * @param every milliseconds between two looks
   */
  watch(signal: AbortSignal, every: number): Promise<void>
  close(): Promise<void>
}

/** How long a failed open is answered with the same error, in milliseconds. */
const HOLD_OFF = 1_000

/** How long the other side has to answer a look, in milliseconds. */
const PATIENCE = 5_000

/** Milliseconds between two looks because of a use. */
const CALM = 1_000

interface Opened {
  readonly resource: Resource
  readonly value: Promise<unknown>
  readonly failedAt?: number
}

/**
 * @param settings resources with settings of their own; any other is opened with its defaults
 * @param io gives a resource its Io
 */
export const createResources = (settings: readonly Use<Resource>[], io: (id: string) => Io): Resources => {
  const opened = new Map<string, Opened>()
  const states = createStates(settings)
  const looks = createLooks()
  let closed = false
  let watching: AbortSignal | undefined

  const useOf = ({ type }: Resource) => settings.find(({ plugin }) => plugin.type === type)
  const ioOf = (resource: Resource): Io => io(useOf(resource)?.id ?? resource.type)

  const open = (resource: Resource): Opened => {
    const config = useOf(resource)?.config
    const value = (async () => resource.open(config ?? resource.config.parse({}), ioOf(resource)))()
    const entry: Opened = { resource, value }
    value.then(
      () => states.note(resource),
      (error: unknown) => {
        states.note(resource, error)
        if (!closed) opened.set(resource.type, { ...entry, failedAt: Date.now() })
      },
    )
    return entry
  }

  const get = async (resource: Resource): Promise<unknown> => {
    if (closed) throw new YarakError('closing', `${resource.type} is closed: the gateway is stopping`)
    const known = opened.get(resource.type)
    const stale = known?.failedAt !== undefined && Date.now() - known.failedAt > HOLD_OFF
    const entry = known && !stale ? known : open(resource)
    opened.set(resource.type, entry)
    return entry.value
  }

  const look = async (resource: Resource, signal: AbortSignal, calm = 0): Promise<void> => {
    if (!looks.begin(resource, calm)) return
    const late = new YarakError('timed_out', `no answer within ${PATIENCE / 1_000} s`)
    const deadline = deadlineAfter(PATIENCE, signal, late)
    const asked = get(resource)
      .then((value) => resource.check?.(value, untraced(ioOf(resource)), deadline.signal))
      .finally(() => looks.end(resource))
    try {
      await orAborted(asked, deadline.signal)
      states.note(resource)
    } catch (error) {
      if (!signal.aborted) states.note(resource, error)
    } finally {
      deadline.clear()
    }
  }

  return {
    async use<T>(resource: Resource<T>): Promise<T> {
      try {
        return (await get(resource)) as T
      } catch (error) {
        throw asYarakError(error, 'unavailable')
      } finally {
        if (watching && !watching.aborted) void look(resource, watching, CALM)
      }
    },
    health: states.all,
    watch(signal, every) {
      watching = signal
      return lookAgain(every, signal, () =>
        Promise.all([...opened.values()].map(({ resource }) => look(resource, signal))),
      )
    },
    async close() {
      closed = true
      const all = [...opened.values()]
      opened.clear()
      await Promise.all(all.map((one) => closeOne(one, io)))
    },
  }
}

/** How each is, as it was found last. */
const createStates = (settings: readonly Use<Resource>[]) => {
  const states = new Map(
    settings.map(({ id, plugin: { type } }): [string, ResourceHealth] => [type, { id, type, state: 'unused' }]),
  )
  return {
    all: (): readonly ResourceHealth[] => [...states.values()],
    note({ type }: Resource, thrown?: unknown): void {
      const before = states.get(type)
      const state = thrown === undefined ? 'ok' : 'failing'
      const since = before?.state === state && before.since ? before.since : new Date().toISOString()
      const error = thrown === undefined ? {} : { error: messageOf(thrown) }
      states.set(type, { id: before?.id ?? type, type, state, since, ...error })
    },
  }
}

/** One look at a time for each: who has not answered yet, also when nobody waits for it any more, is not asked again. */
const createLooks = () => {
  const begun = new Map<string, number>()
  const going = new Set<string>()
  return {
    /** @returns false: it is being looked at, or was within the last `calm` milliseconds */
    begin({ type }: Resource, calm: number): boolean {
      const now = performance.now()
      if (going.has(type) || now - (begun.get(type) ?? -Infinity) < calm) return false
      begun.set(type, now)
      going.add(type)
      return true
    },
    end({ type }: Resource): void {
      going.delete(type)
    },
  }
}

/** A look is no part of any response, and every few seconds a trace of its own would be noise. */
const untraced = (io: Io): Io => ({ ...io, call: (_span, fn) => fn({ headers: {}, set: () => {} }) })

const closeOne = async ({ resource, value }: Opened, io: (id: string) => Io): Promise<void> => {
  const client = await value.catch(() => undefined)
  if (client === undefined) return
  try {
    await resource.close?.(client)
  } catch (error) {
    io(resource.type).log.warn('closing a resource failed', { resource: resource.type, error: messageOf(error) })
  }
}

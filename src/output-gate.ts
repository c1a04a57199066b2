/** When the next try to deliver may begin: the breaker of an output, the pauses that it asks for, and its rate. */
import { backoff, pause } from './backoff.ts'
import type { YarakError } from './errors.ts'
import type { Rate } from './plugin.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface Gate {
  /** `open`: nothing is tried for a while; `half-open`: one delivery is, to see whether the other side is back. */
  readonly state: BreakerState
  /**
   * Waits for its turn. Whoever was let in says how it went.
   * @param signal ends a wait; without one to do it is let in all the same
   * @returns false: it may not try yet, after a trial that failed, or because the signal fired
   */
  enter(signal: AbortSignal): Promise<boolean>
  succeeded(): void
  /** @param error what may pass; a refusal of what was sent says nothing about the other side, and is a success here */
  failed(error: YarakError): void
}

export interface GateOptions {
  /** Failures in a row; 0: never. */
  readonly breaker: number
  readonly rate: Rate | undefined
  readonly now?: () => number
}

/** Milliseconds between two trials at most: one request is little, and being back is to be seen soon. */
const LONGEST_REST = 10_000

/** Milliseconds that the other side can ask for at most: a mistake of its own is not to hold for days. */
const LONGEST_ASKED = 3_600_000

export const createGate = ({ breaker, rate, now = () => Date.now() }: GateOptions): Gate => {
  let failures = 0
  let trials = 0
  let until = 0
  let trying = false
  let changed = Promise.withResolvers<void>()
  const turn = rate ? createRate(rate, now) : undefined

  const isOpen = (): boolean => breaker > 0 && failures >= breaker
  /** Wakes all who wait. */
  const tell = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }

  /** One delivery is the trial; the others hear how it went. */
  const waitOpen = async (signal: AbortSignal): Promise<boolean> => {
    const wait = until - now()
    const heard = changed.promise
    if (trying) await orFired(heard, signal)
    else if (wait > 0) await Promise.race([pause(Math.min(Math.ceil(wait), LONGEST_REST), signal), heard])
    if (signal.aborted || trying) return false
    if (!isOpen()) return true
    if (until > now()) return false
    trying = true
    return true
  }

  /** Whoever waits longer looks at its deadline now and then. */
  const waitAsked = async (signal: AbortSignal): Promise<boolean> => {
    if (until > now()) await pause(Math.min(until - now(), LONGEST_REST), signal)
    return until <= now() && !isOpen()
  }

  return {
    get state() {
      return !isOpen() ? 'closed' : trying ? 'half-open' : 'open'
    },
    async enter(signal) {
      const may = await (isOpen() ? waitOpen(signal) : waitAsked(signal))
      return may && turn ? turn(signal) : may
    },
    succeeded() {
      failures = 0
      trials = 0
      trying = false
      tell()
    },
    failed(error) {
      const retryAfter = error.retryAfter && Math.min(error.retryAfter, LONGEST_ASKED)
      // deliveries that were on their way when it opened tell nothing new
      const isNews = trying || !isOpen()
      failures++
      trying = false
      if (isOpen() && isNews) until = now() + (retryAfter || backoff(++trials, 500, LONGEST_REST))
      else if (retryAfter) until = Math.max(until, now() + retryAfter)
      tell()
    },
  }
}

const orFired = (promise: Promise<void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', done, { once: true })
    void promise.then(done)
  })

/** A bucket of `count` that fills in `per`: as many at once as the period allows, then one after the other. */
const createRate = ({ count, per }: Rate, now: () => number): ((signal: AbortSignal) => Promise<boolean>) => {
  const step = per / count
  /** When the bucket would be full again. */
  let full = 0
  return async (signal) => {
    const at = now()
    full = Math.max(full, at) + step
    const wait = full - at - per
    if (wait <= 0) return true
    await pause(wait, signal)
    return !signal.aborted
  }
}

/** Waiting: before another try, and for whichever comes first. */

/**
 * Milliseconds to wait before try number `attempt + 1`: doubling from `first` up to `most`, of which a random half is
 * taken away, so that many waiters do not come back at once.
 */
export const backoff = (attempt: number, first = 500, most = 60_000, random = Math.random): number => {
  const whole = Math.min(most, first * 2 ** (attempt - 1))
  return whole / 2 + (whole / 2) * random()
}

/** The longest that a timer can wait; one of more fires at once. */
export const LONGEST = 2 ** 31 - 1

/** Waits, at most 24 days; ends early, without an error, when the signal fires. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.min(ms, LONGEST))
    signal?.addEventListener('abort', done, { once: true })
  })

/** The promise, or a rejection with the signal's reason when that fires first. */
export const orAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })

/**
 * {@link orAborted} for what knows best itself how far it came: what it says at once, when the signal fires, goes before.
 */
export const orCut = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = (): void => void setImmediate(() => reject(signal.reason as Error))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })

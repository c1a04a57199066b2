/** A token bucket: so many events a second, and some more at once after a pause. */

export interface Rate {
  readonly perSecond: number
  readonly burst?: number | undefined
}

/**
 * A function that takes one token; false: there is none.
 * @param now milliseconds of a clock that never goes back
 * @example const take = createRate({ perSecond: 100 })
 */
export const createRate = (rate: Rate | undefined, now: () => number = () => performance.now()): (() => boolean) => {
  if (!rate) return () => true
  const size = rate.burst ?? Math.max(1, rate.perSecond)
  let tokens = size
  let last = now()
  return () => {
    const time = now()
    tokens = Math.min(size, tokens + ((time - last) / 1_000) * rate.perSecond)
    last = time
    if (tokens < 1) return false
    tokens--
    return true
  }
}

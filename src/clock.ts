/** The clock of the spans. */

/** How far, in milliseconds, the steady clock may be from the wall clock before it is set again. */
const DRIFT = 100

/** Milliseconds since the epoch, with fractions, that never run backwards unless the wall clock is set. */
export const createClock = (): (() => number) => {
  let origin = performance.timeOrigin
  return () => {
    const wall = Date.now()
    if (Math.abs(wall - origin - performance.now()) > DRIFT) origin = wall - performance.now()
    return origin + performance.now()
  }
}

/**
 * Seconds since a time in RFC 3339; 0 for one that is still to come.
 * @example secondsSince(event.time)
 */
export const secondsSince = (time: string): number => Math.max(0, (Date.now() - Date.parse(time)) / 1_000)

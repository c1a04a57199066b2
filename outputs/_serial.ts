/** One at a time, in order. */

/**
 * Runs functions one after another in the order of the calls; a failure is its caller's alone.
 * @example const inTurn = serial(); await Promise.all([inTurn(first), inTurn(second)])
 */
export const serial = (): (<T>(fn: () => Promise<T>) => Promise<T>) => {
  let last: Promise<unknown> = Promise.resolve()
  return (fn) => {
    const turn = last.then(fn)
    last = turn.catch(() => {})
    return turn
  }
}

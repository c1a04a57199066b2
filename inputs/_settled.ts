/** Things that begin in order and settle in any order: how far everything is settled. */

export interface Settled<T> {
  /** Begins one; call what it gives when that one is settled. */
  add(value: T): () => void
  /** Begun and not settled. */
  readonly pending: number
  /** The last one before which, itself included, all are settled. */
  readonly position: T | undefined
  /** Resolves when fewer than `limit` are pending. */
  below(limit: number): Promise<void>
}

/**
 * Tracks what is settled.
 * @param advanced called after each move of `position`
 * @example const one = settled.add('a'); const two = settled.add('b'); two(); settled.position // undefined; one() // 'b'
 */
export const createSettled = <T>(advanced: () => void = () => {}): Settled<T> => {
  const entries: { readonly value: T; done: boolean }[] = []
  let waiters: { readonly limit: number; readonly resolve: () => void }[] = []
  let first = 0
  let pending = 0
  let position: T | undefined

  const advance = (): void => {
    const before = first
    for (let entry = entries[first]; entry?.done; entry = entries[++first]) position = entry.value
    const moved = first > before
    if (first === entries.length || first > 1_000) {
      entries.splice(0, first)
      first = 0
    }
    if (moved) advanced()
  }

  const wake = (): void => {
    for (const { resolve } of waiters.filter(({ limit }) => pending < limit)) resolve()
    waiters = waiters.filter(({ limit }) => pending >= limit)
  }

  return {
    add(value) {
      const entry = { value, done: false }
      entries.push(entry)
      pending++
      return () => {
        if (entry.done) return
        entry.done = true
        pending--
        advance()
        wake()
      }
    },
    get pending() {
      return pending
    },
    get position() {
      return position
    },
    below: (limit) =>
      pending < limit ? Promise.resolve() : new Promise((resolve) => waiters.push({ limit, resolve })),
  }
}

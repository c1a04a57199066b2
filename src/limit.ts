/** Bounds: a counting semaphore, and lanes that keep the work on one thing in order. */

/** A number of places; who finds too few waits in line. What needs more than there are gets in alone. */
export interface Places {
  /** Takes places if they are free now and nobody waits; gives the function that frees them. */
  now(weight?: number): (() => void) | undefined
  /**
   * Takes places; gives the function that frees them, undefined when `waitMs` passed or the signal fired first.
   * @param waitMs how long to wait; default without limit
   * @param weight how many; default 1
   */
  take(waitMs?: number, signal?: AbortSignal, weight?: number): Promise<(() => void) | undefined>
  readonly taken: number
  readonly waiting: number
}

interface Waiter {
  readonly weight: number
  wake(got: boolean): void
}

export const createPlaces = (size: number): Places => {
  let taken = 0
  const line = new Set<Waiter>()
  const fits = (weight: number): boolean => taken === 0 || taken + weight <= size

  const take = (weight: number): (() => void) => {
    taken += weight
    let freed = false
    return () => {
      if (!freed) free(weight)
      freed = true
    }
  }
  const free = (weight: number): void => {
    taken -= weight
    for (const next of line) {
      if (!fits(next.weight)) return
      next.wake(true)
    }
  }
  const now = (weight = 1): (() => void) | undefined => (line.size === 0 && fits(weight) ? take(weight) : undefined)

  return {
    get taken() {
      return taken
    },
    get waiting() {
      return line.size
    },
    now,
    async take(waitMs, signal, weight = 1) {
      const free = now(weight)
      if (free) return free
      if (signal?.aborted || waitMs === 0) return undefined
      return new Promise((resolve) => {
        const wake = (got: boolean): void => {
          line.delete(waiter)
          clearTimeout(timer)
          signal?.removeEventListener('abort', giveUp)
          resolve(got ? take(weight) : undefined)
        }
        const waiter: Waiter = { weight, wake }
        const giveUp = (): void => wake(false)
        const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs)
        signal?.addEventListener('abort', giveUp, { once: true })
        line.add(waiter)
      })
    },
  }
}

/** Runs tasks of one key one after another, in the order they were given; different keys side by side. */
export interface Lanes {
  /** The task's result; undefined at once when `limit` tasks of the key wait already. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> | undefined
  readonly keys: number
}

export const createLanes = (limit: number): Lanes => {
  const lanes = new Map<string, { tail: Promise<unknown>; length: number }>()
  return {
    get keys() {
      return lanes.size
    },
    run(key, task) {
      const lane = lanes.get(key) ?? { tail: Promise.resolve(), length: 0 }
      if (lane.length > limit) return undefined
      lane.length++
      lanes.set(key, lane)
      const result = lane.tail.then(task).finally(() => {
        if (--lane.length === 0) lanes.delete(key)
      })
      lane.tail = result.catch(() => {})
      return result
    },
  }
}

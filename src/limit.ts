/** Bounds: a counting semaphore, and lanes that keep the work on one thing in order. */

/** A number of places; who finds none waits in line. */
export interface Places {
  /**
   * Takes a place; gives the function that frees it, undefined when `waitMs` passed or the signal fired first.
   * @param waitMs how long to wait; default without limit
   */
  take(waitMs?: number, signal?: AbortSignal): Promise<(() => void) | undefined>
  readonly taken: number
  readonly waiting: number
}

type Wake = (got: boolean) => void

export const createPlaces = (size: number): Places => {
  let taken = 0
  const line = new Set<Wake>()
  const free = (): void => {
    const [next] = line
    if (next) next(true)
    else taken--
  }
  const once = (): (() => void) => {
    let freed = false
    return () => {
      if (!freed) free()
      freed = true
    }
  }
  return {
    get taken() {
      return taken
    },
    get waiting() {
      return line.size
    },
    async take(waitMs, signal) {
      if (taken < size) {
        taken++
        return once()
      }
      if (signal?.aborted || waitMs === 0) return undefined
      const got = await new Promise<boolean>((resolve) => {
        const wake: Wake = (got) => {
          line.delete(wake)
          clearTimeout(timer)
          signal?.removeEventListener('abort', giveUp)
          resolve(got)
        }
        const giveUp = (): void => wake(false)
        const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs)
        signal?.addEventListener('abort', giveUp, { once: true })
        line.add(wake)
      })
      return got ? once() : undefined
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

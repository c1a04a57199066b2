/** Which offset of a partition may be committed, when records settle in any order. Pure. */

/** Says that a record has settled. Twice is once. */
export type Settle = () => void

export interface OffsetTracker {
  /** Records taken and not settled. */
  readonly pending: number
  /** Records taken and not committed: the pending ones, and those that settled behind one of them. */
  readonly size: number
  /** The offset to commit: the first that has not settled, else the one after the last. Undefined: nothing new. */
  readonly position: number | undefined
  /** Everything below has settled; undefined before the first record. */
  readonly reached: number | undefined
  /** The record is taken and not committed: a second delivery of it needs no second handling. */
  has(offset: number): boolean
  /**
   * Takes the next record. An offset below the last one that is not known any more means that the log itself went back
   * (a topic made anew, an operator who set the offset): then all before is forgotten.
   */
  take(offset: number): Settle
  /** Everything below is committed: forgets it. Also for what another member of the group has committed. */
  forget(below: number): void
}

interface Taken {
  readonly offset: number
  /** Or forgotten. */
  settled: boolean
}

/** Settled records before the first pending one that are cut off at once. */
const CUT = 1_000

/**
 * @example
 * const tracker = createOffsetTracker()
 * const [first, second] = [tracker.take(7), tracker.take(8)]
 * second() // tracker.position is 7
 * first()  // tracker.position is 9
 */
export const createOffsetTracker = (): OffsetTracker => {
  /** In the order of offsets. */
  const taken = new Map<number, Taken>()
  /** The same, to find the first that is pending without looking at all before it. */
  const order: Taken[] = []
  let first = 0
  let pending = 0
  let next = -1
  let committed = -1

  const rewind = (): void => {
    taken.clear()
    order.length = first = 0
    pending = 0
    committed = -1
  }
  const firstPending = (): number => {
    while (order[first]?.settled) first++
    if (first >= CUT || first === order.length) {
      order.splice(0, first)
      first = 0
    }
    return order[first]?.offset ?? next
  }
  return {
    get pending() {
      return pending
    },
    get size() {
      return taken.size
    },
    get position() {
      const position = firstPending()
      return position > committed ? position : undefined
    },
    get reached() {
      return next < 0 ? undefined : firstPending()
    },
    has: (offset) => taken.has(offset),
    take(offset) {
      if (offset < next) rewind()
      const record: Taken = { offset, settled: false }
      taken.set(offset, record)
      order.push(record)
      next = offset + 1
      pending++
      return () => {
        if (record.settled || taken.get(offset) !== record) return
        record.settled = true
        pending--
      }
    },
    forget(below) {
      for (const [offset, record] of taken) {
        if (offset >= below) break
        taken.delete(offset)
        if (!record.settled) pending--
        record.settled = true
      }
      committed = Math.max(committed, below)
    },
  }
}

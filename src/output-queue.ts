/** The notices of one output that wait in memory, and which of them may go out next. */
import type { Item } from './shelf.ts'

export interface OutputQueue {
  /** Those that wait. */
  readonly length: number
  /** Those that are given out and not released. */
  readonly out: number
  push(item: Item): void
  /**
   * The next that may go out together, at most `count`; none: all that wait are behind others of their key.
   * What is given out holds back its key until it is released.
   */
  take(count: number): Item[]
  release(items: readonly Item[]): void
  /** Everything that is not settled, given out or not, in order. */
  all(): Item[]
  /** Empties it. */
  drain(): Item[]
  /** When the oldest that waits was offered; milliseconds since the epoch. */
  readonly oldest: number | undefined
  /** The same of all that are not settled. */
  readonly eldest: number | undefined
}

/** First in, first out, in constant time. */
class Line {
  #items: Item[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }
  get first(): Item | undefined {
    return this.#items[this.#head]
  }
  push(item: Item): void {
    this.#items.push(item)
  }
  shift(): Item | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#head++
    if (this.#head > 1_000 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }
  toArray(): Item[] {
    return this.#items.slice(this.#head)
  }
}

/** What of one key goes out in order. */
export const createQueue = (): OutputQueue => {
  /** The first of each key that has just become free; they go before all others. */
  let free = new Line()
  let line = new Line()
  /** Behind one of their key that is out, or the first of those in `free`. */
  let behind = new Map<string, Line>()
  const out = new Set<Item>()
  const busy = new Map<string, number>()
  let held = 0

  const hold = (item: Item, key: string): void => {
    const waiting = behind.get(key) ?? new Line()
    waiting.push(item)
    behind.set(key, waiting)
    held++
  }

  const firstBehind = (key: string): Item | undefined => {
    const waiting = behind.get(key)
    const item = waiting?.shift()
    if (item) held--
    if (waiting?.length === 0) behind.delete(key)
    return item
  }

  const leave = (key: string): void => {
    const left = (busy.get(key) ?? 1) - 1
    if (left > 0) return void busy.set(key, left)
    busy.delete(key)
    const first = firstBehind(key)
    if (first) free.push(first)
  }

  const waiting = (): Item[] =>
    [free, line, ...behind.values()].flatMap((one) => one.toArray()).sort((one, other) => one.number - other.number)

  return {
    get length() {
      return free.length + line.length + held
    },
    get out() {
      return out.size
    },
    get oldest() {
      return (free.first ?? line.first)?.since
    },
    get eldest() {
      const all = [...out].map(({ since }) => since)
      return all.length > 0 ? Math.min(...all) : (free.first ?? line.first)?.since
    },
    push: (item) => line.push(item),
    take(count) {
      const taken: Item[] = []
      const own = new Set<string>()
      const give = (item: Item): void => {
        const { key } = item
        taken.push(item)
        out.add(item)
        if (key === undefined) return
        own.add(key)
        busy.set(key, (busy.get(key) ?? 0) + 1)
      }
      while (taken.length < count) {
        const item = free.shift() ?? line.shift()
        if (!item) break
        const { key } = item
        if (key !== undefined && busy.has(key) && !own.has(key)) {
          hold(item, key)
          continue
        }
        give(item)
        // what is behind it may go along
        while (key !== undefined && taken.length < count) {
          const more = firstBehind(key)
          if (!more) break
          give(more)
        }
      }
      return taken
    },
    release(items) {
      for (const item of items) {
        if (out.delete(item) && item.key !== undefined) leave(item.key)
      }
    },
    all: () => [...out, ...waiting()].sort((one, other) => one.number - other.number),
    drain() {
      const all = waiting()
      free = new Line()
      line = new Line()
      behind = new Map()
      held = 0
      return all
    },
  }
}

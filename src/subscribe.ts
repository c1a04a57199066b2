/** A stream that any number of readers can follow, none of which can hold it up. */

/** Items that are kept for a reader; then it misses the oldest. */
const BEHIND = 1_000

export interface Subscribers<T> {
  publish(item: T): void
  /** Everything that is published from now on. */
  subscribe(): AsyncIterableIterator<T, undefined, undefined>
  /** Every reader ends after what it has not read yet. */
  close(): void
}

interface Reader<T> {
  push(item: T): void
  end(): void
}

export const createSubscribers = <T>(): Subscribers<T> => {
  const readers = new Set<Reader<T>>()
  let closed = false
  return {
    publish(item) {
      for (const reader of readers) reader.push(item)
    },
    subscribe() {
      const { reader, iterator } = createReader<T>(() => readers.delete(reader))
      if (closed) reader.end()
      else readers.add(reader)
      return iterator
    },
    close() {
      closed = true
      for (const reader of readers) reader.end()
      readers.clear()
    },
  }
}

/** @param leave called when the reader wants no more, also while it waits */
const createReader = <T>(leave: () => void) => {
  let items: T[] = []
  let waiting: ((result: IteratorResult<T, undefined>) => void)[] = []
  let ended = false
  const end = (): void => {
    ended = true
    for (const give of waiting) give(DONE)
    waiting = []
  }
  const reader: Reader<T> = {
    push(item) {
      const give = waiting.shift()
      if (give) give({ done: false, value: item })
      else if (items.push(item) > BEHIND) items.shift()
    },
    end,
  }
  const iterator: AsyncIterableIterator<T, undefined, undefined> = {
    async next() {
      if (items.length > 0) return { done: false, value: items.shift() as T }
      return ended ? DONE : new Promise((resolve) => waiting.push(resolve))
    },
    async return() {
      leave()
      items = []
      end()
      return DONE
    },
    [Symbol.asyncIterator]: () => iterator,
  }
  return { reader, iterator }
}

const DONE = Object.freeze({ done: true, value: undefined })

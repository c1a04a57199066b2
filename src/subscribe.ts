/** A stream that any number of readers can follow, none of which can hold it up. */

const BEHIND = 1_000

export interface Subscribers<T> {
  publish(item: T): void
  subscribe(): AsyncIterable<T>
  close(): void
}

export const createSubscribers = <T>(): Subscribers<T> => {
  const readers = new Set<{ items: T[]; wake: () => void }>()
  let closed = false
  return {
    publish(item) {
      for (const reader of readers) {
        if (reader.items.push(item) > BEHIND) reader.items.shift()
        reader.wake()
      }
    },
    subscribe() {
      const reader = { items: [] as T[], wake: (): void => {} }
      readers.add(reader)
      return (async function* () {
        try {
          for (;;) {
            const item = reader.items.shift()
            if (item !== undefined) yield item
            else if (closed) return
            else await new Promise<void>((resolve) => (reader.wake = resolve))
          }
        } finally {
          readers.delete(reader)
        }
      })()
    },
    close() {
      closed = true
      for (const reader of readers) reader.wake()
    },
  }
}

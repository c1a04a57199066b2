/** A journal that forgets with the process: for embedding without a disk, and for tests. */
import type { Journal, StoredEvent, StoredNotice } from './index.ts'
import { createJournal } from './journal.ts'
import { memoryStore } from './memory-store.ts'
import { perform } from './protocol.ts'

/** What an earlier run left, for tests of a restart. */
export interface Left {
  readonly pending?: readonly StoredEvent[]
  /** By event id, then by key. */
  readonly facts?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly kept?: readonly StoredNotice[]
  /** Ids of events that were settled a short while ago. */
  readonly settled?: readonly string[]
}

/**
 * A journal in memory. Bounded: 64 MiB of unsettled events, 20,000 settled ids, 1,000 dead letters of each kind.
 * @example
 * const journal = memoryJournal()
 * const restarted = memoryJournal({ pending: [event], facts: { [event.id]: { 'step/r/1': { outcome: 'succeeded' } } } })
 */
export const memoryJournal = ({ pending = [], facts = {}, kept = [], settled = [] }: Left = {}): Journal => {
  const store = memoryStore()
  for (const event of pending) store.accept(event)
  for (const [i, notice] of kept.entries()) store.keep({ ...notice, seq: i + 1 })
  const at = Date.now()
  return createJournal(
    {
      write: async (write) => void perform(store, write),
      ask: async (name, ...args) => perform(store, [name, ...args] as never) as never,
      health: () => ({ mode: 'memory', size: 0, maxSize: 0, full: store.space().full }),
      flush: async () => {},
      close: async () => {},
    },
    {
      facts: Object.entries(facts).flatMap(([event, values]) =>
        Object.entries(values).map(([key, value]) => ({ event, key, value: JSON.stringify(value) })),
      ),
      settled: settled.map((event) => ({ event, at })),
      lastEvent: pending.length,
      lastNotice: kept.length,
      lastLetter: 0,
    },
  )
}

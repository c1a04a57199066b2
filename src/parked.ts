/** Accepted events for which there is no room: they wait in the journal, in the order in which they came. */
import { messageOf } from './errors.ts'
import type { Journal, StoredEvent } from './journal/index.ts'
import type { Log, Receipt } from './plugin.ts'

export interface Parked {
  /** Resolves when the event, which is in the journal, has had its turn and is settled. */
  add(id: string): Receipt['done']
  readonly size: number
}

interface Host {
  readonly journal: Journal
  readonly log: Log
  /** Waits for room, then begins; undefined at a stop. */
  begin(event: StoredEvent): Promise<Receipt | undefined>
}

/** Events read at a time. */
const PAGE = 100

export const createParked = ({ journal, log, begin }: Host): Parked => {
  const waiting = new Map<string, (done: Receipt['done']) => void>()
  let working = false

  const work = async (): Promise<void> => {
    while (waiting.size > 0) {
      const ids = [...waiting.keys()].slice(0, PAGE)
      const found = new Map((await journal.read(ids)).map((event) => [event.id, event]))
      for (const id of ids) {
        const event = found.get(id)
        const begun = event ? await begin(event) : { done: Promise.resolve([]) }
        if (!begun) return
        waiting.get(id)?.(begun.done)
        waiting.delete(id)
      }
    }
  }

  const start = async (): Promise<void> => {
    working = true
    try {
      await work()
    } catch (error) {
      log.error('events that wait in the journal cannot be read', { error: messageOf(error), events: waiting.size })
    } finally {
      working = false
    }
  }

  return {
    get size() {
      return waiting.size
    },
    add: (id) =>
      new Promise((resolve) => {
        waiting.set(id, resolve)
        if (!working) void start()
      }),
  }
}

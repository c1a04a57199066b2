/** A store that forgets with the process. */
import type { StoredEvent, StoredLetter } from './index.ts'
import type { KeptNotice, Space, Store } from './protocol.ts'

/** How many dead letters of each kind are kept; beyond it the oldest goes. */
const LETTERS = 1_000
/** Bodies of events and notices, in characters, beyond which there is no room for more events. */
const MOST = 64 * 1024 ** 2

export interface MemoryStore extends Store {
  space(): Space
}

export const memoryStore = (): MemoryStore => {
  const events = new Map<string, StoredEvent & { readonly seq: number }>()
  const notices = new Map<string, Map<string, KeptNotice>>()
  let letters: readonly StoredLetter[] = []
  let responses = 0
  let seq = 0
  let size = 0
  const sizes = (): Record<string, number> =>
    Object.fromEntries([...notices].map(([output, kept]) => [output, kept.size]))
  return {
    accept(event) {
      if (events.has(event.id)) return
      events.set(event.id, { ...event, seq: ++seq })
      size += event.body.length
    },
    note() {},
    settle(id, _at, _redelivered, reports) {
      size -= events.get(id)?.body.length ?? 0
      events.delete(id)
      responses += reports.length
    },
    keep(notice) {
      const kept = notices.get(notice.output) ?? new Map<string, KeptNotice>()
      notices.set(notice.output, kept)
      if (kept.has(notice.id)) return
      kept.set(notice.id, notice)
      size += notice.body.length
    },
    drop(output, id) {
      const kept = notices.get(output)
      size -= kept?.get(id)?.body.length ?? 0
      if (kept?.delete(id) && kept.size === 0) notices.delete(output)
    },
    bury(letter) {
      const before = letters.filter(({ kind }) => kind === letter.kind)
      const oldest = before.length >= LETTERS ? before[0] : undefined
      letters = [...letters.filter((one) => one !== oldest), letter]
    },
    read: (ids) => ids.flatMap((id) => events.get(id) ?? []).map(withoutSeq),
    pending: (after, last) => ({
      events: [...events.values()].filter((one) => one.seq > after && one.seq <= last).map(withoutSeq),
      next: undefined,
    }),
    kept: (output, after, limit) =>
      [...(notices.get(output)?.values() ?? [])].filter((one) => one.seq > after).slice(0, limit),
    waiting: sizes,
    letters: ({ kind, from, reason, after = 0, limit = 100 }) =>
      letters
        .filter((one) => one.id > after && (kind ?? one.kind) === one.kind)
        .filter((one) => (from ?? one.from) === one.from && (reason ?? one.reason) === one.reason)
        .slice(0, limit),
    unbury(ids) {
      const before = letters.length
      const gone = new Set(ids)
      letters = letters.filter(({ id }) => !gone.has(id))
      return before - letters.length
    },
    counts() {
      const [first] = events.values()
      return {
        unsettled: events.size,
        ...(first && { oldest: first.at }),
        notices: sizes(),
        responses,
        deadLetters: letters.length,
      }
    },
    space: () => ({ size, full: size > MOST }),
  }
}

const withoutSeq = ({ seq: _seq, ...event }: StoredEvent & { readonly seq: number }): StoredEvent => event

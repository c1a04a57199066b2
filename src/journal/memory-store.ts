/** A store that forgets with the process. */
import type { StoredEvent, StoredLetter } from './index.ts'
import type { KeptNotice, Space, Store, StoredReport } from './protocol.ts'

/** How many dead letters of each kind are kept; beyond it the oldest goes. */
const LETTERS = 1_000
/** How many responses are kept. */
const RESPONSES = 1_000
/** Bodies of events and notices, in characters, beyond which there is no room for more events. */
const MOST = 64 * 1024 ** 2

export interface MemoryStore extends Store {
  space(): Space
}

/** @param first the number before that of the first response */
export const memoryStore = (first = 0): MemoryStore => {
  const events = new Map<string, StoredEvent & { readonly seq: number }>()
  const notices = new Map<string, Map<string, KeptNotice>>()
  let letters: readonly StoredLetter[] = []
  const responses = new Map<string, StoredReport & { readonly seq: number }>()
  let lastResponse = first
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
      for (const report of reports) {
        responses.delete(report.id)
        responses.set(report.id, { ...report, seq: ++lastResponse })
        const oldest = responses.size > RESPONSES ? responses.keys().next().value : undefined
        if (oldest !== undefined) responses.delete(oldest)
      }
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
    undone(id, key, value) {
      const found = responses.get(id)
      if (!found) return
      const report = JSON.parse(found.body) as { undone?: object }
      const undone = { ...report.undone, [key]: JSON.parse(value) as unknown }
      responses.set(id, { ...found, body: JSON.stringify({ ...report, undone }) })
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
    responses: ({ id = '', trace, rule, outcome, before = Infinity, limit = 100 }) =>
      [...responses.values()]
        .reverse()
        .filter((one) => one.seq < before && one.id.startsWith(id))
        .filter((one) => (rule ?? one.rule) === one.rule && (outcome ?? one.outcome) === one.outcome)
        .filter(({ body }) => trace === undefined || traceIn(body).startsWith(trace))
        .slice(0, limit)
        .map(({ seq, id, body }) => ({ seq, id, body })),
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
        responses: responses.size,
        deadLetters: letters.length,
      }
    },
    space: () => ({ size, full: size > MOST }),
  }
}

const traceIn = (body: string): string => (JSON.parse(body) as { traceId?: string }).traceId ?? ''

const withoutSeq = ({ seq: _seq, ...event }: StoredEvent & { readonly seq: number }): StoredEvent => event

/** A journal over whatever keeps its things. */
import { YarakError } from '../errors.ts'
import { createFacts, createSettled } from './facts.ts'
import type { Report } from '../plugin.ts'
import type { DeadLetter, Journal, JournalHealth, StoredEvent, StoredLetter, StoredResponse, Undone } from './index.ts'
import type { KeptResponse, Opened, Reads, StoredReport, Write } from './protocol.ts'

/** Asks for something, after what was written before. */
export type Ask = <K extends keyof Reads>(name: K, ...args: Parameters<Reads[K]>) => Promise<ReturnType<Reads[K]>>

/** Keeps things, at once or in a while; never rejects. */
export interface Backend {
  /** Resolves when it is durable, or cannot be made so. */
  write(write: Write): Promise<void>
  readonly ask: Ask
  health(): JournalHealth
  flush(): Promise<void>
  close(): Promise<void>
}

/** Bytes of a dead letter's body that are kept. */
const LETTER = 256 * 1024

export const createJournal = (backend: Backend, opened: Opened): Journal => {
  const facts = createFacts()
  const settled = createSettled()
  const now = Date.now()
  for (const { event, key, value } of opened.facts) facts.note(event, key, JSON.parse(value), now)
  for (const { event, at } of opened.settled) settled.add(event, at)
  let { lastNotice, lastLetter } = opened
  let read = false

  return {
    async accept(event) {
      if (backend.health().full)
        throw new YarakError('overloaded', 'the journal is full', { retryAfter: 1_000, reason: 'journal-full' })
      await backend.write(['accept', event])
    },
    read: (ids) => backend.ask('read', ids),
    async *pending() {
      if (read) return
      read = true
      yield* pagesOf(backend, opened.lastEvent)
    },
    note(event, key, value) {
      const at = Date.now()
      const text = (JSON.stringify(value) as string | undefined) ?? 'null'
      facts.note(event, key, value, at)
      return backend.write(['note', event, key, text, at])
    },
    facts: facts.of,
    settle(event, reports, redelivered) {
      const at = Date.now()
      facts.forget(event)
      if (redelivered) settled.add(event, at)
      const stored = reports.map((report): StoredReport => {
        const { id, rule, outcome } = report
        return { id, rule, outcome, body: JSON.stringify(report) }
      })
      void backend.write(['settle', event, at, redelivered, stored])
    },
    wasSettled: settled.has,
    keep: (notice) => backend.write(['keep', { ...notice, seq: ++lastNotice }]),
    kept: (output, after, limit) => backend.ask('kept', output, after, limit),
    waiting: () => backend.ask('waiting'),
    drop: ({ output, id }) => void backend.write(['drop', output, id]),
    bury: (letter) => void backend.write(['bury', storedLetter(++lastLetter, letter)]),
    letters: (query = {}) => backend.ask('letters', query),
    async responses(query = {}) {
      return (await backend.ask('responses', query)).map(storedResponse)
    },
    undone: (response, key, done) => void backend.write(['undone', response, key, JSON.stringify(done)]),
    unbury: (ids) => backend.ask('unbury', ids),
    health: backend.health,
    async stats() {
      const counts = await backend.ask('counts')
      return { ...backend.health(), ...counts }
    },
    flush: backend.flush,
    close: backend.close,
  }
}

async function* pagesOf(backend: Backend, last: number): AsyncGenerator<StoredEvent> {
  for (let after: number | undefined = 0; after !== undefined;) {
    const page: Awaited<ReturnType<typeof backend.ask<'pending'>>> = await backend.ask('pending', after, last)
    yield* page.events
    after = page.next
  }
}

export const storedResponse = ({ seq, body }: KeptResponse): StoredResponse => {
  const { undone = {}, ...report } = JSON.parse(body) as Report & { undone?: Readonly<Record<string, Undone>> }
  return { seq, report, undone: Object.values(undone) }
}

const storedLetter = (id: number, letter: DeadLetter): StoredLetter =>
  Buffer.byteLength(letter.body) <= LETTER
    ? { ...letter, id }
    : { ...letter, id, body: beginning(letter.body), truncated: true }

/** As many whole characters as fit. */
const beginning = (text: string): string =>
  new TextDecoder().decode(Buffer.from(text).subarray(0, LETTER), { stream: true })

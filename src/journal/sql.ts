/** The journal's file as a store, in SQL. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { LetterQuery, ResponseQuery, StoredEvent, StoredLetter } from './index.ts'
import type { KeptNotice, KeptResponse, Opened, Reads, Store, Writes } from './protocol.ts'
import { TRACE } from './schema.ts'

type Row = Record<string, SQLOutputValue>

/** A page of pending events: at most so many, and so many characters. */
const PAGE = { events: 500, size: 8 * 1024 ** 2 } as const

const responsesWhere = (more = ''): string => `SELECT seq, id, report AS body FROM responses
  WHERE ${more} (:before IS NULL OR seq < :before) AND (:id IS NULL OR (id >= :id AND id < :id || char(1114111))) AND (:rule IS NULL OR rule = :rule)
  AND (:outcome IS NULL OR outcome = :outcome) ORDER BY seq DESC LIMIT :limit`

/** The store in an open file; with a file opened read-only it can be read. */
export const sqlStore = (db: DatabaseSync): Store => ({ ...writes(db), ...reads(db) })

const writes = (db: DatabaseSync): Writes => {
  const accept = db.prepare(
    'INSERT OR IGNORE INTO events (id, input, at, body, authenticated, traceparent, cluster, shared) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const note = db.prepare('INSERT OR REPLACE INTO facts (event, key, value, at) VALUES (?, ?, ?, ?)')
  const forgetEvent = db.prepare('DELETE FROM events WHERE id = ?')
  const forgetFacts = db.prepare('DELETE FROM facts WHERE event = ?')
  const remember = db.prepare('INSERT OR REPLACE INTO settled (event, at) VALUES (?, ?)')
  const respond = db.prepare(
    'INSERT OR REPLACE INTO responses (id, event, rule, outcome, at, report) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const keep = db.prepare('INSERT OR IGNORE INTO notices (seq, output, id, at, body) VALUES (?, ?, ?, ?, ?)')
  const drop = db.prepare('DELETE FROM notices WHERE output = ? AND id = ?')
  const bury = db.prepare(
    'INSERT OR IGNORE INTO letters (id, at, kind, origin, reason, message, body, position, attempts, truncated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const undone = db.prepare(
    `UPDATE responses SET report = json_patch(report, json_object('undone', json_object(:key, json(:value)))) WHERE id = :response`,
  )
  return {
    accept({ id, input, at, body, authenticated, traceparent, cluster, shared }) {
      const origin = [authenticated ?? null, traceparent ?? null, cluster ?? null, shared ? 1 : null] as const
      accept.run(id, input, at, body, ...origin)
    },
    note: (event, key, value, at) => void note.run(event, key, value, at),
    settle(event, at, redelivered, reports) {
      forgetEvent.run(event)
      forgetFacts.run(event)
      if (redelivered) remember.run(event, at)
      for (const { id, rule, outcome, body } of reports) respond.run(id, event, rule, outcome, at, body)
    },
    keep: ({ seq, output, id, at, body }) => void keep.run(seq, output, id, at, body),
    drop: (output, id) => void drop.run(output, id),
    bury({ id, at, kind, from, reason, message, body, position, attempts, truncated }) {
      bury.run(id, at, kind, from, reason, message, body, position ?? null, attempts ?? null, truncated ? 1 : null)
    },
    undone: (response, key, value) => void undone.run({ response, key, value }),
  }
}

/** What can be read, also of a file of an older version. */
export const reads = (db: DatabaseSync): Reads => {
  const read = db.prepare('SELECT * FROM events WHERE id IN (SELECT value FROM json_each(?))')
  const pending = db.prepare('SELECT * FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?')
  const kept = db.prepare('SELECT * FROM notices WHERE output = ? AND seq > ? ORDER BY seq LIMIT ?')
  const waiting = db.prepare('SELECT output, count(*) AS number FROM notices GROUP BY output')
  const letters = db.prepare(`SELECT * FROM letters WHERE id > :after AND (:kind IS NULL OR kind = :kind)
    AND (:from IS NULL OR origin = :from) AND (:reason IS NULL OR reason = :reason) ORDER BY id LIMIT :limit`)
  const unbury = db.prepare('DELETE FROM letters WHERE id IN (SELECT value FROM json_each(?))')
  const responses = db.prepare(responsesWhere())
  // apart, so that the index serves it: one that may be NULL it does not
  const traced = db.prepare(responsesWhere(`${TRACE} >= :trace AND ${TRACE} < :trace || char(1114111) AND`))
  const unsettled = db.prepare('SELECT count(*) AS number, min(at) AS oldest FROM events')
  const numberOf = (table: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
  const byOutput = (): Record<string, number> =>
    Object.fromEntries(waiting.all().map(({ output, number }) => [String(output), Number(number)]))
  return {
    read: (ids) => read.all(JSON.stringify(ids)).map(storedEvent),
    pending(after, last) {
      const events: StoredEvent[] = []
      let size = 0
      for (const row of pending.iterate(after, last, PAGE.events)) {
        const event = storedEvent(row)
        events.push(event)
        if ((size += event.body.length) >= PAGE.size || events.length === PAGE.events)
          return { events, next: Number(row['seq']) }
      }
      return { events, next: undefined }
    },
    kept: (output, after, limit) => kept.all(output, after, limit).map((row) => ({ ...row }) as unknown as KeptNotice),
    waiting: byOutput,
    letters: ({ kind, from, reason, after = 0, limit = 100 }: LetterQuery) =>
      letters.all({ kind: kind ?? null, from: from ?? null, reason: reason ?? null, after, limit }).map(storedLetter),
    responses: ({ id, trace, rule, outcome, before, limit = 100 }: ResponseQuery) => {
      const given = { id: id ?? null, rule: rule ?? null, outcome: outcome ?? null, before: before ?? null, limit }
      const rows = trace === undefined ? responses.all(given) : traced.all({ ...given, trace })
      return rows.map((row) => ({ ...row }) as unknown as KeptResponse)
    },
    unbury: (ids) => Number(unbury.run(JSON.stringify(ids)).changes),
    counts() {
      const { number, oldest } = unsettled.get() as { number: number; oldest: number | null }
      return {
        unsettled: number,
        ...(oldest !== null && { oldest }),
        notices: byOutput(),
        responses: numberOf('responses'),
        deadLetters: numberOf('letters'),
      }
    },
  }
}

const storedEvent = ({ id, input, at, body, authenticated, traceparent, cluster, shared }: Row): StoredEvent =>
  ({
    id,
    input,
    at,
    body,
    ...(authenticated !== null && { authenticated }),
    ...(traceparent !== null && { traceparent }),
    ...(cluster !== null && { cluster }),
    ...(shared !== null && { shared: true }),
  }) as StoredEvent

const storedLetter = ({ origin, position, attempts, truncated, ...row }: Row): StoredLetter =>
  ({
    ...row,
    from: origin,
    ...(position !== null && { position }),
    ...(attempts !== null && { attempts }),
    ...(truncated !== null && { truncated: true }),
  }) as unknown as StoredLetter

/** What is loaded when a file is opened. */
export const openedOf = (db: DatabaseSync): Opened => {
  const last = (table: string): number =>
    Number(db.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').get(table)?.['seq'] ?? 0)
  return {
    facts: db.prepare('SELECT event, key, value FROM facts').all() as unknown as Opened['facts'],
    settled: db.prepare('SELECT event, at FROM settled ORDER BY at').all() as unknown as Opened['settled'],
    lastEvent: last('events'),
    lastNotice: last('notices'),
    lastLetter: last('letters'),
  }
}

/** Does all or nothing. */
export const inTransaction = (db: DatabaseSync, work: () => void): void => {
  db.exec('BEGIN IMMEDIATE')
  try {
    work()
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** What the journal's file may take: what is forgotten by age and number, and what goes first when there is no room. */
import type { DatabaseSync } from 'node:sqlite'
import type { Space } from './protocol.ts'
import { inTransaction } from './sql.ts'

const MINUTE = 60_000
const DAY = 1_440 * MINUTE

/** How long things are kept, in milliseconds, and how many of them. */
export const KEEP = {
  settled: { age: 15 * MINUTE, number: 20_000 },
  facts: { age: 7 * DAY },
  responses: { age: 7 * DAY, number: 100_000 },
  letters: { age: 30 * DAY, number: 10_000 },
} as const

/** How much of the history goes at once when there is no room: so many rows, so many times. */
const CHUNK = { rows: 1_000, times: 20 } as const

export interface Room {
  /** Forgets what is old, now and then; makes room when there is none. Call after each commit. */
  keepHouse(now: number): Space
  /** As it was found then. */
  space(): Space
}

/** The bytes in use of a file: what was deleted is used again. */
export const sizeOf = (db: DatabaseSync): (() => number) => {
  const pragma = (name: string) => {
    const statement = db.prepare(`PRAGMA ${name}`)
    return (): number => Number(statement.get()?.[name])
  }
  const [pageSize, pages, free] = [pragma('page_size')(), pragma('page_count'), pragma('freelist_count')]
  return () => (pages() - free()) * pageSize
}

export const createRoom = (db: DatabaseSync, maxSize: number): Room => {
  const size = sizeOf(db)
  let pruned = -Infinity
  let full = false

  /** Removes the oldest of the history; false: there is none. */
  const shed = (): boolean =>
    ['responses', 'letters'].some((table) => {
      const key = table === 'letters' ? 'id' : 'seq'
      const oldest = `SELECT ${key} FROM ${table} ORDER BY ${key} LIMIT ${CHUNK.rows}`
      return db.prepare(`DELETE FROM ${table} WHERE ${key} IN (${oldest})`).run().changes > 0
    })

  return {
    keepHouse(now) {
      const due = now - pruned > MINUTE
      if (due) {
        inTransaction(db, () => prune(db, now))
        pruned = now
      }
      let history = true
      for (let i = 0; i < CHUNK.times && history && size() > maxSize; i++) history = shed()
      if (due) db.exec('PRAGMA incremental_vacuum(1000)')
      full = size() > maxSize && !history
      return { size: size(), full }
    },
    space: () => ({ size: size(), full }),
  }
}

/** Forgets what is too old or too much. Unfinished work is never forgotten. */
const prune = (db: DatabaseSync, now: number): void => {
  const { settled, facts, responses, letters } = KEEP
  db.exec(`
    DELETE FROM settled WHERE at < ${now - settled.age};
    DELETE FROM settled WHERE event IN (SELECT event FROM settled ORDER BY at DESC LIMIT -1 OFFSET ${settled.number});
    DELETE FROM facts WHERE at < ${now - facts.age} AND event NOT IN (SELECT id FROM events);
    DELETE FROM responses WHERE at < ${now - responses.age};
    DELETE FROM responses WHERE seq <= (SELECT seq FROM responses ORDER BY seq DESC LIMIT 1 OFFSET ${responses.number});
    DELETE FROM letters WHERE at < ${now - letters.age};
  `)
  for (const kind of ['event', 'notice']) {
    db.exec(`DELETE FROM letters WHERE kind = '${kind}' AND id <=
      (SELECT id FROM letters WHERE kind = '${kind}' ORDER BY id DESC LIMIT 1 OFFSET ${letters.number})`)
  }
}

/** The journal's file: opened, checked, written in transactions, kept within its size. Blocks while the disk works. */
import { closeSync, existsSync, openSync, renameSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { messageOf, YarakError } from '../errors.ts'
import {
  type Answers,
  type Batch,
  type Failure,
  type Opened,
  perform,
  type Space,
  type WorkerSettings,
} from './protocol.ts'
import { createRoom } from './room.ts'
import { checkVersion, prepare } from './schema.ts'
import { inTransaction, openedOf, sqlStore } from './sql.ts'

export interface JournalFile {
  readonly opened: Opened
  /** As of the opening. */
  readonly space: Space
  /** Where an unreadable file of that name was moved to. */
  readonly movedAside?: string
  /** Commits the writes, then answers the reads. */
  run(batch: Batch): { readonly answers: Answers; readonly space: Space }
  close(): void
}

/**
 * Opens the file, or makes it. A file that is no journal, or a damaged one, is moved aside.
 * @throws an error that {@link failureOf} explains
 */
export const openFile = ({ path, maxSize }: WorkerSettings): JournalFile => {
  const { db, movedAside } = openDatabase(path)
  const room = createRoom(db, maxSize)
  const space = room.keepHouse(Date.now())
  const store = sqlStore(db)
  return {
    opened: openedOf(db),
    space,
    ...(movedAside !== undefined && { movedAside }),
    run({ writes, reads }) {
      if (writes.length > 0) inTransaction(db, () => writes.forEach((write) => perform(store, write)))
      const answers = reads.map((read) => perform(store, read))
      return { answers, space: writes.length > 0 ? room.keepHouse(Date.now()) : room.space() }
    },
    close: () => db.close(),
  }
}

const openDatabase = (path: string): { db: DatabaseSync; movedAside?: string } => {
  try {
    return { db: openChecked(path) }
  } catch (error) {
    if (!isDamage(error)) throw error
    const movedAside = moveAside(path)
    return { db: openChecked(path), movedAside }
  }
}

/** Alerts hold command lines: nobody else reads them. */
const PRIVATE = 0o600

const openChecked = (path: string): DatabaseSync => {
  if (!existsSync(path)) closeSync(openSync(path, 'a', PRIVATE))
  const db = new DatabaseSync(path)
  try {
    checkVersion(db)
    const found = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
    if (found.quick_check !== 'ok') throw Object.assign(new Error(found.quick_check), { errcode: CORRUPT })
    prepare(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Nothing is lost: the file and what belongs to it get a name that tells. */
const moveAside = (path: string): string => {
  const aside = `${path}.corrupt-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  return aside
}

// the primary result codes of SQLite, the lower eight bits of an error's code
const PERM = 3
const READONLY = 8
const CORRUPT = 11
const CANTOPEN = 14
const NOTADB = 26

const codeOf = (error: unknown): number => ((error as { errcode?: number }).errcode ?? 0) & 0xff

const isDamage = (error: unknown): boolean => [CORRUPT, NOTADB].includes(codeOf(error))

/** What an error of the file means. */
export const failureOf = (error: unknown): Failure => {
  const newer = error instanceof YarakError && error.reason === 'newer'
  const denied = [PERM, READONLY, CANTOPEN].includes(codeOf(error))
  return { kind: newer ? 'newer' : denied ? 'denied' : 'disk', message: messageOf(error) }
}

/** The journal's file: opened, checked, written in transactions, kept within its size. Blocks while the disk works. */
import { closeSync, existsSync, openSync, renameSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { messageOf, YarakError } from '../errors.ts'
import { backUp, PRIVATE } from './backup.ts'
import {
  type Answers,
  type Batch,
  type Failure,
  type Migrated,
  type Opened,
  perform,
  type Space,
  type WorkerSettings,
} from './protocol.ts'
import { createRoom } from './room.ts'
import { checkVersion, prepare, SCHEMA_VERSION, versionOf } from './schema.ts'
import { inTransaction, openedOf, sqlStore } from './sql.ts'

export interface JournalFile {
  readonly opened: Opened
  /** As of the opening. */
  readonly space: Space
  /** Where an unreadable file of that name was moved to. */
  readonly movedAside?: string
  /** The file was of an older version. */
  readonly migrated?: Migrated
  /** Commits the writes, then answers the reads. */
  run(batch: Batch): { readonly answers: Answers; readonly space: Space }
  close(): void
}

/**
 * Opens the file, or makes it. A file that is no journal, or a damaged one, is moved aside; one of an older version is
 * copied, and then brought up to date.
 * @throws an error that {@link failureOf} explains
 */
export const openFile = ({ path, maxSize }: WorkerSettings): JournalFile => {
  const { db, movedAside, migrated } = openDatabase(path)
  const room = createRoom(db, maxSize)
  const space = room.keepHouse(Date.now())
  const store = sqlStore(db)
  return {
    opened: openedOf(db),
    space,
    ...(movedAside !== undefined && { movedAside }),
    ...(migrated && { migrated }),
    run({ writes, reads }) {
      if (writes.length > 0) inTransaction(db, () => writes.forEach((write) => perform(store, write)))
      const answers = reads.map((read) => perform(store, read))
      return { answers, space: writes.length > 0 ? room.keepHouse(Date.now()) : room.space() }
    },
    close: () => db.close(),
  }
}

interface Database {
  readonly db: DatabaseSync
  readonly movedAside?: string
  readonly migrated?: Migrated | undefined
}

const openDatabase = (path: string): Database => {
  try {
    return openChecked(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    const movedAside = moveAside(path)
    return { ...openChecked(path), movedAside }
  }
}

const openChecked = (path: string): Database => {
  if (!existsSync(path)) closeSync(openSync(path, 'a', PRIVATE))
  const db = new DatabaseSync(path)
  try {
    checkVersion(db, path)
    const found = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
    if (found.quick_check !== 'ok') throw Object.assign(new Error(found.quick_check), { errcode: CORRUPT })
    const from = versionOf(db)
    const migrated =
      from > 0 && from < SCHEMA_VERSION ? { from, to: SCHEMA_VERSION, backup: backUp(db, path) } : undefined
    prepare(db)
    return { db, migrated }
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
  const refused = error instanceof YarakError && error.code === 'config'
  const denied = [PERM, READONLY, CANTOPEN].includes(codeOf(error))
  return { kind: refused ? 'refused' : denied ? 'denied' : 'disk', message: messageOf(error) }
}

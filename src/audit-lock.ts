/** One writer of an audit record at a time, also of several processes: two lines that follow the same one break its chain. */
import { DatabaseSync } from 'node:sqlite'
import { pause } from './backoff.ts'
import { YarakError } from './errors.ts'

/** Milliseconds between two tries, and how many there are: a process that was stopped may hold the lock. */
const WAIT = 5
const TRIES = 1_000

/** SQLite's primary result code for a lock that is held. */
const BUSY = 5

/**
 * Runs work while no other holds the lock of this path. The lock is the kernel's, so it ends with its process; the file
 * stays, and stays empty.
 * @throws YarakError `unavailable` after five seconds; what SQLite throws when the file cannot be made
 */
export const whileLocked = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
  const db = await lock(path)
  try {
    return await work()
  } finally {
    db.close()
  }
}

const lock = async (path: string): Promise<DatabaseSync> => {
  for (let tries = 0; tries < TRIES; tries++) {
    const db = tryLock(path)
    if (db) return db
    await pause(WAIT)
  }
  throw new YarakError('unavailable', 'another process writes to it, and does not end')
}

const tryLock = (path: string): DatabaseSync | undefined => {
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return db
  } catch (error) {
    db.close()
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === BUSY) return undefined
    throw error
  }
}

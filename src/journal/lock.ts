/** One process for one journal: the lock is the kernel's, so it ends with its process; a file beside it names the owner. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { pid } from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { YarakError } from '../errors.ts'

export interface Lock {
  release(): void
}

/** SQLite's primary result code for a lock that is held. */
const BUSY = 5

/**
 * Takes the lock of a path.
 * @throws YarakError `config` naming the process that holds it; what SQLite throws when the folder cannot be written
 */
export const takeLock = (path: string): Lock => {
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    db.close()
    throw (((cause as { errcode?: number }).errcode ?? 0) & 0xff) === BUSY ? taken(path, cause) : cause
  }
  sign(path)
  return {
    release() {
      rmSync(pidFile(path), { force: true })
      db.close()
    },
  }
}

/** Says who has the lock, for messages alone. */
const sign = (path: string): void => {
  try {
    writeFileSync(pidFile(path), `${pid}\n`, { mode: 0o600 })
  } catch {
    // a full disk is no reason not to have the lock
  }
}

/** Not the locked file itself: closing a file that one has opened gives up the locks one has on it. */
const pidFile = (path: string): string => `${path}.pid`

const taken = (path: string, cause: unknown): YarakError => {
  const owner = ownerOf(path)
  const who = owner === undefined ? 'another process' : `the process ${owner}`
  return new YarakError('config', `${who} uses this data directory; give each gateway a dataDir of its own`, {
    cause,
    reason: 'locked',
  })
}

/** The process that took the lock last. */
export const ownerOf = (path: string): number | undefined => {
  try {
    return Number(readFileSync(pidFile(path), 'utf8')) || undefined
  } catch {
    return undefined
  }
}

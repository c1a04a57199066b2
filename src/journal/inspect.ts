/** Looking into a journal's file from outside, beside the process that writes it or when none does. */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { messageOf, YarakError } from '../errors.ts'
import type { LetterQuery, ResponseQuery, StoredLetter, StoredResponse } from './index.ts'
import { storedResponse } from './journal.ts'
import { takeLock } from './lock.ts'
import type { Counts } from './protocol.ts'
import { sizeOf } from './room.ts'
import { checkVersion, versionOf } from './schema.ts'
import { reads } from './sql.ts'

export interface Inspected {
  letters(query: LetterQuery): readonly StoredLetter[]
  responses(query: ResponseQuery): readonly StoredResponse[]
  counts(): Counts
  /** Bytes in use. */
  size(): number
}

/**
 * Opens a journal's file for reading, for as long as `look` takes. Blocks while the disk works: not for a gateway.
 * @throws YarakError `config` when there is none, or it is of a newer version; `unavailable` when it cannot be read
 */
export const inspectJournal = <T>(path: string, look: (journal: Inspected) => T): T =>
  withFile(path, true, (db) => {
    const { letters, responses, counts } = reads(db)
    return look({ letters, counts, size: sizeOf(db), responses: (query) => responses(query).map(storedResponse) })
  })

/**
 * Removes dead letters from the file of a gateway that does not run.
 * @throws YarakError `config` also when a process has the journal open
 */
export const removeLetters = (path: string, ids: readonly number[]): number => {
  if (!existsSync(path)) throw missing(path)
  const lock = takeLock(`${path}.lock`)
  try {
    return withFile(path, false, (db) => reads(db).unbury(ids))
  } finally {
    lock.release()
  }
}

const withFile = <T>(path: string, readOnly: boolean, use: (db: DatabaseSync) => T): T => {
  if (!existsSync(path)) throw missing(path)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { readOnly, timeout: 5_000 })
    if (versionOf(db) === 0) throw missing(path)
    checkVersion(db, path)
    return use(db)
  } catch (error) {
    if (error instanceof YarakError) throw error
    throw new YarakError('unavailable', `cannot read the journal ${path}: ${messageOf(error)}`, { cause: error })
  } finally {
    db?.close()
  }
}

const missing = (path: string): YarakError =>
  new YarakError('config', `there is no journal at ${path}: no gateway with this configuration has run here`)

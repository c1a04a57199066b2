/** The journal on disk. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf, YarakError } from '../errors.ts'
import type { Log } from '../plugin.ts'
import { groupCommit } from './commit.ts'
import type { Journal } from './index.ts'
import { createJournal } from './journal.ts'
import { type Lock, takeLock } from './lock.ts'
import { startThread } from './thread.ts'

export interface SqliteJournalOptions {
  /** The file; its folder is made when there is none. */
  readonly path: string
  /** Bytes the file may take. Default 1 GiB. */
  readonly maxSize?: number
  readonly log: Log
  /** Milliseconds after which a disk that failed is tried again. Default one minute. */
  readonly retryAfter?: number
}

const GIB = 1024 ** 3
const MINUTE = 60_000

/**
 * Opens the journal's file, and what an earlier run left in it. A file that cannot be read is moved aside. When the
 * disk fails nothing is thrown: the journal goes on in memory, says so, and tries the disk again every minute.
 * @throws YarakError `config` when another process uses it, it is of a newer version, or it may not be written
 * @example const journal = await sqliteJournal({ path: '.yarak/journal.db', log })
 */
export const sqliteJournal = async (options: SqliteJournalOptions): Promise<Journal> => {
  const { path, maxSize = GIB, retryAfter = MINUTE, log } = options
  const lock = claim(path)
  const start = () =>
    startThread({ path, maxSize }, (error) => log.warn('the journal’s thread died and is started again', { error }))
  try {
    const backend = await groupCommit({ start, maxSize, retryAfter, log })
    return createJournal(
      {
        ...backend,
        async close() {
          await backend.close()
          lock.release()
        },
      },
      backend.opened,
    )
  } catch (error) {
    lock.release()
    throw error
  }
}

const claim = (path: string): Lock => {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return takeLock(`${path}.lock`)
  } catch (error) {
    if (error instanceof YarakError) throw error
    throw new YarakError(
      'config',
      `cannot keep a journal in ${dirname(path)}: ${messageOf(error)}; set dataDir to a folder that can be written`,
      { cause: error },
    )
  }
}

/** A copy of the journal's file, made before the file is brought to a newer version. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { messageOf, YarakError } from '../errors.ts'
import { sizeOf } from './room.ts'
import { backupOf, versionOf } from './schema.ts'

/** Alerts hold command lines: nobody else reads them. */
export const PRIVATE = 0o600

/** Bytes beside the copy: what the new version writes while it is made. */
const SPARE = 4 * 1024 ** 2

const freeOn = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/**
 * Copies an open file to `<path>.v<version>.bak`, for its owner alone, over an earlier copy of that version. It is there
 * as a whole or not at all; the file itself is not changed.
 * @param free bytes that a folder has room for
 * @returns the path of the copy
 * @throws YarakError `config` when there is no room for it, or it cannot be written
 */
export const backUp = (db: DatabaseSync, path: string, free = freeOn): string => {
  const copy = backupOf(path, versionOf(db))
  const part = `${copy}.part`
  const refuse = (why: string, cause?: unknown): YarakError =>
    new YarakError(
      'config',
      `the journal ${path} is of version ${versionOf(db)}, and cannot be copied to ${copy} before it is brought up to ` +
        `date: ${why}; it is left as it was. Make room on the disk, or run the Yarak of before`,
      { reason: 'backup', cause },
    )
  rmSync(part, { force: true })
  const [needed, room] = [sizeOf(db)() + SPARE, free(dirname(path))]
  if (room < needed) throw refuse(`it needs ${needed} bytes, and ${room} are free`)
  try {
    closeSync(openSync(part, 'wx', PRIVATE))
    db.prepare('VACUUM INTO ?').run(part)
    flush(part)
    renameSync(part, copy)
    flush(dirname(path))
    return copy
  } catch (error) {
    rmSync(part, { force: true })
    throw refuse(messageOf(error), error)
  }
}

/** What has been written of a file or folder outlasts a loss of power. */
const flush = (path: string): void => {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Appends whole lines to a file that others may rotate. */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { YarakError } from '../src/plugin.ts'

export interface Appender {
  /** Writes the lines in one piece; rejects when not all of them are in the file. */
  append(text: string): Promise<void>
  close(): Promise<void>
}

/** Waiting does not help: the path must be another one, or its permissions. */
const PERMANENT = new Set(['EACCES', 'EEXIST', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOTDIR', 'EPERM', 'EROFS'])

const explained = (path: string, error: unknown): YarakError => {
  const { code = 'error' } = error as NodeJS.ErrnoException
  return new YarakError('failed', `cannot append to ${path}: ${code}`, {
    cause: error,
    permanent: PERMANENT.has(code),
    reason: code.toLowerCase(),
  })
}

/** O_RDWR, so that the last byte can be looked at; a file that may only be written is opened so. */
const openFile = async (path: string): Promise<FileHandle> => {
  const flags = constants.O_APPEND | constants.O_CREAT
  await mkdir(dirname(path), { recursive: true })
  try {
    return await open(path, flags | constants.O_RDWR, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    return open(path, flags | constants.O_WRONLY, 0o600)
  }
}

/** True when the file ends in the middle of a line, e.g. after a crash or a full disk. */
const endsTorn = async (file: FileHandle): Promise<boolean> => {
  const status = await file.stat()
  if (!status.isFile() || status.size === 0) return false
  const last = await file.read(Buffer.alloc(1), 0, 1, status.size - 1).catch(() => undefined)
  return last?.bytesRead === 1 && last.buffer[0] !== 0x0a
}

const isSame = async (path: string, file: FileHandle): Promise<boolean> => {
  const [there, here] = await Promise.all([stat(path).catch(() => undefined), file.stat()])
  return there !== undefined && there.ino === here.ino && there.dev === here.dev
}

/**
 * Opens a file for appending, mode 0600 when it is new, its folder made when it is not there. Before each piece the
 * file is opened anew if the path leads to another one (it was renamed or removed by a log rotation). A line that was
 * left unfinished is ended first, so that the next one can be read.
 * @throws YarakError `failed`, with the system's code as the reason
 */
export const openAppender = async (path: string, { fsync }: { fsync: boolean }): Promise<Appender> => {
  let file: FileHandle | undefined
  let torn = false
  const reopen = async (): Promise<FileHandle> => {
    await file?.close()
    file = undefined
    const opened = await openFile(path)
    torn = await endsTorn(opened)
    return (file = opened)
  }
  const current = async (): Promise<FileHandle> => (file && (await isSame(path, file)) ? file : reopen())
  const write = async (text: string): Promise<void> => {
    const target = await current()
    const bytes = Buffer.from(torn ? `\n${text}` : text)
    torn = true
    for (let done = 0; done < bytes.length;) done += (await target.write(bytes, done)).bytesWritten
    torn = false
    if (fsync) await target.datasync()
  }
  const told = (error: unknown): never => {
    throw explained(path, error)
  }
  await reopen().catch(told)
  return {
    append: (text) => write(text).catch(told),
    async close() {
      await file?.close()
      file = undefined
    },
  }
}

/** Files in a folder: written whole or not at all, readable by their owner only. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, YarakError } from './errors.ts'
import type { StoredFile } from './plugin.ts'

/**
 * Writes a file piece by piece. It appears under its name only when all of it is on the disk.
 * @throws YarakError `failed` with the system's code as reason, e.g. `enospc`; what `chunks` throws as it is
 */
export const storeFile = async (
  folder: string,
  { name }: Pick<StoredFile, 'name'>,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly url: string }> => {
  const path = join(folder, name)
  const draft = `${path}.draft`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeSynced(draft, chunks, signal)
    await rename(draft, path)
    return { url: pathToFileURL(path).href }
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    throw isSystemError(error) ? notWritten(error) : error
  }
}

const writeSynced = async (
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> => {
  await using file = await open(path, 'w', 0o600)
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    await file.writeFile(chunk)
  }
  await file.sync()
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error

const notWritten = (cause: NodeJS.ErrnoException): YarakError =>
  new YarakError('failed', `the file cannot be written: ${messageOf(cause)}`, {
    cause,
    reason: String(cause.code).toLowerCase(),
  })

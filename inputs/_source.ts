/** What a file is, beyond its name: the same content under another name is the same source, a new one is not. */
import { createHash } from 'node:crypto'
import { constants, type BigIntStats } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { YarakError, z } from '../src/plugin.ts'

/** How many of the first bytes tell one file from another. */
export const HEAD = 256

/** One life of a file: from its creation, or from being emptied in place, to its end. */
export interface Source {
  readonly dev: string
  readonly ino: string
  /** How often the file had been emptied in place before. */
  readonly restarts: number
  /** Where it was when it was opened, links followed: its rotated form is looked for there. */
  readonly real: string
  /** The first bytes, at most {@link HEAD}; grows with the file. */
  head: Buffer
  /** When it was last written to, as far as it has been read; nanoseconds. */
  mtime: bigint
  /** The part of a position that all lines share, once it cannot change any more. */
  name?: string
}

const markSchema = z.object({
  dev: z.string(),
  ino: z.string(),
  restarts: z.int().nonnegative(),
  real: z.string(),
  head: z.object({ length: z.int().min(0).max(HEAD), sha256: z.string() }),
  mtime: z.string().regex(/^\d+$/),
  offset: z.int().nonnegative(),
})

/** A place in a source, as it is kept over a restart. */
export type Mark = z.output<typeof markSchema>

/** What was stored, when it is a mark. */
export const parseMark = (stored: unknown): Mark | undefined => {
  const parsed = markSchema.safeParse(stored)
  return parsed.success ? parsed.data : undefined
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The mark of the place before the byte at `offset`. */
export const markOf = ({ dev, ino, restarts, real, head, mtime }: Source, offset: number): Mark => ({
  dev,
  ino,
  restarts,
  real,
  head: { length: head.length, sha256: sha256(head) },
  mtime: String(mtime),
  offset,
})

/** The source that a mark speaks of, now found in an open file. */
export const sourceOf = (
  { dev, ino, restarts, real }: Pick<Mark, 'dev' | 'ino' | 'restarts' | 'real'>,
  { head, stat }: Opened,
): Source => ({
  dev,
  ino,
  restarts,
  real,
  head,
  mtime: stat.mtimeNs,
})

/**
 * A name for the line at `offset` that is the same after any restart or rotation. It rests on the first line, which is
 * complete before any line of a growing file is read, and not on the whole head, which still grows then.
 * @example '2049:131:9f86d081884c:4096'
 */
export const positionOf = (source: Source, offset: number): string => `${source.name ?? nameOf(source)}:${offset}`

const nameOf = (source: Source): string => {
  const { dev, ino, restarts, head } = source
  const newline = head.indexOf(10)
  const key = sha256(newline < 0 ? head : head.subarray(0, newline + 1)).slice(0, 12)
  const name = `${dev}:${ino}:${key}${restarts > 0 ? `.${restarts}` : ''}`
  if (newline >= 0 || head.length === HEAD) source.name = name
  return name
}

/** A file that is open, as it was when it was opened. */
export interface Opened {
  readonly handle: FileHandle
  readonly path: string
  readonly stat: BigIntStats
  readonly head: Buffer
}

/** Opens a regular file for reading; never waits for the writer of a pipe. */
export const openAt = async (path: string): Promise<Opened> => {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = await handle.stat({ bigint: true })
    if (!stat.isFile()) throw notAFile(path, stat)
    return { handle, path, stat, head: await readAt(handle, 0, HEAD) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The error for a path that is there and cannot be tailed. */
export const notAFile = (path: string, stat: BigIntStats): YarakError =>
  new YarakError('config', `${path} is ${stat.isDirectory() ? 'a directory' : 'not a regular file'}`, {
    reason: stat.isDirectory() ? 'EISDIR' : 'ENOTREG',
  })

/** Up to `length` bytes from `offset`; fewer at the end of the file. */
export const readAt = async (handle: FileHandle, offset: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.allocUnsafe(length)
  const { bytesRead } = await handle.read(buffer, 0, length, offset)
  return buffer.subarray(0, bytesRead)
}

export const startsWith = (bytes: Buffer, start: Buffer): boolean =>
  bytes.length >= start.length && bytes.subarray(0, start.length).equals(start)

/** True when the file still holds what it held up to the mark, as far as its first bytes can tell. */
export const holds = (opened: Opened, mark: Mark): boolean => opened.stat.size >= mark.offset && beginsAs(opened, mark)

/** True when the file has the first bytes of the one that the mark speaks of. */
export const beginsAs = ({ head }: Opened, mark: Mark): boolean =>
  head.length >= mark.head.length && sha256(head.subarray(0, mark.head.length)) === mark.head.sha256

/** Where the line begins that the last byte of the file belongs to; the end itself when nothing is unfinished. */
export const lastLineStart = async ({ handle, stat }: Opened, limit: number): Promise<number> => {
  const end = Number(stat.size)
  const step = 64 * 1024
  for (let to = end; to > 0 && end - to < limit; to -= step) {
    const from = Math.max(0, to - step)
    const newline = (await readAt(handle, from, to - from)).lastIndexOf(10)
    if (newline >= 0) return from + newline + 1
    if (from === 0) return 0
  }
  return end
}

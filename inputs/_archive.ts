/** Reads compressed files: gzip, also of several members, and Zstandard. */
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib'
import { YarakError, messageOf } from '../src/plugin.ts'
import { createLineSplitter, type Line } from './_lines.ts'
import { beginsAs, readAt, sourceOf, type Mark, type Opened } from './_source.ts'
import type { LineReader, Polled, TailItem } from './_reader.ts'

type Decompressor = Gunzip | ZstdDecompress

/** By the first bytes, whatever the name is. */
const KINDS: readonly { readonly magic: Buffer; readonly open: () => Decompressor }[] = [
  { magic: Buffer.from([0x1f, 0x8b]), open: () => createGunzip({ chunkSize: 256 * 1024 }) },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), open: () => createZstdDecompress({ chunkSize: 256 * 1024 }) },
]

const decompressorOf = ({ head }: Opened): Decompressor | undefined =>
  KINDS.find(({ magic }) => head.subarray(0, magic.length).equals(magic))?.open()

/** Compressed bytes of one step: what they may become is held in memory. */
const STEP = 16 * 1024

/**
 * Reads an archive to its end. Offsets are those of what it holds. When it is damaged or cut off, all lines before come
 * first, then an error.
 * @param mark lines before it are passed over, when it is of this archive
 * @returns undefined when the file is no archive
 */
export const createArchive = (opened: Opened, mark: Mark | undefined, maxLine: number): LineReader | undefined => {
  const decompressor = decompressorOf(opened)
  if (!decompressor) return undefined
  const { handle, path, stat } = opened
  const isMarked = mark !== undefined && mark.ino === String(stat.ino) && beginsAs(opened, mark)
  const source = sourceOf(
    isMarked ? mark : { dev: String(stat.dev), ino: String(stat.ino), restarts: 0, real: path },
    opened,
  )
  const from = isMarked ? mark.offset : 0
  const splitter = createLineSplitter(maxLine)
  const chunks: Buffer[] = []
  let failure: Error | undefined
  let ended = false
  let started = false
  let offset = 0
  let wake: (value: void) => void = () => {}

  decompressor.on('data', (chunk: Buffer) => chunks.push(chunk))
  decompressor.on('end', () => wake(void (ended = true)))
  decompressor.on('error', (error) => wake(void (failure = error)))

  /** Resolves when what `bytes` hold has come out; without bytes, when all has. */
  const push = (bytes: Buffer): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
      if (bytes.length > 0) decompressor.write(bytes, () => resolve())
      else decompressor.end()
    })

  /** The lines of the next bytes. What is cut off in the middle of a line is no line. */
  const next = async (): Promise<Polled> => {
    const bytes = await readAt(handle, offset, STEP)
    offset += bytes.length
    await push(bytes)
    const lines = chunks.splice(0).flatMap((chunk) => splitter.push(chunk))
    const rest = ended ? splitter.flush() : undefined
    if (rest) lines.push(rest)
    return { items: lines.filter(({ end }) => end > from).map(toItem), state: ended ? 'end' : 'more' }
  }

  const toItem = (line: Line): TailItem => ({ kind: 'line', source, ...line })

  return {
    get read() {
      return offset
    },
    async poll() {
      if (failure) throw unreadable(path, failure, splitter.start)
      if (started) return next()
      started = true
      return { items: [{ kind: 'opened', why: isMarked ? 'resumed' : 'first', source, end: from }], state: 'more' }
    },
    finish() {},
    async close() {
      decompressor.destroy()
      await handle.close()
    },
  }
}

const unreadable = (path: string, cause: Error, offset: number): YarakError => {
  const isCut = (cause as NodeJS.ErrnoException).code === 'Z_BUF_ERROR'
  const what = isCut ? 'the archive is cut off' : `the archive is damaged (${messageOf(cause)})`
  return new YarakError('unavailable', `cannot read ${path} to its end: ${what}; the lines up to ${offset} were read`, {
    cause,
    permanent: true,
  })
}

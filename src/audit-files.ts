/** The files of an audit record: which there are, and what stands at the end of one. */
import { createReadStream } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Head, readLine, START } from './audit-line.ts'

const LF = 0x0a

/** The number of a file that is full, e.g. 2 of `audit.jsonl.2`; undefined of any other. */
const numberOf = (name: string, of: string): number | undefined =>
  name.startsWith(`${of}.`) && /^[1-9]\d*$/.test(name.slice(of.length + 1))
    ? Number(name.slice(of.length + 1))
    : undefined

/** The files that are full, the oldest first. */
export const fullFiles = async (path: string): Promise<{ readonly path: string; readonly number: number }[]> => {
  const names = await readdir(dirname(path)).catch(() => [])
  return names
    .flatMap((name) => {
      const number = numberOf(name, basename(path))
      return number === undefined ? [] : [{ path: join(dirname(path), name), number }]
    })
    .sort((a, b) => a.number - b.number)
}

/** The end of a file. */
export interface Tail {
  /** Of its last line that is what was written. */
  readonly head: Head
  /** What stands after that line. */
  readonly rest: Buffer
  /** That line lacks its line feed. */
  readonly open: boolean
}

/** Bytes looked at first: several lines of the longest kind. */
const LOOK = 256 * 1024

/** The end of a file; undefined when there is no file, or nothing in it. */
export const tailOf = async (path: string): Promise<Tail | undefined> => {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!file) return undefined
  try {
    const { size } = await file.stat()
    if (size === 0) return undefined
    for (let look = LOOK; ; look *= 4) {
      const bytes = await readFrom(file, Math.max(0, size - look), size)
      const tail = lastLine(bytes)
      if (tail) return tail
      if (look >= size) return { head: START, rest: bytes, open: false }
    }
  } finally {
    await file.close()
  }
}

const readFrom = async (file: FileHandle, from: number, to: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(to - from)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
  return bytes.subarray(0, bytesRead)
}

const lastLine = (bytes: Buffer): Tail | undefined => {
  for (let end = bytes.length; end > 0;) {
    const closed = bytes[end - 1] === LF
    const stop = closed ? end - 1 : end
    const begin = stop === 0 ? 0 : bytes.lastIndexOf(LF, stop - 1) + 1
    const line = readLine(bytes.subarray(begin, stop))
    if (typeof line === 'object') return { head: line, rest: bytes.subarray(end), open: !closed }
    end = begin
  }
  return undefined
}

/** The lines of a file, without their line feeds; the last may lack it. */
export async function* linesOf(path: string): AsyncGenerator<{ readonly bytes: Buffer; readonly closed: boolean }> {
  let rest = Buffer.alloc(0)
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let begin = 0
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, begin)) {
      yield { bytes: bytes.subarray(begin, end), closed: true }
      begin = end + 1
    }
    rest = Buffer.from(bytes.subarray(begin))
  }
  if (rest.length > 0) yield { bytes: rest, closed: false }
}

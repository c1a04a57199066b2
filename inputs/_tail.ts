/**
 * Follows one file by its path without losing or doubling a line: over appends, rotation by rename, by `copytruncate`,
 * by delete and recreate, by a swapped symbolic link, and over the time when nobody looked.
 *
 * It only moves when {@link Tail.poll} is called: no timer, no watcher. What it cannot see: a file that was created and
 * removed between two calls; bytes that `copytruncate` cut off and of which there is no copy; a file emptied and filled
 * again with the same first 256 bytes.
 */
import type { BigIntStats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { YarakError, messageOf } from '../src/plugin.ts'
import { createClaims, type Claims } from './_claims.ts'
import { createLineSplitter, type LineSplitter } from './_lines.ts'
import type { Begin, LineReader, Polled, TailItem } from './_reader.ts'
import { findCopy, findSame, missedAfter } from './_rotated.ts'
import {
  HEAD,
  lastLineStart,
  markOf,
  notAFile,
  openAt,
  readAt,
  sourceOf,
  startsWith,
  type Mark,
  type Opened,
  type Source,
} from './_source.ts'

export interface TailOptions {
  readonly path: string
  /** Where to go on. */
  readonly mark?: Mark | undefined
  /** Without a mark: where to begin in a file that is there at the first look. One that comes later is read whole. */
  readonly from: 'beginning' | 'end'
  /**
   * Without a mark: the rotated files beside it are read first, as all of them came while nobody looked. Those that
   * `claims` knows are not read again. Default false.
   */
  readonly history?: boolean
  /** Stop at the end of the file, and take a last line without a newline. Default false. */
  readonly once?: boolean
  /** Bytes of a line. Default 1 MiB. */
  readonly maxLine?: number
  /** Bytes of one read. Default 1 MiB. */
  readonly chunk?: number
  /** Milliseconds without growth after which a rotated file is left for a new one that has content. Default 500. */
  readonly grace?: number
  /** Milliseconds, never going back. Default `performance.now`. */
  readonly now?: () => number
  /** Who reads what, when there are others. */
  readonly claims?: Claims
}

/** A file in the row of those to be read. */
interface Reading {
  readonly opened: Opened
  source: Source
  splitter: LineSplitter
  /** The next byte to read. */
  offset: number
  /** Modification time at which it was last read to its end. */
  seen: bigint
  quietSince: number
  /** Its writer may still add to it; false for a copy. */
  readonly live: boolean
  /** Why it is read, until that is said. */
  why: Begin | undefined
}

/** Milliseconds without growth after which a deleted file is closed although no other took its place. */
const DELETED = 60_000
/** Looks for the file of a mark before it is given up: one may fall between two renames. */
const SEARCHES = 3

const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error))
const codeOf = (error: unknown): string =>
  error instanceof YarakError ? error.reason : ((error as NodeJS.ErrnoException).code ?? 'error')

const absent = (path: string): YarakError => new YarakError('unavailable', `${path} is not there`, { reason: 'ENOENT' })

const isSame = (a: BigIntStats, b: BigIntStats): boolean => a.ino === b.ino && a.dev === b.dev

/**
 * @example
 * const tail = new Tail({ path: '/var/log/falco/events.log', from: 'end' })
 * const { items, state } = await tail.poll()
 */
export class Tail implements LineReader {
  readonly #options: Required<Omit<TailOptions, 'mark'>>
  #mark: Mark | undefined
  #from: 'beginning' | 'end'
  #row: Reading[] = []
  #items: TailItem[] = []
  #trouble: string | undefined
  #searches = 0
  #started = false
  #finishing: boolean
  #bytes = 0
  #ended = false

  constructor({ mark, ...options }: TailOptions) {
    this.#options = {
      once: false,
      history: false,
      maxLine: 1024 ** 2,
      chunk: 1024 ** 2,
      grace: 500,
      now: () => performance.now(),
      claims: createClaims(),
      ...options,
    }
    this.#finishing = this.#options.once
    this.#mark = mark
    this.#from = options.from
  }

  /** One step: looks at the path, then reads at most one chunk. Never two at a time. */
  async poll(): Promise<Polled> {
    let more = false
    if (!this.#ended) {
      const looked = this.#isVanished || (await this.#attempt(() => this.#look()))
      const read = await this.#attempt(async () => void (more = await this.#advance()))
      if (!read) await this.#giveUp()
      else if (looked) this.#recovered()
    }
    const items = this.#items
    this.#items = []
    return { items, state: this.#ended ? 'end' : more ? 'more' : 'idle' }
  }

  finish(): void {
    this.#finishing = true
    this.#ended ||= this.#row.length === 0
  }

  /** There is nothing more to look for under the path. */
  get #isVanished(): boolean {
    return this.#finishing && !this.#options.once
  }

  get read(): number {
    return this.#bytes
  }

  async close(): Promise<void> {
    this.#ended = true
    await this.#closeAll()
  }

  async #closeAll(): Promise<void> {
    const row = this.#row.splice(0)
    for (const { opened } of row) this.#options.claims.leave(opened.stat, this)
    await Promise.all(row.map(({ opened }) => opened.handle.close().catch(() => {})))
  }

  /** Puts what the path now leads to at the end of the row. */
  async #look(): Promise<void> {
    const status = await this.#status()
    const last = this.#row.at(-1)
    if (status && last && isSame(status, last.opened.stat)) return
    if (status && !this.#mark && !this.#options.claims.isFree(status, this)) return this.#leaveToOther()
    const opened = status && (await openAt(this.#options.path))
    if (this.#mark && !last) await this.#resume(this.#mark, opened)
    else if (opened) await this.#append(opened, last)
    if (!opened && this.#row.length === 0) throw absent(this.#options.path)
  }

  /** The file has another name, by which it is read. */
  #leaveToOther(): void {
    if (this.#finishing && this.#row.length === 0) this.#ended = true
  }

  async #status(): Promise<BigIntStats | undefined> {
    const { path } = this.#options
    const status = await stat(path, { bigint: true }).catch((error: unknown) => {
      if (!isAbsent(error)) throw error
      return undefined
    })
    if (!status && !this.#mark) this.#from = 'beginning'
    if (status && !status.isFile()) throw notAFile(path, status)
    return status
  }

  async #append(opened: Opened, last: Reading | undefined): Promise<void> {
    const isNew = !last && !this.#started
    if (isNew && this.#options.history) return this.#follow(opened, 0n, nowhere(opened))
    if (!last) {
      const start = this.#from === 'end' ? await lastLineStart(opened, this.#options.maxLine) : 0
      return this.#enter(await this.#begin(opened, start, isNew ? 'first' : 'rotated'))
    }
    const { mtimeNs } = await last.opened.handle.stat({ bigint: true })
    await this.#follow(opened, mtimeNs, markOf(last.source, last.offset))
  }

  /** The files that came after the one of the mark and were never seen, then the one that is there now. */
  async #follow(opened: Opened, mtime: bigint, mark: Mark): Promise<void> {
    const known = new Set([opened.stat.ino, ...this.#row.map((one) => one.opened.stat.ino)])
    const missed = await missedAfter(this.#options.path, mark, mtime, known)
    for (const one of [...missed, opened]) await this.#enter(await this.#after(mark, one))
  }

  /** Adds a file to the row, unless somebody else reads it. */
  async #enter(reading: Reading): Promise<void> {
    const { stat } = reading.opened
    const isInRow = this.#row.some(({ opened }) => isSame(opened.stat, stat))
    if (!isInRow && this.#options.claims.take(stat, this)) this.#row.push(reading)
    else await reading.opened.handle.close()
  }

  /** A file that came after the one of the mark: another one, or the same one emptied. */
  #after(mark: Mark, opened: Opened): Promise<Reading> {
    if (mark.ino === NOWHERE) return this.#begin(opened, 0, 'first')
    if (String(opened.stat.ino) !== mark.ino) return this.#begin(opened, 0, 'rotated')
    if (mark.head.length === 0) return this.#begin(opened, 0, 'resumed', mark.restarts)
    return this.#begin(opened, 0, 'emptied', mark.restarts + 1)
  }

  /** Goes on where the mark says, in whatever file that is now. A mark in an empty file only says what came later. */
  async #resume(mark: Mark, opened: Opened | undefined): Promise<void> {
    const isEmpty = mark.head.length === 0
    if (!opened && (isEmpty || this.#searches >= SEARCHES)) return
    const found = isEmpty ? undefined : await this.#find(mark)
    if (!found && !isEmpty && this.#searches < SEARCHES) return void (await opened?.handle.close())
    if (found) {
      const isCurrent = opened !== undefined && isSame(found.stat, opened.stat)
      const live = isCurrent || String(found.stat.ino) === mark.ino
      this.#options.claims.take(found.stat, this)
      this.#row.push(this.#reading(found, sourceOf(mark, found), mark.offset, live, 'resumed'))
      if (isCurrent) await opened.handle.close()
      else if (opened) await this.#follow(opened, found.stat.mtimeNs, mark)
    } else if (opened) {
      if (!isEmpty) this.#items.push({ kind: 'lost', mark })
      await this.#follow(opened, BigInt(mark.mtime), mark)
    } else return
    this.#mark = undefined
  }

  async #find(mark: Mark): Promise<Opened | undefined> {
    this.#searches++
    const { path } = this.#options
    return (await findSame(path, mark)) ?? (await findCopy(path, mark))
  }

  /** A file that had been left goes on where it was left: it was renamed back, or written to very late. */
  async #begin(opened: Opened, offset: number, why: Begin, restarts = 0): Promise<Reading> {
    const { dev, ino, mtimeNs: mtime } = opened.stat
    const left = this.#options.claims.leftAt(opened)
    if (left) return this.#reading(opened, sourceOf(left, opened), left.offset, true, 'resumed')
    const real = await realpath(opened.path).catch(() => opened.path)
    const head = offset > 0 ? opened.head : NOTHING
    const source = { dev: String(dev), ino: String(ino), restarts, real, head, mtime }
    return this.#reading(opened, source, offset, true, why)
  }

  #reading(opened: Opened, source: Source, offset: number, live: boolean, why: Begin): Reading {
    this.#started = true
    this.#from = 'beginning'
    this.#bytes += offset
    const splitter = createLineSplitter(this.#options.maxLine, offset)
    return { opened, source, splitter, offset, seen: -1n, quietSince: this.#options.now(), live, why }
  }

  /** Reads from the first of the row; leaves it when it is finished. True when there may be more at once. */
  async #advance(): Promise<boolean> {
    for (let one = this.#row[0]; one; one = this.#row[0]) {
      if (one.why) this.#items.push({ kind: 'opened', why: one.why, source: one.source, end: one.offset })
      one.why = undefined
      if (await this.#read(one)) return true
      if (!(await this.#isFinished(one))) return false
      await this.#leave(one)
    }
    return false
  }

  /** Reads one chunk. The first bytes are compared after it, so that it is surely of the same life of the file. */
  async #read(one: Reading): Promise<boolean> {
    const { handle } = one.opened
    const status = await handle.stat({ bigint: true })
    const size = Number(status.size)
    if (size < one.offset) return this.#restart(one)
    if (size === one.offset && status.mtimeNs === one.seen) return false
    const chunk = await readAt(handle, one.offset, Math.min(this.#options.chunk, size - one.offset))
    const head = await readAt(handle, 0, HEAD)
    if (!startsWith(head, one.offset === 0 ? chunk.subarray(0, HEAD) : one.source.head)) return this.#restart(one)
    one.source.head = head
    one.source.mtime = status.mtimeNs
    one.offset += chunk.length
    this.#bytes += chunk.length
    if (one.offset >= size) one.seen = status.mtimeNs
    if (chunk.length === 0) return false
    one.quietSince = this.#options.now()
    const { source } = one
    for (const { bytes, head: long, start, end } of one.splitter.push(chunk)) {
      this.#items.push({ kind: 'line', source, bytes, head: long, start, end })
    }
    return true
  }

  /** The file was emptied in place: what was not read yet is read from a copy, when there is one. */
  async #restart(one: Reading): Promise<true> {
    const { source, offset } = one
    const { start } = one.splitter
    const copy = await findCopy(this.#options.path, markOf(source, start))
    const { dev, ino, restarts, real, mtime } = source
    one.source = { dev, ino, restarts: restarts + 1, real, head: NOTHING, mtime }
    one.splitter = createLineSplitter(this.#options.maxLine)
    Object.assign(one, { offset: 0, seen: -1n, why: 'emptied' })
    if (copy) this.#options.claims.take(copy.stat, this)
    if (copy) this.#row.unshift(this.#reading(copy, source, start, false, 'resumed'))
    else if (offset > start) this.#items.push({ kind: 'truncated', source, start, end: offset })
    return true
  }

  /** True when nothing more is to be expected of a file that has been read to its end. */
  async #isFinished(one: Reading): Promise<boolean> {
    if (this.#finishing) return true
    const quiet = this.#options.now() - one.quietSince
    if (this.#row.length === 1) return quiet >= DELETED && (await one.opened.handle.stat()).nlink === 0
    return !one.live || (quiet >= this.#options.grace && (await hasContent(this.#row.slice(1))))
  }

  async #leave(one: Reading): Promise<void> {
    const rest = one.splitter.flush()
    if (rest) this.#items.push({ kind: 'line', source: one.source, ...rest })
    this.#row.shift()
    this.#options.claims.leave(one.opened.stat, this, one.live ? markOf(one.source, one.offset) : undefined)
    await one.opened.handle.close()
    this.#ended = this.#finishing && this.#row.length === 0
  }

  /** False when it failed, which is reported once. With `once` there is no later try. */
  async #attempt(step: () => Promise<void>): Promise<boolean> {
    try {
      await step()
      return true
    } catch (error) {
      if (this.#options.once) {
        const text = `cannot read ${this.#options.path}: ${messageOf(error)}`
        throw new YarakError('unavailable', text, { cause: error, permanent: true })
      }
      const code = codeOf(error)
      if (this.#trouble !== code) this.#items.push({ kind: 'trouble', code, message: messageOf(error) })
      this.#trouble = code
      return false
    }
  }

  /** An open file cannot be read: it is opened anew, at the same place, by the next poll. */
  async #giveUp(): Promise<void> {
    const first = this.#row[0]
    if (first) this.#mark = markOf(first.source, first.splitter.start)
    this.#searches = 0
    this.#ended = this.#isVanished
    await this.#closeAll()
  }

  #recovered(): void {
    if (this.#trouble) this.#items.push({ kind: 'recovered' })
    this.#trouble = undefined
  }
}

const NOTHING: Buffer = Buffer.alloc(0)

/** No file has this inode. */
const NOWHERE = ''

/** A mark before everything that was ever under the path. */
const nowhere = ({ path }: Opened): Mark =>
  markOf({ dev: '', ino: NOWHERE, restarts: 0, real: path, head: NOTHING, mtime: 0n }, 0)

const hasContent = async (row: readonly Reading[]): Promise<boolean> => {
  for (const { opened } of row) if ((await opened.handle.stat()).size > 0) return true
  return false
}

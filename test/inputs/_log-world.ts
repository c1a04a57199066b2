/** A program that writes a log, and everything that can happen to its file, under a tailer that is stepped by hand. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContainerLines, type ContainerLines } from '../../inputs/_container-lines.ts'
import { markOf, parseMark, positionOf, type Mark } from '../../inputs/_source.ts'
import type { TailItem } from '../../inputs/_reader.ts'
import { Tail } from '../../inputs/_tail.ts'

export const MAX_LINE = 200
const TOO_LONG = '<too long>'

export interface WorldOptions {
  /** The path is a symbolic link, and rotation swaps it. */
  readonly link?: boolean
  /** `dated`: each rotated file has its own name; `numbered`: `.1` is the newest, older ones move on. */
  readonly names?: 'dated' | 'numbered'
  readonly chunk?: number
  /** The lines are those of a container's log, long ones split. */
  readonly cri?: boolean
}

/** Bytes of one part of a split line. */
const PART = 25

export class LogWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'yarak-tail-'))
  readonly path = join(this.dir, 'events.log')
  readonly options: WorldOptions
  /** What the tailer must give, in order. */
  readonly expected: string[] = []
  /** What it gave, by position. */
  readonly received = new Map<string, string>()
  readonly doubled: string[] = []
  readonly marks: Mark[] = []
  #writer = -1
  #unwritten = Buffer.alloc(0)
  #tail: Tail | undefined
  #container: ContainerLines = createContainerLines('auto', MAX_LINE)
  #down: Mark | undefined
  #clock = 0
  #time = 1_700_000_000
  #files = 0
  /** Marks before this one are settled in any case. */
  #floor = 0
  #fragile = false
  #swaps = 0

  constructor(options: WorldOptions = {}) {
    this.options = options
  }

  async begin(): Promise<void> {
    if (this.options.link) this.#relink()
    this.reopen()
    this.#start(undefined)
    await this.poll()
  }

  // ── the writer ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next line; nothing of it is written yet. */
  line(payload: Uint8Array, end: '\n' | '\r\n'): void {
    if (this.options.cri) return this.#criLine(payload)
    const body = Buffer.concat([Buffer.from(`${this.expected.length}:`), payload])
    const content = body.at(-1) === 13 ? body.subarray(0, -1) : body
    this.#expect(end === '\r\n' ? body : content)
    this.#unwritten = Buffer.concat([this.#unwritten, body, Buffer.from(end)])
  }

  #expect(whole: Buffer): void {
    this.expected.push(whole.length > MAX_LINE ? TOO_LONG : whole.toString('hex'))
  }

  /** Parts, with a line of the other stream among them. */
  #criLine(payload: Uint8Array): void {
    const body = Buffer.concat([
      Buffer.from(`${this.expected.length}:`),
      payload.map((byte) => (byte === 13 ? 32 : byte)),
    ])
    const between = Buffer.from(`${this.expected.length}:between`)
    const isSplit = body.length > PART
    for (let at = 0; at < body.length; at += PART) {
      const isLast = at + PART >= body.length
      if (isLast && isSplit) this.#part('stderr', 'F', between)
      this.#part('stdout', isLast ? 'F' : 'P', body.subarray(at, at + PART))
    }
    if (isSplit) this.#expect(between)
    this.#expect(body)
  }

  #part(stream: string, tag: string, content: Buffer): void {
    const prefix = `2026-01-01T00:00:00.123456789Z ${stream} ${tag} `
    this.#unwritten = Buffer.concat([this.#unwritten, Buffer.from(prefix), content, Buffer.from('\n')])
  }

  /** Writes some bytes of what there is to write, wherever that cuts. */
  write(length = this.#unwritten.length): void {
    const bytes = this.#unwritten.subarray(0, length)
    this.#unwritten = this.#unwritten.subarray(bytes.length)
    if (bytes.length > 0) writeSync(this.#writer, bytes)
    this.#touch()
  }

  /** The writer opens the path anew, as Falco does on SIGUSR1. It ends its line before. */
  reopen(): void {
    if (this.#writer >= 0) {
      this.write()
      closeSync(this.#writer)
    }
    this.#writer = openSync(this.path, 'a')
    this.#touch()
  }

  /** Makes times differ as they do in real life, where rotations are minutes apart. */
  #touch(): void {
    this.#time++
    futimesSync(this.#writer, this.#time, this.#time)
  }

  // ── rotation ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Renames the file; the writer goes on with it until {@link reopen}. */
  rename(create: boolean): void {
    if (this.options.link || !existsSync(this.path)) return
    renameSync(this.path, this.#rotatedName())
    if (!create) return
    const fresh = openSync(this.path, 'a')
    this.#time++
    futimesSync(fresh, this.#time, this.#time)
    closeSync(fresh)
  }

  async copyTruncate(copy: boolean, caughtUp: boolean): Promise<void> {
    await this.up()
    this.reopen()
    await this.catchUp()
    this.#floor = this.marks.length
    if (!caughtUp && copy && fstatSync(this.#writer).size >= 256) this.#lateLine()
    if (copy) this.#copy()
    ftruncateSync(this.#writer)
    this.#touch()
  }

  #lateLine(): void {
    this.line(Buffer.from('cut off before it was read'), '\n')
    this.write()
  }

  #copy(): void {
    const name = this.options.link ? join(this.dir, `events.log.${++this.#files}`) : this.#rotatedName()
    const { mtime, atime } = statSync(this.path)
    copyFileSync(this.path, name)
    utimesSync(name, atime, mtime)
  }

  /** Deletes the file; the writer goes on with what has no name any more until {@link reopen}. */
  async remove(): Promise<void> {
    if (this.options.link) return
    await this.up()
    this.reopen()
    await this.catchUp()
    this.#floor = this.marks.length
    this.#fragile = true
    unlinkSync(this.path)
  }

  /** Lets the link lead to a new file; the writer goes on with the old one until {@link reopen}. */
  async swap(): Promise<void> {
    if (!this.options.link || (!this.#tail && this.#swaps > 0)) return
    this.reopen()
    if (this.#tail) await this.catchUp()
    if (!this.#isAtCurrent()) return
    if (this.#tail) this.#floor = this.marks.length
    this.#relink()
    this.#swaps++
    if (this.#tail) await this.poll()
  }

  #isAtCurrent(): boolean {
    const mark = this.#down ?? this.marks.at(-1)
    return mark?.ino === String(statSync(this.path, { bigint: true }).ino)
  }

  #relink(): void {
    const target = join(this.dir, 'pods', `${++this.#files}.log`)
    mkdirSync(join(this.dir, 'pods'), { recursive: true })
    closeSync(openSync(target, 'a'))
    symlinkSync(target, `${this.path}.new`)
    renameSync(`${this.path}.new`, this.path)
  }

  #rotatedName(): string {
    this.#files++
    if (this.options.names === 'dated') return `${this.path}-2026${String(this.#files).padStart(4, '0')}`
    for (let n = this.#files; n >= 1; n--) {
      if (existsSync(`${this.path}.${n}`)) renameSync(`${this.path}.${n}`, `${this.path}.${n + 1}`)
    }
    return `${this.path}.1`
  }

  // ── the tailer ────────────────────────────────────────────────────────────────────────────────────────────────────

  async poll(): Promise<boolean> {
    if (!this.#tail) return false
    this.#clock += 100
    const { items, state } = await this.#tail.poll()
    for (const item of items) this.#take(item)
    return state === 'more'
  }

  /** Reads all there is, also behind a rotated file whose grace is running. */
  async catchUp(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      while (await this.poll());
      this.#clock += 1_000
    }
  }

  #take(item: TailItem): void {
    if (!('source' in item)) return
    const line = item.kind === 'line' ? this.#container.take(item) : undefined
    if (line) {
      const key = positionOf(line.source, line.start)
      const text = line.bytes?.toString('hex') ?? TOO_LONG
      const before = this.received.get(key)
      if (before !== undefined && before !== text) this.doubled.push(`${key}: ${before} and ${text}`)
      this.received.set(key, text)
    }
    const { source, end } = this.#container.open ?? item
    this.marks.push(markOf(source, end))
  }

  /** The process ends; what was not settled comes again. */
  async stop(unsettled: number): Promise<void> {
    if (!this.#tail) return
    if (this.#fragile) {
      this.reopen()
      await this.catchUp()
      this.#floor = this.marks.length
      this.#fragile = false
    }
    await this.#tail.close()
    this.#tail = undefined
    this.#down = this.marks[Math.max(this.#floor, this.marks.length - unsettled, 1) - 1]
    this.#swaps = 0
  }

  async up(): Promise<void> {
    if (this.#tail) return
    this.#start(parseMark(JSON.parse(JSON.stringify(this.#down))))
    this.#down = undefined
    await this.poll()
  }

  #start(mark: Mark | undefined): void {
    const { path } = this
    const now = (): number => this.#clock
    this.#container = createContainerLines('auto', MAX_LINE)
    this.#tail = new Tail({ path, mark, from: 'beginning', maxLine: MAX_LINE, chunk: this.options.chunk ?? 64, now })
  }

  /** Writes and reads all that is left. */
  async finish(): Promise<void> {
    this.reopen()
    await this.up()
    await this.catchUp()
  }

  async close(): Promise<void> {
    await this.#tail?.close()
    if (this.#writer >= 0) closeSync(this.#writer)
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/**
 * The audit record as a file: JSON lines, each with the hash of the line before, so that `yarak audit verify` finds what was
 * changed. Only added to; a file that is full gets a number, and the chain goes on in a new one.
 * Several processes may write to one record, e.g. a gateway and a command that takes a change back.
 */
import { type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Audit, AuditEntry } from './audit.ts'
import { fullFiles, tailOf } from './audit-files.ts'
import { whileLocked } from './audit-lock.ts'
import { type AuditNote, digestOf, type Head, lineAfter, START } from './audit-line.ts'
import { messageOf } from './errors.ts'
import type { Log } from './plugin.ts'

export interface AuditFileOptions {
  readonly path: string
  readonly log: Log
  /** Bytes after which a new file is begun. Default 64 MiB. */
  readonly maxSize?: number
  /** Milliseconds between two tries while the disk fails and nothing is to be written. Default 5,000. */
  readonly retry?: number
  /** Told how many entries could not be written. */
  readonly failed?: (entries: number) => void
}

export interface AuditFile extends Audit {
  /** Where the chain has come to: who keeps the hash elsewhere can tell when the end of the record was cut off. */
  readonly head: Head
  /** Writes what waits. */
  close(): Promise<void>
}

interface Waiting {
  readonly time: string
  readonly entry: AuditEntry
}

interface Open {
  readonly handle: FileHandle
  readonly ino: number
  size: number
}

/** Alerts hold command lines: nobody else reads them. */
const PRIVATE = 0o600

/** Entries that are written at once. */
const BATCH = 100

/** Entries that wait while the disk hangs; further ones are lost, and counted. */
const MOST = 10_000

/** On the disk before the next is written: what changes something for good. */
const DURABLE: ReadonlySet<AuditEntry['kind']> = new Set(['admin', 'step'])

/**
 * Opens the record, or begins it. A line that a crash cut short is followed by one of kind `recovered`. While the disk
 * fails, entries are counted, and one line of kind `outage` tells how many when it works again.
 * @example
 * const audit = auditFile({ path: './.yarak/audit.jsonl', log })
 * const gateway = createGateway({ ...options, audit })
 */
export const auditFile = (options: AuditFileOptions): AuditFile => {
  const { path, log, maxSize = 64 * 1024 ** 2, retry = 5_000, failed = () => {} } = options
  const waiting: Waiting[] = []
  const lost = new Map<string, number>()
  let file: Open | undefined
  let head = START
  let lastError: string | undefined
  let working: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const lose = (entries: readonly Waiting[], error: unknown): void => {
    for (const { entry } of entries) lost.set(entry.kind, (lost.get(entry.kind) ?? 0) + 1)
    if (entries.length > 0) failed(entries.length)
    if (lastError === undefined) log.error('the audit record cannot be written', { path, error: messageOf(error) })
    lastError = messageOf(error)
  }

  const add = async ({ handle }: Open, text: string, durable: boolean): Promise<void> => {
    await handle.appendFile(text)
    if (durable) await handle.datasync()
  }

  /** The file, ended properly, with the chain at its head. */
  const openFile = async (): Promise<Open> => {
    const tail = await tailOf(path)
    const before = tail?.head.seq ? tail.head : await lastOfFull(path)
    if (before.seq > head.seq) head = before
    const handle = await open(path, 'a', PRIVATE)
    try {
      const made = { handle, ino: 0, size: 0 }
      if (tail?.open) await add(made, '\n', true)
      if (tail && tail.rest.length > 0) {
        const rest = tail.rest.at(-1) === 0x0a ? tail.rest : Buffer.concat([tail.rest, Buffer.from('\n')])
        const line = lineAfter(head, now(), recovered(rest))
        await add(made, (rest === tail.rest ? '' : '\n') + line.text, true)
        log.warn('the audit record was cut short', { path, bytes: tail.rest.length })
        head = line.head
      }
      const { ino, size } = await handle.stat()
      return { handle, ino, size }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  const letGo = async (): Promise<void> => {
    const { handle } = file ?? {}
    file = undefined
    await handle?.close()
  }

  /** Somebody may have moved the file, or written to it. */
  const ready = async (): Promise<Open> => {
    if (file) {
      const found = await stat(path).catch(() => undefined)
      if (found?.ino !== file.ino || found.size !== file.size) await letGo()
    }
    if (file && file.size >= maxSize) {
      await letGo()
      const last = (await fullFiles(path)).at(-1)
      await rename(path, `${path}.${(last?.number ?? 0) + 1}`)
    }
    return (file ??= await openFile())
  }

  const write = async (batch: readonly Waiting[]): Promise<void> => {
    const to = await ready()
    const notes: { time: string; note: AuditNote }[] = batch.map(({ time, entry }) => ({ time, note: entry }))
    if (lost.size > 0) notes.unshift({ time: now(), note: outage(lost, lastError) })
    let next = head
    let text = ''
    for (const { time, note } of notes) {
      const line = lineAfter(next, time, note)
      text += line.text
      next = line.head
    }
    if (text !== '')
      await add(
        to,
        text,
        batch.some(({ entry }) => DURABLE.has(entry.kind)),
      )
    to.size += Buffer.byteLength(text)
    head = next
    if (lastError !== undefined) log.info('the audit record is written again', { path, lost: sumOf(lost) })
    lastError = undefined
    lost.clear()
  }

  const work = async (): Promise<void> => {
    do {
      const batch = waiting.splice(0, BATCH)
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await whileLocked(`${path}.lock`, () => write(batch))
      } catch (error) {
        lose(batch, error)
        await letGo().catch(() => {})
      }
    } while (waiting.length > 0)
    working = undefined
    clearTimeout(timer)
    if (lastError !== undefined && !closed) timer = setTimeout(begin, retry).unref()
  }

  const begin = (): void => {
    working ??= work()
  }

  begin()
  return {
    append(entry) {
      if (waiting.length >= MOST || closed)
        return lose([{ time: '', entry }], new Error(closed ? 'it is closed' : 'the disk does not answer'))
      waiting.push({ time: now(), entry })
      begin()
    },
    get lastError() {
      return lastError
    },
    get head() {
      return head
    },
    async close() {
      if (lost.size > 0) begin()
      closed = true
      await working
      clearTimeout(timer)
      await file?.handle.datasync().catch(() => {})
      await letGo().catch(() => {})
    },
  }
}

const now = (): string => new Date().toISOString()

/** The last line of the files that are full: a new one follows it. */
const lastOfFull = async (path: string): Promise<Head> => {
  const last = (await fullFiles(path)).at(-1)
  return (last && (await tailOf(last.path))?.head) ?? START
}

const recovered = (rest: Buffer): AuditNote => ({
  kind: 'recovered',
  who: 'audit',
  what: 'a write was cut short',
  why: digestOf(rest),
  target: `${rest.length} bytes`,
  verdict: 'lost',
})

const sumOf = (lost: ReadonlyMap<string, number>): number => [...lost.values()].reduce((sum, one) => sum + one, 0)

const outage = (lost: ReadonlyMap<string, number>, error = ''): AuditNote => ({
  kind: 'outage',
  who: 'audit',
  what: 'entries could not be written',
  why: error,
  target: [...lost].map(([kind, entries]) => `${kind} ${entries}`).join(', '),
  verdict: 'lost',
})

/** Takes the lines of one file to the gateway, and notes how far they are settled. */
import type { InputIo } from '../src/plugin.ts'
import type { Book } from './_book.ts'
import {
  createContainerLines,
  type ContainerLines,
  type FileLine,
  type Format,
  type Unwrapped,
} from './_container-lines.ts'
import { createSettled } from './_settled.ts'
import { createSink, pause, untilAborted, type Sink, type SinkOptions } from './_sink.ts'
import { markOf, positionOf, type Mark, type Source } from './_source.ts'
import type { LineReader, TailItem } from './_reader.ts'

export interface FollowOptions extends SinkOptions {
  readonly path: string
  readonly format: Format
  /** Bytes. */
  readonly maxLine: number
  /** Milliseconds, as all that follow. */
  readonly pollInterval: number
  readonly stopTimeout: number
  /** Begins every position: what is read again on purpose is new. Default empty. */
  readonly pass?: string
  /** Called when nothing more will be read. */
  readonly whenRead?: () => void
}

/** A place up to which everything is settled. */
interface Place {
  readonly source: Source
  readonly end: number
}

/** Milliseconds without anything new after which the rest of a split line is not waited for any more. */
const SPLIT = 60_000

/**
 * Reads until the reader or the gateway ends; then waits for what is in work and saves the checkpoint.
 * @returns the checkpoint
 */
export const follow = async (
  reader: LineReader,
  options: FollowOptions,
  io: InputIo,
  book: Book,
): Promise<Mark | undefined> => {
  const { path, stopTimeout } = options
  const ends: Place[] = []
  const latest = (): Mark | undefined => settled.position && toMark(settled.position)
  const settled = createSettled<Place>(() => {
    for (let end = ends[0]; end && end.source !== settled.position?.source; end = ends[0]) {
      book.passed(toMark(end))
      ends.shift()
    }
    book.changed(path, latest)
  })
  const sink = createSink(io, settled, options, (offset) => `${path}:${offset}`)
  const container = createContainerLines(options.format, options.maxLine)
  const each = createTaker({ ...options, io, sink, container, ends, settle: (place) => settled.add(place)() })
  let limit = AbortSignal.abort()
  try {
    await readAll(reader, each, options, io)
    limit = io.signal
  } finally {
    await reader.close()
    options.whenRead?.()
    await untilAborted(settled.below(1), limit, stopTimeout)
    await book.flush()
  }
  return latest()
}

const toMark = ({ source, end }: Place): Mark => markOf(source, end)

/** What takes the items of a reader. */
interface Taker {
  /** False when the gateway stops. */
  take(item: TailItem): Promise<boolean> | true
  /** Takes what is incomplete as it is. */
  drain(): Promise<boolean>
}

/** Gives every item to the taker until it says false, the file ends or the signal fires. Reads one step ahead. */
const readAll = async (
  reader: LineReader,
  { take, drain }: Taker,
  { path, pollInterval }: FollowOptions,
  io: InputIo,
): Promise<void> => {
  let next = reader.poll()
  let quietSince = performance.now()
  try {
    while (!io.signal.aborted) {
      const { items, state } = await next
      if (state === 'more') next = handled(reader.poll())
      for (const item of items) {
        const taken = io.signal.aborted ? false : take(item)
        if (taken !== true && !(await taken)) return
      }
      if (items.length > 0) io.measure('read_bytes', reader.read, { path })
      if (state === 'end') return void (await drain())
      if (items.length > 0) quietSince = performance.now()
      if (state === 'more') continue
      if (performance.now() - quietSince > SPLIT) await drain()
      await pause(pollInterval, io.signal)
      next = handled(reader.poll())
    }
  } finally {
    await next.catch(() => {})
  }
}

/** A promise that is awaited later, also when it is already rejected by then. */
const handled = <T>(promise: Promise<T>): Promise<T> => {
  promise.catch(() => {})
  return promise
}

interface TakerParts {
  readonly path: string
  readonly pass?: string
  readonly io: InputIo
  readonly sink: Sink<Place>
  readonly container: ContainerLines
  /** Where the files ended that were read before the current one and may not be settled; it adds to them. */
  readonly ends: Place[]
  /** Something that needs no work. */
  readonly settle: (place: Place) => void
}

const createTaker = ({ path, pass = '', io, sink, container, ends, settle }: TakerParts): Taker => {
  const span = { name: `tail ${io.id}`, kind: 'internal' } as const
  let last: Place | undefined

  const hand = ({ bytes, head, contained, source, start }: Unwrapped): Promise<boolean> | true =>
    sink({
      bytes,
      head,
      contained,
      place: container.open ?? last ?? { source, end: start },
      at: start,
      options: {
        position: pass + positionOf(source, start),
        authenticated: 'file',
        span: { ...span, attributes: { 'log.file.path': path, 'yarak.file.offset': start } },
      },
    })

  const line = (item: FileLine): Promise<boolean> | true => {
    const whole = container.take(item)
    last = { source: item.source, end: item.end }
    return whole ? hand(whole) : true
  }

  const drain = async (): Promise<boolean> => {
    for (const one of container.drain()) if (!(await hand(one))) return false
    return true
  }

  const note = async (item: Exclude<TailItem, { kind: 'line' }>): Promise<boolean> => {
    if (item.kind === 'opened' && item.why === 'emptied' && !(await drain())) return false
    tell(item, path, io)
    if (!('source' in item)) return true
    if (item.kind === 'opened' && last && last.source !== item.source) ends.push(last)
    last = { source: item.source, end: item.end }
    settle(container.open ?? last)
    return true
  }

  return { take: (item) => (item.kind === 'line' ? line(item) : note(item)), drain }
}

const tell = (item: Exclude<TailItem, { kind: 'line' }>, path: string, { log, count }: InputIo): void => {
  switch (item.kind) {
    case 'truncated':
      count('skipped', 'truncated')
      return log.warn('the file was emptied in the middle of a line, whose rest is lost', {
        at: `${path}:${item.start}`,
        bytes: item.end - item.start,
      })
    case 'opened':
      return log.info('reading a file', { path, offset: item.end, why: item.why })
    case 'trouble':
      return log.warn('a file cannot be read: waiting for it', { path, code: item.code, error: item.message })
    case 'recovered':
      return log.info('a file can be read again', { path })
    case 'lost':
      return log.warn('the file of the checkpoint is gone, what it still held is lost: starting with the new one', {
        path,
        offset: item.mark.offset,
      })
  }
}

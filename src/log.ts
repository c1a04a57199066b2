/** The binary's log: JSON lines by pino, or one readable line per fact on a terminal. */
import { type AskedLog, subjectOf } from './log-area.ts'
import { type Form, jsonForm, type LogLine, prettyForm } from './log-form.ts'
import { createLevels, type Levels, type LineLevel, type LogLevel } from './log-levels.ts'
import { cutText, plainFields } from './log-plain.ts'
import type { LogFields } from './plugin.ts'

export interface LogOptions {
  /** Default `info`. */
  readonly level?: LogLevel
  /** Levels of areas of the engine, and of plugins by id or type. Default none. */
  readonly levels?: Readonly<Record<string, LogLevel>>
  /** `auto`: pretty where people read, JSON elsewhere. */
  readonly format?: 'auto' | 'pretty' | 'json'
  /** Whether a pretty line has colours. Default false. */
  readonly colours?: boolean
  /** Default standard error, so that standard output is free for events. */
  readonly stream?: { write(text: string): unknown; isTTY?: boolean }
}

export interface LogControl {
  /** What is written, to be looked at and changed while it runs. */
  readonly levels: Pick<Levels, 'get' | 'set'>
  readonly wants: Levels['wants']
  /**
   * Hands over each line that is written from now on; what it throws is nobody's business, and what it logs itself is
   * written but not handed over.
   * @returns what ends it
   * @example const end = log.sink(({ level }) => counters.add('yarak_log_lines_total', { level }))
   */
  sink(take: (line: LogLine) => void): () => void
}

/** Bytes of JSON that the fields of a line take at most, so that the whole is at most 16 KiB; of them the message a part. */
const MAX_FIELDS = 15_000
export const MAX_MESSAGE = 4_000

/**
 * A log that never throws: a line that the stream does not take is lost.
 * @example
 * const log = createLog({ level: 'info', levels: { kafka: 'debug', journal: 'warn' } })
 * log.levels.set('http/falco', 'debug')
 */
export const createLog = (options: LogOptions = {}): AskedLog & LogControl => {
  const { level: all = 'info', levels: some = {}, stream = process.stderr } = options
  const levels = createLevels({ level: all, levels: some })
  const form = formOf(options, stream.isTTY === true)
  const tell = createTelling()
  const at =
    (level: LineLevel) =>
    (message: string, fields: LogFields = {}): void => {
      try {
        const name = subjectOf(fields)
        if (!levels.wants(level, name)) return
        const line = lineOf(level, message, fields, levels.wants('debug', name))
        tell.all(line)
        stream.write(form(line))
      } catch {
        // there is nowhere left to say it
      }
    }
  const { get, set, wants } = levels
  const lines = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  return { ...lines, wants, levels: { get, set }, sink: tell.add }
}

const formOf = ({ format = 'auto', colours = false }: LogOptions, isTTY: boolean): Form =>
  format === 'pretty' || (format === 'auto' && isTTY) ? prettyForm(colours) : jsonForm()

const lineOf = (level: LineLevel, message: string, fields: LogFields, stacks: boolean): LogLine => {
  const room = { left: MAX_MESSAGE }
  const told = cutText(String(message), room)
  const bytes = MAX_FIELDS - (MAX_MESSAGE - room.left)
  return { level, time: Date.now(), message: told, fields: plainFields(fields, { bytes, stacks }) }
}

const createTelling = () => {
  const sinks = new Set<(line: LogLine) => void>()
  let telling = false
  const tellOne = (take: (line: LogLine) => void, line: LogLine): void => {
    try {
      take(line)
    } catch {
      // the line is on the stream all the same
    }
  }
  return {
    add(take: (line: LogLine) => void): () => void {
      sinks.add(take)
      return () => void sinks.delete(take)
    },
    all(line: LogLine): void {
      if (telling) return
      telling = true
      for (const take of sinks) tellOne(take, line)
      telling = false
    },
  }
}

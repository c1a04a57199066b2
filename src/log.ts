/** The binary's log: pino, as JSON lines, or one readable line per fact on a terminal. */
import pino from 'pino'
import type { Log, LogFields } from './plugin.ts'

export interface LogOptions {
  /** Default `info`. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** `auto`: pretty where people read, JSON elsewhere. */
  readonly format?: 'auto' | 'pretty' | 'json'
  readonly stream?: { write(text: string): unknown; isTTY?: boolean }
}

/** Logs to standard error, so that standard output is free for events. */
export const createLog = ({ level = 'info', format = 'auto', stream = process.stderr }: LogOptions = {}): Log => {
  const pretty = format === 'pretty' || (format === 'auto' && stream.isTTY === true)
  const destination = pretty
    ? { write: (line: string) => void stream.write(prettyLine(line)) }
    : { write: (line: string) => void stream.write(line) }
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    destination,
  )
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void =>
      logger[name](fields, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

const plain = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}

const prettyLine = (line: string): string => {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`)
  return `${plain(time).slice(11, 19)} ${plain(level).toUpperCase().padEnd(5)} ${[plain(message), ...rest].join('  ')}\n`
}

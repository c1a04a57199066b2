/** A line of the log as text: JSON for machines, one readable line for people. */
import colors from 'picocolors'
import pino from 'pino'
import type { LineLevel } from './log-levels.ts'
import { visible } from './log-plain.ts'
import type { LogFields } from './plugin.ts'

/** A line that is written. */
export interface LogLine {
  readonly level: LineLevel
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly message: string
  /** Plain data, of at most about 16 KiB; `area` or `plugin`, `trace_id` and `span_id` among them. */
  readonly fields: LogFields
}

export type Form = (line: LogLine) => string

/** The form that gives `line` as an object of JSON in one line, in which nothing a terminal obeys is left. */
export const jsonForm = (): Form => {
  let text = ''
  const logger = pino(
    { level: 'debug', base: null, timestamp: false, formatters: { level: (level) => ({ level }) } },
    { write: (line) => (text = line) },
  )
  return ({ level, time, message, fields: { area, plugin, ...fields } }) => {
    logger[level]({ time: new Date(time).toISOString(), area, plugin, message, ...fields })
    return `${visible(text.trimEnd())}\n`
  }
}

/** How wide the column of what a line is about is, at least. */
const AREA_WIDTH = 10

/**
 * The form that gives `time LEVEL about message name=value …`, values of several lines below it and indented: a line that
 * does not begin with blanks is one that the log began.
 */
export const prettyForm = (colours: boolean): Form => {
  const { dim, gray, green, yellow, red } = colors.createColors(colours)
  const paint = { debug: gray, info: green, warn: yellow, error: red }
  return ({ level, time, message, fields }) => {
    const { [fields.plugin === undefined ? 'area' : 'plugin']: about = '', ...rest } = fields
    const all = Object.entries(rest).flatMap(([name, value]) => parted(visible(name), value))
    const inline = all.filter(({ lines }) => !lines).map(({ name, value }) => `${name}=${valueText(value)}`)
    const below = all.flatMap(({ name, lines }) =>
      lines ? [`    ${name}:`, ...lines.map((one) => `      ${one}`)] : [],
    )
    const head = [
      new Date(time).toISOString().slice(11, 19),
      paint[level](level.toUpperCase().padEnd(5)),
      dim(visible(textOf(about)).padEnd(AREA_WIDTH)),
      [visible(message), ...inline].join('  '),
    ]
    return `${[head.join(' '), ...below].join('\n')}\n`
  }
}

interface Part {
  readonly name: string
  readonly value?: unknown
  /** Of a text that has several. */
  readonly lines?: readonly string[]
}

/** Text of several lines stands apart; so does where an error was thrown. */
const parted = (name: string, value: unknown): readonly Part[] => {
  if (typeof value === 'string' && value.trimEnd().includes('\n')) {
    return [{ name, lines: value.trimEnd().split(/\r?\n/).map(visible) }]
  }
  if (typeof value === 'object' && value !== null && 'stack' in value) {
    const { stack, ...rest } = value
    return [{ name, value: rest }, ...parted(`${name}.stack`, stack)]
  }
  return [{ name, value }]
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Text that could be taken for another field is in quotes. */
const WORD = /^[^\s"=]+$/

const valueText = (value: unknown): string =>
  visible(typeof value === 'string' && WORD.test(value) && visible(value) === value ? value : JSON.stringify(value))

/** A notice as one line for people at a terminal. */
import pc from 'picocolors'
import { type FalcoEvent, type Notice, type Outcome, type Priority, type Report } from '../src/plugin.ts'
import { printable } from './_text.ts'

type Colours = ReturnType<typeof pc.createColors>
type Paint = (colours: Colours, text: string) => string

const PRIORITY_PAINT: Readonly<Record<Priority, Paint>> = {
  Emergency: (c, text) => c.bold(c.red(text)),
  Alert: (c, text) => c.bold(c.red(text)),
  Critical: (c, text) => c.bold(c.red(text)),
  Error: (c, text) => c.red(text),
  Warning: (c, text) => c.yellow(text),
  Notice: (c, text) => c.cyan(text),
  Informational: (c, text) => c.blue(text),
  Debug: (c, text) => c.gray(text),
}

const good: Paint = (c, text) => c.green(text)
const dull: Paint = (c, text) => c.gray(text)
const bad: Paint = (c, text) => c.red(text)

const OUTCOME_PAINT: Readonly<Record<Outcome, Paint>> = {
  succeeded: good,
  gone: good,
  skipped: dull,
  refused: (c, text) => c.yellow(text),
  failed: bad,
  timed_out: bad,
  unknown: bad,
  interrupted: bad,
}

/** Longest event text on a line: a terminal is for reading. */
const MAX_TEXT = 2_000

/** The width of `Informational`, the longest word in this column. */
const COLUMN = 13

/**
 * A notice as one line: time (UTC as the event says it), priority or outcome, rule, text, pod. Whatever the event
 * holds, the terminal obeys nothing but our colours.
 * @param colour false: no escape sequence at all
 * @example prettyLine(notice, false) // '12:00:00.123 Notice        Terminal shell in container  A shell …  default/web-1'
 */
export const prettyLine = (notice: Notice, colour: boolean): string => {
  const colours = pc.createColors(colour)
  return notice.report ? reportLine(notice.report, colours) : eventLine(notice.event, colours)
}

const joined = (parts: readonly (string | undefined)[]): string => parts.filter(Boolean).join('  ')

const eventLine = (event: FalcoEvent, colours: Colours): string =>
  joined([
    `${colours.dim(clock(event.time))} ${PRIORITY_PAINT[event.priority](colours, event.priority.padEnd(COLUMN))}`,
    colours.bold(printable(event.rule)),
    printable(event.output.slice(0, MAX_TEXT)),
    colours.dim(podOf(event)),
  ])

const reportLine = (report: Report, colours: Colours): string =>
  joined([
    `${colours.dim(clock(report.startedAt))} ${OUTCOME_PAINT[report.outcome](colours, report.outcome.padEnd(COLUMN))}`,
    colours.bold(printable(report.rule)),
    printable(stepsOf(report).slice(0, MAX_TEXT)),
    colours.dim(printable(report.target ?? '')),
    colours.dim(`${report.mode}, ${Math.round(report.duration)} ms`),
    report.traceId && colours.dim(`trace ${printable(report.traceId)}`),
  ])

const stepsOf = ({ steps }: Report): string =>
  steps
    .map(({ action, outcome, simulated, summary }) =>
      [`${action} ${outcome}`, simulated && 'simulated', summary].filter(Boolean).join(', '),
    )
    .join('; ')

/** `12:00:00.123` of an RFC 3339 time; its offset is told only when it is not UTC. */
const clock = (time: string): string => {
  const [, hms = time, fraction = '', offset = ''] = /T([\d:]{8})(\.\d{1,3})?\d*(.*)$/.exec(time) ?? []
  return `${hms}${(fraction || '.').padEnd(4, '0')}${offset === 'Z' || offset === '+00:00' ? '' : offset}`
}

const podOf = (event: FalcoEvent): string => {
  const text = (...names: string[]) => names.map((name) => event.field(name)).find((value) => typeof value === 'string')
  const [namespace, pod] = [text('k8s.ns.name', 'k8smeta.ns.name'), text('k8s.pod.name', 'k8smeta.pod.name')]
  return printable([namespace, pod].filter((part) => part && part !== '<NA>').join('/'))
}

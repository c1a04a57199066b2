/** A notice in the terms every chat-like output shares: a title, a text, named fields, a colour, links. */
import { type Priority, type FieldValue, textOf } from './event.ts'
import type { Notice, Outcome, Report } from './plugin.ts'

export interface MessageField {
  readonly name: string
  readonly value: string
  /** It is one of the event's own fields, which may have any name. */
  readonly isField?: true
}

export interface Message {
  readonly title: string
  readonly text: string
  /** Rule, priority, source, hostname, tags, the event's fields by name, time; for a report what was done. */
  readonly fields: readonly MessageField[]
  /** `#rrggbb`. */
  readonly colour: string
  readonly traceId?: string
  /** Where a person looks at the trace. */
  readonly traceUrl?: string
}

/** The colours Falcosidekick gives to priorities, so that channels look as people know them. */
const COLOURS: Readonly<Record<Priority, string>> = {
  Emergency: '#e20b0b',
  Alert: '#ff5400',
  Critical: '#ff5400',
  Error: '#e20b0b',
  Warning: '#ffc700',
  Notice: '#5bffb5',
  Informational: '#68c2ff',
  Debug: '#ccfff2',
}

/** The colours Talon gives to results. */
const OUTCOMES: Readonly<Record<Outcome, string>> = {
  succeeded: '#23ba47',
  gone: '#23ba47',
  skipped: '#a4a8b1',
  refused: '#ffc700',
  failed: '#e20b0b',
  timed_out: '#e20b0b',
  unknown: '#e20b0b',
  interrupted: '#e20b0b',
}

/**
 * The message of a notice: of its report when it has one, else of its event.
 * @example message(notice).title // '[Critical] Terminal shell in container'
 */
export const message = (notice: Notice): Message =>
  notice.report ? reportMessage(notice, notice.report) : eventMessage(notice)

const eventMessage = ({ event, digest }: Notice): Message => ({
  title: `[${event.priority}] ${event.rule}`,
  text: event.output,
  colour: COLOURS[event.priority],
  fields: [
    { name: 'rule', value: event.rule },
    { name: 'priority', value: event.priority },
    { name: 'source', value: event.source },
    ...(event.hostname ? [{ name: 'hostname', value: event.hostname }] : []),
    ...(event.tags.length > 0 ? [{ name: 'tags', value: event.tags.join(', ') }] : []),
    ...fieldsOf(event.fields),
    { name: 'time', value: event.time },
    ...(digest ? [{ name: 'alerts', value: `${digest.count} from ${digest.first} to ${digest.last}` }] : []),
  ],
})

const fieldsOf = (fields: Readonly<Record<string, FieldValue>>): MessageField[] =>
  Object.keys(fields)
    .sort()
    .flatMap((name) => (fields[name] === null ? [] : [{ name, value: textOf(fields[name]), isField: true as const }]))

const reportMessage = ({ event, traceUrl }: Notice, report: Report): Message => ({
  title: `[${report.outcome}] ${report.rule}`,
  text: report.steps
    .map((step) => `${step.action}: ${step.outcome}${step.summary ? `, ${step.summary}` : ''}`)
    .join('\n'),
  colour: OUTCOMES[report.outcome],
  ...(report.traceId && { traceId: report.traceId }),
  ...(traceUrl && { traceUrl }),
  fields: [
    { name: 'response', value: report.id },
    { name: 'rule', value: report.rule },
    { name: 'outcome', value: report.outcome },
    { name: 'mode', value: report.mode },
    ...(report.target ? [{ name: 'target', value: report.target }] : []),
    { name: 'event', value: event.output },
    { name: 'duration', value: `${Math.round(report.duration)} ms` },
    ...(report.traceId ? [{ name: 'trace', value: traceUrl ?? report.traceId }] : []),
    ...(canBeUndone(report) ? [{ name: 'undo', value: `yarak responses undo ${report.id}` }] : []),
    { name: 'time', value: report.startedAt },
  ],
})

const canBeUndone = ({ steps }: Report): boolean => steps.some(({ undoable }) => undoable)

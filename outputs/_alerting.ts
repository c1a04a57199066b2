/** What outputs that alert people share: how bad it is, whether it is over, and all of it as plain text. Pure. */
import { message, type Notice, type Outcome, type Priority } from '../src/plugin.ts'
import { clip } from './_text.ts'

/** From the worst to the least; `success`: a response did what it should. */
export type Level = 'critical' | 'error' | 'warning' | 'info' | 'success'

const OF_PRIORITY: Readonly<Record<Priority, Level>> = {
  Emergency: 'critical',
  Alert: 'critical',
  Critical: 'critical',
  Error: 'error',
  Warning: 'warning',
  Notice: 'info',
  Informational: 'info',
  Debug: 'info',
}

const OF_OUTCOME: Readonly<Record<Outcome, Level>> = {
  succeeded: 'success',
  gone: 'success',
  skipped: 'info',
  refused: 'warning',
  failed: 'error',
  timed_out: 'error',
  unknown: 'error',
  interrupted: 'error',
}

/** How bad it is: by the outcome of a report, else by the priority of the event. */
export const levelOf = ({ event, report }: Notice): Level =>
  report ? OF_OUTCOME[report.outcome] : OF_PRIORITY[event.priority]

/** What the event was about is dealt with: a response changed it, or it is gone. */
export const isHandled = ({ report }: Notice): boolean =>
  report?.mode === 'enforce' && OF_OUTCOME[report.outcome] === 'success'

/** Of one line of a report, so that the lines behind it are never cut away. */
const MAX_LINE = 1_000

/**
 * All of it for people: the output of an event, and how many alerts a digest stands for; of a report its steps, then
 * `name: value` for response, rule, outcome, target, duration, trace, the command that undoes it.
 */
export const wholeText = (notice: Notice): string => {
  const { text, fields } = message(notice)
  const told = notice.report ? fields : fields.filter(({ name, isField }) => name === 'alerts' && !isField)
  const lines = told.map(({ name, value }) => `${name}: ${clip(value, MAX_LINE)}`)
  return [text, ...lines].filter(Boolean).join('\n')
}

/** Where HTML is shown: nothing of an event begins a tag. */
export const noTags = (text: string): string => text.replaceAll('<', '&lt;')

/** What other systems know the alert by, the same for every try: the sender's uuid, else the event's id. */
export const alertId = ({ event }: Notice): string => event.uuid ?? event.id

/** What is written down for longer than it is worked on, with the secrets taken out: journal and log. */
import { parseEvent, toJson } from './event.ts'
import type { DeadLetter, Journal, StoredEvent } from './journal/index.ts'
import { type AskedLog, mapLog, subjectOf } from './log-area.ts'
import { plainFields } from './log-plain.ts'
import type { LogFields } from './plugin.ts'
import type { Redact } from './redact.ts'
import { mapTexts } from './texts.ts'

/** The text of an event; what is none is redacted by patterns and presets alone. */
const redactBody = (body: string, redact: Redact): string => {
  try {
    const event = parseEvent(body, { id: '', input: '' })
    const redacted = redact(event)
    return redacted === event ? body : toJson(redacted.toJSON())
  } catch {
    return redact.text(body)
  }
}

/**
 * After a crash a response goes on with what is left of the event: fields that rules or steps need are not to be redacted.
 * Notices and the reports of the history are redacted already by who has their event.
 */
export const redactedJournal = (journal: Journal, redact: Redact): Journal =>
  new Proxy(journal, {
    get(target, name: keyof Journal) {
      const own = redacting(target, redact)[name]
      if (own) return own
      const value: unknown = target[name]
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })

const redacting = (journal: Journal, redact: Redact): Partial<Record<keyof Journal, unknown>> => ({
  accept: (event: StoredEvent) => journal.accept({ ...event, body: redactBody(event.body, redact) }),
  note: (event: string, key: string, value: unknown) => journal.note(event, key, mapTexts(value, redact.text)),
  bury: (letter: DeadLetter) =>
    journal.bury({
      ...letter,
      message: redact.text(letter.message),
      ...(letter.kind === 'event' && { body: redactBody(letter.body, redact) }),
    }),
})

/** Errors become data first: their messages tell secrets, too. Ids of traces stay, so that a line is found by them. */
export const redactedLog = (log: AskedLog, redact: Redact): AskedLog =>
  mapLog(log, subjectOf, (message, fields) => {
    if (!fields) return [redact.text(message)]
    const stacks = log.wants?.('debug', subjectOf(fields)) ?? false
    return [redact.text(message), { ...mapTexts(plainFields(fields, { stacks }), redact.text), ...idsIn(fields) }]
  })

const idsIn = ({ trace_id, span_id }: LogFields): LogFields => ({
  ...(isId(trace_id) && { trace_id }),
  ...(isId(span_id) && { span_id }),
})

const isId = (value: unknown): boolean => typeof value === 'string' && /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/.test(value)

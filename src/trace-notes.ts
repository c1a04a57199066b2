/** What a span says of itself, in words: its name, how it ended, and the lines below it. Pure. */
import { bytesText, cutText, plainLine } from './text-width.ts'
import type { SpanRecord } from './trace-tree.ts'

type Attributes = SpanRecord['attributes']

/** Characters of one text; an error may be a page. */
const LONGEST = 1_000

const clean = (value: unknown): string => cutText(plainLine(String(value).slice(0, 2 * LONGEST)), LONGEST)

const text = (value: unknown): string | undefined =>
  (typeof value === 'string' || typeof value === 'number') && value !== '' ? clean(value) : undefined

const joined = (parts: readonly (string | undefined)[], by: string): string => parts.filter(Boolean).join(by)

/** @example 'action kubernetes:label · mark' */
export const nameOf = ({ name, kind, attributes: of }: SpanRecord): string => {
  const notices = of['messaging.batch.message_count']
  const parts = [
    clean(name),
    text(of['security_rule.name']),
    text(of['falco.priority']),
    text(of['yarak.mode']),
    stepOf(of),
    kind === 'client' ? text(of['server.address']) : undefined,
    name.startsWith('send ') && notices !== undefined ? `${clean(notices)} notices` : undefined,
  ]
  return joined(parts, ' · ')
}

/** The id of a step, where it is another than that which its action gives it. */
const stepOf = (of: Attributes): string | undefined => {
  const step = text(of['yarak.step'])
  const action = typeof of['yarak.action'] === 'string' ? of['yarak.action'] : 'wait'
  return step === action.replaceAll(/[^A-Za-z0-9_-]/g, '-') ? undefined : step
}

/** @example 'succeeded (simulated)' */
export const outcomeOf = ({ attributes, failed }: SpanRecord): string => {
  const status = Number(attributes['http.response.status_code'] ?? 0)
  const outcome = text(attributes['yarak.outcome']) ?? (status > 0 ? String(status) : undefined)
  const simulated = attributes['yarak.simulated'] === true ? ' (simulated)' : ''
  return outcome ? outcome + simulated : failed ? 'error' : ''
}

/**
 * What deserves a line of its own under a span: which response it is, what it is linked with, retries, a guard's
 * verdict, files, and last its error or else its summary.
 * @param nameOfSpan of a span of the same trace, by its id
 */
export const notesOf = (span: SpanRecord, nameOfSpan: (id: string) => string | undefined): string[] =>
  [
    responseNote(span),
    ...linkNotes(span, nameOfSpan),
    ...fileNotes(span.attributes),
    reasonNote(span),
    ...span.events.filter(({ name }) => name !== 'undone').flatMap(eventNotes),
    (span.failed ? errorNote(span) : undefined) ?? text(span.attributes['yarak.summary']),
    ...span.events.filter(({ name }) => name === 'undone').flatMap(eventNotes),
  ].filter((note): note is string => Boolean(note))

const responseNote = ({ name, attributes: of }: SpanRecord): string | undefined => {
  const id = text(of['yarak.response.id'])
  if (id === undefined) return undefined
  if (of['yarak.outcome'] === 'joined') return `joined response ${id}`
  const resumed = of['yarak.resumed'] === true ? ', resumed after a restart' : ''
  return name.startsWith('respond ') ? joined([`response ${id}${resumed}`, targetOf(of)], ' · ') : `of response ${id}`
}

const targetOf = (of: Attributes): string | undefined =>
  text(of['yarak.target']) ??
  (joined([text(of['k8s.namespace.name']), text(of['k8s.pod.name'])], '/') || text(of['container.id']))

/** Links that are told. */
const LINKS = 3

const linkNotes = (
  { attributes, links = [] }: SpanRecord,
  nameOfSpan: (id: string) => string | undefined,
): string[] => {
  if (attributes['yarak.outcome'] === 'joined') return []
  const what = attributes['yarak.resumed'] === true ? 'goes on from' : 'linked with'
  const told = links.slice(0, LINKS).map((id) => {
    const name = nameOfSpan(id)
    return `${what} ${name === undefined ? `span ${clean(id)}` : clean(name)}`
  })
  return links.length > LINKS ? [...told, `and with ${links.length - LINKS} more`] : told
}

/** Of the span that kept a file, or of the report: what is known by then. */
const fileNotes = (of: Attributes): string[] => {
  const [name, size, sha, url] = [
    text(of['yarak.artifact']),
    of['yarak.artifact.size'],
    of['yarak.artifact.sha256'],
    of['url'],
  ]
  if (name === undefined) return []
  return [
    joined([`file ${name}`, typeof size === 'number' ? bytesText(size) : undefined], ' · '),
    ...(text(sha) === undefined ? [] : [`sha256 ${clean(sha)}`]),
    ...(text(url) === undefined ? [] : [`at ${clean(url)}`]),
  ]
}

/** Why there was no response. */
const reasonNote = ({ attributes: of }: SpanRecord): string | undefined =>
  of['yarak.outcome'] === 'suppressed' ? text(of['yarak.reason']) : undefined

/** With the short word for it, where nothing else tells it. */
const errorNote = ({ message, attributes, events }: SpanRecord): string | undefined => {
  const said = text(message)
  const type = text(attributes['error.type'])
  const known =
    type === 'error' ||
    type === attributes['yarak.outcome'] ||
    events.some((event) => event.attributes['yarak.reason'] === type)
  if (said === undefined || type === undefined || known || said.includes(type)) return said ?? type
  return `${said} (${type})`
}

type Event = SpanRecord['events'][number]

/** Those of the engine and of a report, as people say them. */
const EVENTS: Readonly<Record<string, (of: Attributes) => string>> = {
  retry: (of) => `retry ${joined([text(of['yarak.attempt']), text(of['yarak.reason'])], ': ')}`,
  guard: (of) => {
    const verdict = joined([text(of['yarak.verdict']), text(of['yarak.subject'])], ' ')
    return `guard ${joined([verdict, text(of['yarak.reason'])], ': ')}`
  },
  resume: (of) => `resumed: ${text(of['yarak.verdict']) ?? ''}`,
  undone: (of) => {
    const gone = of['yarak.outcome'] === 'gone' ? 'gone: ' : ''
    return `undone ${text(of['at']) ?? ''}: ${gone}${text(of['yarak.summary']) ?? ''}`
  },
}

const eventNotes = ({ name, attributes }: Event): readonly string[] => {
  if (name === 'file') return fileNotes(attributes)
  const known = Object.hasOwn(EVENTS, name) ? EVENTS[name] : undefined
  if (known) return [known(attributes)]
  const details = Object.entries(attributes).map(
    ([key, value]) => `${clean(key.replace(/^yarak\./, ''))}=${clean(value)}`,
  )
  return [joined([clean(name), ...details], ' ')]
}

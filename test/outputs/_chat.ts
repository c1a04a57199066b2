/** What the tests of chat outputs share: sending, hostile and huge notices, and Falcosidekick's differences for all. */
import type { Notice, Output } from '../../src/plugin.ts'
import { aNotice, anEvent, type Answers, aReport, type RecordedRequest, testIo } from '../../src/testing.ts'
import { toJson } from '../../src/event.ts'

/** A field of an attachment, as Slack and those that follow it have it. */
export interface Field {
  readonly title: string
  readonly value: string
  readonly short: boolean
}

/** An attachment of theirs. */
export interface Attachment {
  readonly fallback: string
  readonly color: string
  readonly title?: string
  readonly title_link?: string
  readonly text?: string
  readonly fields: readonly Field[] | null
  readonly footer?: string
}

export const TRACE_URL = 'https://jaeger.example.com/trace/4bf92f3577b34da6a3ce929d0e0e4736?uiFind=a_b'

/** The report of a response that can be undone, with the address of its trace. */
export const answered = (members: Partial<Notice> = {}): Notice => {
  const report = aReport()
  const steps = report.steps.map((step) => ({ ...step, undoable: true }))
  return aNotice({ report: { ...report, steps }, traceUrl: TRACE_URL, ...members })
}

/** A digest of three alerts. */
export const digest = (): Notice =>
  aNotice({ digest: { count: 3, first: '2026-01-31T11:59:00Z', last: '2026-01-31T12:00:00.123456789Z' } })

const never = new AbortController().signal

/** The requests by which an output tells of notices. */
export const sentBy = async (
  output: Output,
  config: object,
  notices: Notice | readonly Notice[],
  answer?: Answers,
): Promise<readonly RecordedRequest[]> => {
  const io = testIo(answer === undefined ? {} : { answer })
  const sender = await output.open(output.config.parse(config), io)
  await sender.send([notices].flat(), never)
  await sender.close?.()
  return io.requests
}

/** The body of the one request for a notice. */
export const bodyBy = async <T>(output: Output, config: object, notice: Notice): Promise<T> => {
  const [request, ...more] = await sentBy(output, config, notice)
  if (!request || more.length > 0) throw new Error(`${more.length + 1} requests`)
  return JSON.parse(request.body) as T
}

const LONG = 'A<&>"*_`@all [x](y) \u{1f989}\u0000規\n'.repeat(40_000)

/** Notices that are over every vendor's limits. */
export const hugeNotices = (): readonly { readonly name: string; readonly notice: Notice }[] => {
  const many = Object.fromEntries(
    Array.from({ length: 500 }, (_, i) => [`proc.aname[${i}]`, `name ${i} ${'x'.repeat(60)}`]),
  )
  const step = { ...aReport().steps[0]!, summary: LONG.slice(0, 20_000), undoable: true }
  const report = aReport({ rule: LONG, target: LONG, steps: Array.from({ length: 60 }, () => step) })
  const everywhere = {
    rule: LONG,
    output: LONG,
    source: LONG,
    hostname: LONG,
    tags: Array.from({ length: 200 }, (_, i) => `${i} ${LONG.slice(0, 900)}`),
    output_fields: { ...many, [LONG.slice(0, 9_000)]: LONG, 'proc.cmdline': LONG },
  }
  return [
    { name: 'an output of a megabyte', notice: aNotice({ event: anEvent({ output: LONG }) }) },
    { name: 'five hundred fields', notice: aNotice({ event: anEvent({ output_fields: many }) }) },
    { name: 'everything too long', notice: aNotice({ event: anEvent(everywhere) }) },
    { name: 'a report of everything too long', notice: answered({ event: anEvent(everywhere), report }) },
  ]
}

// ── what Falcosidekick sent, with the differences that every chat output has ───────────────────────────────────────────

const mapTexts = (value: unknown, fn: (text: string) => string): unknown => {
  if (typeof value === 'string') return fn(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((inner) => mapTexts(inner, fn))
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mapTexts(inner, fn)]))
}

/** As Go prints the times of the recorded events. */
const GO_TIMES: Readonly<Record<string, string>> = {
  '2026-01-31T12:00:00.123456789Z': '2026-01-31 12:00:00.123456789 +0000 UTC',
  '2026-01-31T14:00:00.1+02:00': '2026-01-31 14:00:00.1 +0200 +0200',
}

/** All texts of a body, without its structure. */
export const textsOf = (body: unknown): string => {
  const texts: string[] = []
  mapTexts(body, (text) => (texts.push(text), text))
  return texts.join('\n\n')
}

/**
 * A recorded body with what is different on purpose in all chat outputs: times are RFC 3339, tags are in the event's order,
 * and what Falcosidekick cut at 512 bytes is whole.
 */
export const mended = <T>(body: string, { event }: Notice, separator = ', '): T => {
  const tags = event.tags.join(separator)
  const long = Object.values(event.fields).filter(
    (value) => typeof value === 'string' && value.length > 512,
  ) as string[]
  const texts = mapTexts(JSON.parse(body), (text) =>
    long
      .reduce((rest, value) => rest.replaceAll(`${value.slice(0, 507)}[...]`, value), text)
      .replaceAll(GO_TIMES[event.time] ?? 'no time', event.time)
      .replaceAll(event.tags.toSorted().join(separator) || 'no tags', tags),
  )
  return texts as T
}

/** {@link mapTexts} with the type kept. */
export const escaped = <T>(value: T, escape: (text: string) => string): T => mapTexts(value, escape) as T

/**
 * Recorded rows with those of the event's fields put among them that are no texts, which Falcosidekick's chat outputs
 * leave out.
 */
export const withAllFields = <T>(
  rows: readonly T[],
  { event: { fields } }: Notice,
  nameOf: (row: T) => string,
  make: (name: string, value: string) => T,
): T[] => {
  const names = Object.keys(fields).toSorted()
  const texts = names.filter((name) => typeof fields[name] === 'string')
  const start = rows.findIndex((row) => nameOf(row) === texts[0])
  const recorded = rows.slice(start, start + texts.length)
  const all = names
    .filter((name) => fields[name] !== null)
    .map((name) => recorded.find((row) => nameOf(row) === name) ?? make(name, toJson(fields[name])))
  return [...rows.slice(0, start), ...all, ...rows.slice(start + texts.length)]
}

/** A trace as a readable tree, for terminals. Pure: spans in, text out. */

/** A finished span as plain data. Times are milliseconds since the epoch. */
export interface SpanRecord {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId?: string | undefined
  readonly start: number
  readonly end: number
  readonly failed: boolean
  readonly message?: string | undefined
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[]
  /** Ids of the spans it is linked to. */
  readonly links?: readonly string[]
}

/** Paints a text; the identity where there is no terminal. */
export interface Paint {
  readonly ok: (text: string) => string
  readonly bad: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

export const PLAIN: Paint = { ok: (t) => t, bad: (t) => t, dim: (t) => t, bold: (t) => t }

/**
 * Draws one trace.
 * @example
 * POST / · Terminal shell in container · Notice                      2.1 ms
 * └─ respond Shell in a container · enforce          ✔ succeeded    12.0 ms
 *    └─ action evidence:save                         ✔ succeeded     3.2 ms
 */
export const drawTrace = (spans: readonly SpanRecord[], paint: Paint = PLAIN): string => {
  const known = new Set(spans.map(({ spanId }) => spanId))
  const children = Map.groupBy(spans, ({ parentId }) => (parentId && known.has(parentId) ? parentId : ''))
  const lines: Line[] = []
  const visit = (span: SpanRecord, lead: string, last: boolean, depth: number): void => {
    const branch = depth === 0 ? '' : last ? '└─ ' : '├─ '
    const below = depth === 0 ? '' : lead + (last ? '   ' : '│  ')
    lines.push({ text: lead + branch, name: nameOf(span), outcome: outcomeOf(span), time: span.end - span.start, span })
    const inner = byStart(children.get(span.spanId) ?? [])
    for (const note of notesOf(span)) {
      lines.push({ text: below + (inner.length > 0 ? '│  ' : '   '), name: note, outcome: '', time: undefined, span })
    }
    inner.forEach((child, i) => visit(child, below, i === inner.length - 1, depth + 1))
  }
  for (const root of byStart(children.get('') ?? [])) visit(root, '', true, 0)
  return [header(spans, paint), ...layOut(lines, paint)].join('\n')
}

interface Line {
  readonly text: string
  readonly name: string
  readonly outcome: string
  readonly time: number | undefined
  readonly span: SpanRecord
}

const byStart = (spans: readonly SpanRecord[]): SpanRecord[] => spans.toSorted((a, b) => a.start - b.start)

const header = (spans: readonly SpanRecord[], paint: Paint): string => paint.dim(`trace ${spans[0]?.traceId ?? ''}`)

const text = (value: unknown): string | undefined => (typeof value === 'string' && value ? clean(value) : undefined)

/** Nothing an event holds may move the cursor. */
const clean = (value: string): string => {
  const printable = value.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
  return printable.length > 160 ? `${printable.slice(0, 159)}…` : printable
}

const nameOf = ({ name, attributes }: SpanRecord): string =>
  [
    clean(name),
    text(attributes['security_rule.name']),
    text(attributes['falco.priority']),
    text(attributes['yarak.mode']),
  ]
    .filter(Boolean)
    .join(' · ')

const outcomeOf = ({ attributes, failed }: SpanRecord): string => {
  const status = Number(attributes['http.response.status_code'] ?? 0)
  const outcome = text(attributes['yarak.outcome']) ?? (status > 0 ? String(status) : undefined)
  const simulated = attributes['yarak.simulated'] === true ? ' (simulated)' : ''
  return outcome ? outcome + simulated : failed ? 'error' : ''
}

/** What deserves a line of its own under a span: an action's summary, an error, a retry, a guard's verdict. */
const notesOf = (span: SpanRecord): string[] => {
  const summary = text(span.attributes['yarak.summary'])
  const error = span.failed ? text(span.message) : undefined
  const events = span.events.map(({ name, attributes }) => {
    const details = Object.entries(attributes).map(
      ([key, value]) => `${key.replace(/^yarak\./, '')}=${clean(String(value as string))}`,
    )
    return [clean(name), ...details].join(' ')
  })
  return [...events, ...[error ?? summary].filter((note) => note !== undefined)]
}

const BAD = new Set(['failed', 'timed_out', 'refused', 'unknown', 'interrupted', 'error', 'dead_lettered'])

const layOut = (lines: readonly Line[], paint: Paint): string[] => {
  const width = Math.max(
    ...lines.filter(({ time }) => time !== undefined).map((line) => line.text.length + line.name.length),
  )
  return lines.map(({ text: lead, name, outcome, time, span }) => {
    if (time === undefined) return `${paint.dim(lead)}${paint.dim(name)}`
    const bad = span.failed || BAD.has(outcome) || /^[45]\d\d$/.test(outcome)
    const mark = outcome === '' ? ' ' : bad ? '✘' : '✔'
    const padded = `${mark} ${outcome}`.padEnd(24)
    const pad = ' '.repeat(width - lead.length - name.length)
    const shown = name.startsWith('respond ') ? paint.bold(name) : name
    return `${paint.dim(lead)}${shown}${pad}  ${outcome === '' ? padded : bad ? paint.bad(padded) : paint.ok(padded)}${millisText(time)}`
  })
}

const millisText = (time: number): string =>
  (time >= 10_000 ? `${(time / 1_000).toFixed(1)} s` : `${time.toFixed(1)} ms`).padStart(10)

/** A trace as a readable tree, for terminals. Pure: spans in, text out. */
import { cutText, textWidth } from './text-width.ts'
import { nameOf, notesOf, outcomeOf } from './trace-notes.ts'

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
 * Draws one trace. Spans of one parent are in order of their start; a span whose parent is not among them has `┄`
 * before it. What events hold cannot move the cursor.
 * @param columns how wide the terminal is; longer lines are cut. Default no limit, for a pipe
 * @example
 * POST / · Terminal shell in container · Notice           2.1 ms
 * └─ respond Shell in a container · enforce  ✔ succeeded  12.0 ms
 *    └─ action evidence:save                 ✔ succeeded   3.2 ms
 */
export const drawTrace = (spans: readonly SpanRecord[], paint: Paint = PLAIN, columns = Infinity): string => {
  const id = spans[0]?.traceId
  const width = Math.max(columns, NARROWEST)
  return [paint.dim(id ? `trace ${id}` : 'no trace'), ...layOut(linesOf(spans, width), paint, width)].join('\n')
}

/** Nothing is cut to less. */
const NARROWEST = 40

interface Line {
  /** The branches before it. */
  readonly lead: string
  readonly text: string
  /** Undefined of a note. */
  readonly span: SpanRecord | undefined
}

interface Visit {
  readonly span: SpanRecord
  readonly lead: string
  readonly last: boolean
  readonly depth: number
}

/** Top down, without recursion: a trace may be deep. */
const linesOf = (spans: readonly SpanRecord[], width: number): Line[] => {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const children = Map.groupBy(spans, ({ parentId }) => (parentId && byId.has(parentId) ? parentId : ''))
  const clip = clipper(Math.min(width / 4, DEEPEST))
  const lines: Line[] = []
  const left = new Set(spans)
  const draw = (root: SpanRecord): void => {
    const stack: Visit[] = [{ span: root, lead: '', last: true, depth: 0 }]
    for (let visit = stack.pop(); visit; visit = stack.pop()) {
      const { span, lead, last, depth } = visit
      if (!left.delete(span)) continue
      const branch = depth > 0 ? (last ? '└─ ' : '├─ ') : span.parentId ? '┄ ' : ''
      const below = depth === 0 ? '' : clip(lead + (last ? '   ' : '│  '))
      const inner = byStart(children.get(span.spanId) ?? [])
      const notes = notesOf(span, (id) => byId.get(id)?.name)
      const beside = below + (inner.length > 0 ? '│  ' : '   ')
      lines.push({ lead: lead + branch, text: nameOf(span), span })
      lines.push(...notes.map((text) => ({ lead: beside, text, span: undefined })))
      const visits = inner.map((child, i) => ({
        span: child,
        lead: below,
        last: i === inner.length - 1,
        depth: depth + 1,
      }))
      for (const child of visits.toReversed()) stack.push(child)
    }
  }
  byStart(children.get('') ?? []).forEach(draw)
  // parents that are each other's children are nobody's
  byStart([...left]).forEach(draw)
  return lines
}

/** Columns of branches, beyond which the outer ones are left out. */
const DEEPEST = 90

const clipper =
  (most: number) =>
  (lead: string): string =>
    lead.length <= most ? lead : `…  ${lead.slice(6)}`

const byStart = (spans: readonly SpanRecord[]): SpanRecord[] => spans.toSorted((a, b) => a.start - b.start)

const BAD = new Set(['failed', 'timed_out', 'refused', 'unknown', 'interrupted', 'error', 'dead_lettered'])
/** Nothing was done, and nothing went wrong. */
const IDLE = new Set(['skipped', 'joined', 'suppressed', 'filtered'])

/** The outcome with its mark, and how it is painted. */
const endOf = (span: SpanRecord, paint: Paint): readonly [text: string, paint: (text: string) => string] => {
  const outcome = outcomeOf(span)
  if (outcome === '') return ['', (text) => text]
  if (span.failed || BAD.has(outcome) || /^[45]\d\d$/.test(outcome)) return [`✘ ${outcome}`, paint.bad]
  return IDLE.has(outcome) ? [`– ${outcome}`, paint.dim] : [`✔ ${outcome}`, paint.ok]
}

const longest = (widths: readonly number[]): number => widths.reduce((a, b) => Math.max(a, b), 0)

/** In columns: the name, how it ended, how long it took. */
const layOut = (lines: readonly Line[], paint: Paint, width: number): string[] => {
  const rows = lines.map(({ lead, text, span }) => ({
    ...{ lead, text },
    ...(span && { end: endOf(span, paint), time: millisText(span.end - span.start) }),
  }))
  const times = longest(rows.map(({ time = '' }) => time.length))
  const ends = Math.min(longest(rows.map(({ end }) => textWidth(end?.[0] ?? ''))), Math.floor(width / 3))
  const most = width - times - ends - 2 * GAP.length
  const names = Math.min(longest(rows.map(({ lead, text, time }) => (time ? lead.length + textWidth(text) : 0))), most)
  return rows.map(({ lead, text, end, time }) => {
    if (!end) return paint.dim(lead + cutText(text, width - lead.length))
    const name = cutText(text, names - lead.length)
    const shown = name.startsWith('respond ') ? paint.bold(name) : name
    const outcome = padded(cutText(end[0], ends), ends)
    return `${lead && paint.dim(lead)}${shown}${' '.repeat(Math.max(0, names - lead.length - textWidth(name)))}${GAP}${end[1](outcome)}${GAP}${time?.padStart(times)}`
  })
}

const GAP = '  '

const padded = (text: string, columns: number): string => text + ' '.repeat(Math.max(0, columns - textWidth(text)))

const millisText = (time: number): string => {
  if (time >= 1_000_000) return `${(time / 60_000).toFixed(1)} min`
  return time >= 10_000 ? `${(time / 1_000).toFixed(1)} s` : `${Math.max(0, time).toFixed(1)} ms`
}

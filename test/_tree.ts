/** Trees that are the same in every run: times of what they are drawn from, and ids in what is drawn. */
import { drawTrace, type SpanRecord } from '../src/trace-tree.ts'

/** Spans in their order, each as long as there is below it. */
export const timeless = (spans: readonly SpanRecord[]): SpanRecord[] => {
  const sorted = spans.toSorted((a, b) => a.start - b.start)
  const below = (id: string): number =>
    sorted.filter(({ parentId }) => parentId === id).reduce((sum, { spanId }) => sum + 1.5 + below(spanId), 0)
  return sorted.map((span, i) => ({ ...span, start: i, end: i + 1.5 + below(span.spanId) }))
}

const KINDS: readonly [RegExp, (n: number, found: string) => string][] = [
  [/\b[0-9a-f]{64}\b/g, (_n, found) => found],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, (n) => `event-${String(n).padStart(30, '0')}`],
  [/\b[0-9a-f]{32}\b/g, (n) => String(n).repeat(32)],
  [/\b[0-9a-f]{16}\b/g, (n) => String(n).repeat(16)],
  [/(?<=_)[0-9a-f]{8}(?=_)/g, () => '01234567'],
  [/\d{4}-\d\d-\d\d[T ][\d-]{8}\.\d{3}Z/g, () => '2026-11-23T08-00-00.000Z'],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, () => '2026-11-23 08:00:00'],
  [/file:\/\/\S*\/evidence\//g, () => 'file:///data/evidence/'],
]

/** Ids by the order in which they are named. */
export const nameless = (text: string): string =>
  KINDS.reduce((sofar, [pattern, stable]) => {
    const seen = new Map<string, string>()
    return sofar.replaceAll(pattern, (found) => {
      const known = seen.get(found) ?? stable(seen.size + 1, found)
      seen.set(found, known)
      return known
    })
  }, text)

/** The tree of a whole trace as a golden file has it. */
export const golden = (spans: readonly SpanRecord[]): string => `${nameless(drawTrace(timeless(spans)))}\n`

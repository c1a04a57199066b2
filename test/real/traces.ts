/** Reading a trace back from Jaeger or Tempo, as a tree. */
import { readSpans, type ResourceSpans, type SpanNode } from './otlp.ts'
import { until } from './part.ts'

export type { Attribute, Attributes, SpanEvent, SpanLink, SpanNode } from './otlp.ts'

export interface Trace {
  readonly id: string
  /** The span that began first among those whose parent is not in the trace. */
  readonly root: SpanNode
  /** More than one when a parent was never exported, as in a response that went on after a restart. */
  readonly roots: readonly SpanNode[]
  /** Every span, by its beginning. */
  readonly spans: readonly SpanNode[]
}

/** Where traces are kept: the base of the query API, and whose API it is. */
export interface TraceStore {
  readonly queryUrl: string
  readonly api?: 'jaeger' | 'tempo'
}

export interface WaitOptions {
  /** How many spans to wait for; else the trace is taken when it has not grown for half a second. */
  readonly spans?: number
  readonly timeoutMs?: number
}

/** Polls until the trace is there with all its spans. Spans come late: exporters send them in batches. */
export const waitForTrace = async (store: TraceStore, traceId: string, options: WaitOptions = {}): Promise<Trace> => {
  const { spans: wanted, timeoutMs = 15_000 } = options
  let seen = 0
  const probe = async (): Promise<Trace | undefined> => {
    const document = await fetchTrace(store, traceId)
    const trace = document === undefined ? undefined : readTrace(traceId, document)
    if (!trace) return undefined
    const { length } = trace.spans
    const complete = wanted === undefined ? length === seen : length >= wanted
    seen = length
    return complete ? trace : undefined
  }
  try {
    return await until(`trace ${traceId}`, probe, timeoutMs, wanted === undefined ? 500 : 100)
  } catch (error) {
    throw new Error(`trace ${traceId} has ${seen} of ${wanted ?? 'its'} spans after ${timeoutMs / 1000} s`, {
      cause: error,
    })
  }
}

/** Jaeger, unless asked for the raw trace, repairs what it takes for mistakes, and keeps its repairs in memory. */
const paths = {
  jaeger: (id: string) => `api/v3/traces/${id}?raw_traces=true`,
  tempo: (id: string) => `api/traces/${id}`,
}

const fetchTrace = async ({ queryUrl, api = 'jaeger' }: TraceStore, traceId: string): Promise<unknown> => {
  const response = await fetch(`${queryUrl}/${paths[api](traceId)}`, {
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(5_000),
  })
  if (response.ok) return response.json()
  await response.arrayBuffer()
  return undefined
}

/** Makes the tree from what the store answered: Jaeger's `result`, Tempo's `batches`, or Tempo's newer `trace`. */
export const readTrace = (id: string, document: unknown): Trace | undefined => {
  const spans = readSpans(groupsOf(document)).sort(byStart)
  const byId = new Map(spans.map((span) => [span.id, span]))
  const roots: SpanNode[] = []
  for (const span of spans) {
    const parent = span.parentId === undefined ? undefined : byId.get(span.parentId)
    ;(parent?.children ?? roots).push(span)
  }
  const [root] = roots
  return root && { id, root, roots, spans }
}

interface Answer {
  result?: Answer
  trace?: Answer
  batches?: ResourceSpans[]
  resourceSpans?: ResourceSpans[]
}

const groupsOf = (document: unknown): ResourceSpans[] => {
  const answer = document as Answer
  const inner = answer.result ?? answer.trace ?? answer
  return inner.resourceSpans ?? inner.batches ?? []
}

const byStart = (a: SpanNode, b: SpanNode): number => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0)

/** The spans of a trace with this name, by their beginning. */
export const spansNamed = (trace: Trace, name: string): SpanNode[] => trace.spans.filter((span) => span.name === name)

/** The trace as text, one span a line, for a failed test or the shell. */
export const printTrace = (trace: Trace): string =>
  [`trace ${trace.id}`, ...trace.roots.flatMap((root) => printSpan(root, '', '  '))].join('\n')

const printSpan = (span: SpanNode, mark: string, indent: string): string[] => {
  const { code, message } = span.status
  const status = code === 'unset' ? '' : ` ${code}${message && `: ${message}`}`
  const line = `${mark || indent}${span.name} [${span.kind}] ${milliseconds(span)}${status}`
  return [line, ...printNotes(span, indent), ...printChildren(span, indent)]
}

const printNotes = (span: SpanNode, indent: string): string[] =>
  [
    ...Object.entries(span.attributes).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
    ...span.events.map(({ name, attributes }) => `* ${name} ${JSON.stringify(attributes)}`),
    ...span.links.map(({ traceId, spanId }) => `-> ${traceId}/${spanId}`),
  ].map((note) => `${indent}${span.children.length ? '│' : ' '}    ${note}`)

const printChildren = (span: SpanNode, indent: string): string[] =>
  span.children.flatMap((child, index) => {
    const last = index === span.children.length - 1
    return printSpan(child, `${indent}${last ? '└─ ' : '├─ '}`, `${indent}${last ? '   ' : '│  '}`)
  })

const milliseconds = ({ start, end }: SpanNode): string => `${(Number(end - start) / 1e6).toFixed(1)} ms`

/** An alert that is answered, told and traced: its trace against the table, whatever store it is read back from. */
import { expect } from 'vitest'
import { type About, alertAbout, apiCall, isApiCall, type Row, table } from './_trace-table.ts'
import { CONTAIN, NAMESPACE, SECRET, type Sent, type Stage, TOPICS, type Written } from './_trace-stage.ts'
import { until } from './part.ts'
import { printTrace, type SpanNode, spansNamed, type Trace, type TraceStore, waitForTrace } from './traces.ts'

/** The trace once it has so many spans of that name, which end after those below them. */
export const traceWith = (store: TraceStore, { traceId }: Pick<Sent, 'traceId'>, name: string): Promise<Trace> =>
  until(
    `${name} in trace ${traceId}`,
    async () => {
      const trace = await waitForTrace(store, traceId)
      return spansNamed(trace, name).length > 0 ? trace : undefined
    },
    60_000,
  )

/** The only span of this name. */
export const oneSpan = (trace: Trace, name: string): SpanNode => {
  const found = spansNamed(trace, name)
  if (found.length !== 1) throw new Error(`${found.length} spans are called ${name}\n${printTrace(trace)}`)
  return found[0] as SpanNode
}

export const traceparentOf = ({ id }: Trace, span: SpanNode): string => `00-${id}-${span.id}-01`

/** A response as a sender and the two outputs see it. */
export interface Whole extends About {
  readonly sent: Sent
  readonly trace: Trace
}

/** Sends an alert about a pod, and waits until it is answered and its trace is in the store. */
export const answered = async (
  stage: Stage,
  store: TraceStore,
  way: About['way'],
  pod: About['pod'],
): Promise<Whole> => {
  const sent = await (way === 'http' ? stage.post : stage.write)(alertAbout(CONTAIN, pod))
  const trace = await traceWith(store, sent, 'respond Contain')
  const { attributes } = oneSpan(trace, 'respond Contain')
  const [response, event] = [
    attributes['yarak.response.id'] as string,
    trace.root.attributes['yarak.event.id'] as string,
  ]
  return { way, pod, sent, trace, response, event }
}

/** Every span of the table is there and no other; each has the parent, kind, status, attributes and events it should. */
export const expectTable = (whole: Whole): void => {
  const { trace, sent } = whole
  expect(trace.roots.map(({ name, parentId }) => [name, parentId])).toEqual([[table(whole).name, sent.parentId]])
  expectRow(trace.root, table(whole), '')
  for (const span of trace.spans) {
    expect(span.attributes['k8s.cluster.name'], span.name).toBe('lab')
    expect(span.resource, span.name).toMatchObject({ 'service.name': 'yarak', 'service.version': expect.any(String) })
    expect(span.traceState, span.name).toBe('acme=blue')
    expect(span.links, span.name).toEqual([])
  }
  expect(printTrace(trace)).not.toContain(SECRET)
}

const expectRow = (span: SpanNode, row: Row, above: string): void => {
  const path = `${above} > ${span.name}`
  expect({ name: span.name, kind: span.kind, status: span.status.code }, path).toEqual({
    ...{ name: row.name, kind: row.kind, status: row.error === undefined ? 'unset' : 'error' },
  })
  expect(span.attributes['error.type'], path).toEqual(row.error)
  expect(span.attributes, path).toMatchObject(row.attributes)
  expect(
    span.events.map(({ name, attributes }) => [name, attributes]),
    path,
  ).toEqual(row.events ?? [])
  const calls = span.children.filter(isApiCall)
  expect(
    calls.map(({ name }) => name),
    path,
  ).toEqual(row.api ? expect.arrayContaining([...row.api]) : [])
  for (const call of calls) expectRow(call, apiCall(call), path)
  const others = span.children.filter((child) => !isApiCall(child)).toSorted(byName)
  const rows = (row.below ?? []).toSorted(byName)
  expect(
    others.map(({ name }) => name),
    path,
  ).toEqual(rows.map(({ name }) => name))
  others.forEach((child, index) => expectRow(child, rows[index] as Row, path))
}

/** Those of one name stay in the order in which they began. */
const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0

/** Its output has it in the journal, and delivers it when it can: the response does not wait for that. */
const isKept = ({ name, events }: SpanNode): boolean =>
  name.startsWith('notify ') && events.some((event) => event.name === 'retry')

/** Nothing ends before what is below it, but for the reception, which ends when the event is accepted. */
export const expectOpen = ({ trace }: Pick<Whole, 'trace'>): void => {
  for (const span of trace.spans.filter((one) => one !== trace.root))
    for (const child of span.children) {
      const path = `${span.name} > ${child.name}`
      expect(child.start >= span.start, `${path} begins after it`).toBe(true)
      if (!isKept(child)) expect(child.end <= span.end, `${path} ends before it`).toBe(true)
    }
  expect(trace.root.end >= oneSpan(trace, 'match').end, 'accepted after it was matched').toBe(true)
  expect(trace.root.end < oneSpan(trace, 'action http:request').end, 'accepted before it was answered').toBe(true)
}

/** Both outputs can go on in the trace: of the event and of the report each was told by a span of it. */
export const expectPassedOn = async ({ trace, response, pod }: Whole, stage: Stage): Promise<void> => {
  const notices = (name: string): SpanNode[] => spansNamed(trace, name)
  const posts = stage.hook.to('/told').filter(({ headers }) => headers.traceparent?.includes(trace.id))
  const calls = notices('notify webhook').flatMap(({ children }) => children)
  expect(posts.map(({ headers }) => headers.traceparent)).toEqual(calls.map((span) => traceparentOf(trace, span)))
  expect(new Set(posts.map(({ headers }) => headers.tracestate))).toEqual(new Set(['acme=blue']))
  expect(posts.flatMap(({ body }) => (JSON.parse(body) as Written['value']).response ?? [])).toMatchObject(
    // the first try of the report was not taken
    Array.from({ length: 2 }, () => ({ id: response, traceId: trace.id })),
  )
  const records = await until('the records', async () => {
    const found = stage.written.filter(({ headers }) => headers.traceparent?.includes(trace.id))
    return found.length === 2 ? found : undefined
  })
  const sends = notices('notify kafka').map((span) => traceparentOf(trace, span))
  expect(records.map(({ topic, headers }) => [topic, headers.traceparent, headers.tracestate])).toEqual(
    sends.map((traceparent) => [TOPICS.told, traceparent, 'acme=blue']),
  )
  expect(records[1]?.value.response).toMatchObject({ id: response, traceId: trace.id })
  expect(stage.hook.to('/block').filter(({ body }) => body.includes(pod.name))).toMatchObject(
    oneSpan(trace, 'action http:request').children.map((span) => ({
      headers: { traceparent: traceparentOf(trace, span), tracestate: 'acme=blue' },
    })),
  )
}

/** What is written about it elsewhere tells the trace: log and cluster. */
export const expectTold = async ({ trace, response, pod }: Whole, stage: Stage): Promise<void> => {
  expect(stage.lines().filter((line) => line.response === response)).toEqual([
    expect.objectContaining({ message: 'response ended', outcome: 'refused', trace_id: trace.id }),
  ])
  const { metadata } = await stage.cluster.core.readNamespacedPod({ namespace: NAMESPACE, name: pod.name })
  const { annotations = {} } = metadata ?? {}
  expect(annotations['example.com/trace']).toBe(trace.id)
  const notes = Object.entries(annotations).filter(([name]) => name.includes('yarak.dev/'))
  expect(notes).toHaveLength(2)
  for (const [, note] of notes)
    expect(JSON.parse(note)).toMatchObject({ traceparent: traceparentOf(trace, oneSpan(trace, 'respond Contain')) })
}

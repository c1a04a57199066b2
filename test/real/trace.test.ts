/** The trace of a response as people see it: read back from Jaeger, with every span, and what links it to others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type About, alertAbout } from './_trace-table.ts'
import { NAMESPACE, NUMBERED, type Sent, type Stage, startStage, TOPICS, WATCH } from './_trace-stage.ts'
import {
  answered,
  expectOpen,
  expectPassedOn,
  expectTable,
  expectTold,
  oneSpan,
  traceparentOf,
  traceWith,
  type Whole,
} from './_trace-whole.ts'
import { jaeger } from './jaeger.ts'
import { kafka } from './kafka.ts'
import { kubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { printTrace, type SpanNode, spansNamed, type Trace } from './traces.ts'
import { describeParts, running } from './vitest.ts'

describeParts([kafka, kubernetes, jaeger], () => {
  const store = running(jaeger)
  let stage: Stage
  let pods: About['pod'][]

  beforeAll(async () => {
    stage = await startStage(store().otlpHttp)
    await stage.start()
    const made = await stage.cluster.deployment('web', { namespace: NAMESPACE, replicas: 2 })
    pods = made.map(({ metadata }) => ({ name: metadata?.name ?? '', uid: metadata?.uid ?? '' }))
  }, 120_000)
  afterAll(async () => {
    expect(await stage?.stop()).toBe(0)
  })

  describe.each([
    ['by HTTP', 'http', 0],
    ['from Kafka', 'kafka', 1],
  ] as const)('an alert %s', (_, way, index) => {
    let whole: Whole
    beforeAll(async () => {
      whole = await answered(stage, store(), way, pods[index] as About['pod'])
    }, 60_000)

    it('has every span of the table below the span of its sender, and no other', () => expectTable(whole))
    it('is open until all that is below it has ended, but for the reception', () => expectOpen(whole))
    it('goes on at both outputs and at whom a step calls', () => expectPassedOn(whole, stage))
    it('is told in the log and on the pod', () => expectTold(whole, stage))
  })

  it('a batch points to each of its notices, which go on in the traces of their own', async () => {
    const sent: Sent[] = []
    for (const name of ['a', 'b', 'c']) sent.push(await stage.post(alertAbout(NUMBERED, { name, uid: name })))
    const traces = await Promise.all(sent.map((one) => traceWith(store(), one, 'notify kafka/batched')))
    const notices = traces.map((trace) => oneSpan(trace, 'notify kafka/batched'))
    const [first, ...others] = traces.map((trace, i) => pointer(trace, notices[i] as SpanNode))
    const send = oneSpan(traces[0] as Trace, 'send kafka/batched')
    expect(send).toMatchObject({
      ...{ kind: 'internal', parentId: first?.spanId, status: { code: 'unset' } },
      attributes: { 'yarak.output': 'kafka/batched', 'messaging.batch.message_count': 3 },
    })
    expect(send.links).toMatchObject(others)
    expect(send.children).toMatchObject([{ name: `send ${TOPICS.batched}`, kind: 'client' }])
    const toSend = pointer(traces[0] as Trace, send)
    expect(notices.map(({ links }) => links.map(idsOf))).toEqual([[], [toSend], [toSend]])
    const records = await until('the records', async () => {
      const found = stage.written.filter(({ topic }) => topic === TOPICS.batched)
      return found.length === 3 ? found : undefined
    })
    expect(new Set(records.map(({ headers }) => headers.traceparent))).toEqual(
      new Set(traces.map((trace, i) => traceparentOf(trace, notices[i] as SpanNode))),
    )
  }, 60_000)

  describe('a response that runs', () => {
    const pod = { name: 'watched', uid: '' }
    let leader: Trace
    let joined: Trace
    beforeAll(async () => {
      await stage.cluster.pod(pod.name, { namespace: NAMESPACE })
      const first = await stage.post(alertAbout(WATCH, pod))
      await until('the request that waits', async () => stage.hook.to('/gate')[0])
      const second = await stage.post(alertAbout(WATCH, pod))
      joined = await traceWith(store(), second, 'respond Watch')
      stage.hook.open()
      leader = await traceWith(store(), first, 'respond Watch')
    }, 60_000)

    it('is joined by a duplicate, whose span points to it', () => {
      expect(oneSpan(joined, 'respond Watch')).toMatchObject({
        parentId: joined.root.id,
        attributes: {
          'yarak.outcome': 'joined',
          'yarak.response.id': oneSpan(leader, 'respond Watch').attributes['yarak.response.id'],
        },
        links: [pointer(leader, oneSpan(leader, 'respond Watch'))],
        children: [],
      })
      expect(oneSpan(leader, 'respond Watch').attributes['yarak.outcome']).toBe('succeeded')
    })

    it('is joined, and the line that says so tells the trace', () => {
      const lines = stage.lines().filter(({ message }) => message === 'joined a response')
      expect(lines).toMatchObject([{ trace_id: joined.id }])
    })

    it('is undone when its time is over, in a trace that points to it', async () => {
      const respond = oneSpan(leader, 'respond Watch')
      const line = await until(
        'the line of the undo',
        async () => stage.lines().find(({ message }) => message === 'a change was undone'),
        60_000,
      )
      const response = respond.attributes['yarak.response.id']
      expect(line).toMatchObject({ response, trace_id: expect.not.stringContaining(leader.id) })
      const trace = await traceWith(store(), { traceId: String(line.trace_id) }, 'undo kubernetes:label')
      expect(trace.roots.map(({ name, parentId }) => [name, parentId])).toEqual([['undo kubernetes:label', undefined]])
      expect(trace.root).toMatchObject({
        kind: 'internal',
        status: { code: 'unset' },
        attributes: {
          ...{ 'yarak.action': 'kubernetes:label', 'yarak.step': 'mark', 'yarak.rule': 'Watch' },
          ...{ 'yarak.response.id': response, 'yarak.outcome': 'succeeded' },
        },
        links: [pointer(leader, respond)],
      })
      expect(trace.root.children.map(({ name, kind }) => [name, kind])).toContainEqual([
        'PATCH /api/v1/namespaces/{namespace}/pods/{name}',
        'client',
      ])
    }, 90_000)
  })

  it('goes on in the same trace after it was killed, with links to what was cut short', async () => {
    const pod = { name: 'resumed', uid: '' }
    await stage.cluster.pod(pod.name, { namespace: NAMESPACE })
    const asked = stage.hook.to('/gate').length
    const sent = await stage.post(alertAbout(WATCH, pod))
    const cut = await until('the request that waits', async () => stage.hook.to('/gate')[asked])
    await traceWith(store(), sent, 'action kubernetes:label')
    await stage.kill()
    const [begun] = stage.noted('begun ask Watch')
    await stage.start()
    const trace = await traceWith(store(), sent, 'respond Watch')
    const [, , interrupted] = begun?.traceparent?.split('-') ?? []
    const respond = oneSpan(trace, 'respond Watch')
    expect(respond, printTrace(trace)).toMatchObject({
      parentId: trace.root.id,
      attributes: { 'yarak.resumed': true, 'yarak.outcome': 'unknown' },
    })
    expect(trace.root).toMatchObject({ name: 'POST /', parentId: sent.parentId })
    const ask = oneSpan(trace, 'action http:request')
    expect(ask).toMatchObject({
      parentId: respond.id,
      attributes: { 'yarak.resumed': true, 'yarak.outcome': 'unknown', 'error.type': 'unknown' },
      links: [{ traceId: trace.id, spanId: interrupted }],
      events: [{ name: 'guard' }, { name: 'resume', attributes: { 'yarak.verdict': 'unknown' } }],
      children: [],
    })
    expect(cut.headers.traceparent).toContain(trace.id)
    expect(oneSpan(trace, 'action kubernetes:annotation').parentId).toBe(respond.id)
    // of what was killed with its spans open, only what had ended is there
    const orphans = trace.roots.slice(1)
    expect(orphans.map(({ name }) => name)).toEqual(['action kubernetes:label'])
    const ids = new Set(trace.spans.map(({ id }) => id))
    expect(ids).not.toContain(interrupted)
    expect(spansNamed(trace, 'action kubernetes:label')).toHaveLength(1)
  }, 90_000)
})

const pointer = ({ id }: Trace, span: SpanNode) => ({ traceId: id, spanId: span.id })
const idsOf = ({ traceId, spanId }: SpanNode['links'][number]) => ({ traceId, spanId })

import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { jaeger } from './jaeger.ts'
import { printTrace, spansNamed, waitForTrace } from './traces.ts'
import { describePart, running } from './vitest.ts'

const begun = 1_770_000_000_000_000_000n

interface Sent {
  readonly spanId: string
  readonly name: string
  readonly kind: number
  readonly parentSpanId?: string
  readonly [more: string]: unknown
}

const span = (traceId: string, sent: Sent, index: number) => ({
  traceId,
  startTimeUnixNano: String(begun + BigInt(index) * 1_000_000n),
  endTimeUnixNano: String(begun + 20_000_000n),
  ...sent,
})

const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })

const sent: readonly Sent[] = [
  { spanId: 'a000000000000001', name: 'POST /', kind: 2, attributes: [text('yarak.input', 'http')] },
  { spanId: 'a000000000000002', parentSpanId: 'a000000000000001', name: 'match', kind: 1 },
  { spanId: 'a000000000000003', parentSpanId: 'a000000000000001', name: 'respond Shell', kind: 1 },
  {
    spanId: 'a000000000000004',
    parentSpanId: 'a000000000000003',
    name: 'action kubernetes:label',
    kind: 1,
    status: { code: 2, message: 'gone' },
    events: [{ name: 'retry', timeUnixNano: String(begun), attributes: [{ key: 'attempt', value: { intValue: 2 } }] }],
    links: [{ traceId: 'b'.repeat(32), spanId: 'b'.repeat(16) }],
  },
]

describePart(jaeger, () => {
  const at = running(jaeger)

  const send = (spans: readonly object[]): Promise<Response> => {
    const resource = { attributes: [text('service.name', 'yarak')] }
    return fetch(`${at().otlpHttp}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
    })
  }

  test('gives a trace back as a tree, also when it comes in pieces', async () => {
    const traceId = randomBytes(16).toString('hex')
    const spans = sent.map((one, index) => span(traceId, one, index))
    expect((await send(spans.slice(2))).status).toBe(200)
    const waiting = waitForTrace(at(), traceId, { spans: 4 })
    expect((await send(spans.slice(0, 2))).status).toBe(200)
    const trace = await waiting
    expect(printTrace(trace)).toBe(
      [
        `trace ${traceId}`,
        '  POST / [server] 20.0 ms',
        '  │    yarak.input="http"',
        '  ├─ match [internal] 19.0 ms',
        '  └─ respond Shell [internal] 18.0 ms',
        '     └─ action kubernetes:label [internal] 17.0 ms error: gone',
        '             * retry {"attempt":2}',
        `             -> ${'b'.repeat(32)}/${'b'.repeat(16)}`,
      ].join('\n'),
    )
    expect(trace.root).toMatchObject({ start: begun, resource: { 'service.name': 'yarak' } })
    expect(spansNamed(trace, 'match')).toMatchObject([{ parentId: trace.root.id, status: { code: 'unset' } }])
  })

  test('says how much of a trace came when it stays away', async () => {
    const traceId = randomBytes(16).toString('hex')
    await expect(waitForTrace(at(), traceId, { timeoutMs: 1_000 })).rejects.toThrow('has 0 of its spans after 1 s')
  })
})

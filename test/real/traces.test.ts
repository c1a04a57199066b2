import { createServer } from 'node:http'
import { describe, expect, test } from 'vitest'
import { freePort } from './part.ts'
import { printTrace, readTrace, waitForTrace } from './traces.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')

/** A batch as Tempo writes it: protobuf's JSON, so ids are base64 and enumerations are names. */
const batch = {
  resource: { attributes: [{ key: 'service.name', value: { stringValue: 'yarak' } }] },
  scopeSpans: [
    {
      scope: { name: 'yarak' },
      spans: [
        {
          traceId: base64(traceId),
          spanId: base64('00f067aa0ba902b8'),
          parentSpanId: base64('00f067aa0ba902b7'),
          name: 'POST {path}',
          kind: 'SPAN_KIND_CLIENT',
          startTimeUnixNano: '1770000000001000000',
          endTimeUnixNano: '1770000000003500000',
          attributes: [
            { key: 'http.response.status_code', value: { intValue: '503' } },
            { key: 'sampled', value: { boolValue: true } },
            { key: 'tags', value: { arrayValue: { values: [{ stringValue: 'a' }, { doubleValue: 0.5 }] } } },
            { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v' } }] } } },
            { key: 'nothing' },
          ],
          status: { code: 'STATUS_CODE_ERROR', message: 'unavailable' },
          links: [{ traceId: base64(traceId), spanId: base64('00f067aa0ba902b9') }],
        },
        {
          traceId: base64(traceId),
          spanId: base64('00f067aa0ba902b7'),
          parentSpanId: base64('0000000000000000'),
          name: 'POST /',
          kind: 'SPAN_KIND_SERVER',
          startTimeUnixNano: '1770000000000000000',
          endTimeUnixNano: '1770000000004000000',
        },
      ],
    },
  ],
}

describe('reading a trace', () => {
  test('in the shape of Tempo', () => {
    const trace = readTrace(traceId, { batches: [batch] })
    expect(trace?.root).toMatchObject({ id: '00f067aa0ba902b7', parentId: undefined, kind: 'server' })
    expect(trace?.root.children).toMatchObject([
      {
        parentId: '00f067aa0ba902b7',
        kind: 'client',
        status: { code: 'error', message: 'unavailable' },
        attributes: {
          'http.response.status_code': 503,
          sampled: true,
          tags: ['a', 0.5],
          map: { k: 'v' },
          nothing: null,
        },
        links: [{ traceId, spanId: '00f067aa0ba902b9' }],
        resource: { 'service.name': 'yarak' },
      },
    ])
  })

  test.each([
    [
      'of an older Tempo',
      { batches: [{ ...batch, scopeSpans: undefined, instrumentationLibrarySpans: batch.scopeSpans }] },
    ],
    ['of the second version of the API', { trace: { resourceSpans: [batch] } }],
    ['of Jaeger', { result: { resourceSpans: [batch] } }],
  ])('in the shape %s', (_, document) => {
    expect(readTrace(traceId, document)?.spans.map(({ name }) => name)).toEqual(['POST /', 'POST {path}'])
  })

  test('whose root was never exported', () => {
    const [child] = batch.scopeSpans[0]?.spans ?? []
    const trace = readTrace(traceId, { batches: [{ scopeSpans: [{ spans: [child] }, {}] }] })
    expect(trace?.roots).toHaveLength(1)
    expect(printTrace(trace ?? expect.unreachable())).toContain('POST {path} [client] 2.5 ms error: unavailable')
  })

  test('that has no span yet', () => {
    expect(readTrace(traceId, { batches: [] })).toBeUndefined()
  })
})

test('waiting asks Tempo by its own path, until all spans are there', async () => {
  const asked: string[] = []
  const port = await freePort()
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.accept}`)
    if (asked.length === 1) response.statusCode = 404
    response.end(JSON.stringify({ batches: asked.length < 3 ? [] : [batch] }))
  })
  await new Promise<void>((ready) => server.listen(port, '127.0.0.1', ready))
  const store = { queryUrl: `http://127.0.0.1:${port}`, api: 'tempo' } as const
  try {
    expect((await waitForTrace(store, traceId, { spans: 2 })).spans).toHaveLength(2)
  } finally {
    server.close()
  }
  expect(asked).toEqual(Array<string>(3).fill(`/api/traces/${traceId} application/json`))
})

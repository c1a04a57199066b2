import { describe, expect, it, vi } from 'vitest'
import type { LogLine } from '../../src/telemetry/logs.ts'
import { after, deadEnd, jsonServer, telemetry } from './_kit.ts'

const LINE: LogLine = { level: 'info', time: 1_770_000_000_123, message: 'response ended', fields: {} }

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

interface Value {
  stringValue?: string
  intValue?: number
  doubleValue?: number
  boolValue?: boolean
}

interface LogRecord {
  timeUnixNano: string
  severityNumber: number
  severityText: string
  body: Value
  attributes: { key: string; value: Value }[]
  traceId?: string
  spanId?: string
}

interface Exported {
  resourceLogs: {
    resource: { attributes: { key: string; value: Value }[] }
    scopeLogs: { scope: { name: string; version: string }; logRecords: LogRecord[] }[]
  }[]
}

/** Log records by OTLP, as JSON. */
const logging = async (more: Record<string, string> = {}) => {
  const server = await jsonServer()
  const started = await telemetry({
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${server.url}/v1/logs`,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
    ...more,
  })
  const exported = (): Exported['resourceLogs'] => server.bodies.flatMap(({ body }) => (body as Exported).resourceLogs)
  return {
    ...started,
    ...server,
    exported,
    records: (): LogRecord[] =>
      exported().flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)),
    sum: (outcome: string, reason?: string): number =>
      started.counters.sum('yarak_log_records_total', { outcome, ...(reason !== undefined && { reason }) }),
  }
}

const plain = (record: LogRecord | undefined): Record<string, unknown> =>
  Object.fromEntries((record?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]))

describe('the log as log records', () => {
  it('is not asked for by an endpoint alone', async () => {
    const { url } = await jsonServer()
    const { sink } = await telemetry({
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: url,
    })
    expect(sink).toBeUndefined()
  })

  it('has body, time, severity, attributes, and the span of the line; traces are not started', async () => {
    const { sink, stop, bodies, exported, records, sum, tracing } = await logging()
    expect(tracing.idle).toBe(true)
    sink?.({ ...LINE, fields: { rule: 'Shell', trace_id: TRACE, span_id: SPAN, tries: 2, ratio: 0.5, ok: true } })
    await stop()
    expect(bodies).toMatchObject([{ path: '/v1/logs' }])
    expect(exported()[0]?.scopeLogs[0]?.scope).toEqual({ name: 'yarak', version: '1.2.3' })
    expect(exported()[0]?.resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'yarak' } })
    expect(records()).toMatchObject([
      {
        timeUnixNano: '1770000000123000000',
        severityNumber: 9,
        severityText: 'INFO',
        body: { stringValue: 'response ended' },
        traceId: TRACE,
        spanId: SPAN,
      },
    ])
    expect(plain(records()[0])).toEqual({ rule: 'Shell', tries: 2, ratio: 0.5, ok: true })
    expect([sum('exported'), sum('lost')]).toEqual([1, 0])
  })

  it.each([
    ['debug', 5],
    ['info', 9],
    ['warn', 13],
    ['error', 17],
  ] as const)('gives %s the severity number %d', async (level, severityNumber) => {
    const { sink, stop, records } = await logging()
    sink?.({ ...LINE, level, time: '2026-02-02T02:40:00.123Z' })
    await stop()
    expect(records()).toMatchObject([
      { severityNumber, severityText: level.toUpperCase(), timeUnixNano: '1770000000123000000' },
    ])
  })

  it('takes whatever fields hold', async () => {
    const { sink, stop, records } = await logging()
    const circle: Record<string, unknown> = {}
    circle.self = circle
    sink?.({
      ...LINE,
      fields: { list: [1, 'a'], object: { a: { b: 1 } }, none: undefined, empty: null, big: 5n, circle, text: 'ü\n' },
    })
    await stop()
    expect(plain(records()[0])).toEqual({
      list: '[1,"a"]',
      object: '{"a":{"b":1}}',
      big: '5',
      circle: '[object Object]',
      text: 'ü\n',
    })
  })

  it.each([
    ['none', {}],
    ['no span', { trace_id: TRACE }],
    ['nonsense', { trace_id: 'x', span_id: 'y' }],
    ['numbers', { trace_id: 1, span_id: 2 }],
  ])('has no span when the line tells of %s', async (_what, fields) => {
    const { sink, stop, records } = await logging()
    sink?.({ ...LINE, fields })
    await stop()
    expect(records()).toHaveLength(1)
    expect(records()[0]?.traceId ?? '').toBe('')
  })

  it('goes to the console too', async () => {
    const printed = vi.spyOn(console, 'dir').mockImplementation(() => {})
    after(() => printed.mockRestore())
    const { sink, stop, records, counters } = await logging({ OTEL_LOGS_EXPORTER: 'console,otlp' })
    sink?.(LINE)
    await stop()
    expect(printed.mock.calls).toMatchObject([[{ body: 'response ended', severityNumber: 9 }, {}]])
    expect(records()).toHaveLength(1)
    for (const exporter of ['console', 'otlp'])
      expect(counters.sum('yarak_log_records_total', { exporter, outcome: 'exported' })).toBe(1)
  })

  it('tells of an exporter that is not known', async () => {
    const { sink, lines } = await telemetry({ OTEL_LOGS_EXPORTER: 'loki' })
    expect(sink).toBeUndefined()
    expect(lines).toEqual(['OTEL_LOGS_EXPORTER: loki is not known; there are otlp, console and none'])
  })
})

describe('log records that cannot be exported', () => {
  it('are counted by reason, and told once for each outage', async () => {
    const { sink, stop, answer, lines, sum } = await logging({ OTEL_BLRP_SCHEDULE_DELAY: '10' })
    answer.status = 400
    sink?.(LINE)
    await expect.poll(() => sum('lost', 'failed')).toBe(1)
    sink?.(LINE)
    await expect.poll(() => sum('lost', 'failed')).toBe(2)
    answer.status = 200
    sink?.(LINE)
    await expect.poll(() => sum('exported')).toBe(1)
    await stop()
    expect(lines).toEqual(['log records cannot be exported', 'log records are exported again'])
  })

  it.each(['http/protobuf', 'grpc'])('by %s are counted too', async (protocol) => {
    const { sink, stop, sum } = await logging({
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: await deadEnd('nobody answers'),
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '100',
    })
    sink?.(LINE)
    await stop()
    expect(sum('lost', 'timed_out')).toBe(1)
  })

  it('cost a bounded queue and no time at the stop', async () => {
    const { sink, stop, sum } = await logging({
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: await deadEnd('nobody answers'),
      OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '300',
      OTEL_BLRP_MAX_QUEUE_SIZE: '10',
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '5',
    })
    for (let i = 0; i < 100; i++) sink?.(LINE)
    expect(sum('lost', 'queue_full')).toBe(85)
    await stop(20)
    expect(sum('lost', 'stopped')).toBe(15)
    expect(() => sink?.(LINE)).not.toThrow()
  })
})

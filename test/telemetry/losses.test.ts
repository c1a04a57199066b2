import { describe, expect, it, vi } from 'vitest'
import { after, ALL, collector, deadEnd, event, telemetry } from './_kit.ts'

const NO_METRICS = { OTEL_METRICS_EXPORTER: 'none' }

/** An event of five spans. */
const five = (tracing: Awaited<ReturnType<typeof telemetry>>['tracing']): void => {
  const reception = tracing.start('POST /', { kind: 'server', attributes: { 'yarak.matched': 1 } })
  tracing.start('match', { parent: reception }).end()
  const respond = tracing.start('respond r', { parent: reception })
  tracing.start('action a', { parent: respond }).end()
  tracing.start('notify slack', { parent: respond }).end()
  respond.end()
  reception.end()
}

describe('a burst', () => {
  it('of 10,000 events in one turn is exported whole', async () => {
    const { url, names } = await collector()
    const { tracing, stop, count, lines } = await telemetry({ ...NO_METRICS, OTEL_EXPORTER_OTLP_ENDPOINT: url })
    for (let i = 0; i < 10_000; i++) five(tracing)
    await stop(30_000)
    expect(names()).toHaveLength(50_000)
    expect([count('exported'), count('lost')]).toEqual([50_000, 0])
    expect(lines).toEqual([])
  }, 40_000)

  it('larger than the queue loses what is over, counted and told once', async () => {
    const { url, names } = await collector()
    const { tracing, stop, count, lines } = await telemetry({
      ...NO_METRICS,
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_BSP_MAX_QUEUE_SIZE: '1000',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100',
    })
    for (let i = 0; i < 1_000; i++) five(tracing)
    await stop(20_000)
    expect(count('exported')).toBe(1_100)
    expect(names()).toHaveLength(1_100)
    expect(count('lost', 'queue_full')).toBe(3_900)
    expect(count('lost')).toBe(3_900)
    expect(lines).toEqual(['spans are lost: they come faster than they are exported'])
  })
})

describe('spans of what a sender makes long', () => {
  it('are as few as memory has room for, and go out in batches that a collector takes', async () => {
    const { url, names, received } = await collector()
    const { tracing, stop, count } = await telemetry({ ...NO_METRICS, OTEL_EXPORTER_OTLP_ENDPOINT: url })
    const attributes = { 'yarak.matched': 1, 'security_rule.name': 'x'.repeat(1_000_000) }
    for (let i = 0; i < 150; i++) tracing.start('POST /', { attributes }).end()
    expect(count('lost', 'queue_full')).toBe(14)
    await stop(20_000)
    expect(names()).toHaveLength(136)
    expect(Math.max(...received.map(({ spans }) => spans.length))).toBe(2)
  }, 30_000)
})

describe('a collector', () => {
  it('that refuses is told once for each outage, and when it is over', async () => {
    const { url, answer, names } = await collector()
    answer.status = 400
    const { tracing, lines, fields, count } = await telemetry({
      ...NO_METRICS,
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_BSP_SCHEDULE_DELAY: '10',
    })
    event(tracing)
    await expect.poll(() => lines).toEqual(['spans cannot be exported'])
    expect(fields).toEqual([{ exporter: 'otlp', error: 'Bad Request', lost: 3 }])
    event(tracing)
    await expect.poll(() => count('lost', 'failed')).toBe(6)
    expect(lines).toEqual(['spans cannot be exported'])
    answer.status = 200
    event(tracing)
    await expect.poll(() => lines).toEqual(['spans cannot be exported', 'spans are exported again'])
    expect(names().sort()).toEqual(ALL)
    expect(count('exported')).toBe(3)
  })

  it.each(['nobody listens', 'nobody answers'] as const)(
    'where %s costs counted losses, a queue, and no time at the stop',
    async (what) => {
      const { tracing, stop, count, lines } = await telemetry({
        ...NO_METRICS,
        OTEL_EXPORTER_OTLP_ENDPOINT: await deadEnd(what),
        OTEL_EXPORTER_OTLP_TIMEOUT: '300',
        OTEL_BSP_MAX_QUEUE_SIZE: '500',
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100',
      })
      for (let i = 0; i < 200; i++) five(tracing)
      // one batch is under way, one queue is full
      expect(count('lost', 'queue_full')).toBe(400)
      const reason = what === 'nobody answers' ? 'timed_out' : 'failed'
      await expect.poll(() => count('lost', reason), { timeout: 5_000 }).toBeGreaterThanOrEqual(100)
      await stop(50)
      expect(count('lost')).toBe(1_000)
      if (what === 'nobody answers') expect(count('lost', 'stopped')).toBeGreaterThan(0)
      expect(count('exported')).toBe(0)
      expect(lines).toEqual(['spans are lost: they come faster than they are exported', 'spans cannot be exported'])
    },
  )

  it.each(['nobody listens', 'nobody answers'] as const)('over gRPC where %s is no worse', async (what) => {
    const { tracing, stop, count } = await telemetry({
      ...NO_METRICS,
      OTEL_EXPORTER_OTLP_ENDPOINT: await deadEnd(what),
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TIMEOUT: '300',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100',
    })
    for (let i = 0; i < 100; i++) five(tracing)
    await expect.poll(() => count('lost'), { timeout: 5_000 }).toBeGreaterThanOrEqual(100)
    await stop(50)
    expect(count('lost')).toBe(500)
  })

  it('that hangs does not delay another exporter', async () => {
    const printed = vi.spyOn(console, 'dir').mockImplementation(() => {})
    after(() => printed.mockRestore())
    const { tracing, stop, counters } = await telemetry({
      ...NO_METRICS,
      OTEL_TRACES_EXPORTER: 'otlp,console',
      OTEL_EXPORTER_OTLP_ENDPOINT: await deadEnd('nobody answers'),
      OTEL_BSP_SCHEDULE_DELAY: '10',
    })
    const sum = (exporter: string, outcome: string): number => counters.sum('yarak_spans_total', { exporter, outcome })
    for (const round of [1, 2, 3]) {
      event(tracing)
      await expect.poll(() => sum('console', 'exported')).toBe(3 * round)
    }
    expect(printed).toHaveBeenCalledTimes(9)
    await stop(50)
    expect([sum('otlp', 'exported'), sum('otlp', 'lost')]).toEqual([0, 9])
  })

  it('with a certificate that is none is told, not a crash', async () => {
    const { tracing, count, lines, stop } = await telemetry({
      ...NO_METRICS,
      OTEL_EXPORTER_OTLP_ENDPOINT: (await deadEnd('nobody answers')).replace('http:', 'https:'),
      OTEL_EXPORTER_OTLP_CERTIFICATE: import.meta.filename,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: import.meta.filename,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: import.meta.filename,
      OTEL_EXPORTER_OTLP_TIMEOUT: '300',
      OTEL_BSP_SCHEDULE_DELAY: '10',
    })
    event(tracing)
    await expect.poll(() => lines, { timeout: 5_000 }).toEqual(['spans cannot be exported'])
    await stop(50)
    expect(count('lost')).toBe(3)
  })
})

it('a span that ends after the stop is counted as lost', async () => {
  const { url, names } = await collector()
  const { tracing, stop, count } = await telemetry({ ...NO_METRICS, OTEL_EXPORTER_OTLP_ENDPOINT: url })
  const open = tracing.start('respond slow', { attributes: { 'yarak.matched': 1 } })
  event(tracing)
  await stop()
  open.end()
  expect(names().sort()).toEqual(ALL)
  expect([count('exported'), count('lost', 'stopped')]).toEqual([3, 1])
})

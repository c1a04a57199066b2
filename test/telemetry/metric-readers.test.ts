import { metrics } from '@opentelemetry/api'
import { type MetricReader, MeterProvider } from '@opentelemetry/sdk-metrics'
import { describe, expect, it } from 'vitest'
import { createCounters } from '../../src/counters.ts'
import { exporterNames } from '../../src/telemetry/env.ts'
import { metricReadersOf } from '../../src/telemetry/metric-readers.ts'
import { bridgeMetrics } from '../../src/telemetry/metrics.ts'
import { after, deadEnd, jsonServer, notes, setEnv, telemetry } from './_kit.ts'

const readersOf = async (env: Record<string, string>) => {
  setEnv(env)
  const { log, lines } = notes()
  const tell = (problem: string): void => log.warn(problem)
  return { readers: await metricReadersOf(exporterNames(env, 'METRICS', tell), { env, log, tell }), lines }
}

/** What of a reader is set. */
const settingsOf = (reader: MetricReader | undefined) => {
  const { _exportInterval: interval, _exportTimeout: timeout } = reader as unknown as Record<string, unknown>
  return { interval, timeout }
}

const CONSOLE = { OTEL_METRICS_EXPORTER: 'console' }

describe('the readers of metrics', () => {
  it('are one for each exporter, and none when nothing is asked for', async () => {
    expect((await readersOf({})).readers).toEqual([])
    const { readers, lines } = await readersOf({ OTEL_METRICS_EXPORTER: 'otlp, console, otlp' })
    expect(readers).toHaveLength(2)
    expect(lines).toEqual([])
  })

  it.each<[Record<string, string>, number, number, string[]]>([
    [{}, 60_000, 30_000, []],
    [{ OTEL_METRIC_EXPORT_INTERVAL: '90000', OTEL_METRIC_EXPORT_TIMEOUT: '500' }, 90_000, 500, []],
    [{ OTEL_METRIC_EXPORT_INTERVAL: '1000' }, 1_000, 1_000, []],
    [{ OTEL_METRIC_EXPORT_INTERVAL: '99999999999' }, 60_000, 30_000, ['INTERVAL']],
    [{ OTEL_METRIC_EXPORT_INTERVAL: 'Infinity' }, 60_000, 30_000, ['INTERVAL']],
    [{ OTEL_METRIC_EXPORT_INTERVAL: '0', OTEL_METRIC_EXPORT_TIMEOUT: 'soon' }, 60_000, 30_000, ['INTERVAL', 'TIMEOUT']],
  ])('by %j export each %i ms, of which one takes at most %i ms', async (env, interval, timeout, told) => {
    const { readers, lines } = await readersOf({ ...CONSOLE, ...env })
    expect(settingsOf(readers[0])).toEqual({ interval, timeout })
    expect(lines.map((line) => /^OTEL_METRIC_EXPORT_(\w+) is no number/.exec(line)?.[1])).toEqual(told)
  })

  it('say once that they cannot export, and that they can again', async () => {
    const { url, bodies, answer } = await jsonServer()
    const { readers, lines } = await readersOf({
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/v1/metrics`,
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json',
    })
    const provider = new MeterProvider({ readers })
    metrics.setGlobalMeterProvider(provider)
    after(() => metrics.disable())
    const counters = createCounters()
    counters.add('yarak_reloads_total', { outcome: 'succeeded' })
    bridgeMetrics(counters, '1.2.3')
    const flush = () => Promise.all(readers.map((reader) => reader.forceFlush().catch(() => {})))
    await flush()
    expect(bodies).toMatchObject([{ path: '/v1/metrics' }])
    expect(JSON.stringify(bodies)).toContain('yarak.reloads')
    for (const status of [400, 400, 200]) {
      answer.status = status
      await flush()
    }
    expect(lines).toEqual(['metrics cannot be exported', 'metrics are exported again'])
    await provider.shutdown()
  })

  it('export a last time at the stop, also when the collector of spans does not answer', async () => {
    const { url, bodies } = await jsonServer()
    const { tracing, stop } = await telemetry({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: await deadEnd('nobody answers'),
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/v1/metrics`,
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json',
    })
    metrics.getMeter('test').createCounter('things').add(3)
    tracing.start('x').end()
    await stop(2_000)
    expect(JSON.stringify(bodies)).toContain('"name":"things"')
  })
})

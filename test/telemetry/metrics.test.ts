import { metrics, trace } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  type MetricData,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { COUNTERS, createCounters, HISTOGRAMS } from '../../src/counters.ts'
import { countGauges, countProcess } from '../../src/gauges.ts'
import { BUCKETS } from '../../src/histogram.ts'
import { createGateway } from '../../src/index.ts'
import { bridgeMetrics, instrumentOf } from '../../src/telemetry/metrics.ts'
import { VERSION } from '../../src/version.ts'
import { alert } from '../kit.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = { traceId: TRACE, traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }

afterEach(() => metrics.disable())

/** A host program's own SDK. */
const hostSdk = () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] })
  metrics.setGlobalMeterProvider(provider)
  return {
    stop: () => provider.shutdown(),
    async read(version = '1.2.3'): Promise<Map<string, MetricData>> {
      exporter.reset()
      await provider.forceFlush()
      const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
      expect(scopes.map(({ scope }) => scope)).toMatchObject(scopes.map(() => ({ name: 'yarak', version })))
      return new Map(scopes.flatMap((one) => one.metrics).map((metric) => [metric.descriptor.name, metric]))
    },
  }
}

const pointsOf = (metric: MetricData | undefined) =>
  (metric?.dataPoints ?? []).map(({ attributes, value }) => [attributes, value])

/**
 * The name that Prometheus gives to what it is sent by OTLP, with its default settings.
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus
 */
const prometheusName = (name: string, unit: string, type: string): string => {
  const units: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', 1: 'ratio' }
  const suffix = unit.startsWith('{') || unit === '' ? '' : `_${units[unit] ?? unit}`
  return `${name.replaceAll(/\W/g, '_')}${suffix}${type === 'counter' ? '_total' : ''}`
}

/** All that can be counted. */
const everything = () => {
  const counters = createCounters()
  countGauges(counters, {
    responder: { running: 0, queued: 0 },
    outputs: () => [],
    acceptor: { unsettled: () => 0 },
    journal: { health: () => ({ mode: 'memory', size: 0, maxSize: 0, full: false }) },
    memory: { isOpen: () => false },
    health: () => ({ ready: true, inputs: [] }),
    generation: () => ({ number: 1, mode: 'observe', options: {} }),
  })
  countProcess(counters, process)()
  const gauges: { name: string; type: string }[] = []
  counters.watch({ added: (gauge) => void gauges.push(gauge), observed: () => {} })
  return [
    ...Object.keys(COUNTERS).map((name) => ({ name, type: 'counter' })),
    ...Object.keys(HISTOGRAMS).map((name) => ({ name, type: 'histogram' })),
    ...gauges,
    ...['yarak_input_lag', 'yarak_listener_up', 'process_resident_memory_bytes', 'process_start_time_seconds'].map(
      (name) => ({ name, type: 'gauge' }),
    ),
  ]
}

describe('the instruments', () => {
  it.each([
    ['yarak_events_received_total', 'yarak.events.received', '{event}'],
    ['yarak_notices_dead_lettered_total', 'yarak.notices.dead_lettered', '{notice}'],
    ['yarak_alert_to_action_seconds', 'yarak.alert.to_action', 's'],
    ['yarak_journal_max_bytes', 'yarak.journal.max', 'By'],
    ['yarak_rules', 'yarak.rules', '{rule}'],
    ['yarak_ready', 'yarak.ready', ''],
    ['process_cpu_seconds_total', 'process.cpu', 's'],
  ])('of %s are %s in %s', (metric, name, unit) => {
    expect(instrumentOf(metric)).toEqual({ name, unit })
  })

  it('are called as OpenTelemetry wants it, each its own, and Prometheus calls them as /metrics does', () => {
    const all = everything().map(({ name, type }) => ({ type, metric: name, ...instrumentOf(name) }))
    for (const { name, unit, type, metric } of all) {
      expect(name).toMatch(/^[a-z]+(\.[a-z_]+)*$/)
      expect(prometheusName(name, unit, type)).toBe(metric)
    }
    expect(new Set(all.map(({ name, unit }) => `${name} ${unit}`)).size).toBe(all.length)
  })
})

describe('a host’s metrics SDK', () => {
  it('exports counters and gauges as they are, also gauges that come later, until it is ended and told a last time', async () => {
    const sdk = hostSdk()
    const counters = createCounters()
    counters.add('yarak_events_received_total', { input: 'http' }, 3)
    counters.gauge('yarak_early', 'Early.', () => [[{ part: 'a' }, 1.5]])
    const end = bridgeMetrics(counters, '1.2.3')
    counters.add('yarak_events_received_total', { input: 'http' })
    counters.gauge('yarak_late_bytes', 'Late.', () => [[{}, 7]])
    counters.gauge('process_cpu_seconds_total', 'CPU.', () => [[{}, 2]], 'counter')
    const found = await sdk.read()
    const received = found.get('yarak.events.received')
    expect(received).toMatchObject({
      descriptor: { unit: '{event}', description: COUNTERS.yarak_events_received_total },
      isMonotonic: true,
    })
    expect(pointsOf(received)).toEqual([[{ input: 'http' }, 4]])
    expect(pointsOf(found.get('yarak.early'))).toEqual([[{ part: 'a' }, 1.5]])
    expect(pointsOf(found.get('yarak.late'))).toEqual([[{}, 7]])
    expect(found.get('process.cpu')).toMatchObject({ isMonotonic: true, descriptor: { unit: 's' } })
    end()
    counters.add('yarak_events_received_total', { input: 'http' })
    counters.observe('yarak_step_duration_seconds', 1)
    const after = await sdk.read()
    expect(pointsOf(after.get('yarak.events.received'))).toEqual([[{ input: 'http' }, 5]])
    expect(after.has('yarak.step.duration')).toBe(false)
    counters.add('yarak_events_received_total', { input: 'http' })
    expect(pointsOf((await sdk.read()).get('yarak.events.received'))).not.toEqual([[{ input: 'http' }, 6]])
    await sdk.stop()
  })

  it('records distributions with our bounds and bounded labels, in the context of the span', async () => {
    const sdk = hostSdk()
    const counters = createCounters()
    bridgeMetrics(counters, '1.2.3')
    for (let i = 0; i < 300; i++) counters.observe('yarak_alert_to_action_seconds', 0.2, { rule: `r${i}` }, SPAN)
    const metric = (await sdk.read()).get('yarak.alert.to_action')
    expect(metric?.dataPoints).toHaveLength(201)
    const last = metric?.dataPoints.find(({ attributes }) => attributes.rule === 'overflow')
    expect(last?.value).toMatchObject({ count: 100, buckets: { boundaries: BUCKETS } })
    await sdk.stop()
  })

  it('gets the span of a measurement as the context', () => {
    const record = vi.fn()
    const meter = metrics.getMeter('none')
    metrics.setGlobalMeterProvider({
      getMeter: () =>
        Object.assign(Object.create(meter) as typeof meter, {
          createHistogram: () => ({ record }),
        }),
    })
    const counters = createCounters()
    bridgeMetrics(counters, '1.2.3')
    counters.observe('yarak_step_duration_seconds', 1, { action: 'a', outcome: 'gone' }, SPAN)
    const [value, attributes, context] = record.mock.calls[0] as [number, unknown, { getValue(key: symbol): unknown }]
    expect([value, attributes]).toEqual([1, { action: 'a', outcome: 'gone' }])
    expect(context).toSatisfy((one: Parameters<typeof spanOf>[0]) => spanOf(one)?.traceId === TRACE)
  })

  it('is given the numbers of one of several gateways, as they say', async () => {
    const sdk = hostSdk()
    const gateways = [createGateway({}), createGateway({ exportMetrics: false })]
    for (const gateway of gateways) await gateway.start()
    await gateways[0]?.emit(alert())
    await gateways[1]?.emit(alert())
    await gateways[1]?.emit(alert())
    const received = (await sdk.read(VERSION)).get('yarak.events.received')
    expect(received?.dataPoints.map(({ value }) => value)).toEqual([1])
    for (const gateway of gateways) await gateway.stop()
    await sdk.stop()
  })

  it('that is not there costs nothing: nobody watches', () => {
    const counters = createCounters()
    const watch = vi.spyOn(counters, 'watch')
    bridgeMetrics(counters, '1.2.3')()
    expect(watch).not.toHaveBeenCalled()
  })
})

/** The span context that a context holds. */
const spanOf = (context: { getValue(key: symbol): unknown }) =>
  trace.getSpanContext(context as Parameters<typeof trace.getSpanContext>[0])

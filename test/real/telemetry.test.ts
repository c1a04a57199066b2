import { afterEach, describe, expect, test, vi } from 'vitest'
import { createCounters } from '../../src/counters.ts'
import { fnv128 } from '../../src/fnv.ts'
import { SILENT } from '../../src/options.ts'
import { createTracing } from '../../src/telemetry.ts'
import { createIds } from '../../src/telemetry/ids.ts'
import { startTelemetry } from '../../src/telemetry/start.ts'
import { jaeger, type JaegerAddresses } from './jaeger.ts'
import { spansNamed, waitForTrace } from './traces.ts'
import { describePart, running } from './vitest.ts'

const left: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of left.splice(0)) await stop()
  vi.unstubAllEnvs()
})

/** The binary's telemetry, by the variables a user sets. */
const telemetry = async (env: Readonly<Record<string, string>>) => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const [counters, ids] = [createCounters(), createIds()]
  const { stop } = await startTelemetry({ version: '1.2.3', env, log: SILENT, counters, ids })
  left.push(() => stop(0))
  const count = (outcome: string): number => counters.sum('yarak_spans_total', { outcome })
  return { stop, count, tracing: createTracing('1.2.3', { ids }) }
}

type Tracing = Awaited<ReturnType<typeof telemetry>>['tracing']

/** An alert, its response with a failed step that is tried twice, and a notice that is linked with another trace. */
const respond = (tracing: Tracing, from?: Readonly<Record<string, string>>): string => {
  const reception = tracing.start('POST /', {
    kind: 'server',
    from,
    group: 'my-ns:my-pod-name',
    attributes: { 'yarak.input': 'http', 'yarak.matched': 1, 'falco.tags': ['shell', 'mitre'] },
  })
  const response = tracing.start('respond Shell', { parent: reception, attributes: { 'yarak.response.id': 'r1' } })
  reception.end()
  const action = tracing.start('action kubernetes:label', { parent: response })
  action.event('retry', { attempt: 2 })
  action.fail(new Error('gone'))
  action.end()
  const other = `00-${'b'.repeat(32)}-${'b'.repeat(16)}-01`
  tracing.start('notify kafka', { parent: response, kind: 'producer', links: [other] }).end()
  response.end()
  return reception.traceId ?? ''
}

const PROTOCOLS: readonly [string, (at: JaegerAddresses) => Record<string, string>][] = [
  ['http/protobuf', ({ otlpHttp }) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: otlpHttp })],
  ['http/json', ({ otlpHttp }) => ({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${otlpHttp}/v1/traces` })],
  ['grpc', ({ otlpGrpc }) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: otlpGrpc, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' })],
]

describePart(jaeger, () => {
  const at = running(jaeger)

  describe.each(PROTOCOLS)('by %s', (protocol, endpoint) => {
    const env = () => ({ OTEL_METRICS_EXPORTER: 'none', OTEL_EXPORTER_OTLP_PROTOCOL: protocol, ...endpoint(at()) })

    test('Jaeger has the trace as it was', async () => {
      const { tracing, stop, count } = await telemetry({
        ...env(),
        POD_NAME: 'yarak-0',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      })
      const parent = { traceId: fnv128(protocol), spanId: 'b7ad6b7169203331' }
      expect(respond(tracing, { traceparent: `00-${parent.traceId}-${parent.spanId}-01` })).toBe(parent.traceId)
      await stop(10_000)
      expect([count('exported'), count('lost')]).toEqual([4, 0])
      const trace = await waitForTrace(at(), parent.traceId, { spans: 4 })
      expect(trace.roots).toHaveLength(1)
      expect(trace.root).toMatchObject({
        name: 'POST /',
        kind: 'server',
        parentId: parent.spanId,
        attributes: { 'yarak.input': 'http', 'yarak.matched': 1, 'falco.tags': ['shell', 'mitre'] },
        resource: {
          'service.name': 'yarak',
          'service.version': '1.2.3',
          'k8s.pod.name': 'yarak-0',
          'deployment.environment.name': 'test',
        },
        status: { code: 'unset' },
      })
      expect(Object.keys(trace.root.resource)).not.toContain('process.command_args')
      const [response] = spansNamed(trace, 'respond Shell')
      expect(response).toMatchObject({ parentId: trace.root.id, kind: 'internal' })
      expect(spansNamed(trace, 'action kubernetes:label')).toMatchObject([
        {
          parentId: response?.id,
          status: { code: 'error', message: 'gone' },
          events: [{ name: 'retry', attributes: { attempt: 2 } }],
        },
      ])
      expect(spansNamed(trace, 'notify kafka')).toMatchObject([
        { parentId: response?.id, kind: 'producer', links: [{ traceId: 'b'.repeat(32), spanId: 'b'.repeat(16) }] },
      ])
    })

    test('an event that only brings B3 goes on in that trace', async () => {
      const { tracing, stop } = await telemetry({ ...env(), OTEL_PROPAGATORS: 'b3' })
      const single = fnv128(`${protocol} single`)
      const several = fnv128(`${protocol} several`)
      respond(tracing, { b3: `${single}-e457b5a2e4d86bd1-1` })
      respond(tracing, { 'x-b3-traceid': several, 'x-b3-spanid': 'e457b5a2e4d86bd1', 'x-b3-sampled': '1' })
      await stop(10_000)
      for (const id of [single, several])
        expect((await waitForTrace(at(), id, { spans: 4 })).root.parentId).toBe('e457b5a2e4d86bd1')
    })

    test('a burst of 10,000 events in one turn is all there', async () => {
      const { tracing, stop, count } = await telemetry(env())
      const ids: string[] = []
      for (let i = 0; i < 10_000; i++) {
        const reception = tracing.start('POST /', { kind: 'server', attributes: { 'yarak.matched': 1 } })
        for (const name of ['match', 'respond r', 'action a', 'notify n'])
          tracing.start(name, { parent: reception }).end()
        reception.end()
        ids.push(reception.traceId ?? '')
      }
      await stop(60_000)
      expect([count('exported'), count('lost')]).toEqual([50_000, 0])
      for (const id of [ids[0], ids[4_999], ids.at(-1)])
        expect((await waitForTrace(at(), id ?? '', { spans: 5 })).spans).toHaveLength(5)
    }, 120_000)
  })

  test('events of one pod are in the trace that Falcosidekick would give it', async () => {
    const { tracing, stop } = await telemetry({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${at().otlpHttp}/v1/traces` })
    expect(respond(tracing)).toBe('087e7ab4196a3c4801e3c23bc1406163')
    respond(tracing)
    await stop(10_000)
    const trace = await waitForTrace(at(), '087e7ab4196a3c4801e3c23bc1406163', { spans: 8 })
    expect(trace.roots.map(({ name }) => name)).toEqual(['POST /', 'POST /'])
  })
})

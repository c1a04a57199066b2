import { context, logs, metrics, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { ALL, after, collector, event, jsonServer, telemetry } from './_kit.ts'

describe('an OTLP endpoint', () => {
  it.each([
    ['http/json', 'application/json'],
    ['http/protobuf', 'application/x-protobuf'],
    ['', 'application/x-protobuf'],
  ])('gets the spans by protocol %j', async (protocol, type) => {
    const { url, received, spans } = await collector()
    const { tracing, stop } = await telemetry({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      ...(protocol && { OTEL_EXPORTER_OTLP_PROTOCOL: protocol }),
    })
    event(tracing)
    await stop()
    expect(received).toMatchObject([
      { path: '/v1/traces', type, resource: { 'service.name': 'yarak', 'service.version': '1.2.3' } },
    ])
    const root = spans().find(({ name }) => name === 'POST /')
    expect(root).toMatchObject({
      parentSpanId: '',
      kind: 2,
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    })
    for (const name of ['match', 'respond r']) {
      expect(spans().find((span) => span.name === name)).toMatchObject({
        traceId: root?.traceId,
        parentSpanId: root?.spanId,
        kind: 1,
      })
    }
  })

  it('may be that of traces alone, beside an empty general one; headers, service and compression are as set', async () => {
    const { url, received } = await collector()
    const { tracing, stop, lines } = await telemetry({
      OTEL_EXPORTER_OTLP_ENDPOINT: '',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/here`,
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=blue',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_SERVICE_NAME: 'gatekeeper',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
      OTEL_BSP_MAX_QUEUE_SIZE: '',
    })
    event(tracing)
    await stop()
    expect(received).toMatchObject([
      {
        path: '/here',
        headers: { 'x-tenant': 'blue', 'content-encoding': 'gzip' },
        resource: { 'service.name': 'gatekeeper', 'deployment.environment': 'test' },
      },
    ])
    expect(received[0]?.spans).toHaveLength(3)
    expect(lines).toEqual([])
  })

  it('of a signal goes before the general one, with its own headers', async () => {
    const general = await collector()
    const own = await collector()
    const { tracing, stop } = await telemetry({
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_ENDPOINT: general.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=blue,x-all=1',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${own.url}/v1/traces`,
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-tenant=a%20b',
    })
    event(tracing)
    await stop()
    expect(general.received).toEqual([])
    expect(own.received).toMatchObject([{ headers: { 'x-tenant': 'a b', 'x-all': '1' } }])
  })
})

describe('nothing is exported', () => {
  it.each<[string, Record<string, string>]>([
    ['without an endpoint', {}],
    ['with OTEL_TRACES_EXPORTER=none', { OTEL_TRACES_EXPORTER: 'none' }],
    ['with OTEL_TRACES_EXPORTER=otlp,none', { OTEL_TRACES_EXPORTER: 'otlp,none' }],
    ['with OTEL_SDK_DISABLED=true', { OTEL_SDK_DISABLED: 'true' }],
    ['with OTEL_SDK_DISABLED=TRUE', { OTEL_SDK_DISABLED: 'TRUE' }],
  ])('%s, and spans have no ids', async (what, env) => {
    const { url, received } = await collector()
    const { tracing, stop, lines } = await telemetry({
      ...(what.startsWith('without') ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: url }),
      ...env,
    })
    expect(tracing.start('x').traceId).toBeUndefined()
    event(tracing)
    await stop()
    expect(received).toEqual([])
    expect(lines).toEqual([])
  })

  it('but whole traces are shown, with OTEL_TRACES_EXPORTER=none', async () => {
    const { url, received } = await collector()
    const shown: string[][] = []
    const { tracing, stop, count } = await telemetry(
      { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: 'none' },
      { onTrace: (spans) => shown.push(spans.map(({ name }) => name)) },
    )
    event(tracing)
    await expect.poll(() => shown).toEqual([['match', 'respond r', 'POST /']])
    await stop()
    expect(received).toEqual([])
    expect([count('exported'), count('lost')]).toEqual([0, 0])
  })

  it('and nothing shown with OTEL_SDK_DISABLED, which is said', async () => {
    const shown: unknown[] = []
    const env = { OTEL_SDK_DISABLED: 'true' }
    const { tracing, stop, lines } = await telemetry(env, { onTrace: (spans) => shown.push(spans) })
    event(tracing)
    await stop()
    expect(shown).toEqual([])
    expect(lines).toEqual(['OTEL_SDK_DISABLED is set: nothing is traced, and no response is shown'])
  })

  it('to an exporter that is not known, which is said', async () => {
    const { lines, tracing } = await telemetry({ OTEL_TRACES_EXPORTER: 'zipkin' })
    expect(lines).toEqual(['OTEL_TRACES_EXPORTER: zipkin is not known; there are otlp, console and none'])
    expect(tracing.idle).toBe(true)
  })
})

describe('OTEL_TRACES_EXPORTER', () => {
  it('console prints each span; otlp beside it still gets them', async () => {
    const printed = vi.spyOn(console, 'dir').mockImplementation(() => {})
    after(() => printed.mockRestore())
    const { url, names } = await collector()
    const { tracing, stop, counters } = await telemetry({
      OTEL_TRACES_EXPORTER: 'console, otlp, console',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
    })
    event(tracing)
    await stop()
    expect(printed.mock.calls.map(([span]) => (span as { name: string }).name).sort()).toEqual(ALL)
    expect(names().sort()).toEqual(ALL)
    for (const exporter of ['otlp', 'console'])
      expect(counters.sum('yarak_spans_total', { exporter, outcome: 'exported' })).toBe(3)
  })
})

describe('what cannot be used', () => {
  it.each<[Record<string, string>, string[]]>([
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url' },
      [
        'OTEL_EXPORTER_OTLP_ENDPOINT is no URL that begins with http:// or https://: no spans are exported',
        'OTEL_EXPORTER_OTLP_ENDPOINT is no URL that begins with http:// or https://: no metrics are exported',
      ],
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no URL that begins with http:// or https://: no spans are exported'],
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'Bearer secret' },
      ['OTEL_EXPORTER_OTLP_TRACES_HEADERS is no list like name=value,other=value: no spans are exported'],
    ],
    [
      {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1',
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=a%0ab',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
      },
      ['OTEL_EXPORTER_OTLP_* cannot be used as it is set: no spans are exported'],
    ],
    [
      {
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://127.0.0.1:1',
        OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'authorization=a%0ab',
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'grpc',
      },
      ['OTEL_EXPORTER_OTLP_* cannot be used as it is set: no metrics are exported'],
    ],
  ])('%j is told by its variable, and is no end of the program', async (env, expected) => {
    const { lines, tracing } = await telemetry(env)
    expect(lines).toEqual(expected)
    expect(tracing.start('x').traceId).toBeUndefined()
    expect(lines.join()).not.toContain('secret')
  })

  it('besides, the rest holds', async () => {
    const { url, names } = await collector()
    const { lines, tracing, stop } = await telemetry({
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_TRACES_EXPORTER: 'otlp,jaeger',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_PROPAGATORS: 'tracecontext,jaeger',
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/xml',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'brotli',
      OTEL_EXPORTER_OTLP_TIMEOUT: 'soon',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere/ca.pem',
      OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: '/nowhere/key.pem',
      OTEL_RESOURCE_ATTRIBUTES: 'nothing',
      OTEL_BSP_MAX_QUEUE_SIZE: '-1',
      OTEL_BSP_SCHEDULE_DELAY: '10ms',
    })
    event(tracing, 0)
    await stop()
    expect(names().sort()).toEqual(['POST /', 'match'])
    expect(lines.sort()).toEqual([
      'OTEL_BSP_MAX_QUEUE_SIZE is no number from 1 to 2147483647: 65536 is used',
      'OTEL_BSP_SCHEDULE_DELAY is no number from 0 to 2147483647: 1000 is used',
      'OTEL_EXPORTER_OTLP_CERTIFICATE names a file that cannot be read: it is not used',
      'OTEL_EXPORTER_OTLP_COMPRESSION: brotli is not known; there are gzip and none',
      'OTEL_EXPORTER_OTLP_PROTOCOL: http/xml is not known; there are http/protobuf, http/json and grpc',
      'OTEL_EXPORTER_OTLP_TIMEOUT is no number from 1 to 2147483647: 10000 is used',
      'OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY names a file that cannot be read: it is not used',
      'OTEL_PROPAGATORS: jaeger is not known; there are tracecontext, baggage, b3, b3multi and none',
      'OTEL_RESOURCE_ATTRIBUTES is no list like name=value,other=value: it is not used',
      'OTEL_TRACES_EXPORTER: jaeger is not known; there are otlp, console and none',
      'OTEL_TRACES_SAMPLER: sometimes is not known; there are always_on, always_off, traceidratio, ' +
        'parentbased_always_on, parentbased_always_off and parentbased_traceidratio',
    ])
  })
})

describe('the SDK', () => {
  it('is started for metrics alone, without traces', async () => {
    const { url, bodies } = await jsonServer()
    const { tracing, stop } = await telemetry({
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/v1/metrics`,
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json',
    })
    expect(tracing.idle).toBe(true)
    metrics.getMeter('test').createCounter('things').add(3)
    await stop()
    expect(bodies).toMatchObject([{ path: '/v1/metrics' }])
    expect(JSON.stringify(bodies)).toContain('"name":"things"')
  })

  it('takes back all that it registered, so that it can be started again', async () => {
    for (const round of [1, 2]) {
      const { url, names } = await collector()
      const { tracing, stop } = await telemetry({
        OTEL_EXPORTER_OTLP_ENDPOINT: url,
        OTEL_LOGS_EXPORTER: 'otlp',
        OTEL_LOG_LEVEL: 'none',
      })
      event(tracing)
      expect(propagation.fields(), `round ${round}`).toEqual(['traceparent', 'tracestate', 'baggage'])
      await stop()
      expect(names().sort(), `round ${round}`).toEqual(ALL)
      expect(propagation.fields()).toEqual([])
      expect(trace.getTracer('test').startSpan('x').isRecording()).toBe(false)
      expect(logs.getLogger('test').enabled()).toBe(false)
      expect(metrics.getMeterProvider().constructor.name).toContain('Noop')
      expect(context.with(ROOT_CONTEXT.setValue(Symbol.for('x'), 1), () => context.active())).toBe(ROOT_CONTEXT)
    }
  })

  it.each<[string, Record<string, string>, boolean]>([
    ['is not loaded when nothing asks for it', {}, false],
    [
      'is not loaded when it is disabled',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' },
      false,
    ],
    ['is loaded for an endpoint', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1' }, true],
  ])('%s', async (_what, env, expected) => {
    const script = `
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
      const { startTelemetry } = await import('./src/telemetry/start.ts')
      const log = { debug() {}, info() {}, warn() {}, error() {} }
      const { stop } = await startTelemetry({ version: '1', env: process.env, log })
      await stop(0)
      const sdk = loaded.map((url) => /@opentelemetry\\/([\\w-]+)/.exec(url)?.[1]).filter((name) => name && name !== 'api')
      process.stdout.write(String(sdk.length > 0))`
    const { PATH = '' } = process.env
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: { PATH, ...env } })
    expect((await run).stdout).toBe(String(expected))
  })
})

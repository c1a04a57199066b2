import { createServer } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { SILENT } from '../src/options.ts'
import type { Log } from '../src/plugin.ts'
import { createTracing, type StartOptions } from '../src/telemetry.ts'
import { startTelemetry } from '../src/telemetry/start.ts'
import type { SpanRecord } from '../src/trace-tree.ts'
import { VERSION } from '../src/version.ts'
import { receiver } from './_otlp.ts'

const left: (() => unknown)[] = []
afterEach(async () => {
  for (const close of left.splice(0).reverse()) await close()
  vi.unstubAllEnvs()
})

/** A log that keeps its warnings and what it says besides. */
const notes = () => {
  const lines: string[] = []
  const note = (message: string): void => void lines.push(message)
  const log: Log = { debug: () => {}, info: note, warn: note, error: note }
  return { lines, log }
}

/** Telemetry as these variables of the environment say, and nothing else. */
const telemetry = async (
  env: Record<string, string>,
  { onTrace, log = SILENT }: { onTrace?: (spans: readonly SpanRecord[]) => void; log?: Log } = {},
) => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const started = await startTelemetry({ version: '1.2.3', env, log, onTrace })
  let stopped: Promise<void> | undefined
  const stop = (ms = 5_000): Promise<void> => (stopped ??= started.stop(ms))
  left.push(() => stop(0))
  return { stop, tracing: createTracing(VERSION) }
}

const collector = async () => {
  const made = await receiver()
  left.push(made.close)
  return made
}

/** The spans of one event: reception, match, response. */
const event = (tracing: ReturnType<typeof createTracing>, matched = 1, options: StartOptions = {}): void => {
  const reception = tracing.start('POST /', { kind: 'server', ...options, attributes: { 'yarak.matched': matched } })
  tracing.start('match', { parent: reception }).end()
  if (matched > 0) tracing.start('respond r', { parent: reception }).end()
  reception.end()
}

const ALL = ['POST /', 'match', 'respond r']

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
    const { tracing, stop } = await telemetry({
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
  })

  it('gets every span of a burst', async () => {
    const { url, names } = await collector()
    const { tracing, stop } = await telemetry({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
    for (let i = 0; i < 5_000; i++) event(tracing)
    await stop(15_000)
    expect(names()).toHaveLength(15_000)
  })

  it('that fails is told once for each outage, and when it is over', async () => {
    const { url, answer, names } = await collector()
    answer.status = 400
    const { lines, log } = notes()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '10' }
    const { tracing } = await telemetry(env, { log })
    event(tracing)
    await expect.poll(() => lines).toEqual(['spans cannot be exported'])
    event(tracing)
    await new Promise((done) => setTimeout(done, 100))
    expect(lines).toEqual(['spans cannot be exported'])
    answer.status = 200
    event(tracing)
    await expect.poll(() => lines).toEqual(['spans cannot be exported', 'spans are exported again'])
    expect(names().sort()).toEqual(ALL)
  })

  it.each(['nobody listens', 'nobody answers'])('where %s does not keep a stop from ending', async (what) => {
    const silent = createServer((socket) => left.push(() => socket.destroy()))
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    const { port } = silent.address() as { port: number }
    const close = (): Promise<void> => new Promise((done) => silent.close(() => done()))
    if (what === 'nobody listens') await close()
    else left.unshift(close)
    const { tracing, stop } = await telemetry({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
    event(tracing)
    const late = new Promise((done) => setTimeout(() => done('late'), 4_000).unref())
    expect(await Promise.race([stop(100), late])).toBeUndefined()
  })
})

describe('what is sampled', () => {
  const REMOTE = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }

  it.each([
    ['always_off', {}, ALL],
    ['always_on', {}, [...ALL, 'POST /', 'match']],
    ['parentbased_always_on', {}, [...ALL, 'POST /', 'match']],
    ['parentbased_always_on', { from: REMOTE }, ALL],
    ['parentbased_always_off', {}, ALL],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }, ALL],
    ['parentbased_traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }, ALL],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '1' }, [...ALL, 'POST /', 'match']],
  ] as const)('%s %j: what a rule matched is whole, the rest as configured', async (sampler, more, expected) => {
    const { url, names } = await collector()
    const { from, ...arg } = more as { from?: typeof REMOTE; OTEL_TRACES_SAMPLER_ARG?: string }
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_SAMPLER: sampler, ...arg }
    const { tracing, stop } = await telemetry(env)
    event(tracing, 1, { from })
    event(tracing, 0, { from })
    await stop()
    expect(names().sort()).toEqual([...expected].sort())
  })
})

describe('nothing is exported', () => {
  it.each<[string, Record<string, string>]>([
    ['without an endpoint', {}],
    ['with OTEL_TRACES_EXPORTER=none', { OTEL_TRACES_EXPORTER: 'none' }],
    ['with OTEL_SDK_DISABLED=true', { OTEL_SDK_DISABLED: 'true' }],
    ['with OTEL_SDK_DISABLED=TRUE', { OTEL_SDK_DISABLED: 'TRUE' }],
  ])('%s, and spans have no ids', async (what, env) => {
    const { url, received } = await collector()
    const { tracing, stop } = await telemetry({
      ...(what.startsWith('without') ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: url }),
      ...env,
    })
    expect(tracing.start('x').traceId).toBeUndefined()
    event(tracing)
    await stop()
    expect(received).toEqual([])
  })

  it('but whole traces are shown, with OTEL_TRACES_EXPORTER=none', async () => {
    const { url, received } = await collector()
    const shown: string[][] = []
    const { tracing, stop } = await telemetry(
      { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: 'none' },
      { onTrace: (spans) => shown.push(spans.map(({ name }) => name)) },
    )
    event(tracing)
    await expect.poll(() => shown).toEqual([['match', 'respond r', 'POST /']])
    await stop()
    expect(received).toEqual([])
  })

  it('and nothing shown with OTEL_SDK_DISABLED, which is said', async () => {
    const { lines, log } = notes()
    const { tracing, stop } = await telemetry(
      { OTEL_SDK_DISABLED: 'true' },
      { log, onTrace: () => lines.push('shown') },
    )
    event(tracing)
    await stop()
    expect(lines).toEqual(['OTEL_SDK_DISABLED is set: nothing is traced, and no response is shown'])
  })

  it('to an exporter that is not known, which is said', async () => {
    const { lines, log } = notes()
    await telemetry({ OTEL_TRACES_EXPORTER: 'zipkin' }, { log })
    expect(lines).toEqual(['OTEL_TRACES_EXPORTER: zipkin is not known; there are otlp, console and none'])
  })
})

describe('OTEL_TRACES_EXPORTER', () => {
  it('console prints each span; otlp beside it still gets them', async () => {
    const printed = vi.spyOn(console, 'dir').mockImplementation(() => {})
    left.push(() => printed.mockRestore())
    const { url, names } = await collector()
    const { tracing, stop } = await telemetry({
      OTEL_TRACES_EXPORTER: 'console, otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
    })
    event(tracing)
    await stop()
    expect(printed.mock.calls.map(([span]) => (span as { name: string }).name).sort()).toEqual(ALL)
    expect(names().sort()).toEqual(ALL)
  })
})

describe('traces that are shown', () => {
  const showing = async () => {
    const shown: (readonly SpanRecord[])[] = []
    return { shown, ...(await telemetry({}, { onTrace: (spans) => shown.push(spans) })) }
  }

  it('are told once, when nothing of them is open', async () => {
    const { shown, tracing, stop } = await showing()
    const reception = tracing.start('POST /')
    const respond = tracing.start('respond r', { parent: reception })
    reception.end()
    await new Promise((done) => setTimeout(done, 150))
    expect(shown).toEqual([])
    respond.end()
    const notify = tracing.start('notify slack', { parent: respond })
    notify.end()
    await expect.poll(() => shown.length).toBe(1)
    await stop()
    expect(shown).toHaveLength(1)
    expect(shown[0]?.map(({ name }) => name)).toEqual(['POST /', 'respond r', 'notify slack'])
    expect(shown[0]?.[1]).toMatchObject({ parentId: shown[0]?.[0]?.spanId, kind: 'internal', failed: false })
  })

  it('leave out those without a response', async () => {
    const { shown, tracing, stop } = await showing()
    event(tracing, 0)
    await stop()
    expect(shown).toEqual([])
  })

  it('are all told at the stop, also what is still open', async () => {
    const { shown, tracing, stop } = await showing()
    event(tracing)
    const open = tracing.start('POST /')
    tracing.start('respond late', { parent: open }).end()
    await stop()
    expect(shown.map((spans) => spans.map(({ name }) => name))).toEqual([
      ['match', 'respond r', 'POST /'],
      ['respond late'],
    ])
  })

  it('are shown again after another start', async () => {
    const first = await showing()
    event(first.tracing)
    await first.stop()
    const second = await showing()
    event(second.tracing)
    await second.stop()
    expect([first.shown.length, second.shown.length]).toEqual([1, 1])
  })

  it('beyond 2,000 open ones the oldest is let go', async () => {
    const { shown, tracing, stop } = await showing()
    const open = Array.from({ length: 2_001 }, () => tracing.start('respond r'))
    for (const span of open) span.end()
    await stop()
    expect(shown).toHaveLength(2_000)
    expect(shown.flat().some(({ traceId }) => traceId === open[0]?.traceId)).toBe(false)
  })
})

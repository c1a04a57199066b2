import type { RequestListener } from 'node:http'
import { describe, expect, it } from 'vitest'
import { telemetryFacts } from '../../src/doctor/telemetry.ts'
import { closedPort } from '../cli/_kit.ts'
import { answering, lines, onPatient } from './_kit.ts'

const TRACES_ONLY = { OTEL_METRICS_EXPORTER: 'none' }

const found = async (env: Record<string, string>, config: object = { traceUrl: 'http://j/{traceId}' }) => {
  const facts = await onPatient(config, telemetryFacts, { env: { ...TRACES_ONLY, ...env } })
  return { told: lines(facts.findings), ...facts }
}

interface Seen {
  readonly url: string | undefined
  readonly type: string | undefined
  readonly authorization: string | undefined
  readonly body: string
}

/** A collector that keeps what it is asked. */
const collector = async (status = 200, more: RequestListener = () => {}) => {
  const seen: Seen[] = []
  const url = await answering((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    request.on('end', () => {
      const { 'content-type': type, authorization } = request.headers
      seen.push({ url: request.url, type, authorization, body })
      more(request, response)
      response.writeHead(status).end()
    })
  })
  return { url, seen }
}

describe('a collector over HTTP', () => {
  it('is asked to take nothing, as protobuf, and does', async () => {
    const { url, seen } = await collector()
    const { told, skew } = await found({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/` })
    expect(told).toEqual([`ok traces: ${url} takes them`, 'ok traceUrl: reports link to their traces'])
    expect(seen).toEqual([{ url: '/v1/traces', type: 'application/x-protobuf', authorization: undefined, body: '' }])
    expect(skew).toBe(0)
  })

  it('as JSON, at its own address, with headers', async () => {
    const { url, seen } = await collector()
    await found({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/own`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a-token,x=y',
    })
    expect(seen).toEqual([{ url: '/own', type: 'application/json', authorization: 'Bearer a-token', body: '{}' }])
  })

  it('of metrics and logs too, where those go out', async () => {
    const { url, seen } = await collector()
    await found({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_METRICS_EXPORTER: 'otlp', OTEL_LOGS_EXPORTER: 'otlp' })
    expect(seen.map((one) => one.url).sort()).toEqual(['/v1/logs', '/v1/metrics', '/v1/traces'])
  })

  it.each([
    [401, 'OTEL_EXPORTER_OTLP_HEADERS'],
    [403, 'OTEL_EXPORTER_OTLP_HEADERS'],
    [404, 'without /v1/traces'],
    [415, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
    [503, 'log of the collector'],
  ])('that answers %d', async (status, remedy) => {
    const { url } = await collector(status)
    const { findings } = await found({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
    expect(findings[0]).toMatchObject({ name: 'traces', status: 'fail', message: `${url} answers ${status}` })
    expect(findings[0]?.remedy).toContain(remedy)
  })

  it('that is not there, and one that never answers', async () => {
    const closed = await found({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await closedPort()}` })
    expect(closed.told[0]).toMatch(/^fail traces: .*ECONNREFUSED/)
    const silent = await answering(() => {})
    const env = { ...TRACES_ONLY, OTEL_EXPORTER_OTLP_ENDPOINT: silent }
    const { findings } = await onPatient({}, telemetryFacts, { env, timeout: 100 })
    expect(lines(findings)[0]).toBe('fail traces: there was no answer within 0.1 s')
  })

  it('whose clock is wrong', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString()
    const { url } = await collector(200, (_, response) => response.setHeader('date', date))
    expect((await found({ OTEL_EXPORTER_OTLP_ENDPOINT: url })).skew).toBeGreaterThan(3_500_000)
  })
})

describe('a collector over gRPC', () => {
  const grpc = (endpoint: string, more = {}) =>
    found({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...more })

  it('is connected to', async () => {
    const { url, seen } = await collector()
    expect((await grpc(url)).told[0]).toMatch(/^ok traces: 127.0.0.1:\d+ takes connections/)
    expect(seen).toEqual([])
  })

  it('also where the address is a host and a port', async () => {
    const { url } = await collector()
    const bare = url.replace('http://', '')
    expect((await grpc(bare, { OTEL_EXPORTER_OTLP_INSECURE: 'true' })).told[0]).toMatch(/^ok traces/)
    expect((await grpc(bare)).told[0]).toMatch(/^fail traces/)
  })

  it('is not there', async () => {
    expect((await grpc(`http://127.0.0.1:${await closedPort()}`)).told[0]).toMatch(
      /^fail traces: .* nothing listens there$/,
    )
  })
})

describe('variables', () => {
  it('none', async () => {
    expect((await found({})).told).toEqual([expect.stringMatching(/^ok endpoint: none is set/)])
  })

  it('that turn it off', async () => {
    const env = { OTEL_SDK_DISABLED: 'TRUE', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }
    expect((await found(env)).told).toEqual(['ok endpoint: OTEL_SDK_DISABLED is true: nothing is exported'])
  })

  it('an endpoint that nothing goes to', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', OTEL_TRACES_EXPORTER: 'none' }
    expect((await found(env)).told).toEqual([
      expect.stringMatching(/^warn endpoint: one is set, and nothing is exported/),
    ])
  })

  it.each([
    [{ OTEL_TRACES_SAMPLER: 'sometimes' }, 'OTEL_TRACES_SAMPLER: sometimes is not known'],
    [{ OTEL_PROPAGATORS: 'b3,morse' }, 'OTEL_PROPAGATORS: morse is not known'],
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER: zipkin is not known'],
    [{ OTEL_PROPAGATORS: 'jaeger' }, 'OTEL_PROPAGATORS: jaeger is not known'],
    [{ OTEL_METRIC_EXPORT_INTERVAL: '0' }, 'OTEL_METRIC_EXPORT_INTERVAL is no number from 1 on'],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: 'many' }, 'OTEL_BSP_MAX_QUEUE_SIZE is no number'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'a-secret-thing' }, 'OTEL_EXPORTER_OTLP_ENDPOINT is no URL'],
  ])('%j is told', async (env, expected) => {
    const { told } = await found(env)
    expect(told).toContainEqual(expect.stringContaining(`warn variables: ${expected}`))
    expect(told.join()).not.toContain('a-secret-thing')
  })

  it('an endpoint without a link to its traces', async () => {
    const { url } = await collector()
    expect((await found({ OTEL_EXPORTER_OTLP_ENDPOINT: url }, {})).told[1]).toMatch(
      /^warn traceUrl: reports do not link/,
    )
  })
})

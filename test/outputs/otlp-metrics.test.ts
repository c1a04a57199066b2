/** "Metrics Data Model" and OTLP of OpenTelemetry; names and attributes of Falcosidekick's outputs/otlp_metrics. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { increased, metricsOf, type Sums } from '../../outputs/_otlp-sums.ts'
import { createOtlpMetrics, otlpMetrics } from '../../outputs/otlp-metrics.ts'
import type { Notice } from '../../src/plugin.ts'
import { type Answers, aNotice, anEvent, aReport, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { NEVER } from './_link.ts'
import { decoded, plainAttributes, REQUESTS } from './_otlp.ts'

const JSON_TO = { endpoint: 'http://collector:4318', protocol: 'http/json' }

const INPUTS = 'falcosecurity_falcosidekick_inputs'
const MATCHES = 'falcosecurity_falco_rules_matches_total'

interface Point {
  readonly asInt: string
  readonly startTimeUnixNano: string
  readonly timeUnixNano: string
  readonly attributes: unknown
}

interface Metric {
  readonly name: string
  readonly description?: string
  readonly sum: {
    readonly dataPoints: readonly Point[]
    readonly aggregationTemporality: number
    readonly isMonotonic: boolean
  }
}

interface Body {
  readonly resourceMetrics: readonly { readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[] }[]
}

const metricsIn = (body: unknown): readonly Metric[] =>
  (body as Body).resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))

/** What stands in a request: `name {labels} value`. */
const pointsIn = (body: unknown): string[] =>
  metricsIn(body).flatMap(({ name, sum }) =>
    sum.dataPoints.map(({ asInt, attributes }) => `${name} ${JSON.stringify(plainAttributes(attributes))} ${asInt}`),
  )

const opened = async (config: object = {}, answer: Answers = {}, now?: () => number) => {
  const io = testIo({ answer })
  const output = createOtlpMetrics(now)
  const sender = await output.open(output.config.parse({ ...JSON_TO, ...config }), io)
  const bodies = () => io.requests.map(({ body }) => JSON.parse(body) as unknown)
  return {
    io,
    sender,
    bodies,
    send: (...notices: Notice[]) => sender.send(notices, NEVER),
    last: () => pointsIn(bodies().at(-1)),
  }
}

const INPUT = `${INPUTS} {"source":"requests","status":"accepted"}`
const MATCH =
  `${MATCHES} {"source":"syscall","priority":"Notice","rule":"Terminal shell in container","hostname":"node-1",` +
  '"tags":["container","shell","mitre_execution"]}'

afterEach(() => void vi.useRealTimers())

describe('what Falcosidekick exported after each of the same events', () => {
  interface Counted {
    readonly name: string
    readonly attributes: Readonly<Record<string, unknown>>
    readonly count: string
  }

  /** In one order; it sorts the tags of an event. */
  const counted = (body: unknown): string[] =>
    metricsIn(body)
      .flatMap(({ name, sum }): Counted[] => {
        expect(sum).toMatchObject({ aggregationTemporality: 2, isMonotonic: true })
        return sum.dataPoints.map(({ attributes, asInt }) => ({
          name,
          attributes: plainAttributes(attributes),
          count: asInt,
        }))
      })
      .map(({ name, attributes, count }) => {
        const sorted = Object.entries(attributes)
          .map(([key, value]) => [key, Array.isArray(value) ? value.toSorted() : value] as const)
          .toSorted(([one], [other]) => (one < other ? -1 : 1))
        return `${name} ${JSON.stringify(sorted)} ${count}`
      })
      .toSorted()

  it('is what we export', async () => {
    const { send, bodies, sender } = await opened()
    for (const { notice, requests } of falcosidekickSent('otlp.metrics').exchanges) {
      await send(notice)
      const { body, encoding } = requests[0] ?? expect.fail('nothing was recorded')
      expect(counted(bodies().at(-1))).toEqual(counted(decoded(Buffer.from(body, encoding), REQUESTS.metrics)))
    }
    await sender.close?.()
  })
})

describe('counters', () => {
  it('grow from request to request, since the output was opened', async () => {
    let now = 1_000
    const { send, last, bodies, sender } = await opened({}, {}, () => now++)
    await send(aNotice(), aNotice())
    expect(last()).toEqual([`${INPUT} 2`, `${MATCH} 2`])
    await send(aNotice())
    expect(last()).toEqual([`${INPUT} 3`, `${MATCH} 3`])
    for (const [i, body] of bodies().entries()) {
      for (const { sum } of metricsIn(body)) {
        expect(sum).toMatchObject({ aggregationTemporality: 2, isMonotonic: true })
        expect(sum.dataPoints[0]).toMatchObject({ startTimeUnixNano: '1000000000', timeUnixNano: `100${i + 1}000000` })
      }
    }
    await sender.close?.()
  })

  it('count every alert of a digest, and each series for itself', async () => {
    const digest = { count: 5, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00Z' }
    const { send, last, sender } = await opened()
    await send(aNotice({ digest }), aNotice({ event: anEvent({ hostname: null, tags: [] }) }))
    expect(last()).toEqual([
      `${INPUT} 6`,
      `${MATCH} 5`,
      `${MATCHES} {"source":"syscall","priority":"Notice","rule":"Terminal shell in container","hostname":"unknown","tags":[]} 1`,
    ])
    await sender.close?.()
  })

  it('have the text fields that are named as attributes', async () => {
    const { send, last, sender } = await opened({ extraAttributes: ['k8s.ns.name', 'proc.pid', 'nowhere', 'rule'] })
    await send(
      aNotice({ event: anEvent({ output_fields: { 'k8s.ns.name': 'default', 'proc.pid': 1, rule: 'mine' } }) }),
    )
    expect(last()[1]).toContain('"rule":"Terminal shell in container"')
    expect(last()[1]).toContain('"k8s_ns_name":"default","proc_pid":"","nowhere":""')
    await sender.close?.()
  })

  it('tell of responses', async () => {
    const { send, last, sender } = await opened()
    await send(aNotice({ report: aReport() }), aNotice({ report: aReport({ outcome: 'failed' }) }))
    expect(last()).toEqual([
      'yarak_responses {"rule":"Shell in a container","outcome":"succeeded","mode":"enforce"} 1',
      'yarak_responses {"rule":"Shell in a container","outcome":"failed","mode":"enforce"} 1',
    ])
    await sender.close?.()
  })

  it('count nothing twice when an export fails and is tried again', async () => {
    let failures = 2
    const { send, last, sender } = await opened({}, () => (failures-- > 0 ? { status: 503 } : {}))
    for (let i = 0; i < 2; i++) await expect(send(aNotice())).rejects.toMatchObject({ permanent: false, reason: '503' })
    await send(aNotice())
    expect(last()).toEqual([`${INPUT} 1`, `${MATCH} 1`])
    await sender.close?.()
  })

  it('lose nothing when two are sent at the same time', async () => {
    const { send, last, sender } = await opened()
    await Promise.all([send(aNotice()), send(aNotice()), send(aNotice())])
    expect(last()).toEqual([`${INPUT} 3`, `${MATCH} 3`])
    await sender.close?.()
  })

  it('end at once when it is cut short while another is sent', async () => {
    const { sender } = await opened({}, 'hang')
    const [first, second] = [new AbortController(), new AbortController()]
    const waiting = [sender.send([aNotice()], first.signal), sender.send([aNotice()], second.signal)]
    second.abort()
    await expect(waiting[1]).rejects.toMatchObject({ code: 'interrupted' })
    first.abort()
    await expect(waiting[0]).rejects.toMatchObject({ code: 'interrupted' })
    await sender.close?.()
  })
})

describe('a receiver', () => {
  it('that refuses a part makes the export fail for good, and it is not counted', async () => {
    const answers: Answers[] = [{ body: { partialSuccess: { rejectedDataPoints: '1', errorMessage: 'out of order' } } }]
    const { send, last, sender } = await opened({}, () => (answers.shift() ?? {}) as object)
    await expect(send(aNotice())).rejects.toMatchObject({
      message: 'http://collector:4318 refused a part: out of order',
      permanent: true,
    })
    await send(aNotice())
    expect(last()).toEqual([`${INPUT} 1`, `${MATCH} 1`])
    await sender.close?.()
  })

  it('gets the resource and the scope that Falcosidekick sends', async () => {
    const { send, bodies, sender } = await opened()
    await send(aNotice())
    expect(bodies()[0]).toMatchObject({
      resourceMetrics: [
        {
          resource: {
            attributes: [
              { key: 'service.name', value: { stringValue: 'falco' } },
              { key: 'service.version', value: { stringValue: '0.1.0' } },
            ],
          },
          schemaUrl: 'https://opentelemetry.io/schemas/1.23.1',
          scopeMetrics: [{ scope: { name: 'falcosecurity.falco.otlpmetrics.meter' } }],
        },
      ],
    })
    await sender.close?.()
  })
})

describe('when nothing happens', () => {
  it('the counters are exported each interval until it is closed, and a failure is passed over', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const answers: Answers[] = [{}, new Error('gone'), {}]
    const { io, send, last, sender } = await opened({ interval: '10s' }, () => (answers.shift() ?? {}) as Error)
    vi.advanceTimersByTime(10_000)
    expect(io.requests).toHaveLength(0)
    await send(aNotice())
    for (let requests = 2; requests < 4; requests++) {
      vi.advanceTimersByTime(10_000)
      await vi.waitFor(() => expect(io.requests).toHaveLength(requests))
    }
    expect(last()).toEqual([`${INPUT} 1`, `${MATCH} 1`])
    await sender.close?.()
    vi.advanceTimersByTime(60_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect(io.requests).toHaveLength(3)
  })
})

describe('sums', () => {
  const one = (n: number, by = 1) => ({ metric: 'm', labels: { n: String(n) }, by })

  it('are never changed', () => {
    const before: Sums = increased(new Map(), [one(1)])
    const after = increased(before, [one(1, 2), one(2)])
    expect([...before.values()].map(({ value }) => value)).toEqual([1])
    expect([...after.values()].map(({ value }) => value)).toEqual([3, 1])
  })

  it('are at most 2,000 of a metric, and one for the rest', () => {
    const many = Array.from({ length: 2_500 }, (_, n) => one(n))
    const sums = increased(increased(new Map(), many), [one(0), one(9_999), { ...one(1), metric: 'other' }])
    const series = [...sums.values()].filter(({ metric }) => metric === 'm')
    expect(series).toHaveLength(2_001)
    expect(series[0]).toMatchObject({ labels: { n: '0' }, value: 2 })
    expect(series.at(-1)).toEqual({ metric: 'm', labels: { 'otel.metric.overflow': true }, value: 501 })
    expect(metricsOf(sums, {}, 0n, 1n)).toHaveLength(2)
  })
})

it('is shown as JSON', () => {
  const shown = otlpMetrics.preview?.(aNotice(), otlpMetrics.config.parse({ endpoint: JSON_TO.endpoint }))
  expect(pointsIn(shown)).toEqual([`${INPUT} 1`, `${MATCH} 1`])
})

it('is the same as protobuf', async () => {
  const output = createOtlpMetrics(() => 1_000)
  const bodies: unknown[] = []
  const io = testIo()
  const http: typeof io.http = async ({ body }) => {
    bodies.push(body instanceof Uint8Array ? decoded(Buffer.from(body), REQUESTS.metrics) : body)
    return { status: 200, headers: {}, body: '' }
  }
  for (const protocol of ['http/protobuf', 'http/json']) {
    const sender = await output.open(output.config.parse({ ...JSON_TO, protocol }), { ...io, http })
    await sender.send([aNotice()], NEVER)
    await sender.close?.()
  }
  const [binary, json] = bodies
  expect(metricsIn(binary)).toEqual([
    ...metricsIn(json).map(({ sum, ...metric }) => ({ ...metric, sum: { ...sum, dataPoints: sum.dataPoints } })),
  ])
})

it.each([
  [{ ...JSON_TO, extraAttributes: ['a-b'] }, /extraAttributes\[0\]: must be the name of a field/],
  [{ ...JSON_TO, extraEnvVars: {} }, /extraEnvVars is not a known setting/],
  [{ ...JSON_TO, interval: 60 }, /interval/],
  [{ ...JSON_TO, interval: '0s' }, /interval: must be from 1s to 1d/],
])('refuses %j', (config, message) => {
  expect(() => otlpMetrics(config as never)).toThrow(message)
})

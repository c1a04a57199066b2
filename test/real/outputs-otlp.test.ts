/** What the OTLP outputs leave in a real Jaeger and a real Loki, over an outage too, and the peers' counters in Prometheus. */
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { otlpLogs } from '../../outputs/otlp-logs.ts'
import { otlpTraces } from '../../outputs/otlp-traces.ts'
import { fnv128 } from '../../src/fnv.ts'
import { compatMetricsSettings, createCompatMetrics } from '../../src/compat-metrics.ts'
import { createGateway } from '../../src/index.ts'
import type { Output, Use, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, type EventMembers, oddEvents } from '../../src/testing.ts'
import { about } from '../kit.ts'
import { jaeger } from './jaeger.ts'
import { loki } from './loki.ts'
import { freePort, until } from './part.ts'
import { prometheus } from './prometheus.ts'
import { proxyTo } from './proxy.ts'
import { run } from './tools.ts'
import { waitForTrace } from './traces.ts'
import { send } from './_send.ts'
import { describePart, running } from './vitest.ts'

/** Tells 10 alerts, 10 while nobody answers at the address, and 10 more afterwards. */
const overAnOutage = async (use: (port: number) => Use<Output>, port: number, pod: string): Promise<void> => {
  const proxy = await proxyTo(port)
  const gateway = createGateway({ outputs: [{ output: use(proxy.port), concurrency: 1 }] })
  const tell = (from: number) =>
    Array.from({ length: 10 }, (_, i) =>
      gateway.emit(about(pod, { output: `alert ${from + i}` })).then(({ done }) => done),
    )
  await Promise.all(tell(10))
  await proxy.stop()
  const during = tell(20)
  await until('the outage', async () => gateway.health().outputs[0]?.lastError !== undefined || undefined)
  const again = await proxyTo(port, proxy.port)
  await Promise.all([...during, ...tell(30)])
  await gateway.stop()
  await again.stop()
}

const ALL = Array.from({ length: 30 }, (_, i) => `alert ${10 + i}`)

const inPod = (pod: string, members: EventMembers = {}) =>
  anEvent({ output_fields: { 'k8s.ns.name': 'otlp', 'k8s.pod.name': pod, 'proc.name': 'nc', n: 4_711 }, ...members })

describePart(jaeger, () => {
  const at = running(jaeger)
  const port = () => Number(new URL(at().otlpHttp).port)

  test.each(['http/protobuf', 'http/json'] as const)(
    'keeps what %s sends, and finds it as the trace of its pod',
    async (protocol) => {
      const pod = protocol.replace('/', '-')
      const event = inPod(pod)
      const notices = [aNotice({ id: '1', event }), aNotice({ id: '2', event, report: aReport({ outcome: 'failed' }) })]
      await send(otlpTraces, { endpoint: at().otlpHttp, protocol }, notices)
      const trace = await waitForTrace(at(), fnv128(`otlp:${pod}`), { spans: 2 })
      const [alert, response] = trace.spans
      expect(alert).toMatchObject({
        name: 'Terminal shell in container',
        kind: 'server',
        start: 1_769_860_800_123_456_789n,
        end: 1_769_860_801_123_456_789n,
        attributes: {
          'proc.name': 'nc',
          n: '4711',
          priority: 'Notice',
          tags: ['container', 'shell', 'mitre_execution'],
        },
        links: [{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }],
        resource: { 'service.name': 'falco', 'service.version': 'v0.1.0' },
      })
      expect(alert?.events[0]?.name).toBe(event.output)
      expect(response).toMatchObject({
        name: 'response Shell in a container',
        kind: 'internal',
        status: { code: 'error', message: 'failed' },
        attributes: { outcome: 'failed', target: 'pod/default/web-1' },
      })
    },
  )

  test.each(['http/protobuf', 'http/json'] as const)('takes whatever an event says, by %s', async (protocol) => {
    const notices = oddEvents().map(({ event }, i) => aNotice({ id: `odd-${i}`, event }))
    await send(otlpTraces, { endpoint: at().otlpHttp, protocol }, notices)
  })

  test('has every alert after an outage', async () => {
    await overAnOutage((proxy) => otlpTraces({ endpoint: `http://127.0.0.1:${proxy}` }), port(), 'web-out')
    const { spans } = await waitForTrace(at(), fnv128('shop:web-out'), { spans: 30 })
    expect(spans.map(({ events }) => events[0]?.name).sort()).toEqual(ALL)
    expect(new Set(spans.map(({ id }) => id)).size).toBe(30)
  })
})

interface Found {
  readonly data: {
    readonly result: readonly {
      readonly stream: Readonly<Record<string, string>>
      readonly values: readonly (readonly [string, string])[]
    }[]
  }
}

describePart(loki, () => {
  const open = running(loki)
  const closed = running(loki, { tenants: true })

  const found = async (selector: string) => {
    const query = `${open().url}/loki/api/v1/query_range?limit=1000&query=${encodeURIComponent(selector)}`
    const { data } = (await (await fetch(query)).json()) as Found
    return data.result.flatMap(({ stream, values }) => values.map(([time, line]) => ({ stream, time, line })))
  }

  test.each(['http/protobuf', 'http/json'] as const)(
    'keeps what %s sends, with its time, severity and fields',
    async (protocol) => {
      const pod = protocol.replace('/', '-')
      const time = new Date().toISOString().replace('Z', '456789Z')
      const notice = aNotice({ event: inPod(pod, { time, priority: 'Critical' }) })
      await send(otlpLogs, { endpoint: `${open().url}/otlp/v1/logs`, protocol }, [notice])
      const records = await until('the record', async () => {
        const all = await found(`{service_name="falco"} | k8s_pod_name="${pod}"`)
        return all.length > 0 ? all : undefined
      })
      expect(records).toHaveLength(1)
      expect(records[0]).toMatchObject({
        line: notice.event.output,
        stream: {
          severity_text: 'Critical',
          severity_number: '18',
          proc_name: 'nc',
          n: '4711',
          trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
        },
      })
      expect(records[0]?.time.slice(-6)).toBe('456789')
    },
  )

  test('has every alert after an outage', async () => {
    const use = (proxy: number) => otlpLogs({ endpoint: `http://127.0.0.1:${proxy}/otlp/v1/logs` })
    await overAnOutage(use, Number(new URL(open().url).port), 'web-out')
    const lines = await until('all of them', async () => {
      const all = await found('{service_name="falco"} | k8s_pod_name="web-out"')
      return all.length >= 30 ? all.map(({ line }) => line) : undefined
    })
    expect(lines.sort()).toEqual(ALL)
  })

  test('says that it wants credentials, and that is final', async () => {
    const endpoint = `${closed().url}/otlp/v1/logs`
    const error: unknown = await send(otlpLogs, { endpoint }, [aNotice()]).catch((thrown: unknown) => thrown)
    expect(error as YarakError).toMatchObject({ code: 'failed', reason: '401', permanent: true })
  })
})

describePart(prometheus, () => {
  test("scrapes the peers' counters under their names", async () => {
    const compat = createCompatMetrics(compatMetricsSettings.parse({ extraLabels: ['proc.name'] }))
    for (const { event } of oddEvents()) compat.accepted(event)
    compat.accepted(inPod('web-1'))
    compat.matched('Shell in a container', inPod('web-1'))
    compat.ended(aReport(), inPod('web-1'))
    compat.told('aws.s3', true, aReport())
    const address = `127.0.0.1:${await freePort()}`
    const [host, port] = address.split(':')
    const server = createServer((_request, response) => void response.end(compat.text())).listen(Number(port), host)
    const { addresses, stop } = await prometheus.start({ targets: [address] })
    try {
      const query = async (expression: string) =>
        (await run(addresses.promtool, ['query', 'instant', addresses.url, expression]))
          .trim()
          .replace(/ => (\S+) @.*$/s, ' $1')
      const events =
        'sum by (priority, priority_raw, proc_name) (falcosecurity_falcosidekick_falco_events_total{k8s_pod_name="web-1",k8s_ns_name="otlp"})'
      expect(await until('a scrape', async () => (await query(events)) || undefined)).toBe(
        '{priority="3", priority_raw="notice", proc_name="nc"} 1',
      )
      const accepted = String(oddEvents().length + 1)
      expect(await query('sum(falcosecurity_falcosidekick_inputs_total{status="accepted"})')).toBe(`{} ${accepted}`)
      expect(await query('sum(falcosecurity_falco_talon_actions_total{status="success"})')).toBe('{} 2')
      expect(await query('sum by (destination) (falcosecurity_falcosidekick_outputs_total)')).toBe(
        '{destination="awss3"} 1',
      )
    } finally {
      await stop()
      server.close()
    }
  })
})

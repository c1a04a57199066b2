/** What the outputs for logs leave in a real Loki and a real rsyslog, over an outage too. */
import { expect, onTestFinished, test } from 'vitest'
import { loki } from '../../outputs/loki.ts'
import { syslog } from '../../outputs/syslog.ts'
import { createGateway } from '../../src/index.ts'
import type { Notice, Output, Use } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, type EventMembers, oddEvents } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import { loki as lokiPart } from './loki.ts'
import { until } from './part.ts'
import { proxyTo } from './proxy.ts'
import { rsyslog, type RsyslogAddresses } from './rsyslog.ts'
import { send } from './_send.ts'
import { describePart, running } from './vitest.ts'

/** Of an event of now: Loki takes none that is a week old. */
const now = (members: EventMembers = {}): Notice =>
  aNotice({ event: anEvent({ time: new Date().toISOString(), ...members }) })

/**
 * A gateway that tells 10 alerts, 10 while nobody answers at the address, and 10 more afterwards.
 * @param use the output at a port of this machine
 * @param arrived resolves when the server has the first ten
 * @param back starts the server again, or not; gives its port
 * @returns what is between, to be stopped when all has arrived
 */
const overAnOutage = async (
  use: (port: number) => Use<Output>,
  port: number,
  arrived: () => Promise<unknown>,
  back: () => Promise<number>,
) => {
  const proxy = await proxyTo(port)
  const gateway = createGateway({ outputs: [{ output: use(proxy.port), concurrency: 1 }] })
  const tell = (from: number) =>
    Array.from({ length: 10 }, (_, i) =>
      gateway.emit(alert({ rule: 'outage', output: `alert ${from + i}` })).then(({ done }) => done),
    )
  await Promise.all(tell(10))
  await arrived()
  await proxy.stop()
  const during = tell(20)
  await until('the outage', async () => gateway.health().outputs[0]?.lastError !== undefined || undefined)
  const again = await proxyTo(await back(), proxy.port)
  await Promise.all([...during, ...tell(30)])
  await gateway.stop()
  return again
}

const ALL = Array.from({ length: 30 }, (_, i) => `alert ${10 + i}`)

interface Found {
  readonly data: {
    readonly result: readonly {
      readonly stream: Readonly<Record<string, string>>
      readonly values: readonly (readonly [string, string])[]
    }[]
  }
}

describePart(lokiPart, () => {
  const open = running(lokiPart)
  const closed = running(lokiPart, { tenants: true })

  /** The lines that a query finds, oldest first, once there are so many. */
  const found = (query: string, count: number, headers: Record<string, string> = {}, { url } = open()) =>
    until(`${count} lines`, async () => {
      const address = `${url}/loki/api/v1/query_range?limit=1000&direction=forward&query=${encodeURIComponent(query)}`
      const { data } = (await (await fetch(address, { headers })).json()) as Found
      const lines = data.result.flatMap(({ stream, values }) => values.map(([time, line]) => ({ stream, time, line })))
      return lines.length >= count ? lines.sort((a, b) => (BigInt(a.time) < BigInt(b.time) ? -1 : 1)) : undefined
    })

  test('events and reports are lines with labels', async () => {
    const hostPort = open().url
    const event = { rule: 'Real "rule"', output_fields: { 'proc.aname[2]': 'sh', 'k8s.ns.name': 'shop' } }
    const report = aReport({ startedAt: new Date(Date.now() + 5).toISOString() })
    await send(loki, { hostPort, extraLabels: ['proc.aname[2]'] }, [now(event), { ...now(event), report }])
    const lines = await found('{k8s_ns_name="shop"}', 2)
    expect(
      lines.map(({ stream, line }) => [stream.rule, stream.proc_aname2, stream.outcome, line.slice(0, 11)]),
    ).toEqual([
      ['Real "rule"', 'sh', undefined, 'A shell was'],
      ['Real "rule"', 'sh', 'succeeded', '[succeeded]'],
    ])
  })

  test('odd events are taken, cut to the limits of Loki', async () => {
    const fields = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, '規'.repeat(3_000)]))
    const notices = oddEvents()
      .map(({ event }) => event.toJSON())
      .concat({ ...anEvent().toJSON(), output_fields: fields, rule: 'r'.repeat(5_000) })
      .map((members, i) => now({ ...members, time: new Date(Date.now() + i).toISOString(), source: 'odd' }))
    const config = { hostPort: open().url, format: 'json', extraLabels: Object.keys(fields) }
    await send(loki, config, notices)
    const lines = await found('{source="odd"}', notices.length)
    for (const { line } of lines) expect(() => void JSON.parse(line)).not.toThrow()
  })

  test('of a batch with a line that is too old only that one is lost', async () => {
    const old = { source: 'old', time: '2020-01-01T00:00:00Z' }
    const notices = [now({ source: 'old', output: 'a' }), now(old), now({ source: 'old', output: 'c' })]
    await expect(send(loki, { hostPort: open().url }, notices)).rejects.toMatchObject({
      failed: [
        { index: 1, permanent: true, reason: expect.stringContaining('answered 400: entry for stream') as string },
      ],
    })
    expect(await found('{source="old"}', 2)).toHaveLength(2)
  })

  test('all arrives over an outage', async () => {
    const port = Number(new URL(open().url).port)
    const between = await overAnOutage(
      (at) => loki({ hostPort: `http://127.0.0.1:${at}` }),
      port,
      () => found('{rule="outage"}', 10),
      async () => port,
    )
    const lines = await found('{rule="outage"}', 30)
    await between.stop()
    expect(new Set(lines.map(({ line }) => line))).toEqual(new Set(ALL))
  })

  test('a tenant is needed where one is asked for', async () => {
    const hostPort = closed().url
    await expect(send(loki, { hostPort }, [now()])).rejects.toMatchObject({ permanent: true, reason: '401' })
    await send(loki, { hostPort, tenant: 'yarak' }, [now({ source: 'tenant' })])
    expect(await found('{source="tenant"}', 1, { 'X-Scope-OrgID': 'yarak' }, closed())).toHaveLength(1)
  })
})

describePart(rsyslog, () => {
  const at = running(rsyslog)

  const messages = (of: RsyslogAddresses, what: string, count: number) =>
    until(`${count} messages`, async () => {
      const some = of.messages().filter(({ text }) => text.includes(what))
      return some.length >= count ? some : undefined
    })

  test.each([
    ['udp', {}],
    ['tcp', {}],
    ['udp', { rfc: 5424 }],
    ['tcp', { rfc: 5424 }],
    ['tcp', { format: 'cef' }],
  ])('understands a message by %s with %j', async (protocol, more) => {
    const { host, tcpPort, udpPort } = at()
    const rule = `by ${protocol} ${Object.values(more).join('')}.`
    const config = { host, port: protocol === 'udp' ? udpPort : tcpPort, protocol, ...more }
    await send(syslog, config, [aNotice({ event: anEvent({ rule, priority: 'Critical', output: 'a\nb|c=d' }) })])
    const [message] = await messages(at(), rule, 1)
    expect(message).toMatchObject({ facility: 'kern', severity: 'crit', host: 'node-1', program: 'Falco' })
    const text = message?.text.trim() ?? ''
    if ('format' in more) expect(text).toMatch(/^CEF:0\|Falcosecurity\|Falco\|.*msg=a\\nb\|c\\=d source=/)
    else expect(JSON.parse(text)).toMatchObject({ rule, output: 'a\nb|c=d' })
  })

  test('odd events are one message each', async () => {
    const { host, tcpPort, udpPort } = at()
    const notices = oddEvents().map(({ event }) => aNotice({ event: anEvent({ ...event.toJSON(), source: 'odd' }) }))
    const config = { host, maxSize: '60KiB' }
    await send(syslog, { ...config, port: tcpPort, protocol: 'tcp' }, notices)
    await send(syslog, { ...config, port: udpPort }, notices)
    for (const { text } of await messages(at(), '"source":"odd"', 2 * notices.length)) {
      expect(() => void JSON.parse(text)).not.toThrow()
    }
  })

  test('all arrives, in order, though the server was stopped and started again', async () => {
    const start = async () => {
      const server = await rsyslog.start()
      onTestFinished(() => server.stop())
      return server
    }
    const first = await start()
    const second: { at?: RsyslogAddresses } = {}
    const heard: string[] = []
    const keep = ({ messages }: RsyslogAddresses) =>
      heard.push(...messages().map(({ text }) => /alert \d+/.exec(text)?.[0] ?? ''))
    const between = await overAnOutage(
      (port) => syslog({ host: '127.0.0.1', port, protocol: 'tcp' }),
      first.addresses.tcpPort,
      () => messages(first.addresses, 'outage', 10),
      async () => {
        keep(first.addresses)
        await first.stop()
        second.at = (await start()).addresses
        return second.at.tcpPort
      },
    )
    if (!second.at) return expect.fail('it was not started again')
    await messages(second.at, 'outage', 20)
    await between.stop()
    keep(second.at)
    expect([...new Set(heard)]).toEqual(ALL)
  })
})

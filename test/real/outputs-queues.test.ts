/** What the outputs to queues and databases leave in real servers, over an outage and over TLS too. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mqtt } from '../../outputs/mqtt.ts'
import { nats } from '../../outputs/nats.ts'
import { payload } from '../../outputs/_payload.ts'
import { rabbitmq } from '../../outputs/rabbitmq.ts'
import { redis } from '../../outputs/redis.ts'
import { timescaledb } from '../../outputs/timescaledb.ts'
import { createGateway } from '../../src/index.ts'
import { type Notice, type Output, type Sender, toJson, type Use } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents, testIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import { authority, loopback } from './certificates.ts'
import { runDir, forget, until } from './part.ts'
import { proxyTo } from './proxy.ts'
import { PASSWORD, queueParts, type Queues, startQueues } from './queues.ts'
import { tlsProxyTo, type TlsStart } from './tls-proxy.ts'
import { describeParts } from './vitest.ts'

const NEVER = new AbortController().signal
const WRONG = 'wrong-secret'

const openOutput = (output: Output, config: object, options = {}): Sender | Promise<Sender> =>
  output.open(output.config.parse(config), testIo(options))

/** One send by an output opened for it. */
const send = async (output: Output, config: object, notices: readonly Notice[], signal = NEVER): Promise<void> => {
  const sender = await openOutput(output, config)
  try {
    await sender.send(notices, signal)
  } finally {
    await sender.close?.()
  }
}

const asJson = (notices: readonly Notice[]): unknown[] =>
  notices.map((one) => JSON.parse(toJson(payload(one))) as unknown)

const numbered = (n: number, members: object = {}): Notice =>
  aNotice({ id: `notice-${n}`, event: anEvent({ rule: `rule ${n}`, ...members }) })

describeParts(queueParts, () => {
  let at: Queues
  beforeAll(async () => {
    at = await startQueues()
  })
  afterAll(() => at?.stop())

  const database = () => {
    const { host, port, user, password, database } = at.database
    return { host, port, user, password, database, hypertableName: 'events' }
  }

  const batch = (): Notice[] => [
    ...oddEvents().map(({ event }, i) => aNotice({ id: `odd-${i}`, event })),
    aNotice({ id: 'report', report: aReport() }),
  ]

  describe('nats', () => {
    const config = () => ({ hostPort: at.bus.url })
    test('everything is in the stream, once, under the subject of its rule', async () => {
      await at.addStream('ODD', 'odd.>')
      const streamed = { ...config(), stream: 'ODD', subjectTemplate: 'odd.<priority>.<rule>' }
      await send(nats, streamed, batch())
      await send(nats, streamed, batch())
      const found = await at.inStream('ODD')
      const bodies = found.map(({ body }) => JSON.parse(body) as { truncated?: true })
      const cut = new Set(bodies.flatMap(({ truncated }, i) => (truncated ? [i] : [])))
      expect(cut.size).toBe(1)
      expect(bodies.filter((_, i) => !cut.has(i))).toEqual(asJson(batch()).filter((_, i) => !cut.has(i)))
      expect(found[0]).toMatchObject({ subject: 'odd.notice.terminal_shell_in_container' })
      expect(found[0]?.headers).toEqual(expect.arrayContaining(['traceparent', 'Nats-Msg-Id']))
    })

    test('who subscribes to core NATS hears it', async () => {
      await at.withBus(async (bus) => {
        const heard: string[] = []
        bus.subscribe('falco.>', { callback: (_error, message) => void heard.push(message.subject) })
        await bus.flush()
        await send(nats, config(), [numbered(1), numbered(2)])
        await bus.flush()
        expect(heard).toEqual(['falco.notice.rule_1', 'falco.notice.rule_2'])
      })
    })

    test('what no stream takes is told, of each', async () => {
      await at.addStream('SOME', 'some.notice.>')
      const streamed = { ...config(), stream: true, subjectTemplate: 'some.<priority>.x' }
      const notices = [numbered(1), numbered(2, { priority: 'Debug' })]
      await expect(send(nats, streamed, notices)).rejects.toMatchObject({
        code: 'failed',
        failed: [{ index: 1, permanent: false, reason: 'no-stream' }],
      })
      expect(await at.inStream('SOME')).toHaveLength(1)
    })

    test('what is larger than the stream takes is given up, the rest is stored', async () => {
      await at.addStream('SMALL', 'small', { max_msg_size: 2_000 })
      const notices = [numbered(1), numbered(2, { output: 'x'.repeat(3_000) }), numbered(3)]
      await expect(send(nats, { ...config(), stream: true, subjectTemplate: 'small' }, notices)).rejects.toMatchObject({
        permanent: true,
        failed: [{ index: 1, permanent: true }],
      })
      expect(await at.inStream('SMALL')).toHaveLength(2)
    })
  })

  describe('rabbitmq', () => {
    test('everything is in the queue', async () => {
      await at.addQueue('odd')
      await send(rabbitmq, { url: at.rabbit.url, queue: 'odd', durable: true }, batch())
      const found = await at.inQueue('odd')
      expect(found.map(({ content }) => JSON.parse(content.toString()) as unknown)).toEqual(asJson(batch()))
      expect(found[0]?.properties).toMatchObject({
        contentType: 'text/plain',
        deliveryMode: 2,
        messageId: 'odd-0',
        headers: { traceparent: aNotice().traceparent },
      })
    })

    test('what has no queue comes back, for good; an exchange that is missing may come', async () => {
      await at.addQueue('known')
      const lost = { url: at.rabbit.url, queue: 'nowhere' }
      const told = { index: 0, permanent: true, reason: 'no queue takes it: NO_ROUTE' }
      await expect(send(rabbitmq, lost, [numbered(1)])).rejects.toMatchObject({ permanent: true, failed: [told] })
      const missing = { url: at.rabbit.url, queue: 'known', exchange: 'nobody' }
      await expect(send(rabbitmq, missing, [numbered(1)])).rejects.toMatchObject({
        code: 'unavailable',
        reason: 'not-found',
      })
    })
  })

  describe('mqtt', () => {
    test.each([4, 5] as const)('who subscribes hears everything, protocol %i', async (protocolVersion) => {
      const { heard, close } = await at.hearing(`odd/${protocolVersion}`)
      const notices = batch()
      await send(mqtt, { broker: at.broker.url, topic: `odd/${protocolVersion}`, qos: 1, protocolVersion }, notices)
      await until('all', async () => heard.length >= notices.length || undefined)
      await close()
      expect(heard.map(({ body }) => JSON.parse(body) as unknown)).toEqual(asJson(notices))
      const userProperties = { traceparent: aNotice().traceparent }
      if (protocolVersion === 5) expect(heard[0]?.properties).toMatchObject({ userProperties })
    })

    test('the broker keeps the last one, when it is asked to', async () => {
      await send(mqtt, { broker: at.broker.url, topic: 'kept', qos: 2, retained: true }, [numbered(1), numbered(2)])
      const { heard, close } = await at.hearing('kept')
      await until('the last', async () => heard.length > 0 || undefined)
      await close()
      expect(JSON.parse(heard[0]?.body ?? '')).toMatchObject({ rule: 'rule 2' })
    })
  })

  describe('redis', () => {
    const config = (more: object) => ({ address: `${at.store.host}:${at.store.port}`, ...more })

    test('everything is in the list, the hash, the stream', async () => {
      await send(redis, config({ key: 'list' }), batch())
      const report = aNotice({ report: aReport() })
      await send(redis, config({ key: 'hash', storageType: 'hashmap', database: 1 }), [aNotice(), report])
      await send(redis, config({ key: 'stream', storageType: 'stream', maxLength: 1_000 }), [aNotice()])
      await at.withStore(async (client) => {
        const list = await client.lrange('list', 0, -1)
        expect(list.map((one) => JSON.parse(one) as unknown)).toEqual(asJson(batch()))
        const [[, entry]] = (await client.xrange('stream', '-', '+')) as [[string, string[]]]
        expect(entry).toEqual(['event', toJson(payload(aNotice())), 'traceparent', aNotice().traceparent])
        await client.select(1)
        const uuid = anEvent().id
        expect(Object.keys(await client.hgetall('hash')).sort()).toEqual([uuid, `${uuid}/${aReport().id}`])
      })
    })

    test('a key of another kind is told', async () => {
      await at.withStore((client) => client.set('text', 'x'))
      await expect(send(redis, config({ key: 'text' }), [numbered(1)])).rejects.toMatchObject({
        code: 'failed',
        permanent: false,
        reason: 'wrongtype',
      })
    })
  })

  describe('timescaledb', () => {
    test('everything is a row', async () => {
      await send(timescaledb, { ...database(), columns: ['proc.pid', 'outcome'] }, batch())
      const found = await at.database.query(
        `select rule, time at time zone 'utc', "proc.pid", outcome from events order by n`,
      )
      const lines = found.trim().split('\n')
      expect(lines.at(-1)).toBe('Shell in a container|2026-01-31 12:00:00.2|4711|succeeded')
      expect(await at.database.query('select count(*) from events')).toBe(`${batch().length}\n`)
      expect(await at.database.query('select count(*) from events where tags is null and hostname is null')).toBe('1\n')
    })

    test('a bad row does not block the others', async () => {
      await at.database.query('truncate events')
      const notices = [
        numbered(1),
        numbered(2, { source: 'bad' }),
        numbered(3, { source: 'x'.repeat(21) }),
        numbered(4),
      ]
      await expect(send(timescaledb, database(), notices)).rejects.toMatchObject({
        permanent: true,
        failed: [
          { index: 1, permanent: true },
          { index: 2, permanent: true },
        ],
      })
      expect(await at.database.query('select rule from events order by n')).toBe('rule 1\nrule 4\n')
    })

    test('a table that is missing may come', async () => {
      await expect(send(timescaledb, { ...database(), hypertableName: 'none' }, [numbered(1)])).rejects.toMatchObject({
        code: 'failed',
        permanent: false,
        reason: 'sql-42p01',
      })
    })
  })

  const rules = (bodies: readonly string[]): string[] =>
    bodies.map((body) => (JSON.parse(body) as { rule: string }).rule)

  /** By output: how it is reached through a port, and what is there afterwards, in order. */
  const outages: readonly [string, () => number, (port: number) => Use<Output>, () => Promise<string[]>][] = [
    [
      'nats',
      () => at.bus.port,
      (port) => nats({ hostPort: `nats://127.0.0.1:${port}`, stream: true, subjectTemplate: 'outage.<rule>' }),
      async () => rules((await at.inStream('OUTAGE')).map(({ body }) => body)),
    ],
    [
      'rabbitmq',
      () => at.rabbit.port,
      (port) => rabbitmq({ url: `amqp://guest:guest@127.0.0.1:${port}`, queue: 'outage' }),
      async () => rules((await at.inQueue('outage')).map(({ content }) => content.toString())),
    ],
    [
      'mqtt',
      () => at.broker.port,
      (port) => mqtt({ broker: `tcp://127.0.0.1:${port}`, topic: 'outage', qos: 1 }),
      async () => rules(outage.heard.map(({ body }) => body)),
    ],
    [
      'redis',
      () => at.store.port,
      (port) => redis({ address: `127.0.0.1:${port}`, key: 'outage' }),
      () => at.withStore(async (client) => rules(await client.lrange('outage', 0, -1))),
    ],
    [
      'timescaledb',
      () => at.database.port,
      (port) => timescaledb({ ...database(), port }),
      async () =>
        (await at.database.query("select rule from events where rule like 'r%' order by n")).trim().split('\n'),
    ],
  ]
  let outage: Awaited<ReturnType<Queues['hearing']>>

  test('over an outage everything arrives, in order', async () => {
    await at.database.query('truncate events')
    outage = await at.hearing('outage')
    await at.addStream('OUTAGE', 'outage.>')
    await at.addQueue('outage')
    await Promise.all(
      outages.map(async ([name, target, use, found]) => {
        const proxy = await proxyTo(target())
        const gateway = createGateway({ outputs: [{ output: use(proxy.port), concurrency: 1 }] })
        const tell = (from: number) =>
          Array.from({ length: 10 }, (_, i) => gateway.emit(alert({ rule: `r${from + i}` })).then(({ done }) => done))
        await Promise.all(tell(10))
        await proxy.stop()
        const during = tell(20)
        await until(
          `${name} has noticed`,
          async () => gateway.health().outputs[0]?.lastError !== undefined || undefined,
        )
        const again = await proxyTo(target(), proxy.port)
        await Promise.all([...during, ...tell(30)])
        await gateway.stop()
        await again.stop()
        const wanted = Array.from({ length: 30 }, (_, i) => `r${10 + i}`)
        expect([name, ...new Set(await found())]).toEqual([name, ...wanted])
      }),
    )
    await outage.close()
  })

  test('wrong credentials are told, and may be mended; the secret is not told', async () => {
    const { closedBus, rabbit, broker, closedStore } = at
    const tries: [Output, object][] = [
      [nats, { hostPort: closedBus.url, username: 'yarak', password: WRONG }],
      [rabbitmq, { url: `amqp://guest:${WRONG}@127.0.0.1:${rabbit.port}`, queue: 'x' }],
      [mqtt, { broker: broker.securedUrl, user: broker.username, password: WRONG }],
      [mqtt, { broker: broker.securedUrl, user: broker.username, password: WRONG, protocolVersion: 5 }],
      [redis, { address: `127.0.0.1:${closedStore.port}`, username: 'yarak', password: WRONG }],
      [timescaledb, { ...database(), password: WRONG }],
    ]
    for (const [output, config] of tries) {
      const error: unknown = await send(output, config, [numbered(1)]).catch((reason: unknown) => reason)
      expect([output.type, error]).toMatchObject([
        output.type,
        { code: 'unavailable', reason: 'authentication', permanent: false },
      ])
      expect((error as Error).message).not.toContain(WRONG)
    }
    await send(nats, { hostPort: closedBus.url, username: 'yarak', password: PASSWORD }, [numbered(1)])
    await send(mqtt, { broker: broker.securedUrl, user: broker.username, password: broker.password, qos: 1 }, [
      numbered(1),
    ])
    await send(redis, { address: `127.0.0.1:${closedStore.port}`, username: 'yarak', password: PASSWORD }, [
      numbered(1),
    ])
  })

  const secured: readonly [string, TlsStart, () => number, (port: number) => object, Output][] = [
    ['nats', 'nats', () => at.bus.port, (port) => ({ hostPort: `tls://127.0.0.1:${port}` }), nats],
    [
      'rabbitmq',
      'first',
      () => at.rabbit.port,
      (port) => ({ url: `amqps://127.0.0.1:${port}`, queue: 'tls' }),
      rabbitmq,
    ],
    ['mqtt', 'first', () => at.broker.port, (port) => ({ broker: `ssl://127.0.0.1:${port}`, qos: 1 }), mqtt],
    ['redis', 'first', () => at.store.port, (port) => ({ address: `127.0.0.1:${port}`, key: 'tls' }), redis],
    ['timescaledb', 'postgres', () => at.database.port, (port) => ({ ...database(), port }), timescaledb],
  ]

  test.each(secured)(
    '%s speaks TLS, to whom it trusts, with a certificate of its own',
    async (_name, start, target, config, output) => {
      const dir = runDir('tls')
      const ca = await authority(dir)
      const own = await ca.issue('client', { name: 'yarak' })
      const server = await ca.issue('server', { name: 'localhost', hosts: loopback })
      const proxy = await tlsProxyTo(target(), start, server, ca.cert)
      await at.addQueue('tls')
      const client = { certFile: own.cert, keyFile: own.key }
      const by = (tls: object) => send(output, { ...config(proxy.port), tls }, [numbered(1)])
      try {
        await by({ ...client, caFile: ca.cert })
        await by({ ...client, verify: false })
        await expect(by(client)).rejects.toMatchObject({ code: 'unavailable', permanent: false })
        await expect(by({ caFile: ca.cert })).rejects.toMatchObject({ code: 'unavailable', permanent: false })
      } finally {
        await proxy.stop()
        forget(dir)
      }
    },
  )

  test('a server that does not answer is told of', async () => {
    const proxy = await proxyTo(1)
    await proxy.stop()
    const { port } = proxy
    const tries: [Output, object][] = [
      [nats, { hostPort: `nats://127.0.0.1:${port}` }],
      [rabbitmq, { url: `amqp://127.0.0.1:${port}`, queue: 'x' }],
      [mqtt, { broker: `tcp://127.0.0.1:${port}` }],
      [redis, { address: `127.0.0.1:${port}` }],
      [timescaledb, { ...database(), port }],
    ]
    for (const [output, config] of tries) {
      const error: unknown = await send(output, config, [numbered(1)]).catch((reason: unknown) => reason)
      expect([output.type, error]).toMatchObject([output.type, { code: 'unavailable', permanent: false }])
      expect((error as Error).message).toContain(String(port))
    }
  })
})

/** The real servers that Falcosidekick writes to by protocols of their own, and what it wrote. */
import * as k8s from '@kubernetes/client-node'
import { connect as natsConnect } from '@nats-io/transport-node'
import amqp from 'amqplib'
import { Redis } from 'ioredis'
import { Kafka, logLevel } from 'kafkajs'
import { connectAsync } from 'mqtt'
import { kafka } from '../real/kafka.ts'
import { kubernetes } from '../real/kubernetes.ts'
import { mosquitto } from '../real/mosquitto.ts'
import { nats } from '../real/nats.ts'
import { postgres } from '../real/postgres.ts'
import { rabbitmq } from '../real/rabbitmq.ts'
import { redis } from '../real/redis.ts'
import type { Section } from './sections.ts'
import type { Heard } from './sink.ts'

/** What a message became, beside its body. */
type Attributes = Readonly<Record<string, unknown>>

const heard = (section: string, path: string, headers: Attributes, body: string): Heard => ({
  ...{ section, method: section, path, body },
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
})

interface Report {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly results?: readonly unknown[]
}

const TABLE = `CREATE TABLE falcosidekick_events (time TIMESTAMPTZ NOT NULL, rule TEXT, priority VARCHAR(20),
  source VARCHAR(20), output TEXT, tags TEXT, hostname TEXT)`

/** Starts them all, and listens to each. */
export const openBrokers = async () => {
  const servers = await Promise.all([nats, redis, mosquitto, rabbitmq, postgres].map((part) => part.start()))
  const broker = await kafka.start()
  const cluster = await kubernetes.start()
  await cluster.cluster.namespace('shop')
  const at = {
    nats: (servers[0] as Awaited<ReturnType<typeof nats.start>>).addresses,
    redis: (servers[1] as Awaited<ReturnType<typeof redis.start>>).addresses,
    mqtt: (servers[2] as Awaited<ReturnType<typeof mosquitto.start>>).addresses,
    rabbitmq: (servers[3] as Awaited<ReturnType<typeof rabbitmq.start>>).addresses,
    postgres: (servers[4] as Awaited<ReturnType<typeof postgres.start>>).addresses,
  }
  const all: Heard[] = []

  const bus = await natsConnect({ servers: at.nats.url })
  bus.subscribe('>', {
    callback: (_error, message) => void all.push(heard('nats', message.subject, {}, message.string())),
  })
  await bus.flush()

  const client = await connectAsync(at.mqtt.url)
  client.on('message', (topic, body, { qos, retain }) =>
    all.push(heard('mqtt', topic, { qos, retain }, body.toString())),
  )
  await client.subscribeAsync('#', { qos: 2 })

  const rabbit = await amqp.connect(at.rabbitmq.url)
  const channel = await rabbit.createChannel()
  await channel.assertQueue('falco')
  await channel.consume(
    'falco',
    (message) => {
      if (!message) return
      const { contentType, deliveryMode } = message.properties as { contentType?: string; deliveryMode?: number }
      const { routingKey, exchange } = message.fields
      all.push(
        heard('rabbitmq', `${exchange}/${routingKey}`, { contentType, deliveryMode }, message.content.toString()),
      )
    },
    { noAck: true },
  )

  const { brokers } = broker.addresses
  const stream = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = stream.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'falco', numPartitions: 1 }] })
  const consumer = stream.consumer({ groupId: 'record' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'falco', fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ topic, message: { key, value, headers } }) => {
      all.push(heard('kafka', topic, { key, headers: JSON.stringify(headers) }, value?.toString() ?? ''))
    },
  })

  const reports = cluster.cluster.api(k8s.CustomObjectsApi)
  const kinds = { group: 'wgpolicyk8s.io', version: 'v1alpha2' }
  /** Results of each report that were seen already. */
  const seen = new Map<string, number>()
  const takeResults = async (): Promise<void> => {
    const lists = await Promise.all(
      ['policyreports', 'clusterpolicyreports'].map((plural) => reports.listClusterCustomObject({ ...kinds, plural })),
    )
    for (const { kind, metadata, results = [] } of lists.flatMap((list) => (list as { items: Report[] }).items)) {
      const path = [kind, metadata.namespace, metadata.name].filter(Boolean).join('/')
      for (const result of results.slice(seen.get(path) ?? 0))
        all.push(heard('policyreport', path, {}, JSON.stringify(result)))
      seen.set(path, results.length)
    }
  }

  await at.postgres.query(TABLE)
  const store = new Redis(at.redis.url)
  const pulled = async (): Promise<void> => {
    await takeResults()
    for (let one = await store.lpop('falco'); one !== null; one = await store.lpop('falco'))
      all.push(heard('redis', 'falco', {}, one))
    const rows = await at.postgres.query(`WITH gone AS (DELETE FROM falcosidekick_events RETURNING *)
      SELECT row_to_json(gone) FROM gone`)
    for (const row of rows.split('\n').filter(Boolean)) all.push(heard('timescaledb', 'falcosidekick_events', {}, row))
  }

  const { postgres: database } = at
  const sections: Readonly<Record<string, Section>> = {
    nats: { path: 'nats', config: { hostport: at.nats.url } },
    redis: { path: 'redis', config: { address: `${at.redis.host}:${at.redis.port}`, key: 'falco' } },
    mqtt: { path: 'mqtt', config: { broker: `tcp://${at.mqtt.host}:${at.mqtt.port}`, topic: 'falco/events', qos: 1 } },
    rabbitmq: { path: 'rabbitmq', config: { url: at.rabbitmq.url, queue: 'falco' } },
    kafka: { path: 'kafka', config: { hostport: brokers.join(','), topic: 'falco', requiredacks: 'ALL' } },
    policyreport: { path: 'policyreport', config: { enabled: true, kubeconfig: cluster.addresses.kubeconfig } },
    timescaledb: {
      path: 'timescaledb',
      config: {
        ...{ host: database.host, port: String(database.port), user: database.user, password: database.password },
        ...{ database: database.database, hypertablename: 'falcosidekick_events' },
      },
    },
  }
  return {
    sections,
    /** Differs from run to run. */
    kubeconfig: cluster.addresses.kubeconfig,
    heard: all as readonly Heard[],
    /** What came since the last call. */
    take: async (): Promise<Heard[]> => {
      await pulled()
      return all.splice(0)
    },
    close: async (): Promise<void> => {
      store.disconnect()
      await Promise.allSettled([
        bus.close(),
        client.endAsync(),
        rabbit.close(),
        consumer.disconnect(),
        admin.disconnect(),
      ])
      await Promise.all([...servers, broker, cluster].map((server) => server.stop()))
    },
  }
}

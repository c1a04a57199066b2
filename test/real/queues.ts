/** The servers that outputs write to as queues and databases, side by side, and what is in them. */
import { jetstreamManager } from '@nats-io/jetstream'
import { connect as natsConnect, type NatsConnection } from '@nats-io/transport-node'
import amqp from 'amqplib'
import { Redis } from 'ioredis'
import { connectAsync } from 'mqtt'
import { mosquitto } from './mosquitto.ts'
import { nats } from './nats.ts'
import type { Part, Running } from './part.ts'
import { postgres } from './postgres.ts'
import { rabbitmq } from './rabbitmq.ts'
import { redis } from './redis.ts'

export const queueParts = [nats, rabbitmq, mosquitto, redis, postgres] as readonly Part<object>[]

/** Of the servers that ask for one. */
export const PASSWORD = 'right-secret'

const secured = { username: 'yarak', password: PASSWORD }

const TABLE = `CREATE TABLE events (n serial, time timestamptz NOT NULL, rule text, priority varchar(20),
  source varchar(20) CHECK (source <> 'bad'), output text, tags text, hostname text, "proc.pid" int, outcome text)`

export type Queues = Awaited<ReturnType<typeof startQueues>>

/** Starts them all; NATS and Redis twice, the second of which asks for a password. */
export const startQueues = async () => {
  const started: Running<object>[] = []
  const start = async <A extends object, O extends object>(part: Part<A, O>, options?: O): Promise<A> => {
    const one = await part.start(options)
    started.push(one)
    return one.addresses
  }
  const [bus, closedBus, rabbit, broker, store, closedStore, database] = await Promise.all([
    start(nats),
    start(nats, secured),
    start(rabbitmq),
    start(mosquitto),
    start(redis),
    start(redis, secured),
    start(postgres),
  ])
  await database.query(TABLE)
  const stop = () => Promise.all(started.map((one) => one.stop()))
  return {
    ...readers(bus.url, rabbit.url, broker.url, store.url),
    stop,
    bus,
    closedBus,
    rabbit,
    broker,
    store,
    closedStore,
    database,
  }
}

const readers = (busUrl: string, rabbitUrl: string, brokerUrl: string, storeUrl: string) => {
  const withBus = async <T>(work: (bus: NatsConnection) => Promise<T>): Promise<T> => {
    const bus = await natsConnect({ servers: busUrl })
    return work(bus).finally(() => bus.close())
  }
  const withChannel = async <T>(work: (channel: amqp.Channel) => Promise<T>): Promise<T> => {
    const client = await amqp.connect(rabbitUrl)
    return work(await client.createChannel()).finally(() => client.close())
  }
  return {
    withBus,
    addStream: (name: string, subject: string, limits: { max_msg_size?: number } = {}) =>
      withBus(async (bus) => (await jetstreamManager(bus)).streams.add({ name, subjects: [subject], ...limits })),
    /** The messages of a stream, in order. */
    inStream: (name: string) =>
      withBus(async (bus) => {
        const { streams } = await jetstreamManager(bus)
        const { state } = await streams.info(name)
        const numbers = Array.from({ length: state.messages }, (_, i) => state.first_seq + i)
        const messages = await Promise.all(numbers.map((seq) => streams.getMessage(name, { seq })))
        return messages.flatMap((one) =>
          one ? [{ subject: one.subject, body: one.string(), headers: one.header.keys() }] : [],
        )
      }),
    addQueue: (name: string) => withChannel((channel) => channel.assertQueue(name)),
    /** Takes all messages out of a queue. */
    inQueue: (name: string) =>
      withChannel(async (channel) => {
        const messages: amqp.GetMessage[] = []
        for (let one = await channel.get(name); one; one = await channel.get(name)) {
          channel.ack(one)
          messages.push(one)
        }
        return messages
      }),
    /** Subscribes; `heard` grows. */
    hearing: async (topic: string) => {
      const client = await connectAsync(brokerUrl, { protocolVersion: 5 })
      const heard: { body: string; properties: unknown }[] = []
      client.on('message', (_topic, body, { properties }) => heard.push({ body: body.toString(), properties }))
      await client.subscribeAsync(topic, { qos: 2 })
      return { heard, close: () => client.endAsync(true) }
    },
    withStore: async <T>(work: (client: Redis) => Promise<T>): Promise<T> => {
      const client = new Redis(storeUrl)
      return work(client).finally(() => client.disconnect())
    },
  }
}

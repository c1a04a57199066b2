import { readFileSync } from 'node:fs'
import { Kafka, logLevel, type Consumer, type KafkaConfig } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kafka, kafkaVersions, type RunningKafka } from './kafka.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

type Connection = Pick<KafkaConfig, 'brokers' | 'sasl' | 'ssl'>

const client = (connection: Connection, retries = 10): Kafka =>
  new Kafka({
    clientId: 'test',
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, retries },
    ...connection,
  })

const send = async (kafka: Kafka, topic: string, ...values: string[]): Promise<void> => {
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: values.map((value) => ({ value })) })
  await producer.disconnect()
}

/** A group member that collects what it reads and counts how often it joined. */
const listen = async (kafka: Kafka, topic: string, group: string) => {
  const seen: string[] = []
  const state = { joins: 0 }
  const consumer: Consumer = kafka.consumer({
    groupId: group,
    heartbeatInterval: 200,
    sessionTimeout: 6000,
    maxWaitTimeInMs: 100,
  })
  consumer.on(consumer.events.GROUP_JOIN, () => void state.joins++)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(message.value?.toString() ?? '') })
  return { seen, state, stop: () => consumer.disconnect() }
}

const makeTopic = async (kafka: Kafka, topic: string): Promise<void> => {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true })
  await admin.disconnect()
}

const all = (seen: readonly string[], ...values: string[]): Promise<boolean> =>
  until(`messages ${values.join(' ')}`, async () => values.every((value) => seen.includes(value)) || undefined)

const roundTrip = async (connection: Connection, topic: string): Promise<void> => {
  const kafka = client(connection)
  await makeTopic(kafka, topic)
  await send(kafka, topic, 'one', 'two')
  const member = await listen(kafka, topic, `${topic}-group`)
  await all(member.seen, 'one', 'two').finally(member.stop)
}

const suite = (version: string): void => {
  let broker: RunningKafka

  beforeAll(async () => {
    broker = await kafka.start({ version, sasl: true, tls: true })
  })
  afterAll(() => broker?.stop())

  it('brings a message from a producer to a consumer group', () =>
    roundTrip({ brokers: [...broker.addresses.brokers] }, 'plain'))

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('authenticates by SASL %s', async (mechanism) => {
    const { username = '', password = '', sasl = [] } = broker.addresses
    await roundTrip({ brokers: [...sasl], sasl: { mechanism, username, password } as KafkaConfig['sasl'] }, mechanism)
  })

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'refuses a wrong password by SASL %s',
    async (mechanism) => {
      const { username = '', sasl = [] } = broker.addresses
      const wrong = { mechanism, username, password: 'wrong' } as KafkaConfig['sasl']
      await expect(
        client({ brokers: [...sasl], sasl: wrong })
          .admin()
          .connect(),
      ).rejects.toThrow(/auth/i)
    },
  )

  it('speaks TLS, also with a certificate of the client', async () => {
    const { tls = [], ca = '', clientCert = '', clientKey = '' } = broker.addresses
    const trusted = { ca: [readFileSync(ca, 'utf8')] }
    const mutual = { ...trusted, cert: readFileSync(clientCert, 'utf8'), key: readFileSync(clientKey, 'utf8') }
    await roundTrip({ brokers: [...tls], ssl: trusted }, 'tls')
    await roundTrip({ brokers: [...tls], ssl: mutual }, 'mutual-tls')
    await expect(
      client({ brokers: [...tls], ssl: true })
        .admin()
        .connect(),
    ).rejects.toThrow(/certificate/i)
  })

  it('speaks SASL over TLS', async () => {
    const { saslTls = [], username = '', password = '', ca = '' } = broker.addresses
    const sasl = { mechanism: 'scram-sha-512' as const, username, password }
    await roundTrip({ brokers: [...saslTls], sasl, ssl: { ca: [readFileSync(ca, 'utf8')] } }, 'sasl-tls')
  })

  it('keeps messages and ports over a restart and over a kill', async () => {
    const kafka = client({ brokers: [...broker.addresses.brokers] })
    await makeTopic(kafka, 'kept')
    await send(kafka, 'kept', 'before')
    await broker.restart()
    await send(kafka, 'kept', 'between')
    await broker.kill()
    await broker.up()
    await send(kafka, 'kept', 'after')
    const member = await listen(kafka, 'kept', 'kept-group')
    await all(member.seen, 'before', 'between', 'after').finally(member.stop)
  })

  it('makes the members of a group rejoin', async () => {
    const kafka = client({ brokers: [...broker.addresses.brokers] })
    await makeTopic(kafka, 'moved')
    await send(kafka, 'moved', 'one')
    const member = await listen(kafka, 'moved', 'moved-group')
    await all(member.seen, 'one')
    await broker.rebalance('moved-group', ['moved'])
    await until('a second rejoin', async () => member.state.joins >= 3 || undefined)
    await send(kafka, 'moved', 'two')
    await all(member.seen, 'two').finally(member.stop)
  })
}

describePart(kafka, () => describe.each(kafkaVersions)('Kafka %s', suite))

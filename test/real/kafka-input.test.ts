/** The Kafka input against a real broker: what it reads, and what it makes of everything that can go wrong. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompressionTypes } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  client,
  committed,
  makeTopics,
  reader,
  type Reader,
  type ReaderOptions,
  alertNo,
  type Writer,
  writer,
} from './kafka/input.ts'
import { kafka, kafkaVersions, type RunningKafka } from './kafka.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i)

const SASL = 'listener.name.sasl'

const suite = (version: string): void => {
  let broker: RunningKafka
  let brokers: readonly string[] = []
  let to: Writer
  const readers: Reader[] = []
  const read = async (options: Omit<ReaderOptions, 'brokers'> & { brokers?: readonly string[] }): Promise<Reader> => {
    const one = await reader({ brokers, ...options })
    readers.push(one)
    return one
  }

  beforeAll(async () => {
    broker = await kafka.start({
      version,
      sasl: true,
      properties: {
        [`${SASL}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        [`${SASL}.oauthbearer.sasl.jaas.config`]:
          'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
      },
    })
    brokers = broker.addresses.brokers
    to = await writer(brokers)
  })
  afterEach(() => Promise.all(readers.splice(0).map((one) => one.stop())))
  afterAll(async () => {
    await to?.close()
    await broker?.stop()
  })

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('reads batches that the broker packed with %s', async (codec) => {
    const topic = `packed-${codec}`
    await makeTopics(brokers, { topic, configEntries: [{ name: 'compression.type', value: codec }] })
    await to.write(topic, ...numbers(500).map(alertNo))
    await (await read({ topics: [topic] })).all(numbers(500))
  })

  it.each([CompressionTypes.Snappy, CompressionTypes.ZSTD])(
    'reads what kafkajs packed: codec %i',
    async (compression) => {
      const topic = `sent-${compression}`
      await makeTopics(brokers, { topic })
      // the reader has told kafkajs about the codecs
      const from = await read({ topics: [topic] })
      const producer = client(brokers).producer()
      await producer.connect()
      await producer.send({
        topic,
        compression,
        messages: numbers(50).map((id) => ({ value: JSON.stringify(alertNo(id)) })),
      })
      await producer.disconnect()
      await from.all(numbers(50))
    },
  )

  it('goes over a batch that is corrupt on disk, and keeps it', async () => {
    const topic = 'poison'
    await makeTopics(
      brokers,
      { topic, configEntries: [{ name: 'compression.type', value: 'gzip' }] },
      { topic: 'dead' },
    )
    await to.write(topic, alertNo('before'))
    await to.write(topic, ...numbers(3).map(alertNo))
    await to.write(topic, alertNo('after'))
    await broker.down()
    corruptSecondBatch(join(dirname(broker.log), 'data', `${topic}-0`))
    await broker.up()
    const from = await read({ topics: [topic], deadLetterTopic: 'dead' })
    await from.all(['before', 'after'])
    expect(from.ids).toEqual(['before', 'after'])
    await until('the commit', async () => (await committed(brokers, from.group, topic))[0] === 5 || undefined)
    expect(await from.counters()).toContain('yarak_events_rejected_total{input="kafka",reason="unreadable"} 3')
    expect(from.gateway.health()).toMatchObject({ ready: true, inputs: [{ state: 'running' }] })
    const kept = await read({ topics: ['dead'] })
    await until(
      'the dead letter',
      async () =>
        (await kept.counters()).includes('yarak_events_rejected_total{input="kafka",reason="invalid"} 1') || undefined,
    )
  })

  it('loses nothing over a restart of the broker, within the session timeout and beyond', async () => {
    const topic = 'restarted'
    await makeTopics(brokers, { topic, numPartitions: 3 })
    const from = await read({ topics: [topic], sessionTimeout: '6s' })
    await to.write(topic, ...numbers(100).map(alertNo))
    await from.all(numbers(100))
    await broker.restart()
    await to.write(topic, ...numbers(100, 100).map(alertNo))
    await from.all(numbers(200))
    await broker.kill()
    await until('the input to say so', async () => !from.gateway.health().ready || undefined)
    expect(from.gateway.health().inputs[0]).toMatchObject({
      state: 'failing',
      error: expect.stringContaining('Kafka at') as string,
    })
    await broker.up()
    await to.write(topic, ...numbers(100, 200).map(alertNo))
    await from.all(numbers(300))
    await until('readiness', async () => from.gateway.health().ready || undefined)
  })

  it('loses nothing while the group moves under load', async () => {
    const topic = 'moved'
    await makeTopics(brokers, { topic, numPartitions: 6 })
    const from = await read({ topics: [topic], sessionTimeout: '6s', answer: () => sleep(5) })
    const writing = (async () => {
      for (let i = 0; i < 40; i++) {
        await to.write(topic, ...numbers(50, i * 50).map(alertNo))
        await sleep(50)
      }
    })()
    for (let i = 0; i < 3; i++) await broker.rebalance(from.group, [topic])
    const second = await read({ topics: [topic], groupId: from.group })
    await writing
    await until('all alerts', async () => new Set([...from.ids, ...second.ids]).size === 2_000 || undefined, 60_000)
    await second.stop()
    await until('all committed', async () => {
      const offsets = await committed(brokers, from.group, topic)
      return offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0) === 2_000 || undefined
    })
  })

  it('answers for much longer than the session timeout, and is not taken for dead', async () => {
    const topic = 'slow'
    await makeTopics(brokers, { topic, numPartitions: 2 })
    let answered = 0
    const from = await read({
      topics: [topic],
      sessionTimeout: '10s',
      answer: async (id) => {
        if (id === 'slow') await sleep(60_000)
        answered++
      },
    })
    await to.write(topic, alertNo('slow'))
    await to.write(topic, ...numbers(20).map(alertNo))
    await from.all(numbers(20))
    expect(answered).toBe(20)
    await from.all(['slow'], 120_000)
    await until('the commit', async () => {
      const offsets = await committed(brokers, from.group, topic)
      return offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0) === 21 || undefined
    })
    expect(from.ids).toHaveLength(21)
    expect(await from.counters()).not.toContain('yarak_input_failures_total')
  })

  it('is not ready while its topic is missing, and reads it from its beginning when it appears', async () => {
    const from = await read({ topics: ['late', '/^later-.*/'], from: 'latest', topicsInterval: '500ms' })
    await until('the input to say so', async () => !from.gateway.health().ready || undefined)
    expect(from.gateway.health().inputs[0]?.error).toContain('there is no topic yet that is late or /^later-.*/')
    await makeTopics(brokers, { topic: 'late' })
    await to.write('late', alertNo('one'))
    await from.all(['one'])
    expect(from.gateway.health().ready).toBe(true)
    await makeTopics(brokers, { topic: 'later-a', numPartitions: 2 })
    await to.write('later-a', alertNo('two'))
    await from.all(['two'])
    await to.write('late', alertNo('three'))
    await from.all(['three'])
    expect(from.ids).toEqual(['one', 'two', 'three'])
  })

  it('starts a new group at the end, at a time, or at the beginning', async () => {
    const topic = 'started'
    await makeTopics(brokers, { topic })
    await to.write(topic, alertNo('old'))
    await sleep(50)
    const between = new Date().toISOString()
    await sleep(50)
    await to.write(topic, alertNo('young'))
    const starts = { earliest: ['old', 'young', 'new'], [between]: ['young', 'new'], latest: ['new'] }
    const found: Record<string, Reader> = {}
    for (const from of Object.keys(starts)) found[from] = await read({ topics: [topic], from })
    await until(
      'the start of the newest',
      async () => (await committed(brokers, found.latest?.group ?? '', topic))[0] === 2 || undefined,
    )
    await to.write(topic, alertNo('new'))
    for (const [from, ids] of Object.entries(starts)) {
      await found[from]?.all(ids)
      expect(found[from]?.ids).toEqual(ids)
    }
  })

  it('tells how far behind it is', async () => {
    const topic = 'behind'
    await makeTopics(brokers, { topic })
    const gate = Promise.withResolvers<void>()
    const from = await read({ topics: [topic], maxInFlight: 5, topicsInterval: '300ms', answer: () => gate.promise })
    await to.write(topic, ...numbers(30).map(alertNo))
    const lag = (value: number) =>
      until(
        `a lag of ${value}`,
        async () =>
          (await from.counters()).includes(`yarak_input_lag{input="kafka",topic="behind",partition="0"} ${value}`) ||
          undefined,
      )
    await lag(30)
    gate.resolve()
    await lag(0)
  })

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('proves who it is by %s', async (mechanism) => {
    const topic = `sasl-${mechanism}`
    await makeTopics(brokers, { topic })
    await to.write(topic, alertNo(1))
    const { sasl = [], username = '', password = '' } = broker.addresses
    await (await read({ brokers: sasl, topics: [topic], sasl: { mechanism, username, password } })).all([1])
    const wrong = await read({ brokers: sasl, topics: [topic], sasl: { mechanism, username, password: 'wrong' } })
    await until('the refusal', async () => wrong.gateway.health().inputs[0]?.error ?? undefined)
    expect(wrong.gateway.health().inputs[0]?.error).toContain('the user name, password or token is wrong')
  })

  it('proves who it is by a token that it asks for', async () => {
    await makeTopics(brokers, { topic: 'oauth' })
    await to.write('oauth', alertNo(1))
    const tokens = await tokenServer()
    const sasl = { mechanism: 'oauthbearer', tokenUrl: tokens.url, clientId: 'yarak', clientSecret: 's' } as const
    const from = await read({ brokers: broker.addresses.sasl ?? [], topics: ['oauth'], sasl })
    await from.all([1]).finally(tokens.close)
    expect(tokens.asked()).toBe(1)
  })
}

/** Spoils the records of the second batch; brokers send what is on disk without looking at it. */
const corruptSecondBatch = (folder: string): void => {
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.log')) ?? '')
  const bytes = readFileSync(file)
  const second = 12 + bytes.readInt32BE(8)
  const end = second + 12 + bytes.readInt32BE(second + 8)
  bytes.fill(0xff, second + 61, end)
  writeFileSync(file, bytes)
}

/** Gives unsecured tokens (RFC 7519, 6), which a broker takes that is set to nothing better. */
const tokenServer = async () => {
  let asked = 0
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const server = createServer((_request, response) => {
    asked++
    const now = Math.floor(Date.now() / 1_000)
    const token = `${encode({ alg: 'none' })}.${encode({ sub: 'yarak', iat: now, exp: now + 600 })}.`
    response.end(JSON.stringify({ access_token: token, expires_in: 600 }))
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    asked: () => asked,
    close: () => void server.close(),
  }
}

describePart(kafka, () => describe.each(kafkaVersions)('Kafka %s', suite))

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as kafkajs from 'kafkajs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from '../../src/plugin.ts'
import type { Codec } from '../../src/resources/_kafka-codecs.ts'
import { kafkaError } from '../../src/resources/_kafka-errors.ts'
import type { KafkaJs } from '../../src/resources/_kafkajs.ts'
import { connectionSettings, createKafkajsDriver, kafkajsDriver } from '../../src/resources/kafka.ts'
import { testIo } from '../../src/testing.ts'
import { closeAll, connection, consumerOptions, consuming, Library } from './_kafka-library.ts'

afterEach(closeAll)

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

describe('the kafkajs driver on a broker that is down', () => {
  it('says which brokers a consumer did not reach', async () => {
    const broker = `127.0.0.1:${await freePort()}`
    const io = testIo()
    const consumer = kafkajsDriver(connection({ brokers: [broker] }), io).consumer(consumerOptions())
    await expect(consumer.run()).rejects.toMatchObject({
      code: 'unavailable',
      permanent: false,
      reason: 'econnrefused',
    })
    await expect(consumer.run().catch(({ message }: Error) => message)).resolves.toContain(
      `Kafka at ${broker}: reading alerts: `,
    )
    expect(io.lines.filter(({ level }) => level !== 'debug')).toEqual([])
  })

  it('says which brokers a producer did not reach, and tries again with the next send', async () => {
    const broker = `127.0.0.1:${await freePort()}`
    const producer = kafkajsDriver(connection({ brokers: [broker] }), testIo()).producer({ createTopics: false })
    const send = () =>
      producer.send('out', [{ key: null, value: '{}', headers: {} }], { acks: 'all', compression: 'none' })
    await expect(send()).rejects.toThrow(`Kafka at ${broker}: writing to out: `)
    await expect(send()).rejects.toMatchObject({ code: 'unavailable', reason: 'econnrefused' })
    await producer.close()
  })

  it('finds all it needs of the library in plain Node, outside of a test runner', async () => {
    const broker = `127.0.0.1:${await freePort()}`
    const driver = new URL('../../src/resources/kafka.ts', import.meta.url).href
    const program = `
      const { kafkajsDriver } = await import(${JSON.stringify(driver)})
      const log = { debug() {}, info() {}, warn() {}, error() {} }
      const producer = kafkajsDriver({ brokers: [${JSON.stringify(broker)}], clientId: 'c' }, { log }).producer({})
      const sent = producer.send('out', [{ key: null, value: '', headers: {} }], { acks: 'all', compression: 'zstd' })
      await sent.catch(({ reason }) => console.log(reason))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
    expect(stdout.trim()).toBe('econnrefused')
  })

  it('lets go of a consumer that is closed while it connects', async () => {
    const broker = `127.0.0.1:${await freePort()}`
    const consumer = kafkajsDriver(connection({ brokers: [broker] }), testIo()).consumer(consumerOptions())
    const running = consumer.run()
    await consumer.close()
    await running
  })
})

describe('the client', () => {
  let dir = ''
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'yarak-kafka-'))))
  afterEach(() => rmSync(dir, { recursive: true }))

  it('gets brokers, name, user and TLS as set', async () => {
    const file = (name: string) => (writeFileSync(join(dir, name), name), join(dir, name))
    const tls = { caFile: file('ca'), certFile: file('cert'), keyFile: file('key'), verify: false }
    const sasl = { mechanism: 'scram-sha-256', username: 'u', password: 'p' }
    const { library } = await consuming({}, new Library(), { brokers: ['a:1,b:2'], clientId: 'me', tls, sasl })
    expect(library.configs[0]).toMatchObject({
      brokers: ['a:1', 'b:2'],
      clientId: 'me',
      sasl,
      ssl: { ca: ['ca'], cert: 'cert', key: 'key', rejectUnauthorized: false },
    })
  })

  it('speaks no TLS unless told, and trusts the system when told no more', async () => {
    expect((await consuming()).library.configs[0]).not.toHaveProperty('ssl')
    const { library } = await consuming({}, new Library(), { tls: {} })
    expect(library.configs[0]?.ssl).toEqual({ rejectUnauthorized: true })
  })

  it('names the file that cannot be read', async () => {
    const { running } = await consuming({}, new Library(), { tls: { caFile: join(dir, 'absent.pem') } })
    await expect(running).rejects.toMatchObject({ code: 'config' })
    await expect(running).rejects.toThrow('absent.pem')
  })

  it('logs what nothing else tells as a warning, and the rest at debug', async () => {
    const { library, io } = await consuming()
    const say = library.configs[0]?.logCreator?.(4) ?? (() => {})
    const line = (level: number, message: string, error?: string) =>
      say({ level, label: '', namespace: '', log: { timestamp: '', message, ...(error && { error }) } })
    line(2, 'Offset out of range, resetting')
    line(1, 'Connection error: connect ECONNREFUSED 127.0.0.1:9')
    line(1, 'Response Heartbeat(key: 12, version: 3)', 'The group is rebalancing, so a rejoin is needed')
    line(4, 'Starting')
    expect(io.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn Offset out of range, resetting',
      'debug Connection error: connect ECONNREFUSED 127.0.0.1:9',
      'debug Response Heartbeat(key: 12, version: 3)',
      'debug Starting',
    ])
  })

  it('reads all codecs that Kafka has, and those it has not got as such', async () => {
    let codecs: KafkaJs['CompressionCodecs'] | undefined
    const library = new Library()
    const load = async () => {
      const lib = await library.load()
      codecs = lib.CompressionCodecs
      return lib
    }
    await createKafkajsDriver(load)(connection(), testIo()).topics()
    expect(Object.keys(codecs ?? {})).toEqual(['1', '2', '3', '4', '5', '6', '7'])
    const codec = codecs?.[kafkajs.CompressionTypes.ZSTD]() as Codec
    const packed = await codec.compress({ buffer: Buffer.from('alert '.repeat(100)) })
    expect(packed.readUInt32LE(0)).toBe(0xfd2fb528)
    expect((await codec.decompress(packed)).toString()).toBe('alert '.repeat(100))
  })

  it('lists topics and their ends, each time on a connection of its own', async () => {
    const library = new Library()
    library.topics = ['alerts', 'other']
    const client = createKafkajsDriver(library.load)(connection(), testIo())
    expect(await client.topics()).toEqual(['alerts', 'other'])
    expect(await client.ends(['alerts'])).toEqual([
      { topic: 'alerts', partition: 0, offset: 40 },
      { topic: 'alerts', partition: 1, offset: 41 },
    ])
    expect(library.named('admin gone')).toHaveLength(2)
  })

  it('says which brokers do not list topics', async () => {
    const broker = `127.0.0.1:${await freePort()}`
    const client = kafkajsDriver(connection({ brokers: [broker] }), testIo())
    await expect(client.topics()).rejects.toThrow(`Kafka at ${broker}: listing topics: `)
  })
})

describe('proving who we are', () => {
  const saslOf = async (sasl: object, io = testIo()) => {
    const library = new Library()
    await createKafkajsDriver(library.load)(connection({ sasl }), io).topics()
    const { sasl: given, ssl } = library.configs[0] ?? {}
    return { given: given as { mechanism: string; oauthBearerProvider(): Promise<{ value: string }> }, ssl }
  }
  const oauth = { mechanism: 'oauthbearer', tokenUrl: 'https://login.example.com/t', clientId: 'c', clientSecret: 's' }

  it('by a token, asked for when it is needed', async () => {
    const io = testIo({ answer: { body: '{"access_token":"abc","expires_in":60}' } })
    const { given } = await saslOf(oauth, io)
    expect(given.mechanism).toBe('oauthbearer')
    expect(io.requests).toEqual([])
    expect(await given.oauthBearerProvider()).toEqual({ value: 'abc' })
  })

  it('by an IAM role, over TLS whatever is set', async () => {
    const io = testIo({ env: { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S' } })
    const { given, ssl } = await saslOf({ mechanism: 'aws-msk-iam', region: 'eu-central-1' }, io)
    expect([given.mechanism, ssl]).toEqual(['oauthbearer', { rejectUnauthorized: true }])
    const { value } = await given.oauthBearerProvider()
    expect(Buffer.from(value, 'base64url').toString()).toContain('https://kafka.eu-central-1.amazonaws.com/?Action=')
  })

  it('by no token: nothing is wrong with the records, so trying again is right', async () => {
    const { given } = await saslOf(oauth, testIo({ answer: { status: 401 } }))
    const error = await given.oauthBearerProvider().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'unavailable', reason: 'authentication', permanent: false })
    expect(kafkaError(new Error('wrapped', { cause: error }), ['a:1'], 'reading')).toBe(error)
  })

  it.each([
    { mechanism: 'oauthbearer' },
    { mechanism: 'oauthbearer', tokenUrl: 'https://login.example.com/t', clientId: 'c' },
    { ...oauth, tokenFile: '/run/token' },
    { mechanism: 'aws-msk-iam' },
    { mechanism: 'aws-msk-iam', region: 'https://evil' },
    { mechanism: 'plain', username: 'u' },
    { mechanism: 'gssapi' },
  ])('is refused without all that it needs: %j', (sasl) => {
    expect(z.strictObject(connectionSettings).safeParse({ brokers: ['a:1'], sasl }).success).toBe(false)
  })
})

describe('a producer', () => {
  const producing = (options = { createTopics: false }) => {
    const library = new Library()
    const producer = createKafkajsDriver(library.load)(connection(), testIo()).producer(options)
    return { library, producer }
  }
  const record = { key: 'k', value: '{}', headers: { traceparent: 't' } }

  it.each([
    ['all', 'none', -1, 0],
    ['leader', 'gzip', 1, 1],
    ['all', 'snappy', -1, 2],
    ['none', 'zstd', 0, 4],
  ] as const)('sends with acks %s and compression %s', async (acks, compression, code, codec) => {
    const { library, producer } = producing()
    await producer.send('out', [record], { acks, compression })
    expect(library.named('send')).toEqual([
      {
        topic: 'out',
        acks: code,
        compression: codec,
        messages: [{ key: 'k', value: '{}', headers: { traceparent: 't' } }],
      },
    ])
  })

  it('connects once, at the first send, and closes what it has', async () => {
    const { library, producer } = producing({ createTopics: true })
    await producer.close()
    expect(library.calls).toEqual([])
    const options = { acks: 'all', compression: 'none' } as const
    await Promise.all([producer.send('out', [record], options), producer.send('out', [record], options)])
    expect(library.named('connect')).toHaveLength(1)
    expect(library.producerConfigs).toMatchObject([{ allowAutoTopicCreation: true }])
    await producer.close()
    expect(library.named('disconnect')).toHaveLength(1)
  })

  it('says for good that a record is too large', async () => {
    const { library, producer } = producing()
    library.failing.send = Object.assign(new Error('too big'), { type: 'MESSAGE_TOO_LARGE' })
    await expect(producer.send('out', [record], { acks: 'all', compression: 'none' })).rejects.toMatchObject({
      code: 'failed',
      permanent: true,
      reason: 'too-large',
    })
  })
})

describe('errors of the library', () => {
  const brokers = ['a:1', 'b:2']

  it.each([
    [{ type: 'RECORD_LIST_TOO_LARGE' }, 'failed', 'too-large', true],
    [{ type: 'UNKNOWN_MEMBER_ID' }, 'unavailable', 'rebalance', false],
    [{ type: 'TOPIC_AUTHORIZATION_FAILED' }, 'unavailable', 'authorization', false],
    [{ name: 'KafkaJSSASLAuthenticationError' }, 'unavailable', 'authentication', false],
    [{ cause: { cause: { type: 'UNKNOWN_TOPIC_OR_PARTITION' } } }, 'unavailable', 'unknown-topic', false],
    [{ code: 'ENOTFOUND' }, 'unavailable', 'enotfound', false],
    [{ type: 'NOT_ENOUGH_REPLICAS' }, 'unavailable', 'not-enough-replicas', false],
    [{}, 'unavailable', 'unavailable', false],
  ])('%j becomes %s, %s', (members, code, reason, permanent) => {
    const error = kafkaError(Object.assign(new Error('words'), members), brokers, 'trying')
    expect(error).toMatchObject({ code, reason, permanent })
    expect(error.message).toMatch(/^Kafka at a:1, b:2: trying: /)
  })

  it('keeps an error that is ours already, and survives a cause that is its own', () => {
    const own = kafkaError(new Error('x'), brokers, 'trying')
    expect(kafkaError(own, brokers, 'again')).toBe(own)
    const loop: { cause?: unknown } = {}
    loop.cause = loop
    expect(kafkaError(loop, brokers, 'trying').code).toBe('unavailable')
    expect(kafkaError('text', brokers, 'trying').message).toContain('text')
  })
})

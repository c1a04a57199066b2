import { afterEach, describe, expect, it } from 'vitest'
import { createKafkaInput, kafka } from '../../inputs/kafka.ts'
import { YarakError, type z } from '../../src/plugin.ts'
import { checkSettings } from '../../src/settings.ts'
import { inputCases } from '../../src/testing.ts'
import { createFakeKafka } from './_fake-driver.ts'
import { aWhile, rig, soon, stopAll } from './_kafka-rig.ts'

afterEach(stopAll)

describe('the conformance of the kafka input', () => {
  const config = {
    brokers: ['broker:9092'],
    topics: ['alerts'],
    sasl: { mechanism: 'plain', username: 'u', password: 'p' },
  }
  for (const { name, run } of inputCases(createKafkaInput(createFakeKafka({ alerts: 1 }).driver), { config }))
    it(name, run)
})

describe('what the kafka input hands over', () => {
  it('gives the value as bytes, and where it was', async () => {
    const { fake, seen } = rig()
    fake.append('alerts', '{"rule":"one"}')
    fake.append('alerts', '{"rule":"two"}')
    await soon(() => expect(seen).toHaveLength(2))
    expect(seen[1]?.text).toBe('{"rule":"two"}')
    expect(seen.map(({ options }) => options.position)).toEqual(['alerts/0/0', 'alerts/0/1'])
  })

  it('carries the sender’s trace context and nothing else of the headers', async () => {
    const { fake, seen } = rig()
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    fake.append('alerts', '{}', { headers: { traceparent, tracestate: 'a=b', baggage: 'k=v', secret: 'x' } })
    await soon(() => expect(seen).toHaveLength(1))
    expect(seen[0]?.options.headers).toEqual({ traceparent, tracestate: 'a=b', baggage: 'k=v' })
  })

  it('names the span and its attributes as OpenTelemetry does', async () => {
    const { fake, seen } = rig({ settings: { groupId: 'blue' } })
    fake.append('alerts', '{}', { key: 'pod/default/web-1' })
    await soon(() => expect(seen).toHaveLength(1))
    expect(seen[0]?.options.span).toEqual({
      name: 'process alerts',
      kind: 'consumer',
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.type': 'process',
        'messaging.operation.name': 'process',
        'messaging.destination.name': 'alerts',
        'messaging.destination.partition.id': '0',
        'messaging.consumer.group.name': 'blue',
        'messaging.kafka.offset': 0,
        'messaging.kafka.message.key': 'pod/default/web-1',
      },
    })
  })

  it.each([
    ['none', null],
    ['an empty one', ''],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe)],
    ['control characters', 'a\nb'],
    ['a very long one', 'x'.repeat(300)],
  ])('leaves out a key that is no short text: %s', async (_, key) => {
    const { fake, seen } = rig()
    fake.append('alerts', '{}', { key })
    await soon(() => expect(seen).toHaveLength(1))
    expect(seen[0]?.options.span?.attributes).not.toHaveProperty('messaging.kafka.message.key')
  })

  it.each([
    [{ sasl: { mechanism: 'plain', username: 'u', password: 'p' } }, 'sasl'],
    [{ tls: { certFile: 'c.pem', keyFile: 'k.pem' } }, 'mtls'],
    [{ tls: {} }, undefined],
    [{}, undefined],
    [{ trust: true }, 'trust'],
    [{ trust: true, sasl: { mechanism: 'plain', username: 'u', password: 'p' } }, 'sasl'],
  ])('says how we proved who we are: %j', async (settings, authenticated) => {
    const { fake, seen } = rig({ settings })
    fake.append('alerts', '{}')
    await soon(() => expect(seen).toHaveLength(1))
    expect(seen[0]?.options.authenticated).toBe(authenticated)
  })
})

describe('records that are no events', () => {
  it.each(['invalid', 'too_large'] as const)('passes over one that is %s: logged, settled', async (code) => {
    const { fake, texts, counts, logs, seen } = rig({
      emit: (text) => {
        if (text === 'poison') throw new YarakError(code, 'rule is missing', { permanent: true })
      },
    })
    fake.append('alerts', 'poison')
    fake.append('alerts', 'good')
    await soon(() => expect(texts()).toEqual(['good']))
    seen[0]?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(2))
    expect(counts).toEqual([])
    expect(logs.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        message: 'record refused',
        fields: { topic: 'alerts', partition: 0, offset: 0, error: 'rule is missing' },
      },
    ])
  })

  it('counts a record without a value and goes on', async () => {
    const { fake, counts, seen } = rig()
    fake.append('alerts', null)
    await soon(() => expect(fake.committed('alerts')).toBe(1))
    expect(counts).toEqual(['skipped:tombstone'])
    expect(seen).toEqual([])
  })

  it('does not pass over an event that failed for a reason nobody knows', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    const { running } = rig({
      fake,
      emit: (text) => {
        if (text === 'b') throw new Error('disk full')
      },
    })
    fake.append('alerts', 'a')
    fake.append('alerts', 'b')
    await expect(running).rejects.toThrow('disk full')
    expect(fake.committed('alerts') ?? 0).toBeLessThanOrEqual(1)
  })
})

describe('stop', () => {
  it('takes no more, waits for what is in flight, commits it, and leaves the group', async () => {
    const { fake, seen, stop, running } = rig({ settings: { drain: '10s', commitInterval: '1h' } })
    fake.append('alerts', 'a')
    await soon(() => expect(seen).toHaveLength(1))
    stop.abort()
    fake.append('alerts', 'b')
    await aWhile()
    seen[0]?.settle()
    await running
    expect(fake.committed('alerts')).toBe(1)
    expect(seen).toHaveLength(1)
    expect(fake.members).toBe(0)
  })

  it('does not wait for ever, and commits only what has settled', async () => {
    const { fake, seen, stop, running } = rig({ settings: { drain: '10ms', commitInterval: '1h' } })
    for (const text of ['a', 'b']) fake.append('alerts', text)
    await soon(() => expect(seen).toHaveLength(2))
    seen[0]?.settle()
    stop.abort()
    await running
    expect(fake.committed('alerts')).toBe(1)
    seen[1]?.settle()
    await aWhile()
    expect(fake.commits).toHaveLength(1)
  })

  it('leaves an event alone that the closing gateway refuses', async () => {
    const { fake, seen, stop, running, counts } = rig({
      emit: (text) => {
        if (text === 'b') throw new YarakError('closing', 'the gateway is stopping')
      },
    })
    fake.append('alerts', 'a')
    fake.append('alerts', 'b')
    await soon(() => expect(fake.paused.has('alerts/0')).toBe(true))
    seen[0]?.settle()
    stop.abort()
    await running
    expect(fake.committed('alerts')).toBe(1)
    expect(counts).toEqual([])
  })

  it('ends at once when nothing is connected yet', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    const { stop, running } = rig({ fake })
    stop.abort()
    await running
    expect(fake.members).toBe(0)
  })
})

describe('trouble', () => {
  it('rejects with the driver’s words when no broker answers', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    fake.down = true
    await expect(rig({ fake }).running).rejects.toMatchObject({
      code: 'unavailable',
      message: 'Kafka at broker:9092: connection refused',
    })
  })

  it('rejects when the group is lost, and goes on without loss when run again', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    const before = rig({ fake })
    for (const text of ['a', 'b']) fake.append('alerts', text)
    await soon(() => expect(before.seen).toHaveLength(2))
    before.seen[0]?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(1))
    fake.crash()
    await expect(before.running).rejects.toMatchObject({ code: 'unavailable', reason: 'crash' })
    expect(fake.members).toBe(0)
    before.seen[1]?.settle()
    const after = rig({ fake })
    await soon(() => expect(after.texts()).toEqual(['b']))
    expect(fake.committed('alerts')).toBe(1)
  })
})

describe('settings', () => {
  const check = (settings: object): z.ZodSafeParseResult<unknown> =>
    kafka.config.safeParse({ brokers: ['broker:9092'], topics: ['alerts'], ...settings })

  it('has the documented defaults', () => {
    expect(check({}).data).toEqual({
      brokers: ['broker:9092'],
      topics: ['alerts'],
      clusters: {},
      clientId: 'yarak',
      groupId: 'yarak',
      from: 'latest',
      sessionTimeout: 30_000,
      topicsInterval: 60_000,
      unwrap: 'auto',
      trust: false,
      maxInFlight: 1_000,
      commitInterval: 1_000,
      drain: 5_000,
    })
  })

  it('takes several brokers from one text, as environment variables have them', () => {
    expect(check({ brokers: ['a:9092, b:9093', 'c:9094'] }).data).toMatchObject({
      brokers: ['a:9092', 'b:9093', 'c:9094'],
    })
  })

  it.each([
    [{ topics: ['alerts', '/^falco-.*/'] }, { topics: ['alerts', '/^falco-.*/'] }],
    [{ from: '2026-01-31T12:00:00Z' }, { from: Date.parse('2026-01-31T12:00:00Z') }],
    [{ from: '2026-01-31T12:00:00+02:00' }, { from: Date.parse('2026-01-31T10:00:00Z') }],
    [{ deadLetterTopic: 'poison' }, { deadLetterTopic: 'poison' }],
  ])('takes %j', (settings, found) => expect(check(settings).data).toMatchObject(found))

  it.each([
    { brokers: [] },
    { brokers: ['broker'] },
    { brokers: ['http://broker:9092'] },
    { topics: [] },
    { topics: ['no/slash'] },
    { topics: ['/(/'] },
    { topics: ['//'] },
    { topics: ['alerts'], deadLetterTopic: 'alerts' },
    { unwrap: 'msg' },
    { from: '2026-01-31' },
    { maxInFlight: 0 },
    { from: 'beginning' },
    { sasl: { mechanism: 'gssapi', username: 'u', password: 'p' } },
    { sasl: { mechanism: 'plain', username: 'u' } },
    { tls: { ca: 'x' } },
    { group: 'x' },
  ])('refuses %j', (settings) => expect(check(settings).success).toBe(false))

  it.each([
    [
      { sasl: { mechanism: 'gssapi' } },
      'sasl.mechanism: must be plain, scram-sha-256, scram-sha-512, oauthbearer or aws-msk-iam',
    ],
    [{ sasl: { mechanism: 'plain', username: 'u' } }, 'sasl.password is required'],
    [
      { sasl: { mechanism: 'oauthbearer' } },
      'sasl: needs either tokenUrl with clientId and clientSecret, or tokenFile',
    ],
    [{ from: 'yesterday' }, 'from: must be earliest or latest, or a time such as 2026-01-31T12:00:00Z'],
  ])('says what is wrong with %j', (settings, words) => {
    const all = { brokers: ['broker:9092'], topics: ['alerts'], ...settings }
    expect(checkSettings(kafka.config, all).map(({ message }) => message)).toEqual([words])
  })

  it('passes the connection to the driver, and the group to its consumer', async () => {
    const sasl = { mechanism: 'scram-sha-512', username: 'u', password: 'p' }
    const { fake } = rig({ settings: { sasl, tls: {}, groupId: 'g', sessionTimeout: '10s' } })
    await soon(() => expect(fake.members).toBe(1))
    expect(fake.connections[0]).toMatchObject({ brokers: ['broker:9092'], sasl, tls: { verify: true } })
    expect(fake.consumers[0]).toMatchObject({
      groupId: 'g',
      topics: ['alerts'],
      from: 'earliest',
      sessionTimeout: 10_000,
    })
  })

  it('says that the source redelivers, and keeps its password to itself', () => {
    expect(kafka.replayable).toBe(true)
    expect(JSON.stringify(kafka({ brokers: ['b:1'], topics: ['t'] }, 'blue').id)).toContain('kafka/blue')
  })
})

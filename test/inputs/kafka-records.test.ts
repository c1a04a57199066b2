import { afterEach, describe, expect, it } from 'vitest'
import { YarakError } from '../../src/plugin.ts'
import { createFakeKafka } from './_fake-driver.ts'
import { aWhile, rig, soon, stopAll } from './_kafka-rig.ts'

afterEach(stopAll)

const ALERT = '{"output":"o","priority":"Error","rule":"r","time":"2026-01-31T12:00:00Z","n":1763870000123456789}'

describe('what a record holds', () => {
  it.each([
    ['an alert', ALERT],
    ['what Fluent Bit wraps', { log: `${ALERT}\n`, stream: 'stdout' }],
    ['what Vector wraps', { message: ALERT, source_type: 'kubernetes_logs' }],
    ['a CloudEvent', `{"specversion":"1.0","data":${ALERT}}`],
  ])('is found: %s', async (_, value) => {
    const { fake, texts } = rig()
    fake.append('alerts', value)
    await soon(() => expect(texts()).toEqual([ALERT]))
  })

  it('is taken as it is when told so', async () => {
    const { fake, texts } = rig({ settings: { unwrap: 'none' } })
    const wrapped = `{"log":${ALERT}}`
    fake.append('alerts', wrapped)
    await soon(() => expect(texts()).toEqual([wrapped]))
  })

  it.each([
    ['a line of Falco’s log', 'Sat Jan 31 12:00:00 2026: Falco initialized with configuration files:'],
    ['a line of its log in a wrapping', { log: '2026-01-31T12:00:00+0000: Loading rules from:\n', stream: 'stderr' }],
    ['something else in a wrapping', { message: 'libbpf: failed' }],
  ])('is skipped and counted: %s', async (_, value) => {
    const { fake, counts, seen } = rig()
    fake.append('alerts', value)
    await soon(() => expect(fake.committed('alerts')).toBe(1))
    expect([counts, seen]).toEqual([['skipped:not-an-alert'], []])
  })

  it.each([
    ['text that nobody knows', 'hello'],
    ['an alert in words', '12:00:00.123456789: Warning Sensitive file opened'],
    ['bytes', Uint8Array.of(1, 2, 3)],
    ['nothing', ''],
  ])('is for the gateway to judge: %s', async (_, value) => {
    const { fake, seen } = rig()
    fake.append('alerts', value)
    await soon(() => expect(seen).toHaveLength(1))
  })
})

describe('a record that cannot be taken', () => {
  const FRAMED = Buffer.concat([Buffer.from([0, 0, 0, 1, 2]), Buffer.from('avro')])

  it('is kept with the remedy when it is written for a schema registry', async () => {
    const { fake, counts, lost, seen } = rig()
    fake.append('alerts', FRAMED)
    await soon(() => expect(fake.committed('alerts')).toBe(1))
    expect([counts, seen]).toEqual([['rejected:schema-registry'], []])
    expect(lost).toMatchObject([{ body: FRAMED, position: 'alerts/0/0' }])
    expect(lost[0]?.message).toMatch(/schema 258.*plain JSON/)
  })

  it('is kept once for a batch that cannot be decompressed, and counted for each record of it', async () => {
    const { fake, counts, lost, texts } = rig()
    fake.append('alerts', 'packed', { unreadable: 'zstd: broken' })
    fake.append('alerts', '', { unreadable: 'zstd: broken' })
    fake.append('alerts', ALERT)
    await soon(() => expect(texts()).toEqual([ALERT]))
    expect(counts).toEqual(['rejected:unreadable', 'rejected:unreadable'])
    expect(lost).toHaveLength(1)
    expect(lost[0]).toMatchObject({
      position: 'alerts/0/0',
      message: expect.stringContaining('zstd: broken') as string,
    })
  })
})

describe('a dead-letter topic', () => {
  const settings = { deadLetterTopic: 'poison' }
  const invalid = (text: string) => {
    if (text === 'bad') throw new YarakError('invalid', 'rule is missing', { permanent: true })
  }
  const world = () => createFakeKafka({ alerts: 2, poison: 1 })

  it('gets the record as it was, and why and from where', async () => {
    const fake = world()
    rig({ fake, settings, emit: invalid })
    fake.append('alerts', 'bad', { key: Uint8Array.of(1), headers: { team: 'red' }, partition: 1 })
    await soon(() => expect(fake.committed('alerts', 1)).toBe(1))
    expect(fake.sent).toMatchObject([{ topic: 'poison', options: { acks: 'all' } }])
    expect(fake.sent[0]?.records).toEqual([
      {
        key: Uint8Array.of(1),
        value: Buffer.from('bad'),
        headers: {
          team: 'red',
          'yarak-reason': 'invalid',
          'yarak-error': 'rule is missing',
          'yarak-topic': 'alerts',
          'yarak-partition': '1',
          'yarak-offset': '0',
        },
      },
    ])
  })

  it('gets what the input itself refuses too, of a batch that cannot be read the first', async () => {
    const fake = world()
    rig({ fake, settings })
    fake.append('alerts', Buffer.from([0, 0, 0, 0, 7, 1]))
    fake.append('alerts', 'packed', { unreadable: 'lz4: broken' })
    fake.append('alerts', '', { unreadable: 'lz4: broken' })
    await soon(() => expect(fake.committed('alerts')).toBe(3))
    expect(fake.sent.map(({ records }) => records[0]?.headers['yarak-reason'])).toEqual([
      'schema-registry',
      'unreadable',
    ])
  })

  it('has it before the offset counts as settled, however long that takes', async () => {
    const fake = world()
    let refusals = 0
    fake.onSend = () => {
      if (++refusals === 1) throw new YarakError('unavailable', 'no leader')
    }
    const { logs, texts, seen } = rig({ fake, settings, emit: invalid })
    fake.append('alerts', 'bad')
    fake.append('alerts', ALERT)
    await soon(() => expect(texts()).toEqual([ALERT]))
    seen[0]?.settle()
    await soon(() => expect(refusals).toBe(1))
    await aWhile()
    expect(fake.committed('alerts')).toBe(0)
    await soon(() => expect(fake.committed('alerts')).toBe(2))
    expect(logs.filter(({ message }) => message.includes('dead-letter topic'))).toHaveLength(1)
  })

  it('is not reached before a stop: the record comes again', async () => {
    const fake = world()
    fake.onSend = () => {
      throw new YarakError('unavailable', 'no leader')
    }
    const { stop, running, logs } = rig({ fake, settings, emit: invalid })
    fake.append('alerts', 'bad')
    await soon(() => expect(logs.some(({ message }) => message.includes('dead-letter topic'))).toBe(true))
    stop.abort()
    await running
    expect(fake.committed('alerts')).toBe(0)
    expect(fake.closed).toBe(1)
  })

  it('is never read itself', async () => {
    const fake = world()
    const { texts } = rig({ fake, settings: { ...settings, topics: ['/.*/'] } })
    fake.append('poison', 'bad')
    fake.append('alerts', ALERT)
    await soon(() => expect(texts()).toEqual([ALERT]))
    expect(fake.consumers[0]?.topics).toEqual(['alerts'])
  })
})

describe('the lag', () => {
  it('is what a partition holds that is not settled', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    const { seen, lags } = rig({ fake, settings: { maxInFlight: 2 } })
    for (let i = 0; i < 5; i++) fake.append('alerts', `{"n":${i}}`)
    await soon(() => expect(lags.get('alerts/0')).toBe(5))
    for (let i = 0; i < 5; i++) {
      await soon(() => expect(seen.length).toBeGreaterThan(i))
      seen[i]?.settle()
    }
    await soon(() => expect(lags.get('alerts/0')).toBe(0))
  })

  it('grows while the partition is paused', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    const { lags } = rig({ fake, settings: { maxInFlight: 1, topicsInterval: '20ms' } })
    fake.append('alerts', '{}')
    await soon(() => expect(fake.paused.size).toBe(1))
    for (let i = 0; i < 8; i++) fake.append('alerts', '{}')
    await soon(() => expect(lags.get('alerts/0')).toBe(9))
  })

  it('is nothing of ours once somebody else has the partition, or at the end', async () => {
    const fake = createFakeKafka({ alerts: 2 })
    const { lags, stop, running } = rig({ fake })
    fake.append('alerts', '{}', { partition: 0 })
    fake.append('alerts', '{}', { partition: 1 })
    await soon(() =>
      expect([...lags]).toEqual([
        ['alerts/0', 1],
        ['alerts/1', 1],
      ]),
    )
    await fake.rebalance([{ topic: 'alerts', partition: 1 }])
    await soon(() => expect(lags.get('alerts/0')).toBe(0))
    expect(lags.get('alerts/1')).toBe(1)
    stop.abort()
    await running
    expect(lags.get('alerts/1')).toBe(0)
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { clusterByTopic, select } from '../../inputs/_kafka-topics.ts'
import { kafka } from '../../inputs/kafka.ts'
import { createFakeKafka } from './_fake-driver.ts'
import { aWhile, rig, soon, stopAll } from './_kafka-rig.ts'

afterEach(stopAll)

const quick = { topicsInterval: '10ms' }

describe('which topics are read', () => {
  const all = ['alerts', 'falco-b', 'falco-a', 'other', '__consumer_offsets']

  it.each([
    [['alerts'], ['alerts'], []],
    [['alerts', 'absent'], ['alerts'], ['absent']],
    [['/^falco-/'], ['falco-a', 'falco-b'], []],
    [['/^falco-/', 'falco-a', 'alerts'], ['alerts', 'falco-a', 'falco-b'], []],
    [['/^nothing-/'], [], ['/^nothing-/']],
    [['/offsets/'], [], ['/offsets/']],
    [['__consumer_offsets'], ['__consumer_offsets'], []],
    [['falco-'], [], ['falco-']],
  ])('%j of all', (topics, names, missing) => {
    expect(select(all, { topics })).toMatchObject({ names, missing })
  })

  it('leaves out the dead-letter topic, whatever matches', () => {
    expect(select(all, { topics: ['/./'], deadLetterTopic: 'other' }).names).toEqual(['alerts', 'falco-a', 'falco-b'])
  })

  it('knows as new what an entry did not stand for when it was looked for earlier', () => {
    const { seen } = select(['falco-a'], { topics: ['/^falco-/', 'alerts'] })
    expect([...select(all, { topics: ['/^falco-/', 'alerts'] }, seen).fresh]).toEqual(['falco-b', 'alerts'])
  })

  it('takes nothing for new that is only newly wanted', () => {
    const { seen } = select(all, { topics: ['alerts'] })
    expect([...select(all, { topics: ['alerts', '/^falco-/'] }, seen).fresh]).toEqual([])
  })
})

describe('the cluster of a topic', () => {
  const clusterOf = clusterByTopic({ '/^falco-/': 'eu', '/us$/': 'us', 'falco-a': 'prod' })

  it.each([
    ['falco-a', 'prod'],
    ['falco-b', 'eu'],
    ['falco-us', 'eu'],
    ['alerts-us', 'us'],
    ['alerts', undefined],
    ['constructor', undefined],
  ])('%s is %s', (topic, cluster) => {
    expect(clusterOf(topic)).toBe(cluster)
  })

  it('is told with each record', async () => {
    const fake = createFakeKafka({ 'falco-a': 1, alerts: 1 })
    const settings = { ...quick, topics: ['/./'], clusters: { '/^falco-/': 'eu' } }
    const { seen } = rig({ fake, settings })
    fake.append('falco-a', '{"n":1}')
    fake.append('alerts', '{"n":2}')
    await soon(() => expect(seen).toHaveLength(2))
    expect(Object.fromEntries(seen.map(({ text, options }) => [text, options.cluster]))).toEqual({
      '{"n":1}': 'eu',
      '{"n":2}': undefined,
    })
  })

  it('has a topic for its name', () => {
    expect(() => kafka({ brokers: ['b:1'], topics: ['x'], clusters: { 'no topic': 'eu' } })).toThrow('a topic name')
    expect(() => kafka({ brokers: ['b:1'], topics: ['x'], clusters: { x: '' } })).toThrow('clusters')
  })
})

describe('topics that come', () => {
  it('are read from their beginning, and the others go on where they were', async () => {
    const fake = createFakeKafka({ 'falco-a': 1 })
    const { texts, seen } = rig({ fake, settings: { ...quick, topics: ['/^falco-/'], from: 'latest' } })
    await soon(() => expect(fake.members).toBe(1))
    fake.append('falco-a', '{"n":1}')
    await soon(() => expect(seen).toHaveLength(1))
    seen[0]?.settle()
    fake.topic('falco-b')
    fake.append('falco-b', '{"n":2}')
    await soon(() => expect(texts()).toEqual(['{"n":1}', '{"n":2}']))
    fake.append('falco-a', '{"n":3}')
    await soon(() => expect(texts()).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']))
    expect(fake.consumers.map(({ topics }) => topics)).toEqual([['falco-a'], ['falco-a', 'falco-b']])
    expect(fake.members).toBe(1)
  })

  it('that go are left, without a failure', async () => {
    const fake = createFakeKafka({ 'falco-a': 1, 'falco-b': 1 })
    const { texts } = rig({ fake, settings: { ...quick, topics: ['/^falco-/'] } })
    await soon(() => expect(fake.members).toBe(1))
    fake.topic('falco-a', 0)
    await soon(() => expect(fake.consumers).toHaveLength(2))
    fake.append('falco-b', '{"n":1}')
    await soon(() => expect(texts()).toEqual(['{"n":1}']))
  })

  it('make no new membership while they stay the same, also when the brokers are not reached', async () => {
    const { fake, logs } = rig({ settings: quick })
    await soon(() => expect(fake.members).toBe(1))
    fake.down = true
    await soon(() => expect(logs.some(({ message }) => message === 'the topics are not known')).toBe(true))
    fake.down = false
    await aWhile()
    expect(fake.consumers).toHaveLength(1)
  })
})

describe('topics that are missing', () => {
  it('are said, while the others are read', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    const { texts, logs } = rig({ fake, settings: { topics: ['alerts', 'later'] } })
    fake.append('alerts', '{"n":1}')
    await soon(() => expect(texts()).toEqual(['{"n":1}']))
    expect(logs.filter(({ level }) => level === 'warn')).toEqual([
      { level: 'warn', message: 'topics that are not there yet are not read', fields: { topics: ['later'] } },
    ])
  })

  it.each([['later'], ['/^lat/']])('leave nothing to read: %s', async (topic) => {
    const { running, fake } = rig({ fake: createFakeKafka({}), settings: { topics: [topic] } })
    await expect(running).rejects.toMatchObject({ code: 'unavailable', reason: 'unknown-topic', retryAfter: 60_000 })
    await expect(running).rejects.toThrow(`there is no topic yet that is ${topic}`)
    expect(fake.consumers).toEqual([])
  })

  it('are read from their beginning once they are there, by the next run', async () => {
    const fake = createFakeKafka({})
    const state = new Map<string, unknown>()
    const settings = { topics: ['later'], from: 'latest' }
    await rig({ fake, settings, state }).running.catch(() => {})
    fake.topic('later')
    fake.append('later', '{"n":1}')
    const { texts } = rig({ fake, settings, state })
    await soon(() => expect(texts()).toEqual(['{"n":1}']))
  })

  it('and were there all along, for a group that is new: they are read from the end', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    fake.append('alerts', '{"n":1}')
    const { texts, state } = rig({ fake, settings: { from: 'latest' } })
    await soon(() => expect(fake.members).toBe(1))
    fake.append('alerts', '{"n":2}')
    await soon(() => expect(texts()).toEqual(['{"n":2}']))
    expect(state.get('topics')).toEqual({ alerts: ['alerts'] })
  })
})

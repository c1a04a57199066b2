import { afterEach, describe, expect, it, vi } from 'vitest'
import type { KafkaBatch, TopicPartition } from '../../src/resources/kafka.ts'
import { standIns } from '../../src/resources/_kafka-batch.ts'
import { closeAll, consuming, Library, message } from './_kafka-library.ts'

afterEach(closeAll)

describe('a consumer', () => {
  it('joins without committing by itself, and without making topics', async () => {
    const { library } = await consuming({ sessionTimeout: 30_000 })
    expect(library.consumerConfigs[0]).toMatchObject({
      groupId: 'g',
      sessionTimeout: 30_000,
      heartbeatInterval: 3_000,
      allowAutoTopicCreation: false,
    })
    expect(library.named('subscribe')).toEqual([{ topics: ['alerts'], fromBeginning: true }])
    expect(library.run).toMatchObject({ autoCommit: false, eachBatchAutoResolve: false })
  })

  it('tells of its partitions whenever it has joined', async () => {
    const seen: (readonly TopicPartition[])[] = []
    const { library } = await consuming({ onAssigned: (partitions) => void seen.push(partitions) })
    library.assignment = { alerts: [1, 2] }
    library.join()
    expect(seen).toEqual([
      [{ topic: 'alerts', partition: 0 }],
      [1, 2].map((partition) => ({ topic: 'alerts', partition })),
    ])
  })

  it('hands over records as plain values', async () => {
    const batches: KafkaBatch[] = []
    const { library } = await consuming({ onBatch: async (batch) => batches.push(batch) })
    const headers = { one: Buffer.from('1'), two: 'text', many: [Buffer.from('first'), 'second'], none: undefined }
    await library.batch([message(5, { key: Buffer.from('k'), headers }), message(9, { value: null })])
    expect(batches[0]).toMatchObject({ topic: 'alerts', partition: 0, lag: 7 })
    expect(batches[0]?.records).toEqual([
      { offset: 5, key: Buffer.from('k'), value: Buffer.from('{}'), headers: { one: '1', two: 'text', many: 'first' } },
      { offset: 9, key: null, value: null, headers: {} },
    ])
  })

  it('says which records stand for what cannot be read', async () => {
    const batches: KafkaBatch[] = []
    const { library } = await consuming({ onBatch: async (batch) => batches.push(batch) })
    const standIn = standIns(Buffer.from('packed'), { count: 1, lastOffsetDelta: 0 }, 'gzip: broken')
    await library.batch([message(5, { value: standIn }), message(6)])
    expect(batches[0]?.records.map(({ unreadable }) => unreadable)).toEqual(['gzip: broken', undefined])
  })

  it.each([
    [3, ['12']],
    [1, ['10']],
    [0, []],
  ])('goes on behind what was taken: %i', async (taken, resolved) => {
    const { library } = await consuming({ onBatch: async () => taken })
    await library.batch([message(10), message(11), message(12)])
    expect(library.resolved).toEqual(resolved)
  })

  it('sends heartbeats while a batch is held up, and none afterwards', async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const { library } = await consuming({ sessionTimeout: 20, onBatch: () => promise })
    const work = library.batch([message(1)])
    await vi.waitFor(() => expect(library.heartbeats).toBeGreaterThan(2), { interval: 1 })
    resolve(1)
    await work
    const before = library.heartbeats
    await new Promise((wake) => setTimeout(wake, 20))
    expect(library.heartbeats).toBe(before)
  })

  it('cuts a batch short when the group moves on, keeps what was taken, and lets kafkajs join again', async () => {
    const moved = Object.assign(new Error('rebalancing'), { type: 'REBALANCE_IN_PROGRESS' })
    const { library } = await consuming({
      sessionTimeout: 20,
      onBatch: ({ signal }) => new Promise((done) => signal.addEventListener('abort', () => done(1))),
    })
    library.failing.heartbeat = moved
    await expect(library.batch([message(1), message(2)])).rejects.toBe(moved)
    expect(library.resolved).toEqual(['1'])
  })

  it('passes a failure of the handler on, so that the batch comes again', async () => {
    const { library } = await consuming({ onBatch: () => Promise.reject(new Error('no')) })
    await expect(library.batch([message(1)])).rejects.toThrow('no')
    expect(library.resolved).toEqual([])
  })

  it('commits once and in the present generation, without trying again', async () => {
    const { library, consumer } = await consuming()
    await library.batch([message(1)])
    await consumer.commit([{ topic: 'alerts', partition: 0, offset: 2 }])
    expect(library.named('commit')).toEqual([
      { topics: [{ topic: 'alerts', partitions: [{ partition: 0, offset: '2' }] }] },
    ])
    library.failing.commit = Object.assign(new Error('The coordinator moved'), { type: 'ILLEGAL_GENERATION' })
    await expect(consumer.commit([{ topic: 'alerts', partition: 0, offset: 3 }])).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'rebalance',
    })
    expect(library.named('commit')).toHaveLength(2)
  })

  it('pauses and resumes one partition', async () => {
    const { library, consumer } = await consuming()
    consumer.pause({ topic: 'alerts', partition: 3 })
    consumer.resume({ topic: 'alerts', partition: 3 })
    expect(library.named('pause')).toEqual([[{ topic: 'alerts', partitions: [3] }]])
    expect(library.named('resume')).toEqual([[{ topic: 'alerts', partitions: [3] }]])
  })

  it('has nothing to pause once the group is gone', async () => {
    const { library, consumer } = await consuming()
    library.failing.pause = Object.assign(new Error('not initialized'), { name: 'KafkaJSNonRetriableError' })
    expect(() => consumer.pause({ topic: 'alerts', partition: 0 })).not.toThrow()
    library.failing.pause = new TypeError('a bug')
    expect(() => consumer.pause({ topic: 'alerts', partition: 0 })).toThrow('a bug')
  })

  it('rejects when kafkajs gives up, for then it never comes back by itself', async () => {
    const { library, running } = await consuming()
    library.crash(Object.assign(new Error('coordinator not found'), { name: 'KafkaJSGroupCoordinatorNotFound' }))
    await expect(running).rejects.toThrow('Kafka at broker:9092: reading alerts: coordinator not found')
    expect(library.named('disconnect')).toHaveLength(1)
    expect(await library.consumerConfigs[0]?.retry?.restartOnFailure?.(new Error())).toBe(false)
  })

  it('rejects when the topic is not there', async () => {
    const library = new Library()
    library.failing.subscribe = Object.assign(new Error('This server does not host this topic-partition'), {
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
    const { running } = await consuming({}, library)
    await expect(running).rejects.toMatchObject({ code: 'unavailable', reason: 'unknown-topic' })
    await expect(running).rejects.toThrow('reading alerts: the topic does not exist')
  })

  it('ends without an error when it is closed, also twice', async () => {
    const { consumer, running, library } = await consuming()
    await Promise.all([consumer.close(), consumer.close()])
    await running
    expect(library.named('disconnect').length).toBeGreaterThan(0)
  })

  it('takes silence for a loss', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    try {
      const { library, running } = await consuming()
      await vi.advanceTimersByTimeAsync(170_000)
      library.events.emit('fetch')
      await vi.advanceTimersByTimeAsync(170_000)
      library.events.emit('heartbeat')
      await vi.advanceTimersByTimeAsync(200_000)
      await expect(running).rejects.toThrow('nothing was heard of the group for 180 s')
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('the start of a new group at the latest offset', () => {
  const anchored = (library: Library) => library.named('anchor')
  const taken = () => {
    const offsets: number[] = []
    const onBatch = async ({ records }: KafkaBatch) => offsets.push(...records.map(({ offset }) => offset))
    return { offsets, onBatch }
  }

  it('is committed, so that it holds over a restart', async () => {
    const library = new Library()
    library.assignment = { alerts: [0, 1] }
    await consuming({ from: 'latest' }, library)
    await vi.waitFor(() => expect(anchored(library)).toHaveLength(1))
    expect(anchored(library)[0]).toEqual([
      { topic: 'alerts', partition: 0, offset: '40' },
      { topic: 'alerts', partition: 1, offset: '41' },
    ])
    expect(library.named('admin gone')).toHaveLength(2)
  })

  it('is where the topic ended before the group was joined', async () => {
    const library = new Library()
    const { offsets, onBatch } = taken()
    await consuming({ from: 'latest', onBatch }, library)
    library.ends = { 0: '90' }
    await library.batch([message(0), message(1)])
    expect(offsets).toEqual([])
    expect(library.named('seek')).toEqual([{ topic: 'alerts', partition: 0, offset: '40' }])
    await library.batch([message(40), message(41)])
    await library.batch([message(7)])
    expect(offsets).toEqual([40, 41, 7])
  })

  it('is where a time was, when one is given', async () => {
    const library = new Library()
    await consuming({ from: 1_700_000_000_000 }, library)
    await vi.waitFor(() => expect(anchored(library)).toEqual([[{ topic: 'alerts', partition: 0, offset: '10' }]]))
    expect(library.named('times')).toEqual([1_700_000_000_000])
    await library.batch([message(3)])
    expect(library.named('seek')).toEqual([{ topic: 'alerts', partition: 0, offset: '10' }])
  })

  it('is the beginning for a topic that was not there before, and for a partition that is added', async () => {
    const library = new Library()
    const { offsets, onBatch } = taken()
    await consuming({ from: 'latest', fresh: new Set(['alerts']), onBatch }, library)
    await vi.waitFor(() => expect(anchored(library)).toEqual([[{ topic: 'alerts', partition: 0, offset: '0' }]]))
    library.assignment = { alerts: [0, 7] }
    library.ends = { 0: '40', 7: '3' }
    library.join()
    await vi.waitFor(() => expect(anchored(library)[1]).toEqual([{ topic: 'alerts', partition: 7, offset: '0' }]))
    await library.batch([message(0)])
    await library.batch([message(2)], 7)
    expect(offsets).toEqual([0, 2])
    expect(library.named('seek')).toEqual([])
  })

  it('is left alone where something is committed, or where it is not ours', async () => {
    const library = new Library()
    const { offsets, onBatch } = taken()
    library.committed = { 0: '12' }
    await consuming({ from: 'latest', onBatch }, library)
    await library.batch([message(12)])
    expect(anchored(library)).toEqual([])
    library.join()
    await library.batch([message(13)])
    expect(library.named('offsets')).toHaveLength(1)
    expect(offsets).toEqual([12, 13])
  })

  it('is waited for: no record is taken before it is known', async () => {
    const library = new Library()
    library.failing.offsets = new Error('no coordinator')
    const { offsets, onBatch } = taken()
    const { io } = await consuming({ from: 'latest', onBatch }, library)
    await vi.waitFor(() => expect(io.lines.some(({ message }) => message.includes('not committed yet'))).toBe(true))
    await expect(library.batch([message(0)])).rejects.toThrow('no coordinator')
    library.failing = {}
    await library.batch([message(0)])
    expect(offsets).toEqual([])
    expect(library.named('seek')).toHaveLength(1)
    expect(anchored(library)).toHaveLength(1)
  })

  it('is tried again at the next join when the brokers refuse', async () => {
    const library = new Library()
    library.failing.offsets = new Error('no coordinator')
    const { io } = await consuming({ from: 'latest' }, library)
    await vi.waitFor(() => expect(io.lines.some(({ message }) => message.includes('not committed yet'))).toBe(true))
    library.failing = {}
    library.join()
    await vi.waitFor(() => expect(anchored(library)).toHaveLength(1))
  })

  it('is nobody’s business with earliest', async () => {
    const { library } = await consuming({ from: 'earliest' })
    expect(library.named('offsets')).toEqual([])
  })
})

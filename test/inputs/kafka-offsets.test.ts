import { afterEach, describe, expect, it } from 'vitest'
import { YarakError } from '../../src/plugin.ts'
import { createFakeKafka } from './_fake-driver.ts'
import { aWhile, rig, soon, stopAll } from './_kafka-rig.ts'

afterEach(stopAll)

describe('commits', () => {
  it('commit the contiguous settled offset, whatever the order of settling', async () => {
    const { fake, seen } = rig()
    for (const rule of ['a', 'b', 'c']) fake.append('alerts', rule)
    await soon(() => expect(seen).toHaveLength(3))
    seen[2]?.settle()
    seen[1]?.settle()
    await aWhile()
    expect(fake.committed('alerts')).toBe(0)
    seen[0]?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(3))
  })

  it('commit the start at once, so that a new group does not lose its place', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    fake.append('alerts', 'old')
    rig({ fake, settings: { from: 'latest' } })
    await soon(() => expect(fake.members).toBe(1))
    fake.append('alerts', 'new')
    await soon(() => expect(fake.committed('alerts')).toBe(1))
  })

  it('keep partitions apart', async () => {
    const fake = createFakeKafka({ alerts: 2 })
    const { seen } = rig({ fake })
    fake.append('alerts', 'left', { partition: 0 })
    fake.append('alerts', 'right', { partition: 1 })
    await soon(() => expect(seen).toHaveLength(2))
    seen.find(({ text }) => text === 'right')?.settle()
    await soon(() => expect(fake.committed('alerts', 1)).toBe(1))
    expect(fake.committed('alerts', 0)).toBe(0)
  })

  it('are tried again after a failure', async () => {
    const { fake, seen, logs } = rig()
    let failures = 0
    fake.onCommit = () => {
      if (++failures < 3) throw new YarakError('unavailable', 'no coordinator')
    }
    fake.append('alerts', 'a')
    await soon(() => expect(seen).toHaveLength(1))
    seen[0]?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(1))
    expect(logs.filter(({ level }) => level === 'warn')).toHaveLength(2)
  })

  it('do not warn when the group moves, for that is its daily life', async () => {
    const { fake, seen, logs } = rig()
    let first = true
    fake.onCommit = () => {
      if (first) throw ((first = false), new YarakError('unavailable', 'moved', { reason: 'rebalance' }))
    }
    fake.append('alerts', 'a')
    await soon(() => expect(seen).toHaveLength(1))
    seen[0]?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(1))
    expect(logs.filter(({ level }) => level !== 'debug')).toEqual([])
  })
})

describe('from', () => {
  it('starts a new group at the end by default', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    fake.append('alerts', 'last week')
    const { texts } = rig({ fake, settings: { from: undefined } })
    await soon(() => expect(fake.members).toBe(1))
    fake.append('alerts', 'today')
    await soon(() => expect(texts()).toEqual(['today']))
  })

  it('goes on at what is committed, whatever it says', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    for (const text of ['a', 'b', 'c']) fake.append('alerts', text)
    fake.commitAs({ topic: 'alerts', partition: 0, offset: 1 })
    const { texts } = rig({ fake, settings: { from: 'latest' } })
    await soon(() => expect(texts()).toEqual(['b', 'c']))
  })

  it('brings again after a restart what had not settled, at the same position', async () => {
    const fake = createFakeKafka({ alerts: 1 })
    for (const text of ['a', 'b', 'c']) fake.append('alerts', text)
    const before = rig({ fake })
    await soon(() => expect(before.seen).toHaveLength(3))
    before.seen[0]?.settle()
    before.seen[2]?.settle()
    before.stop.abort()
    await before.running
    const after = rig({ fake })
    await soon(() => expect(after.texts()).toEqual(['b', 'c']))
    expect(after.seen[0]?.options.position).toBe('alerts/0/1')
  })
})

describe('too much at once', () => {
  it('pauses the partition at maxInFlight and resumes it at half', async () => {
    const { fake, seen } = rig({ settings: { maxInFlight: 4 } })
    for (let i = 0; i < 10; i++) fake.append('alerts', `${i}`)
    await soon(() => expect([...fake.paused]).toEqual(['alerts/0']))
    expect(seen).toHaveLength(4)
    seen[3]?.settle()
    await aWhile()
    expect(seen).toHaveLength(4)
    seen[2]?.settle()
    await soon(() => expect(seen).toHaveLength(6))
    expect(seen.map(({ text }) => Number(text))).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('does not pause for a short while without room', async () => {
    const { fake, seen } = rig({ settings: { maxInFlight: 2 } })
    for (let i = 0; i < 6; i++) fake.append('alerts', `${i}`)
    for (const size of [2, 4, 6]) {
      await soon(() => expect(seen).toHaveLength(size))
      seen.forEach(({ settle }) => settle())
    }
    await soon(() => expect(fake.committed('alerts')).toBe(6))
    expect(fake.pauses).toEqual([])
  })

  it('works with one record in flight, and loses none', async () => {
    const { fake, seen, texts } = rig({ settings: { maxInFlight: 1 } })
    const all = Array.from({ length: 25 }, (_, i) => `${i}`)
    for (const text of all) fake.append('alerts', text)
    for (const [index] of all.entries()) {
      await soon(() => expect(seen).toHaveLength(index + 1))
      seen[index]?.settle()
    }
    await soon(() => expect(fake.committed('alerts')).toBe(25))
    expect(texts()).toEqual(all)
  })

  it('does not let one stuck record gather records without end', async () => {
    const { fake, seen } = rig({ settings: { maxInFlight: 2 } })
    for (let i = 0; i < 400; i++) fake.append('alerts', `${i}`)
    await soon(() => expect(seen.length).toBeGreaterThan(0))
    const settleBehind = () => seen.slice(1).forEach(({ settle }) => settle())
    await soon(() => {
      settleBehind()
      expect(seen).toHaveLength(200)
    })
    await soon(() => expect(fake.paused.has('alerts/0')).toBe(true))
    settleBehind()
    await aWhile()
    expect(seen).toHaveLength(200)
    seen[0]?.settle()
    await soon(() => {
      settleBehind()
      expect(seen).toHaveLength(400)
    })
  })

  it('pauses no other partition', async () => {
    const fake = createFakeKafka({ alerts: 2 })
    const { texts } = rig({ fake, settings: { maxInFlight: 1 } })
    fake.append('alerts', 'stuck', { partition: 0 })
    fake.append('alerts', 'behind it', { partition: 0 })
    fake.append('alerts', 'free', { partition: 1 })
    await soon(() => expect(texts().sort()).toEqual(['free', 'stuck']))
  })

  it('offers an event again when the gateway has no room', async () => {
    let refusals = 0
    const { fake, texts, counts } = rig({
      emit: () => {
        if (++refusals <= 3) throw new YarakError('overloaded', 'full', { retryAfter: 1 })
      },
    })
    fake.append('alerts', 'a')
    fake.append('alerts', 'b')
    await soon(() => expect(texts()).toEqual(['a', 'b']))
    expect(counts).toEqual([])
  })
})

describe('a rebalance', () => {
  const left = { topic: 'alerts', partition: 0 }
  const right = { topic: 'alerts', partition: 1 }

  it('does not commit for a partition that was taken away, however late its records settle', async () => {
    const fake = createFakeKafka({ alerts: 2 })
    const { seen } = rig({ fake })
    fake.append('alerts', 'l', { partition: 0 })
    fake.append('alerts', 'r', { partition: 1 })
    await soon(() => expect(fake.commits).toHaveLength(2))
    await fake.rebalance([right])
    fake.commitAs({ ...left, offset: 9 })
    seen.forEach(({ settle }) => settle())
    await soon(() => expect(fake.committed('alerts', 1)).toBe(1))
    expect(fake.committed('alerts', 0)).toBe(9)
  })

  it('hands no record over twice that is still in flight on a partition we keep', async () => {
    const { fake, seen, texts } = rig()
    for (const text of ['a', 'b', 'c']) fake.append('alerts', text)
    await soon(() => expect(seen).toHaveLength(3))
    seen[0]?.settle()
    await fake.rebalance()
    fake.append('alerts', 'd')
    await soon(() => expect(texts()).toEqual(['a', 'b', 'c', 'd']))
    seen.forEach(({ settle }) => settle())
    await soon(() => expect(fake.committed('alerts')).toBe(4))
  })

  it('does not go back behind what another member has committed meanwhile', async () => {
    const { fake, seen, texts } = rig()
    for (let i = 0; i < 6; i++) fake.append('alerts', `${i}`)
    fake.batchSize = 3
    await soon(() => expect(seen).toHaveLength(6))
    await soon(() => expect(fake.committed('alerts')).toBe(0))
    fake.commitAs({ ...left, offset: 6 })
    await fake.rebalance()
    seen.forEach(({ settle }) => settle())
    await aWhile()
    expect(fake.committed('alerts')).toBe(6)
    fake.append('alerts', '6')
    await soon(() => expect(texts()).toContain('6'))
    seen.at(-1)?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(7))
    expect(fake.commits.map(({ offset }) => offset)).toEqual([0, 7])
  })

  it('brings a partition back that was paused when it was taken away', async () => {
    const fake = createFakeKafka({ alerts: 2 })
    const { seen, texts } = rig({ fake, settings: { maxInFlight: 2 } })
    for (const text of ['a', 'b', 'c']) fake.append('alerts', text)
    await soon(() => expect(fake.paused.has('alerts/0')).toBe(true))
    await fake.rebalance([right])
    expect(fake.paused.has('alerts/0')).toBe(false)
    fake.commitAs({ ...left, offset: 2 })
    await fake.rebalance()
    await soon(() => expect(texts()).toEqual(['a', 'b', 'c']))
    seen[2]?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(3))
  })

  it('cuts short a record that waits for room, and takes it afterwards', async () => {
    let room = false
    const { fake, texts } = rig({
      emit: () => {
        if (!room) throw new YarakError('overloaded', 'full', { retryAfter: 60_000 })
      },
    })
    fake.append('alerts', 'a')
    await aWhile()
    room = true
    await fake.rebalance()
    await soon(() => expect(texts()).toEqual(['a']))
  })

  it('reads a topic that was made anew from its start', async () => {
    const { fake, seen, texts } = rig()
    for (const text of ['a', 'b', 'c']) fake.append('alerts', text)
    await soon(() => expect(seen).toHaveLength(3))
    seen.forEach(({ settle }) => settle())
    await soon(() => expect(fake.committed('alerts')).toBe(3))
    fake.recreate('alerts')
    fake.append('alerts', 'new')
    await fake.rebalance()
    await soon(() => expect(texts()).toEqual(['a', 'b', 'c', 'new']))
    seen.at(-1)?.settle()
    await soon(() => expect(fake.committed('alerts')).toBe(1))
  })
})

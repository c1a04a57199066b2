import { describe, expect, it } from 'vitest'
import { createSubscribers } from '../src/subscribe.ts'

const read = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('a reader', () => {
  it('gets what is published after it came, in order', async () => {
    const stream = createSubscribers<number>()
    stream.publish(1)
    const early = stream.subscribe()
    stream.publish(2)
    const late = stream.subscribe()
    stream.publish(3)
    stream.close()
    expect(await Promise.all([early, late].map(read))).toEqual([[2, 3], [3]])
  })

  it('waits for what is not published yet', async () => {
    const stream = createSubscribers<number>()
    const items = stream.subscribe()
    const both = [items.next(), items.next()]
    stream.publish(1)
    stream.publish(2)
    expect(await Promise.all(both)).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
    ])
    const all = read(items)
    stream.publish(3)
    stream.close()
    expect(await all).toEqual([3])
  })

  it('that falls behind misses the oldest, and holds up nobody', async () => {
    const stream = createSubscribers<number>()
    const slow = stream.subscribe()
    const quick = stream.subscribe()
    for (let i = 0; i < 1_500; i++) {
      stream.publish(i)
      expect((await quick.next()).value).toBe(i)
    }
    stream.close()
    expect(await read(slow)).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 500))
  })

  it('can leave, also while it waits and before it has begun', async () => {
    const stream = createSubscribers<number>()
    const waiting = stream.subscribe()
    const next = waiting.next()
    await waiting.return?.()
    expect((await next).done).toBe(true)
    const unread = stream.subscribe()
    stream.publish(1)
    await unread.return?.()
    stream.publish(2)
    expect(await Promise.all([waiting, unread].map(read))).toEqual([[], []])
  })

  it('leaves by breaking its loop', async () => {
    const stream = createSubscribers<number>()
    const items = stream.subscribe()
    for (const item of [1, 2, 3]) stream.publish(item)
    for await (const item of items) if (item === 1) break
    expect((await items.next()).done).toBe(true)
  })

  it('ends when the stream ends, or has ended', async () => {
    const stream = createSubscribers<number>()
    const waiting = stream.subscribe().next()
    stream.close()
    expect((await waiting).done).toBe(true)
    stream.publish(1)
    expect(await read(stream.subscribe())).toEqual([])
    stream.close()
  })

  it('can be told of nothing at all', async () => {
    const stream = createSubscribers<undefined>()
    const items = stream.subscribe()
    stream.publish(undefined)
    stream.close()
    expect(await read(items)).toEqual([undefined])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createQueue } from '../src/output-queue.ts'
import type { Item } from '../src/shelf.ts'

const item = (number: number, key = ''): Item => ({ number, since: number, key: key || undefined }) as unknown as Item
const numbers = (items: readonly Item[]): number[] => items.map(({ number }) => number)

describe('the queue of an output', () => {
  it('without keys gives out the oldest first', () => {
    const queue = createQueue()
    for (const number of [1, 2, 3]) queue.push(item(number))
    expect([numbers(queue.take(2)), numbers(queue.take(2)), queue.length]).toEqual([[1, 2], [3], 0])
  })

  it('holds back what is behind another of its key, and nothing else', () => {
    const queue = createQueue()
    for (const [i, key] of ['a', 'a', 'b', '', 'a'].entries()) queue.push(item(i, key))
    const first = queue.take(1)
    expect(numbers(first)).toEqual([0])
    expect(numbers(queue.take(9))).toEqual([2, 3])
    expect(queue.take(9)).toEqual([])
    queue.release(first)
    expect(numbers(queue.take(9))).toEqual([1, 4])
  })

  it('knows all that is not settled, in order, wherever it is', () => {
    const queue = createQueue()
    for (const number of [0, 1, 2]) queue.push(item(number, 'a'))
    const out = queue.take(1)
    expect(numbers(queue.all())).toEqual([0, 1, 2])
    expect(numbers(queue.drain())).toEqual([1, 2])
    queue.release(out)
    expect(queue.all()).toEqual([])
  })

  it('keeps the order of each key and loses nothing, whatever is taken and released when', () => {
    const step = fc.oneof(
      fc.record({ push: fc.constantFrom('', 'a', 'b', 'c') }),
      fc.record({ take: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ release: fc.nat(5) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = createQueue()
        const out: Item[][] = []
        const ended: Item[] = []
        let pushed = 0
        const release = (batch: Item[] | undefined): void => {
          if (!batch) return
          queue.release(batch)
          ended.push(...batch)
        }
        for (const one of steps) {
          if ('push' in one) queue.push(item(pushed++, one.push))
          else if ('take' in one) out.push(queue.take(one.take))
          else release(out.splice(one.release, 1)[0])
          const given = out.flat()
          for (const key of ['a', 'b', 'c']) {
            // what is out of one key is in one batch
            expect(out.filter((batch) => batch.some((other) => other.key === key)).length).toBeLessThanOrEqual(1)
          }
          expect(queue.length + given.length + ended.length).toBe(pushed)
        }
        for (const batch of out) release(batch)
        for (let batch = queue.take(3); batch.length > 0; batch = queue.take(3)) release(batch)
        expect(ended).toHaveLength(pushed)
        for (const key of ['a', 'b', 'c']) {
          const order = numbers(ended.filter((other) => other.key === key))
          expect(order).toEqual(order.toSorted((x, y) => x - y))
        }
      }),
    )
  })
})

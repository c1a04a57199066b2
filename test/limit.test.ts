import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createLanes, createPlaces } from '../src/limit.ts'

/** Lets everything that can go on go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('places', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('are taken and freed', async () => {
    const places = createPlaces(2)
    const [first, second] = [await places.take(), await places.take()]
    expect([places.taken, places.waiting]).toEqual([2, 0])
    first?.()
    second?.()
    expect([places.taken, places.waiting]).toEqual([0, 0])
  })

  it('are freed once, however often it is asked', async () => {
    const places = createPlaces(1)
    const free = await places.take()
    const second = places.take()
    const third = places.take()
    free?.()
    free?.()
    await second
    expect([places.taken, places.waiting]).toEqual([1, 1])
    ;(await second)?.()
    ;(await third)?.()
    expect([places.taken, places.waiting]).toEqual([0, 0])
  })

  it('go to those who wait, in line', async () => {
    const places = createPlaces(1)
    const order: number[] = []
    const free = await places.take()
    const all = [1, 2, 3].map(async (who) => {
      const done = await places.take()
      order.push(who)
      done?.()
    })
    expect(places.waiting).toBe(3)
    free?.()
    await Promise.all(all)
    expect(order).toEqual([1, 2, 3])
    expect([places.taken, places.waiting]).toEqual([0, 0])
  })

  it('are taken several at a time, in line, and by what needs more than there are alone', async () => {
    const places = createPlaces(10)
    const order: string[] = []
    const enter = async (who: string, weight: number) => {
      const free = await places.take(undefined, undefined, weight)
      order.push(who)
      return free
    }
    const six = await enter('six', 6)
    const rest = [enter('five', 5), enter('one', 1), enter('fifty', 50), enter('last', 1)]
    expect([places.taken, places.waiting, places.now()]).toEqual([6, 4, undefined])
    six?.()
    await settle()
    expect([order, places.taken]).toEqual([['six', 'five', 'one'], 6])
    ;(await rest[0])?.()
    ;(await rest[1])?.()
    await settle()
    expect([order.at(-1), places.taken]).toEqual(['fifty', 50])
    ;(await rest[2])?.()
    ;(await rest[3])?.()
    expect([places.taken, places.waiting]).toEqual([0, 0])
  })

  it('are not waited for longer than told', async () => {
    vi.useFakeTimers()
    const places = createPlaces(1)
    const free = await places.take()
    const late = places.take(1_000)
    const patient = places.take()
    await vi.advanceTimersByTimeAsync(999)
    expect(places.waiting).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(await late).toBeUndefined()
    expect([places.waiting, await places.take(0)]).toEqual([1, undefined])
    free?.()
    ;(await patient)?.()
    expect([places.taken, places.waiting, vi.getTimerCount()]).toEqual([0, 0, 0])
  })

  it('are not waited for after the signal has fired', async () => {
    vi.useFakeTimers()
    const places = createPlaces(1)
    const stop = new AbortController()
    const free = await places.take()
    const removed = vi.spyOn(stop.signal, 'removeEventListener')
    const waiting = [places.take(undefined, stop.signal), places.take(5_000, stop.signal)]
    stop.abort()
    expect(await Promise.all(waiting)).toEqual([undefined, undefined])
    expect(await places.take(undefined, stop.signal)).toBeUndefined()
    expect([places.taken, places.waiting, vi.getTimerCount()]).toEqual([1, 0, 0])
    expect(removed).toHaveBeenCalledTimes(2)
    free?.()
    expect(places.taken).toBe(0)
  })

  it('are never more than there are, in line, and never lost, whatever happens', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant('take' as const) },
        { weight: 3, arbitrary: fc.record({ free: fc.nat(50) }) },
        { weight: 2, arbitrary: fc.record({ abort: fc.nat(50) }) },
      ),
      { maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (size, script) => {
        const places = createPlaces(size)
        const line: { id: number; stop: AbortController }[] = []
        const held: { id: number; free: () => void }[] = []
        const seen: number[] = []
        let next = 0
        for (const step of script) {
          if (step === 'take') {
            const one = { id: next++, stop: new AbortController() }
            line.push(one)
            void places.take(undefined, one.stop.signal).then((free) => {
              line.splice(line.indexOf(one), 1)
              if (!free) return
              held.push({ id: one.id, free })
              seen.push(one.id)
            })
          } else if ('free' in step) held.splice(step.free % Math.max(1, held.length), 1)[0]?.free()
          else line[step.abort % Math.max(1, line.length)]?.stop.abort()
          await settle()
          expect(held.length).toBeLessThanOrEqual(size)
          expect([places.taken, places.waiting]).toEqual([held.length, line.length])
          if (line.length > 0) expect(held).toHaveLength(size)
          expect(seen).toEqual(seen.toSorted((a, b) => a - b))
        }
        while (held.length > 0 || line.length > 0) {
          held.pop()?.free()
          await settle()
        }
        expect([places.taken, places.waiting]).toEqual([0, 0])
      }),
      { numRuns: 60 },
    )
  })
})

describe('lanes', () => {
  it('give the result of the task, or its failure', async () => {
    const lanes = createLanes(1)
    await expect(lanes.run('a', async () => 5)).resolves.toBe(5)
    await expect(lanes.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(lanes.keys).toBe(0)
  })

  it('go on after a failure', async () => {
    const lanes = createLanes(5)
    const failed = lanes.run('a', () => Promise.reject(new Error('no')))
    const after = lanes.run('a', async () => 'after')
    await expect(failed).rejects.toThrow('no')
    await expect(after).resolves.toBe('after')
  })

  it('take no more than their limit in waiting', async () => {
    const lanes = createLanes(2)
    const hold = Promise.withResolvers<void>()
    const taken = [1, 2, 3].map(() => lanes.run('a', () => hold.promise))
    expect(lanes.run('a', () => hold.promise)).toBeUndefined()
    expect(lanes.run('b', async () => 'b')).toBeDefined()
    hold.resolve()
    for (const one of taken) await one
    expect(lanes.run('a', async () => 'again')).toBeDefined()
    await settle()
    expect(lanes.keys).toBe(0)
  })

  it('run different keys side by side', async () => {
    const lanes = createLanes(10)
    const hold = Promise.withResolvers<void>()
    const slow = lanes.run('slow', () => hold.promise)
    await expect(lanes.run('quick', async () => 'done')).resolves.toBe('done')
    expect(lanes.keys).toBe(1)
    hold.resolve()
    await slow
  })

  it('run the tasks of a key one at a time and in order, and none is lost', async () => {
    const task = fc.record({ key: fc.constantFrom('a', 'b', 'c'), turns: fc.nat(3), fails: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(task, { maxLength: 30 }), fc.scheduler(), async (tasks, scheduler) => {
        const lanes = createLanes(tasks.length)
        const running = new Map<string, number>()
        const started: Record<string, number[]> = { a: [], b: [], c: [] }
        const all = tasks.map(({ key, turns, fails }, i) =>
          lanes.run(key, async () => {
            running.set(key, (running.get(key) ?? 0) + 1)
            expect(running.get(key)).toBe(1)
            started[key]?.push(i)
            for (let turn = 0; turn < turns; turn++) await scheduler.schedule(Promise.resolve())
            running.set(key, 0)
            if (fails) throw new Error(`task ${i}`)
            return i
          }),
        )
        const ended = Promise.allSettled(all.map(async (one) => one))
        await scheduler.waitFor(ended)
        const outcomes = (await ended).map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))
        expect(outcomes).toEqual(tasks.map(({ fails }, i) => (fails ? `Error: task ${i}` : i)))
        for (const key of ['a', 'b', 'c']) {
          expect(started[key]).toEqual(tasks.flatMap((one, i) => (one.key === key ? [i] : [])))
        }
        expect(lanes.keys).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})

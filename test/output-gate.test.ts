import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { YarakError } from '../src/errors.ts'
import { createGate } from '../src/output-gate.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const busy = (retryAfter?: number) => new YarakError('failed', 'busy', retryAfter === undefined ? {} : { retryAfter })
const NEVER = new AbortController().signal

/** What a promise has come to so far. */
const state = async <T>(promise: Promise<T>): Promise<T | 'waits'> =>
  Promise.race([promise, vi.advanceTimersByTimeAsync(0).then(() => 'waits' as const)])

describe('the breaker', () => {
  const broken = (count: number) => {
    const gate = createGate({ breaker: 3, rate: undefined })
    for (let i = 0; i < count; i++) gate.failed(busy(1_000))
    return gate
  }

  it('opens after so many failures in a row, and lets one try at a time', async () => {
    const gate = broken(2)
    expect(gate.state).toBe('closed')
    gate.failed(busy(1_000))
    expect(gate.state).toBe('open')
    const [one, other] = [gate.enter(NEVER), gate.enter(NEVER)]
    expect(await state(one)).toBe('waits')
    await vi.advanceTimersByTimeAsync(1_000)
    expect([await one, await other]).toEqual([true, false])
    expect(gate.state).toBe('half-open')
    expect(await state(gate.enter(NEVER))).toBe('waits')
  })

  it('closes when the trial succeeds, and lets in all who wait', async () => {
    const gate = broken(3)
    const trial = gate.enter(NEVER)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await trial).toBe(true)
    const waiting = [gate.enter(NEVER), gate.enter(NEVER)]
    gate.succeeded()
    expect(await Promise.all(waiting)).toEqual([true, true])
    expect(gate.state).toBe('closed')
  })

  it('stays open when the trial fails, and tells those who wait, so that they look at their deadline', async () => {
    const gate = broken(3)
    const trial = gate.enter(NEVER)
    await vi.advanceTimersByTimeAsync(1_000)
    await trial
    const waiting = gate.enter(NEVER)
    gate.failed(busy())
    expect(await waiting).toBe(false)
    expect(gate.state).toBe('open')
  })

  it('waits longer from trial to trial, up to 10 seconds', async () => {
    const gate = createGate({ breaker: 1, rate: undefined })
    const waits: number[] = []
    for (let i = 0; i < 12; i++) {
      gate.failed(busy())
      const at = Date.now()
      const next = gate.enter(NEVER)
      await vi.runAllTimersAsync()
      expect(await next).toBe(true)
      waits.push(Date.now() - at)
    }
    expect(waits[0]).toBeLessThanOrEqual(500)
    expect(waits.at(-1)).toBeGreaterThanOrEqual(5_000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000)
  })

  it('is never open when it is off, and a success in between starts the count anew', () => {
    const off = createGate({ breaker: 0, rate: undefined })
    for (let i = 0; i < 50; i++) off.failed(busy())
    expect(off.state).toBe('closed')
    const gate = broken(2)
    gate.succeeded()
    gate.failed(busy())
    expect(gate.state).toBe('closed')
  })

  it('gives up a wait at the signal', async () => {
    const gate = broken(3)
    const stop = new AbortController()
    const waiting = gate.enter(stop.signal)
    stop.abort()
    expect(await waiting).toBe(false)
  })
})

describe('what the other side asks for', () => {
  it('holds back every delivery, not only the one that was told', async () => {
    const gate = createGate({ breaker: 5, rate: undefined })
    gate.failed(busy(2_000))
    const other = gate.enter(NEVER)
    await vi.advanceTimersByTimeAsync(1_999)
    expect(await state(other)).toBe('waits')
    await vi.advanceTimersByTimeAsync(1)
    expect(await other).toBe(true)
  })

  it('lets who waits for long look at its deadline, and is believed for an hour at most', async () => {
    const gate = createGate({ breaker: 5, rate: undefined })
    gate.failed(busy(Infinity))
    const first = gate.enter(NEVER)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await first).toBe(false)
    await vi.advanceTimersByTimeAsync(3_590_000)
    expect(await gate.enter(NEVER)).toBe(true)
  })

  it('is no reason to let in all who wait when the breaker opens meanwhile', async () => {
    const gate = createGate({ breaker: 3, rate: undefined })
    gate.failed(busy(1_000))
    const waiting = Array.from({ length: 4 }, () => gate.enter(NEVER))
    gate.failed(busy())
    gate.failed(busy())
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await Promise.all(waiting)).toEqual([false, false, false, false])
  })

  it('is no endless run when it asks for no pause at all', async () => {
    const gate = createGate({ breaker: 1, rate: undefined })
    gate.failed(busy(0))
    expect(await state(gate.enter(NEVER))).toBe('waits')
  })
})

describe('the rate', () => {
  it('lets in so many at once, then one after the other', async () => {
    const gate = createGate({ breaker: 0, rate: { count: 3, per: 3_000 } })
    const at = Date.now()
    const times: number[] = []
    const all = Array.from({ length: 6 }, () => gate.enter(NEVER).then(() => times.push(Date.now() - at)))
    await vi.runAllTimersAsync()
    await Promise.all(all)
    expect(times).toEqual([0, 0, 0, 1_000, 2_000, 3_000])
  })

  it('is kept in every window, however the deliveries come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 30 }),
        async (count, pauses) => {
          const gate = createGate({ breaker: 0, rate: { count, per: 1_000 } })
          const times: number[] = []
          const all: Promise<unknown>[] = []
          for (const wait of pauses) {
            await vi.advanceTimersByTimeAsync(wait)
            all.push(gate.enter(NEVER).then(() => times.push(Date.now())))
          }
          await vi.runAllTimersAsync()
          await Promise.all(all)
          // a full bucket and what fills in meanwhile
          for (const time of times) {
            expect(times.filter((one) => one >= time && one < time + 1_000).length).toBeLessThanOrEqual(2 * count)
          }
          expect(times).toHaveLength(pauses.length)
        },
      ),
      { numRuns: 50 },
    )
  })
})

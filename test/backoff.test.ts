import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { backoff, orAborted, orCut, pause } from '../src/backoff.ts'

describe('the wait before another try', () => {
  it('doubles up to a limit, when nothing is taken away', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((attempt) => backoff(attempt, 500, 60_000, () => 1))
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  it('lies between the half and the whole, at any number of tries', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (attempt) => {
        const whole = backoff(attempt, 500, 60_000, () => 1)
        const wait = backoff(attempt)
        expect(wait >= whole / 2 && wait <= whole).toBe(true)
        expect(backoff(attempt, 500, 60_000, () => 0)).toBe(whole / 2)
      }),
    )
  })
})

describe('a pause', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  const watched = (promise: Promise<unknown>) => {
    const state = { ended: false }
    void promise.then(() => (state.ended = true))
    return state
  }

  it('ends when the time has passed', async () => {
    vi.useFakeTimers()
    const state = watched(pause(1_000, new AbortController().signal))
    await vi.advanceTimersByTimeAsync(999)
    expect(state.ended).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(state.ended).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends when the signal fires, and leaves no timer', async () => {
    vi.useFakeTimers()
    const stop = new AbortController()
    const state = watched(pause(1_000, stop.signal))
    stop.abort()
    await vi.advanceTimersByTimeAsync(0)
    expect(state.ended).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not begin after the signal has fired', async () => {
    await expect(pause(1e9, AbortSignal.abort())).resolves.toBeUndefined()
  })

  it('that is longer than a timer can wait does not end at once', async () => {
    vi.useFakeTimers()
    const state = watched(pause(1e12))
    await vi.advanceTimersByTimeAsync(2 ** 31 - 2)
    expect(state.ended).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(state.ended).toBe(true)
  })
})

describe('a promise, or the signal', () => {
  const never = new Promise<never>(() => {})

  it('gives what the promise gives', async () => {
    const { signal } = new AbortController()
    await expect(orAborted(Promise.resolve(5), signal)).resolves.toBe(5)
    await expect(orAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
  })

  it('rejects with the reason of the signal', async () => {
    const stop = new AbortController()
    const waiting = orAborted(never, stop.signal)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    await expect(orAborted(never, stop.signal)).rejects.toThrow('stopped')
  })

  it('forgets what happens to the promise later', async () => {
    const stop = new AbortController()
    const late = Promise.withResolvers<void>()
    const waiting = orAborted(late.promise, stop.signal)
    stop.abort(new Error('stopped'))
    late.reject(new Error('too late'))
    await expect(waiting).rejects.toThrow('stopped')
  })

  it('listens no longer than the promise takes', async () => {
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    await orAborted(Promise.resolve(), signal)
    await pause(0, signal)
    await pause(0)
    expect(removed).toHaveBeenCalledTimes(added.mock.calls.length)
  })
})

describe('work that is cut short', () => {
  const cut = async (work: (signal: AbortSignal) => Promise<string>): Promise<unknown> => {
    const stop = new AbortController()
    const ended = orCut(work(stop.signal), stop.signal)
    stop.abort(new Error('stop'))
    return ended.catch((error: unknown) => error)
  }
  const atAbort = (signal: AbortSignal) => new Promise<void>((resolve) => (signal.onabort = () => resolve()))

  it('ends with what it says at the signal, else with the reason of the signal', async () => {
    const says = async (signal: AbortSignal) => {
      await atAbort(signal)
      await Promise.resolve()
      throw new Error('half of it is done')
    }
    expect(await cut(says)).toEqual(new Error('half of it is done'))
    expect(await cut((signal) => atAbort(signal).then(() => 'done'))).toBe('done')
    expect(await cut(() => new Promise(() => {}))).toEqual(new Error('stop'))
  })

  it('ends at once when the signal has fired before', async () => {
    const signal = AbortSignal.abort(new Error('stop'))
    await expect(orCut(new Promise(() => {}), signal)).rejects.toThrow('stop')
  })
})

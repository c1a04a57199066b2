import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryJournal } from '../src/journal/memory.ts'
import { lookAgain, watchJournal } from '../src/watch.ts'
import { gate } from './kit.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('looking again', () => {
  it('is about every so often, and not at once', async () => {
    const stop = new AbortController()
    const look = vi.fn(async () => {})
    const over = lookAgain(1_000, stop.signal, look)
    await vi.advanceTimersByTimeAsync(799)
    expect(look).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(look.mock.calls.length).toBeGreaterThanOrEqual(100)
    expect(look.mock.calls.length).toBeLessThanOrEqual(151)
    stop.abort()
    await over
    const looks = look.mock.calls.length
    await vi.advanceTimersByTimeAsync(5_000)
    expect(look).toHaveBeenCalledTimes(looks)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits for a look that takes long', async () => {
    const [stop, hold] = [new AbortController(), gate()]
    const look = vi.fn(() => hold.promise)
    const over = lookAgain(1_000, stop.signal, look)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(look).toHaveBeenCalledTimes(1)
    hold.resolve()
    await vi.advanceTimersByTimeAsync(1_300)
    expect(look).toHaveBeenCalledTimes(2)
    stop.abort()
    await over
  })

  it('never begins after a stop', async () => {
    const look = vi.fn(async () => {})
    await lookAgain(1_000, AbortSignal.abort(), look)
    expect(look).not.toHaveBeenCalled()
  })
})

describe('a journal', () => {
  it('is asked for something only while its disk fails, so that it tries it again', async () => {
    const stop = new AbortController()
    let mode: 'durable' | 'degraded' = 'durable'
    const health = () => ({ ...memoryJournal().health(), mode })
    const read = vi.fn(async () => {
      mode = 'durable'
      return []
    })
    const over = watchJournal({ health, read }, 1_000, stop.signal)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(read).not.toHaveBeenCalled()
    mode = 'degraded'
    await vi.advanceTimersByTimeAsync(5_000)
    expect(read.mock.calls).toEqual([[[]]])
    stop.abort()
    await over
  })
})

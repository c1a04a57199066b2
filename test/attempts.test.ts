import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAttempts } from '../src/attempts.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('an attempt', () => {
  it('is ended at its deadline, and says so', () => {
    const attempt = createAttempts(1_000).begin()
    vi.advanceTimersByTime(999)
    expect([attempt.signal.aborted, attempt.timedOut]).toEqual([false, false])
    vi.advanceTimersByTime(1)
    expect([attempt.signal.aborted, attempt.timedOut]).toEqual([true, true])
    expect(attempt.signal.reason).toMatchObject({ name: 'TimeoutError' })
  })

  it('that is over leaves no timer and is not ended with the others', () => {
    const attempts = createAttempts(1_000)
    const [over, open] = [attempts.begin(), attempts.begin()]
    over.end()
    const reason = new Error('stop')
    attempts.abort(reason)
    open.end()
    expect(vi.getTimerCount()).toBe(0)
    expect(over.signal.aborted).toBe(false)
    expect(open.signal.reason).toBe(reason)
    expect(open.timedOut).toBe(false)
  })

  it('that begins after the end of all is ended from its beginning', () => {
    const attempts = createAttempts(1_000)
    attempts.abort(new Error('stop'))
    const attempt = attempts.begin()
    expect([attempt.signal.aborted, attempt.timedOut]).toEqual([true, false])
    attempt.end()
    expect(vi.getTimerCount()).toBe(0)
  })
})

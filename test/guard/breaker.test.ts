import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ask as asked, type BreakerState, CLOSED, isOpen } from '../../src/guard/breaker.ts'
import { memoryState } from '../../src/state.ts'
import { counting, pod } from './_kit.ts'

const START = Date.parse('2026-01-31T12:00:00Z')
const after = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: START }))
afterEach(() => void vi.useRealTimers())

const BREAKER = { budgets: [], breaker: { limit: 3, window: '1m', cooldown: '5m' } }

/** Asks so many times. */
const times = async (n: number, ask: () => Promise<string | undefined>) => {
  const reasons: (string | undefined)[] = []
  for (let i = 0; i < n; i++) reasons.push(await ask())
  return reasons
}

describe('the breaker', () => {
  it('opens when more is asked for than its limit, and is closed after its cooldown', async () => {
    const { ask, memory } = counting(BREAKER)
    const label = () => ask({ change: 'reversible' })
    expect(await times(5, label)).toEqual([undefined, undefined, undefined, 'breaker', 'breaker'])
    expect(memory.isOpen('enforce')).toBe(true)
    after(299_999)
    expect(memory.isOpen('enforce')).toBe(true)
    after(1)
    expect(memory.isOpen('enforce')).toBe(false)
    expect(await times(4, label)).toEqual([undefined, undefined, undefined, 'breaker'])
  })

  it('that is switched off never opens, and writes nothing', async () => {
    const sets: string[] = []
    const state = { get: async () => undefined, set: async (key: string) => void sets.push(key) }
    const { ask } = counting({ budgets: [], breaker: false }, state)
    expect(await times(500, () => ask({ change: 'reversible' }))).toEqual(Array(500).fill(undefined))
    expect(sets).toEqual([])
  })

  it('stays open while too much is asked for', async () => {
    const { ask } = counting(BREAKER)
    await times(4, ask)
    for (let i = 0; i < 40; i++) {
      after(10_000)
      expect(await ask()).toBe('breaker')
    }
    after(60_000)
    expect(await ask()).toBe('breaker')
    after(300_000)
    expect(await ask()).toBeUndefined()
  })

  it('says once that it opens, as an error, and that it closed', async () => {
    const { ask, lines, counters } = counting(BREAKER)
    await times(10, ask)
    expect(lines).toMatchObject([{ level: 'error', fields: { reason: 'breaker', mode: 'enforce' } }])
    expect(lines[0]?.message).toContain('only notices go out')
    expect(counters.sum('yarak_guard_refusals_total', { reason: 'breaker' })).toBe(7)
    after(400_000)
    await times(2, ask)
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info'])
  })

  it('lets through what changes nothing', async () => {
    const { ask } = counting(BREAKER)
    await times(4, ask)
    expect(await ask({ change: 'nothing' })).toBeUndefined()
  })

  it('is not opened by what nobody would run, nor by one step that asks often', async () => {
    const { ask } = counting(BREAKER)
    await times(10, () => ask({ subject: pod({ namespace: 'kube-system' }) }))
    await times(10, () => ask({ authenticated: undefined }))
    await times(10, () => ask({ id: 'one step' }))
    expect(await ask()).toBeUndefined()
  })

  it('of observe mode is another one', async () => {
    const { ask, memory } = counting(BREAKER)
    expect((await times(4, () => ask({ mode: 'observe' }))).at(-1)).toBe('breaker')
    expect([memory.isOpen('observe'), memory.isOpen('enforce')]).toEqual([true, false])
    expect(await ask()).toBeUndefined()
  })

  it('is open after a restart, and counts what was asked for before', async () => {
    const state = memoryState().of('guard')
    await times(2, counting(BREAKER, state).ask)
    expect(await times(2, counting(BREAKER, state).ask)).toEqual([undefined, 'breaker'])
    expect(await counting(BREAKER, state).ask()).toBe('breaker')
  })

  it('has its share of the limit, where several processes share the work', async () => {
    const { ask } = counting({ ...BREAKER, replicas: 3 })
    expect(await times(2, ask)).toEqual([undefined, 'breaker'])
  })
})

describe('the state of a breaker', () => {
  const settings = { limit: 4, window: 50, cooldown: 120 }

  it('stays small, and lets no more than the limit through in any window', () => {
    const steps = fc.array(fc.record({ wait: fc.nat(60), id: fc.nat(12) }), { maxLength: 60 })
    fc.assert(
      fc.property(steps, (script) => {
        let state: BreakerState = CLOSED
        let now = 0
        const run: { id: string; at: number }[] = []
        for (const { wait, id } of script) {
          now += wait
          state = asked(state, String(id), now, settings)
          expect(state.asked.length).toBeLessThanOrEqual(settings.limit + 1)
          if (!isOpen(state, now)) run.push({ id: String(id), at: now })
          const lately = run.filter(({ at }) => at > now - settings.window)
          expect(new Set(lately.map((one) => one.id)).size).toBeLessThanOrEqual(settings.limit)
        }
      }),
    )
  })

  it('is that of a naive one', () => {
    const steps = fc.array(fc.nat(60), { maxLength: 60 })
    fc.assert(
      fc.property(steps, (waits) => {
        let state: BreakerState = CLOSED
        let now = 0
        let until = -Infinity
        const all: number[] = []
        for (const [i, wait] of waits.entries()) {
          now += wait
          all.push(now)
          const over = all.filter((at) => at > now - settings.window).length > settings.limit
          if (now >= until && over) until = now + settings.cooldown
          state = asked(state, String(i), now, settings)
          expect(isOpen(state, now)).toBe(now < until)
        }
      }),
    )
  })

  it('without a limit is always closed, and keeps nothing', () => {
    expect(asked(CLOSED, 'a', 0, { ...settings, limit: Number.POSITIVE_INFINITY })).toEqual(CLOSED)
  })

  it('is not open for longer than its cooldown when the clock is set back', () => {
    let state = CLOSED
    for (let i = 0; i < 5; i++) state = asked(state, String(i), 1e9, settings)
    expect(isOpen(asked(state, 'x', 1_000, settings), 1_000 + settings.cooldown)).toBe(false)
  })
})

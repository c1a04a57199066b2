import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { State } from '../../src/plugin.ts'
import { fileState, memoryState } from '../../src/state.ts'
import { budgetOf, counting } from './_kit.ts'

const BUDGET = budgetOf({ limit: 1, window: '1h' })

describe('what was counted', () => {
  it('is durable before the step goes on', async () => {
    const steps: string[] = []
    const held = Promise.withResolvers<void>()
    const state: State = {
      get: async () => undefined,
      async set() {
        steps.push('begun')
        await held.promise
        steps.push('durable')
      },
    }
    const { ask } = counting(BUDGET, state)
    const asked = ask().then((reason) => steps.push(`allowed ${reason}`))
    await vi.waitFor(() => expect(steps).toEqual(['begun']))
    held.resolve()
    await asked
    expect(steps).toEqual(['begun', 'durable', 'allowed undefined'])
  })

  it('in observe mode leaves no trace', async () => {
    const set = vi.fn(async () => {})
    const { ask } = counting(BUDGET, { get: async () => undefined, set })
    await ask({ mode: 'observe' })
    expect(set).not.toHaveBeenCalled()
  })

  it('cannot be kept: nothing is destroyed, what can be taken back goes on and is counted', async () => {
    const state: State = { get: async () => undefined, set: () => Promise.reject(new Error('no space')) }
    expect(await counting(BUDGET, state).ask()).toBe('budget')
    const { ask: label } = counting(BUDGET, state)
    expect([await label({ change: 'reversible' }), await label({ change: 'reversible' })]).toEqual([
      undefined,
      'budget',
    ])
  })

  it('cannot be read: nothing is changed until it can', async () => {
    const fails = [true, false]
    const state: State = {
      get: async () => {
        if (fails.shift()) throw new Error('no such disk')
        return undefined
      },
      set: async () => {},
    }
    const { ask } = counting(BUDGET, state)
    expect([await ask({ change: 'reversible' }), await ask(), await ask()]).toEqual(['budget', undefined, 'budget'])
  })

  it('that lies in the future counts from now on', async () => {
    const state = memoryState().of('guard')
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2036-01-01T00:00:00Z') })
    await counting(BUDGET, state).ask()
    vi.setSystemTime(Date.parse('2026-01-01T00:00:00Z'))
    const { ask } = counting(BUDGET, state)
    expect(await ask()).toBe('budget')
    vi.setSystemTime(Date.parse('2026-01-01T01:00:00Z'))
    expect(await ask()).toBeUndefined()
    vi.useRealTimers()
  })

  it('is forgotten when no budget counts it any more', async () => {
    const state = memoryState().of('guard')
    vi.useFakeTimers({ toFake: ['Date'], now: 0 })
    const { ask, memory } = counting(budgetOf({ limit: 1_000, window: '1s' }), state)
    for (let i = 0; i < 20; i++) {
      vi.setSystemTime(i * 600_000)
      await ask()
    }
    expect(memory.of('enforce').charges.length).toBeLessThanOrEqual(7)
    vi.useRealTimers()
  })
})

describe('on disk', () => {
  let dir = ''
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'yarak-guard-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it('is what it was after a crash', async () => {
    const open = () => fileState(dir, () => {}).of('guard')
    expect(await counting(BUDGET, open()).ask()).toBeUndefined()
    expect(await counting(BUDGET, open()).ask()).toBe('budget')
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createFacts, createSettled } from '../../src/journal/facts.ts'

const MINUTE = 60_000
const DAY = 1_440 * MINUTE

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

describe('facts', () => {
  it('are kept by event, in the order in which they were noted first', () => {
    const facts = createFacts()
    facts.note('a', 'y', 1, 0)
    facts.note('a', 'x', 2, 0)
    facts.note('a', 'y', 3, 0)
    expect([...(facts.of('a') ?? [])]).toEqual([
      ['y', 3],
      ['x', 2],
    ])
    expect(facts.of('b')).toBeUndefined()
    facts.forget('a')
    facts.forget('never there')
    expect(facts.of('a')).toBeUndefined()
  })

  it('that nobody adds to for 7 days go, those that are added to stay', () => {
    const facts = createFacts()
    facts.note('idle', 'x', 1, 0)
    facts.note('busy', 'x', 1, 0)
    facts.note('busy', 'y', 2, 6 * DAY)
    facts.note('new', 'x', 1, 7 * DAY)
    expect(facts.of('idle')).toBeDefined()
    facts.note('new', 'y', 1, 7 * DAY + 1)
    expect(facts.of('idle')).toBeUndefined()
    expect(facts.of('busy')).toEqual(
      new Map([
        ['x', 1],
        ['y', 2],
      ]),
    )
  })
})

describe('settled ids', () => {
  it('are remembered for 15 minutes', () => {
    const settled = createSettled()
    settled.add('a', Date.now())
    vi.setSystemTime(Date.now() + 15 * MINUTE - 1)
    expect(settled.has('a')).toBe(true)
    vi.setSystemTime(Date.now() + 1)
    expect(settled.has('a')).toBe(false)
  })

  it('that are settled again are remembered anew, and go last', () => {
    const settled = createSettled()
    settled.add('a', Date.now())
    for (let i = 0; i < 19_999; i++) settled.add(`e${i}`, Date.now())
    settled.add('a', Date.now())
    settled.add('one more', Date.now())
    expect(['a', 'e0', 'e1', 'one more'].map((id) => settled.has(id))).toEqual([true, false, true, true])
  })
})

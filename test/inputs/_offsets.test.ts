import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createOffsetTracker, type Settle } from '../../inputs/_offsets.ts'

describe('the offset tracker', () => {
  it('has nothing to commit before a record', () => {
    const tracker = createOffsetTracker()
    expect(tracker.position).toBeUndefined()
    expect(tracker.pending).toBe(0)
  })

  it('holds the place of the first record until it has settled', () => {
    const tracker = createOffsetTracker()
    const settles = [7, 8, 9].map(tracker.take)
    expect(tracker.position).toBe(7)
    settles[2]?.()
    settles[1]?.()
    expect(tracker.position).toBe(7)
    expect(tracker.pending).toBe(1)
    expect(tracker.size).toBe(3)
    settles[0]?.()
    expect(tracker.position).toBe(10)
  })

  it('goes over the gaps of a compacted topic', () => {
    const tracker = createOffsetTracker()
    const [first, second] = [tracker.take(3), tracker.take(90)]
    first()
    expect(tracker.position).toBe(90)
    second()
    expect(tracker.position).toBe(91)
  })

  it('tells nothing twice', () => {
    const tracker = createOffsetTracker()
    tracker.take(4)()
    expect(tracker.position).toBe(5)
    tracker.forget(5)
    expect(tracker.position).toBeUndefined()
    expect(tracker.size).toBe(0)
  })

  it('tells how far everything has settled, committed or not', () => {
    const tracker = createOffsetTracker()
    expect(tracker.reached).toBeUndefined()
    const [first, second] = [tracker.take(7), tracker.take(9)]
    expect(tracker.reached).toBe(7)
    first()
    expect(tracker.reached).toBe(9)
    second()
    tracker.forget(10)
    expect([tracker.reached, tracker.position]).toEqual([10, undefined])
    tracker.take(10)
    expect(tracker.reached).toBe(10)
  })

  it('finds the first pending record behind many that have settled, and after any were forgotten', () => {
    const tracker = createOffsetTracker()
    const settles = Array.from({ length: 5_000 }, (_, offset) => tracker.take(offset))
    for (const settle of settles.slice(0, 3_000)) settle()
    expect(tracker.position).toBe(3_000)
    tracker.forget(3_500)
    expect([tracker.reached, tracker.pending]).toEqual([3_500, 1_500])
    for (const settle of settles) settle()
    expect([tracker.reached, tracker.pending]).toEqual([5_000, 0])
  })

  it('knows a record until it is committed, settled or not', () => {
    const tracker = createOffsetTracker()
    tracker.take(1)()
    tracker.take(2)
    expect([0, 1, 2, 3].map(tracker.has)).toEqual([false, true, true, false])
    tracker.forget(2)
    expect([1, 2].map(tracker.has)).toEqual([false, true])
  })

  it('counts a record once, however often it settles', () => {
    const tracker = createOffsetTracker()
    const settle = tracker.take(1)
    tracker.take(2)
    settle()
    settle()
    expect(tracker.pending).toBe(1)
  })

  it('drops what another member has committed, and does not go back behind it', () => {
    const tracker = createOffsetTracker()
    const late = tracker.take(10)
    tracker.forget(50)
    expect(tracker.pending).toBe(0)
    late()
    expect(tracker.position).toBeUndefined()
    tracker.take(50)()
    expect(tracker.position).toBe(51)
  })

  it('starts anew when the log has gone back, and is not misled by what was before', () => {
    const tracker = createOffsetTracker()
    const old = [4_998, 4_999].map(tracker.take)
    tracker.forget(4_999)
    const first = tracker.take(0)
    tracker.take(1)
    for (const settle of old) settle()
    expect(tracker.position).toBe(0)
    expect(tracker.pending).toBe(2)
    first()
    expect(tracker.position).toBe(1)
  })

  it('does not let an old record settle a new one of the same offset', () => {
    const tracker = createOffsetTracker()
    const old = tracker.take(1)
    tracker.take(5)
    tracker.take(0)
    tracker.take(1)
    old()
    expect(tracker.pending).toBe(2)
  })

  it('never passes a record that has not settled, for any order of settling and committing', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), gap: fc.nat(3) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('settle' as const), at: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('commit' as const) }) },
    )
    fc.assert(
      fc.property(fc.nat(1_000), fc.array(step, { maxLength: 120 }), (start, steps) => {
        const tracker = createOffsetTracker()
        const open = new Map<number, Settle>()
        let last = start - 1
        let committed = -1
        for (const one of steps) {
          if (one.do === 'take') {
            last += 1 + one.gap
            open.set(last, tracker.take(last))
          } else if (one.do === 'settle' && open.size > 0) {
            const offset = [...open.keys()][one.at % open.size] ?? 0
            open.get(offset)?.()
            open.delete(offset)
          } else if (one.do === 'commit' && tracker.position !== undefined) {
            expect(tracker.position).toBeGreaterThan(committed)
            committed = tracker.position
            tracker.forget(committed)
          }
          const expected = Math.min(...open.keys(), last < start ? -1 : last + 1)
          expect(tracker.position).toBe(expected > committed ? expected : undefined)
          expect(tracker.pending).toBe(open.size)
        }
      }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import { clockFindings } from '../../src/doctor/clock.ts'
import { AHEAD } from '../../src/guard/judge.ts'
import { lines } from './_kit.ts'

const STALE = 300_000

describe('clocks', () => {
  it.each([
    [0, /^ok gateway: our clock agrees with it$/],
    [4_000, /^ok/],
    [-4_000, /^ok/],
    [9_000, /^warn gateway: our clock is 9 s behind it$/],
    [-9_000, /^warn gateway: our clock is 9 s ahead of it$/],
    [AHEAD + 1_000, /^fail gateway: .* coming from the future/],
    [-AHEAD - 1_000, /^warn gateway/],
    [-STALE - 1_000, /^fail gateway: our clock is 5 min ahead of it: events are taken for stale/],
  ])('%d ms', (skew, expected) => expect(lines(clockFindings({ gateway: skew }, STALE))[0]).toMatch(expected))

  it('of all who answered, in order', () => {
    const told = lines(clockFindings({ gateway: undefined, 'API server': 0, collector: 7_000 }, STALE))
    expect(told.map((line) => line.split(':')[0])).toEqual(['ok API server', 'warn collector'])
  })

  it('of nobody', () => expect(lines(clockFindings({ gateway: undefined }, STALE))[0]).toMatch(/^skip clock/))

  it('says what to do', () => {
    expect(clockFindings({ gateway: 9_000 }, STALE)[0]?.remedy).toContain('chrony')
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createDigests } from '../src/digest.ts'
import type { Notice } from '../src/plugin.ts'
import { aNotice, anEvent } from '../src/testing.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const about = (pod: string, time: string, rule = 'Shell'): Notice =>
  aNotice({
    id: `${pod}${time}`,
    event: anEvent({ rule, time, output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': pod } }),
  })

const start = (by: Parameters<typeof createDigests>[0]['by'] = ['rule', 'target']) => {
  const told: Notice[] = []
  return { told, digests: createDigests({ window: 60_000, by }, (notice) => told.push(notice)) }
}

const [ONE, TWO, THREE] = ['2026-01-31T12:00:01Z', '2026-01-31T12:00:02Z', '2026-01-31T12:00:03Z'] as const

describe('a digest', () => {
  it('lets the first of a kind through, and tells of the others by the last when the window ends', async () => {
    const { told, digests } = start()
    expect(digests.fold(about('web', ONE))).toBeUndefined()
    expect(digests.fold(about('web', TWO))?.instead).toBeUndefined()
    const third = digests.fold(about('web', THREE))
    expect(third?.instead?.digest).toEqual({ count: 1, first: TWO, last: TWO })
    expect(digests.held).toBe(2)
    await vi.advanceTimersByTimeAsync(59_999)
    expect(told).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(told).toEqual([third?.standsIn])
    expect(told[0]).toMatchObject({ digest: { count: 2, first: TWO, last: THREE }, event: { time: THREE } })
  })

  it('goes on gathering in the window after a digest, and forgets a kind of which nothing came', async () => {
    const { told, digests } = start()
    digests.fold(about('web', ONE))
    digests.fold(about('web', TWO))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(digests.fold(about('web', THREE))).toBeDefined()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(told.map(({ digest }) => digest?.count)).toEqual([1, 1])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(digests.fold(about('web', THREE))).toBeUndefined()
  })

  it.each([
    ['two pods are two kinds', ['rule', 'target'] as const, about('web', ONE), about('db', ONE), false],
    ['two rules are two kinds', ['rule', 'target'] as const, about('web', ONE), about('web', ONE, 'Other'), false],
    ['by rule alone two pods are one', ['rule'] as const, about('web', ONE), about('db', ONE), true],
    [
      'two clusters are two',
      ['rule'] as const,
      { ...about('web', ONE), cluster: 'a' },
      { ...about('web', ONE), cluster: 'b' },
      false,
    ],
  ])('%s', (_what, by, one, other, same) => {
    const { digests } = start([...by])
    digests.fold(one)
    expect(digests.fold(other) !== undefined).toBe(same)
  })

  it('gives each stand-in a name of its own', () => {
    const { digests } = start()
    digests.fold(about('web', ONE))
    const [one, other] = [digests.fold(about('web', TWO)), digests.fold(about('web', TWO))]
    expect(one?.standsIn.id).not.toBe(other?.standsIn.id)
    expect(other?.instead).toBe(one?.standsIn)
  })

  it('gives out what is held when it is closed, and is silent from then on', async () => {
    const { told, digests } = start()
    digests.fold(about('web', ONE))
    digests.fold(about('web', TWO))
    expect(digests.close()).toMatchObject([{ digest: { count: 1 } }])
    await vi.advanceTimersByTimeAsync(120_000)
    expect(told).toEqual([])
  })

  it('knows a bounded number of kinds: alerts of more are told each', () => {
    const { digests } = start()
    for (let i = 0; i < 10_000; i++) digests.fold(about(`pod-${i}`, ONE))
    expect(digests.fold(about('one-more', ONE))).toBeUndefined()
    expect(digests.fold(about('one-more', TWO))).toBeUndefined()
    expect(digests.fold(about('pod-1', TWO))).toBeDefined()
  })
})

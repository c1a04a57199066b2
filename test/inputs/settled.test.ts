import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSaver } from '../../inputs/_saver.ts'
import { createSettled } from '../../inputs/_settled.ts'
import { testIo } from '../../src/testing.ts'

describe('what is settled', () => {
  it('goes as far as there is no gap, in whatever order things settle', () => {
    const order = fc.integer({ min: 1, max: 60 }).chain((count) => fc.shuffledSubarray([...Array(count).keys()]))
    fc.assert(
      fc.property(order, (settledOnes) => {
        let moves = 0
        const settled = createSettled<number>(() => moves++)
        const settle = Array.from({ length: 60 }, (_, i) => settled.add(i))
        const done = new Set<number>()
        for (const one of settledOnes) {
          settle[one]?.()
          settle[one]?.()
          done.add(one)
          const gap = Array.from({ length: 61 }).findIndex((_, i) => !done.has(i))
          expect(settled.position).toBe(gap > 0 ? gap - 1 : undefined)
          expect(settled.pending).toBe(60 - done.size)
        }
        expect(moves > 0).toBe(settled.position !== undefined)
      }),
    )
  })

  it('keeps its place over many thousands', () => {
    const settled = createSettled<number>()
    const open: (() => void)[] = []
    for (let i = 0; i < 5_000; i++) {
      open.push(settled.add(i))
      if (i >= 1_500) open[i - 1_500]?.()
    }
    expect([settled.position, settled.pending]).toEqual([3_499, 1_500])
    for (const settle of open) settle()
    expect([settled.position, settled.pending]).toEqual([4_999, 0])
  })

  it('lets wait until few enough are pending', async () => {
    const settled = createSettled<string>()
    await settled.below(1)
    const [a, b] = [settled.add('a'), settled.add('b')]
    const seen: string[] = []
    const waits = [settled.below(2).then(() => seen.push('below 2')), settled.below(1).then(() => seen.push('below 1'))]
    b()
    await waits[0]
    expect(seen).toEqual(['below 2'])
    a()
    await waits[1]
    expect(seen).toEqual(['below 2', 'below 1'])
  })
})

describe('the saver', () => {
  it('saves once for many changes, and not at all without one', async () => {
    let saves = 0
    const saver = createSaver(async () => void saves++, testIo().log, 1)
    await saver.flush()
    expect(saves).toBe(0)
    for (let i = 0; i < 100; i++) saver.changed()
    await expect.poll(() => saves).toBe(1)
    await saver.flush()
    expect(saves).toBe(1)
  })

  it('never saves twice at a time, and saves what changed meanwhile', async () => {
    const saves: (() => void)[] = []
    const saver = createSaver(() => new Promise((resolve) => saves.push(resolve)), testIo().log, 1)
    saver.changed()
    await expect.poll(() => saves.length).toBe(1)
    saver.changed()
    const flushed = saver.flush()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(saves).toHaveLength(1)
    saves[0]?.()
    await expect.poll(() => saves.length).toBe(2)
    saves[1]?.()
    await flushed
  })

  it('says once that it cannot save, and tries again', async () => {
    const io = testIo()
    let works = false
    let saves = 0
    const save = async (): Promise<void> => {
      if (!works) throw new Error('the disk is full')
      saves++
    }
    const saver = createSaver(save, io.log, 1)
    for (let i = 0; i < 3; i++) {
      saver.changed()
      await saver.flush()
    }
    expect(io.lines).toEqual([
      { level: 'warn', message: 'the checkpoint could not be saved', fields: { error: 'the disk is full' } },
    ])
    works = true
    await saver.flush()
    expect(saves).toBe(1)
  })
})

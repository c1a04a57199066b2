import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type BatchLimits, createBatches, type Exporter, limitsOf, type Loss } from '../../src/telemetry/batches.ts'

type Done = Parameters<Exporter<number>['export']>[1]

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Batches of numbers, whose exports end as the test says. */
const batches = (limits: Partial<BatchLimits> = {}) => {
  const exports: { items: number[]; done: Done }[] = []
  const counts: Record<Loss | 'exported', number> = { exported: 0, queue_full: 0, failed: 0, timed_out: 0, stopped: 0 }
  const told: string[] = []
  const end = { shutdowns: 0, throws: false }
  const exporter: Exporter<number> = {
    export(items, done) {
      if (end.throws) throw new Error('no such field')
      exports.push({ items, done })
    },
    shutdown: async () => void end.shutdowns++,
  }
  const account = (count: number, loss?: Loss): void => void (counts[loss ?? 'exported'] += count)
  const own = createBatches(
    exporter,
    { queue: 10, batch: 4, delay: 1_000, timeout: 5_000, ...limits },
    Object.assign(account, { full: () => told.push('full') }),
  )
  const add = (...items: number[]): void => items.forEach((item) => own.add(item))
  /** Ends the export that runs. */
  const answer = async (error?: Error): Promise<void> => {
    exports.at(-1)?.done(error ? { code: 1, error } : { code: 0 })
    await vi.advanceTimersByTimeAsync(0)
  }
  return { ...own, add, exports, counts, told, end, answer, sent: () => exports.map(({ items }) => items) }
}

describe('batches', () => {
  it('go when they are full, one at a time, else after the delay', async () => {
    const { add, sent, answer, counts } = batches()
    add(1, 2, 3, 4, 5, 6, 7, 8, 9)
    expect(sent()).toEqual([[1, 2, 3, 4]])
    await answer()
    expect(sent()).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ])
    await answer()
    await vi.advanceTimersByTimeAsync(999)
    expect(sent()).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(sent().at(-1)).toEqual([9])
    await answer()
    expect(counts).toMatchObject({ exported: 9, failed: 0 })
  })

  it.each([
    ['failed', new Error('400 Bad Request'), 'failed'],
    ['failed without a word', undefined, 'failed'],
    ['timed out over HTTP', new Error('Request timed out'), 'timed_out'],
    ['timed out over gRPC', Object.assign(new Error('4 DEADLINE_EXCEEDED'), { code: 4 }), 'timed_out'],
  ] as const)('that %s are counted so, and the next goes', async (_what, error, loss) => {
    const { add, exports, counts, sent } = batches()
    add(1, 2, 3, 4, 5, 6, 7, 8)
    exports[0]?.done(error ? { code: 1, error } : { code: 1 })
    await vi.advanceTimersByTimeAsync(0)
    expect(counts).toMatchObject({ [loss]: 4, exported: 0 })
    expect(sent()).toHaveLength(2)
  })

  it('of an exporter that throws are counted, and it is asked again', async () => {
    const { add, end, counts, sent } = batches()
    end.throws = true
    add(1, 2, 3, 4)
    await vi.advanceTimersByTimeAsync(0)
    expect(counts.failed).toBe(4)
    end.throws = false
    add(5, 6, 7, 8)
    expect(sent()).toEqual([[5, 6, 7, 8]])
  })

  it('without an answer are given up, and what comes too late is not counted again', async () => {
    const { add, exports, counts, sent } = batches()
    add(1, 2, 3, 4, 5, 6, 7, 8)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(counts).toMatchObject({ timed_out: 4, exported: 0 })
    expect(sent()).toHaveLength(2)
    exports[0]?.done({ code: 0 })
    await vi.advanceTimersByTimeAsync(0)
    expect(counts).toMatchObject({ timed_out: 4, exported: 0 })
  })
})

describe('a queue that is full', () => {
  it('loses what comes, counted each time and told once until it was empty', async () => {
    const { add, answer, counts, told } = batches({ queue: 4, batch: 4 })
    add(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    expect(counts.queue_full).toBe(2)
    expect(told).toEqual(['full'])
    await answer()
    add(11, 12, 13, 14, 15)
    expect(counts.queue_full).toBe(3)
    expect(told).toEqual(['full'])
    await answer()
    await answer()
    add(16, 17, 18, 19, 20, 21, 22, 23, 24)
    expect(counts.queue_full).toBe(4)
    expect(told).toEqual(['full', 'full'])
  })
})

describe('at the end', () => {
  it('all is exported, then the exporter ends, once', async () => {
    const { add, answer, shutdown, sent, end, counts } = batches()
    add(1, 2, 3, 4, 5)
    const done = Promise.all([shutdown(), shutdown()])
    expect(end.shutdowns).toBe(0)
    await answer()
    await answer()
    await done
    expect(sent()).toEqual([[1, 2, 3, 4], [5]])
    expect(end.shutdowns).toBe(1)
    add(6)
    expect(counts).toMatchObject({ exported: 5, stopped: 1 })
  })

  it('what is not exported is given up when there is no more time', async () => {
    const { add, answer, shutdown, abandon, counts, end } = batches()
    add(1, 2, 3, 4, 5, 6, 7, 8, 9)
    const done = shutdown()
    abandon()
    await done
    await answer()
    add(10)
    expect(counts).toMatchObject({ exported: 0, stopped: 10 })
    expect(end.shutdowns).toBe(1)
    abandon()
    expect(counts.stopped).toBe(10)
  })

  it('nothing waits for nothing', async () => {
    const { flush, shutdown, abandon, sent, counts } = batches()
    await flush()
    await shutdown()
    abandon()
    expect(sent()).toEqual([])
    expect(counts.stopped).toBe(0)
  })

  it('a flush exports what waits, and the queue goes on', async () => {
    const { add, answer, flush, sent } = batches()
    add(1)
    const done = flush()
    expect(sent()).toEqual([[1]])
    await answer()
    await done
    add(2)
    expect(sent()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(sent()).toEqual([[1], [2]])
  })
})

describe('whatever happens', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constantFrom('answer', 'fail', 'wait', 'flush') }),
  )

  it('each item is counted once, is exported at most once, and no more than allowed is kept', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { add, answer, flush, shutdown, abandon, counts, exports } = batches()
        let next = 0
        const counted = (): number => Object.values(counts).reduce((sum, one) => sum + one, 0)
        for (const one of steps) {
          if (one.kind === 'add') add(...Array.from({ length: (one as { count: number }).count }, () => next++))
          if (one.kind === 'answer') await answer()
          if (one.kind === 'fail') await answer(new Error('no'))
          if (one.kind === 'wait') await vi.advanceTimersByTimeAsync(6_000)
          if (one.kind === 'flush') void flush()
          expect(next - counted()).toBeLessThanOrEqual(10 + 4)
        }
        void shutdown()
        abandon()
        await vi.advanceTimersByTimeAsync(0)
        expect(counted()).toBe(next)
        const items = exports.flatMap((one) => one.items)
        expect(new Set(items).size).toBe(items.length)
      }),
      { numRuns: 200 },
    )
  })
})

describe('limits', () => {
  it('are for bursts, unless the variables say otherwise', () => {
    const tell = (problem: string): never => expect.unreachable(problem)
    expect(limitsOf({}, 'OTEL_BSP', tell)).toEqual({ queue: 65_536, batch: 2_048, delay: 1_000, timeout: 30_000 })
    const env = {
      OTEL_BLRP_MAX_QUEUE_SIZE: '100',
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '500',
      OTEL_BLRP_SCHEDULE_DELAY: '0',
      OTEL_BLRP_EXPORT_TIMEOUT: '7',
      OTEL_BSP_MAX_QUEUE_SIZE: '9',
    }
    expect(limitsOf(env, 'OTEL_BLRP', tell)).toEqual({ queue: 100, batch: 100, delay: 0, timeout: 7 })
  })
})

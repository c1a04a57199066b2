import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inChunks, wholeOrEach } from '../src/batch.ts'
import { YarakError } from '../src/errors.ts'

describe('inChunks', () => {
  it.each([
    ['by number', [1, 1, 1, 1, 1], { count: 2, size: 9 }, [[1, 1], [1, 1], [1]]],
    [
      'by size',
      [3, 3, 3, 1],
      { count: 9, size: 6 },
      [
        [3, 3],
        [3, 1],
      ],
    ],
    ['what is too large alone', [1, 9, 1], { count: 9, size: 5 }, [[1], [9], [1]]],
    ['nothing', [], { count: 1, size: 1 }, []],
  ])('cuts %s', (_what, items, limits, expected) => {
    expect(inChunks(items, limits, (one) => one)).toEqual(expected)
  })

  it('keeps everything in order and within the limits, in as few parts as can be in order', () => {
    const limitsOf = fc.record({ count: fc.integer({ min: 1, max: 5 }), size: fc.integer({ min: 1, max: 20 }) })
    fc.assert(
      fc.property(fc.array(fc.nat(25)), limitsOf, (items, limits) => {
        const chunks = inChunks(items, limits, (one) => one)
        const sum = (chunk: readonly number[]): number => chunk.reduce((total, one) => total + one, 0)
        expect(chunks.flat()).toEqual(items)
        for (const [i, chunk] of chunks.entries()) {
          expect(chunk.length).toBeGreaterThan(0)
          expect(chunk.length).toBeLessThanOrEqual(limits.count)
          if (chunk.length > 1) expect(sum(chunk)).toBeLessThanOrEqual(limits.size)
          const next = chunks[i + 1]?.[0]
          if (next !== undefined)
            expect(chunk.length === limits.count || sum(chunk) + next > limits.size, 'room was left').toBe(true)
        }
      }),
    )
  })
})

type Kind = 'good' | 'bad' | 'busy' | 'bug'

const failing = (kind: Kind): Error => {
  if (kind === 'bug') return new TypeError('bug')
  return kind === 'bad'
    ? new YarakError('failed', 'no', { permanent: true, reason: '400' })
    : new YarakError('failed', 'later', { reason: '503', retryAfter: 7 })
}

/** A server that refuses a request for the first thing in it that it does not like. */
const server = () => {
  const taken: number[] = []
  return {
    taken,
    async send(some: readonly { id: number; kind: Kind }[]): Promise<void> {
      const wrong = some.find(({ kind }) => kind !== 'good')
      if (wrong) throw failing(wrong.kind)
      taken.push(...some.map(({ id }) => id))
    },
  }
}

const outcome = (kinds: readonly Kind[]) => {
  const { taken, send } = server()
  const items = kinds.map((kind, id) => ({ id, kind }))
  return wholeOrEach(items, send).then(
    () => ({ taken, error: undefined }),
    (error: YarakError) => ({ taken, error }),
  )
}

describe('wholeOrEach', () => {
  it('sends all by one request when that is taken', async () => {
    expect(await outcome(['good', 'good'])).toEqual({ taken: [0, 1], error: undefined })
  })

  it('names the one that is refused', async () => {
    const { taken, error } = await outcome(['good', 'bad', 'good'])
    expect(taken).toEqual([0, 2])
    expect(error).toMatchObject({ permanent: true, failed: [{ index: 1, permanent: true, reason: 'no' }] })
  })

  it('stops at what may pass, and says when to come back', async () => {
    const { taken, error } = await outcome(['bad', 'good', 'busy', 'good'])
    expect(taken).toEqual([1])
    expect(error).toMatchObject({
      ...{ permanent: false, retryAfter: 7 },
      failed: [
        { index: 0, permanent: true },
        { index: 2, permanent: false, reason: '503' },
        { index: 3, permanent: false },
      ],
    })
  })

  it('gives on what is not for what is in them, and what only one refuses', async () => {
    expect((await outcome(['busy', 'good'])).error).toMatchObject({ reason: '503', failed: undefined })
    expect((await outcome(['bad'])).error).toMatchObject({ reason: '400', failed: undefined })
    const isMine = ({ reason }: YarakError): boolean => reason === 'mine'
    const items = [
      { id: 0, kind: 'bad' as const },
      { id: 1, kind: 'good' as const },
    ]
    await expect(wholeOrEach(items, server().send, isMine)).rejects.toMatchObject({ reason: '400' })
  })

  it('sends nothing twice and forgets nothing, whatever fails', async () => {
    const kind = fc.constantFrom<Kind>('good', 'bad', 'busy', 'bug')
    await fc.assert(
      fc.asyncProperty(fc.array(kind, { minLength: 2, maxLength: 8 }), async (rest) => {
        // the whole is refused for its first, so that each is tried alone
        const kinds: Kind[] = ['bad', ...rest]
        const { taken, error } = await outcome(kinds)
        const stop = kinds.findIndex((one) => one === 'busy' || one === 'bug')
        const tried = stop < 0 ? kinds : kinds.slice(0, stop)
        expect(taken).toEqual(tried.flatMap((one, id) => (one === 'good' ? [id] : [])))
        const failed = kinds.flatMap((_, id) => (taken.includes(id) ? [] : [id]))
        expect(error?.failed?.map(({ index }) => index)).toEqual(failed)
        expect(error?.failed?.filter(({ permanent }) => permanent).map(({ index }) => index)).toEqual(
          tried.flatMap((one, id) => (one === 'bad' ? [id] : [])),
        )
      }),
    )
  })
})

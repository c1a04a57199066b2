import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refused, sendParts } from '../../outputs/_parts.ts'
import { type FailedItem, YarakError } from '../../src/plugin.ts'
import { rejection } from './_fake-aws.ts'

const passing = () => new YarakError('unavailable', 'no connection', { reason: 'econnrefused', retryAfter: 7_000 })
const lasting = () => new YarakError('failed', 'answered 403: no', { permanent: true, reason: '403' })
const some = (...failed: FailedItem[]) => refused(failed, 2, 'records') ?? expect.fail()
const bad = (index: number): FailedItem => ({ index, permanent: true, reason: 'Bad: no' })
const slow = (index: number): FailedItem => ({ index, permanent: false, reason: 'throttled' })

/** Sends parts of letters; the errors are those of the parts, in order. */
const run = async (parts: readonly string[], errors: readonly (Error | undefined)[], places?: readonly number[]) => {
  const sent: string[] = []
  const send = async (part: readonly string[]) => {
    const error = errors[sent.length]
    sent.push(part.join(''))
    if (error) throw error
  }
  const letters = parts.map((part) => [...part])
  return { sent, result: sendParts(letters, send, places) }
}

describe('refused', () => {
  it('is nothing where nothing failed', () => expect(refused([], 3, 'records')).toBeUndefined())

  it('is permanent where no item may pass', () => {
    expect(some(bad(1))).toMatchObject({ permanent: true, reason: 'rejected', failed: [bad(1)] })
    expect(some(bad(1)).message).toBe('1 of 2 records were not taken: Bad: no')
  })

  it('may pass where one item may, for the reason of that one', () =>
    expect(some(bad(0), slow(1))).toMatchObject({ permanent: false, reason: 'throttled' }))
})

describe('sendParts', () => {
  it('sends all in order', async () => {
    const { sent, result } = await run(['ab', 'c', 'd'], [])
    await result
    expect(sent).toEqual(['ab', 'c', 'd'])
  })

  it('has nothing to do for no parts', async () => expect((await run([], [])).result).resolves.toBeUndefined())

  it('throws the error of the only part as it is', async () => {
    const error = passing()
    expect(await rejection((await run(['ab'], [error])).result)).toBe(error)
  })

  it('leaves what is behind a part that could not be sent for the next try', async () => {
    const { sent, result } = await run(['ab', 'c', 'd'], [undefined, passing()])
    expect(await rejection(result)).toMatchObject({
      code: 'unavailable',
      permanent: false,
      reason: 'econnrefused',
      retryAfter: 7_000,
      failed: [
        { index: 2, permanent: false, reason: 'econnrefused' },
        { index: 3, permanent: false, reason: 'econnrefused' },
      ],
    })
    expect(sent).toEqual(['ab', 'c'])
  })

  it('goes on after a part that was refused, and tells why', async () => {
    const { sent, result } = await run(['ab', 'c'], [lasting()])
    const error = await rejection(result)
    expect(error).toMatchObject({
      permanent: true,
      failed: [
        { index: 0, permanent: true, reason: 'answered 403: no' },
        { index: 1, permanent: true, reason: 'answered 403: no' },
      ],
    })
    expect((error as Error).message).toBe('2 of 3 were not delivered: answered 403: no')
    expect(sent).toEqual(['ab', 'c'])
  })

  it('goes on after a part of which some were not taken, and counts items from the start of the batch', async () => {
    const { sent, result } = await run(['ab', 'cd', 'ef'], [some(slow(1)), undefined, some(bad(0))])
    expect(await rejection(result)).toMatchObject({ permanent: false, failed: [slow(1), bad(4)] })
    expect(sent).toHaveLength(3)
  })

  it('names the places in the batch where the parts have another order', async () => {
    const error = await rejection((await run(['ab', 'c'], [some(bad(1))], [2, 0, 1])).result)
    expect((error as YarakError).failed).toEqual([bad(0)])
    const one = await rejection((await run(['ab'], [some(bad(1))], [5, 3])).result)
    expect((one as YarakError).failed).toEqual([bad(3)])
  })

  it('rejects with what is no error of ours at once', async () => {
    const { sent, result } = await run(['a', 'b'], [new TypeError('a mistake')])
    await expect(result).rejects.toThrow(TypeError)
    expect(sent).toEqual(['a'])
  })

  it('names each item at most once, and only items there are', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ size: fc.integer({ min: 1, max: 4 }), how: fc.constantFrom('ok', 'down', 'no', 'some') })),
        async (plan) => {
          const errors = plan.map(({ how }) =>
            how === 'down' ? passing() : how === 'no' ? lasting() : how === 'some' ? some(bad(0)) : undefined,
          )
          const { result } = await run(
            plan.map(({ size }) => 'x'.repeat(size)),
            errors,
          )
          const error = await result.then(
            () => undefined,
            (reason: unknown) => reason as YarakError,
          )
          const total = plan.reduce((sum, { size }) => sum + size, 0)
          const indexes = error?.failed?.map(({ index }) => index) ?? []
          expect(new Set(indexes).size).toBe(indexes.length)
          expect(indexes.every((index) => index >= 0 && index < total)).toBe(true)
          expect(error === undefined).toBe(plan.every(({ how }) => how === 'ok'))
        },
      ),
    ))
})

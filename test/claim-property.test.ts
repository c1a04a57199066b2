import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { pause } from '../src/backoff.ts'
import { YarakError } from '../src/plugin.ts'
import { chain, never, setup } from './_claim-kit.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }))
afterEach(() => void vi.useRealTimers())

const STEPS = ['mark', 'cut', 'kill']

const ms = (max: number) => fc.integer({ min: 0, max })

/** What happens to one replica: when it gets the event, how slow all is, when it cannot reach the others, when it dies or is stopped. */
const fate = fc.record({
  begins: ms(8_000),
  call: fc.array(fc.oneof(ms(10), ms(1_500)), { minLength: 1, maxLength: 5 }),
  step: fc.array(fc.oneof(ms(1_000), ms(30_000)), { minLength: 1, maxLength: 5 }),
  cut: fc.option(fc.record({ from: ms(30_000), lasts: ms(60_000) }), { nil: undefined }),
  dies: fc.option(ms(60_000), { nil: undefined }),
  stops: fc.option(ms(60_000), { nil: undefined }),
})

/** Where a claim that is given up too late does harm: the first cannot be reached and is slow, the second quick. */
const SLOW = [
  { begins: 0, call: [0], step: [25_000], cut: { from: 1_000, lasts: 60_000 }, dies: undefined, stops: undefined },
  { begins: 100, call: [0], step: [0], cut: undefined, dies: undefined, stops: undefined },
]

/** Where what had ended could be forgotten: the second lets go, and the answer to the first, which takes it, is lost. */
const LET_GO = [
  { begins: 20_100, call: [0, 200], step: [0], cut: { from: 20_250, lasts: 200 }, dies: undefined, stops: undefined },
  { begins: 0, call: [0], step: [0, 0, 30_000], cut: undefined, dies: undefined, stops: 20_000 },
]

/** Where nobody could go on: the second has lost it, and is stopped while it takes it back. */
const TAKEN_BACK = [
  { begins: 0, call: [820, 44], step: [0], cut: undefined, dies: undefined, stops: undefined },
  {
    begins: 0,
    call: [0, 971],
    step: [639, 18_247],
    cut: { from: 25_157, lasts: 7_266 },
    dies: undefined,
    stops: 33_323,
  },
]

const stopped = () => new YarakError('interrupted', 'the deadline passed')

/** Over and over. */
const inTurn = (values: readonly number[]) => {
  let i = 0
  return (): number => values[i++ % values.length] ?? 0
}

it('whoever dies, is slow or cannot be reached: what is destructive is done once, and who lives comes to the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { minLength: 2, maxLength: 3 }), async (fates) => {
      const { replica, claims } = setup()
      const world: string[] = []
      const since = performance.now()
      const ended = new Set<number>()
      const lives = fates.map(async ({ begins, call, step, cut, dies, stops }, i) => {
        await pause(begins)
        const one = replica(`r${i}`)
        const [delay, work] = [inTurn(call), inTurn(step)]
        // one is left to live
        const isDead = (): boolean => i > 0 && dies !== undefined && performance.now() - since >= dies
        if (i > 0 && stops !== undefined)
          void pause(stops - (performance.now() - since)).then(() => one.interrupt.abort(stopped()))
        const isCut = (): boolean => {
          const at = performance.now() - since
          return cut !== undefined && at >= cut.from && at < cut.from + cut.lasts
        }
        const alive = async (): Promise<void> => (isDead() ? never() : undefined)
        one.net.through = async (send) => {
          await pause(delay())
          await alive()
          if (isCut()) throw new YarakError('unavailable', 'no answer')
          const answer = await send()
          await pause(delay())
          await alive()
          if (isCut()) throw new YarakError('unavailable', 'no answer')
          return answer
        }
        const act = (id: string) => async (signal: AbortSignal, isAgain: boolean) => {
          await pause(work(), signal)
          await alive()
          if (signal.aborted || (isAgain && world.includes(id))) return
          world.push(id)
          await pause(work(), signal)
          await alive()
        }
        const steps = Object.fromEntries(STEPS.map((id) => [id, act(id)]))
        const { report } = await one.answer(chain(steps, 100))
        await alive()
        if (report.outcome === 'succeeded') ended.add(i)
      })
      void Promise.all(lives)
      await vi.advanceTimersByTimeAsync(1_200_000)
      const living = fates.flatMap(({ dies, stops }, i) => (i > 0 && (dies ?? stops) !== undefined ? [] : [i]))
      expect(living.filter((i) => !ended.has(i))).toEqual([])
      expect(world.toSorted()).toEqual(STEPS.toSorted())
      expect(claims.all.size).toBe(1)
    }),
    { numRuns: 500, examples: [[SLOW], [LET_GO], [TAKEN_BACK]] },
  )
}, 60_000)

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { YarakError } from '../src/plugin.ts'
import { chain, LASTS, localPast, never, reportOf, setup, stepReport } from './_claim-kit.ts'
import { gate } from './kit.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }))
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const later = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('a claim that is lost', () => {
  it('cuts the step short before its time is over, and whoever took it goes on', async () => {
    const { replica } = setup()
    const one = replica('one')
    let cut: unknown
    let at = 0
    const kill = (signal: AbortSignal) => {
      signal.addEventListener('abort', () => ([cut, at] = [signal.reason, performance.now()]))
      return never()
    }
    const first = one.answer(chain({ kill }))
    await later(0)
    const since = performance.now()
    one.net.state = 'down'
    const second = replica('two').answer(chain({ kill: () => {} }))
    await later(LASTS + 3_000)
    expect(cut).toMatchObject({ code: 'interrupted', reason: 'handed-over' })
    expect(at - since).toBeLessThan(LASTS)
    one.net.state = 'up'
    await later(LASTS + 3_000)
    expect(await Promise.all([first, second])).toMatchObject([
      { elsewhere: true, report: { outcome: 'succeeded' } },
      { elsewhere: false, report: { outcome: 'succeeded' } },
    ])
    expect(one.notes).toEqual(['taken', 'lost'])
  })

  it('comes back when nobody took it: it goes on as after a restart', async () => {
    const { replica, claims } = setup()
    const runs: boolean[] = []
    const first = replica('one').answer(
      chain({
        mark: () => {},
        kill: (_signal, isAgain) => {
          runs.push(isAgain)
          return isAgain ? undefined : never()
        },
      }),
    )
    await later(1_000)
    claims.trouble = () => {
      throw new YarakError('unavailable', 'no answer')
    }
    await later(60_000)
    claims.trouble = () => {}
    await later(10_000)
    expect((await first).report.outcome).toBe('succeeded')
    expect(runs).toEqual([false, true])
  })

  it('in a place that does not answer again is given up at the deadline of the chain', async () => {
    const { replica, claims } = setup()
    const first = replica('one', { patience: 60_000 }).answer(chain({ kill: never }))
    await later(0)
    claims.trouble = () => {
      throw new YarakError('unavailable', 'no answer')
    }
    await later(100_000)
    const { report } = await first
    expect(report).toMatchObject({ outcome: 'interrupted', steps: [{ error: { reason: 'handed-over' } }] })
  })

  it('in a place that can be read and takes nothing more is given up at the deadline of the chain', async () => {
    const { replica, claims } = setup()
    const full = () => {
      claims.trouble = (call) => {
        if (call === 'write') throw new YarakError('failed', 'the disk is full')
      }
    }
    const ended = vi.fn()
    void replica('one', { patience: 60_000 })
      .answer(chain({ kill: full }))
      .then(ended)
    await later(200_000)
    expect(ended).toHaveBeenCalledWith(
      expect.objectContaining({ report: expect.objectContaining({ outcome: 'succeeded' }) as unknown }),
    )
  })

  it('and whose report is refused for good ends with it all the same', async () => {
    const { replica, claims } = setup()
    const refuse = () => {
      claims.trouble = (call) => {
        if (call === 'write') throw new YarakError('failed', 'metadata.annotations: too long', { permanent: true })
      }
    }
    const ended = vi.fn()
    void replica('one')
      .answer(chain({ kill: refuse }))
      .then(ended)
    await later(1_000)
    expect(ended).toHaveBeenCalledOnce()
  })

  it('while the process was asleep changes nothing, also before any timer has told', async () => {
    const { replica } = setup()
    const written = gate()
    let slept = 0
    const clock = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => clock() + slept)
    const kill = vi.fn()
    const one = replica('one', { past: { ...localPast(), begin: () => written.promise } })
    void one.answer(chain({ kill }))
    await later(100)
    slept = LASTS
    one.net.state = 'dead'
    written.resolve()
    await later(0)
    expect(kill).not.toHaveBeenCalled()
  })

  it('and taken by another ends at a stop', async () => {
    const { replica } = setup()
    const one = replica('one')
    const cutOff = () => void (one.net.state = 'down')
    const first = one.answer(chain({ kill: cutOff }))
    await later(500)
    void replica('two').answer(chain({ kill: never }))
    await later(LASTS + 3_000)
    let calls = 0
    // were it asked for ever, this would end it
    one.net.through = (call) => (calls++ < 20 ? call() : never())
    one.interrupt.abort(new YarakError('interrupted', 'the deadline passed'))
    const ended = vi.fn()
    void first.then(ended)
    await later(5_000)
    expect(ended).toHaveBeenCalledOnce()
  })

  it('by somebody who removed it is made again', async () => {
    const { replica, claims } = setup()
    const hold = gate()
    const first = replica('one').answer(chain({ mark: () => {}, kill: () => hold.promise }))
    await later(1_000)
    claims.all.clear()
    hold.resolve()
    await later(LASTS)
    expect((await first).report.outcome).toBe('succeeded')
    expect(claims.all.size).toBe(1)
  })
})

describe('a place that does not answer', () => {
  it('refuses the change, which is not made', async () => {
    const { replica, claims } = setup()
    claims.trouble = () => {
      throw new YarakError('unavailable', 'no answer')
    }
    const ran = vi.fn()
    const { report, elsewhere } = await replica('one').answer(chain({ kill: ran }))
    expect(report).toMatchObject({ outcome: 'refused', steps: [{ error: { reason: 'no-claim' } }] })
    expect(report.steps[0]?.summary).toContain('no answer')
    expect([elsewhere, ran.mock.calls]).toEqual([false, []])
  })

  it('for one of two steps at the same time leaves the other as it is', async () => {
    const { replica, claims, facts } = setup()
    let fails = 1
    claims.trouble = (call) => {
      if (call === 'write' && fails-- > 0) throw new YarakError('unavailable', 'no answer')
    }
    await replica('one').answer(async ({ past }) => {
      const first = past.begin('one', {})
      await Promise.resolve()
      const second = past.begin('two', { uid: 'u2' })
      await expect(first).rejects.toMatchObject({ reason: 'no-claim' })
      await second
      expect(facts()['begun']).toMatchObject({ two: { uid: 'u2' } })
      return reportOf([stepReport('two')])
    })
  })

  it('and has written all the same is no other process', async () => {
    const { replica, claims } = setup()
    let lost = 1
    claims.trouble = (call) => {
      if (call === 'written' && lost-- > 0) throw new YarakError('timed_out', 'no answer in time')
    }
    const attempts: string[] = []
    const { report } = await replica('one').answer(async (attempt) => {
      const first = await chain({ kill: () => attempts.push('first') })(attempt)
      expect(first.outcome).toBe('refused')
      await attempt.past.begin('kill', {})
      attempts.push('second')
      return reportOf([stepReport('kill')])
    })
    expect([attempts, report.outcome]).toEqual([['second'], 'succeeded'])
    expect(claims.all.size).toBe(1)
  })
})

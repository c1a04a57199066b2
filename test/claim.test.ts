import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Attempt } from '../src/claim.ts'
import { type Report, type StepReport, YarakError } from '../src/plugin.ts'
import { chain, LASTS, type localPast, never, reportOf, setup, stepReport } from './_claim-kit.ts'
import { gate } from './kit.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }))
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const later = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('a response that changes something', () => {
  it('is claimed before the change, with what is begun, and closed with its report', async () => {
    const { claims, replica, facts } = setup()
    const { answer, about, notes } = replica('one')
    const seen: unknown[] = []
    const { report, elsewhere, settle } = await answer(
      chain({ mark: () => seen.push(facts()), kill: () => seen.push(facts()) }),
    )
    expect(seen).toEqual([
      { traceparent: '00-trace-of-one', begun: { mark: { uid: 'uid-mark' } }, ended: {} },
      {
        traceparent: '00-trace-of-one',
        begun: { mark: { uid: 'uid-mark' }, kill: { uid: 'uid-kill' } },
        ended: { mark: expect.objectContaining({ outcome: 'succeeded' }) as unknown },
      },
    ])
    expect([report.outcome, elsewhere]).toEqual(['succeeded', false])
    expect(facts()).toMatchObject({ begun: {}, ended: {}, report: { outcome: 'succeeded' } })
    expect(claims.all.get('r1')).toMatchObject({ settled: false, lasts: LASTS })
    expect(claims.all.get('r1')?.holder).toMatch(/^one_[0-9a-f-]{36}$/)
    void settle()
    await later(0)
    expect(claims.all.get('r1')?.settled).toBe(true)
    expect((about.past as ReturnType<typeof localPast>).notes).toEqual([
      'begin mark',
      'end mark',
      'begin kill',
      'end kill',
      'close',
    ])
    expect(notes).toEqual(['taken'])
  })

  it('is renewed while it runs, and not after', async () => {
    const { claims, replica } = setup()
    const hold = gate()
    const answered = replica('one').answer(chain({ slow: () => hold.promise }))
    await later(60_000)
    const writes = claims.writes.length
    expect(writes).toBeGreaterThan(60_000 / LASTS)
    hold.resolve()
    await later(0)
    expect((await answered).report.outcome).toBe('succeeded')
    await later(60_000)
    expect(claims.writes.length).toBe(writes + 1)
  })

  it('tells soon that a step has ended, also while another takes long', async () => {
    const { replica, facts } = setup()
    const run = chain({ mark: () => {} })
    void replica('one').answer(async (attempt) => {
      await run(attempt)
      return never()
    })
    await later(0)
    expect(facts()).toMatchObject({ ended: {} })
    await later(300)
    expect(facts()).toMatchObject({ ended: { mark: { outcome: 'succeeded' } } })
  })

  it('needs no claim when nothing is changed after all', async () => {
    const { claims, replica } = setup()
    await replica('one').answer(async ({ past }) => {
      past.end(stepReport('look'))
      return reportOf([stepReport('look')])
    })
    expect(claims.writes).toEqual([])
  })
})

describe('a response that another process has', () => {
  it('is waited for, and its report is taken; nothing runs', async () => {
    const { replica } = setup()
    const hold = gate()
    const first = replica('one').answer(chain({ kill: () => hold.promise }))
    await later(0)
    const two = replica('two')
    const second = two.answer(() => expect.unreachable())
    await later(40_000)
    hold.resolve()
    await later(0)
    const { settle } = await first
    void settle()
    await later(3_000)
    expect(await second).toMatchObject({
      elsewhere: true,
      told: true,
      report: { outcome: 'succeeded', steps: [{ id: 'kill' }] },
    })
    expect(two.notes).toEqual(['waits'])
  })

  it('is waited for also when both begin at the same time', async () => {
    const { replica } = setup()
    const runs: string[] = []
    const hold = gate()
    const both = ['one', 'two'].map((who) =>
      replica(who).answer(chain({ kill: async () => (runs.push(who), hold.promise) })),
    )
    await later(5_000)
    hold.resolve()
    await later(LASTS + 3_000)
    const answers = await Promise.all(both)
    expect(runs).toHaveLength(1)
    expect(answers.map(({ elsewhere }) => elsewhere).sort()).toEqual([false, true])
  })

  it('whose outputs were not told is told here', async () => {
    const { replica } = setup()
    await replica('one').answer(chain({ kill: () => {} }))
    const second = replica('two').answer(() => expect.unreachable())
    await later(LASTS + 3_000)
    expect(await second).toMatchObject({ elsewhere: true, told: false })
  })

  it('is taken over when it has not been heard of for as long as it lasts: what has ended is not done again', async () => {
    const { replica, facts } = setup()
    const runs: string[] = []
    const one = replica('one')
    void one.answer(chain({ mark: () => runs.push('one mark'), kill: never }))
    await later(1_000)
    one.net.state = 'dead'
    const two = replica('two')
    let resumes: Attempt | undefined
    const second = two.answer((attempt) => {
      resumes = attempt
      const kill = (_signal: AbortSignal, isAgain: boolean) => runs.push(`two kill ${isAgain}`)
      return chain({ mark: () => expect.unreachable(), kill })(attempt)
    })
    await later(LASTS - 1)
    expect(runs).toEqual(['one mark'])
    await later(3_001)
    expect((await second).report).toMatchObject({ outcome: 'succeeded', steps: [{ id: 'mark' }, { id: 'kill' }] })
    expect(runs).toEqual(['one mark', 'two kill true'])
    expect(resumes?.traceparent).toBe('00-trace-of-one')
    expect(two.notes).toEqual(['waits', 'taken-over'])
    expect(facts()).toMatchObject({ traceparent: '00-trace-of-one', report: { outcome: 'succeeded' } })
  })

  it('that was let go by a stop is taken over at once', async () => {
    const { replica } = setup()
    const one = replica('one')
    const first = one.answer(chain({ mark: () => {}, slow: never }))
    await later(1_000)
    one.interrupt.abort(new YarakError('interrupted', 'the deadline passed'))
    await later(0)
    expect((await first).report.outcome).toBe('interrupted')
    const begun = performance.now()
    const second = await replica('two').answer(chain({ mark: () => expect.unreachable(), slow: () => {} }))
    expect(second.report.outcome).toBe('succeeded')
    expect(performance.now() - begun).toBeLessThan(100)
  })

  it('that was let go is gone on with, also when the answer to taking it over is lost', async () => {
    const { replica, claims } = setup()
    const one = replica('one')
    const first = one.answer(chain({ mark: () => {}, slow: never }))
    await later(1_000)
    one.interrupt.abort(new YarakError('interrupted', 'the deadline passed'))
    await later(0)
    await first
    let lost = 1
    claims.trouble = (call) => {
      if (call === 'written' && lost-- > 0) throw new YarakError('timed_out', 'no answer in time')
    }
    const second = replica('two').answer(chain({ mark: () => expect.unreachable(), slow: () => {} }))
    await later(60_000)
    expect(await second).toMatchObject({ elsewhere: false, report: { outcome: 'succeeded' } })
  })

  it('and also when nobody can be asked about it for long after that', async () => {
    const { replica, claims } = setup()
    const mark = stepReport('mark')
    const facts = JSON.stringify({ begun: { mark: {} }, ended: { mark } })
    await claims.create('r1', { holder: '', lasts: 1, settled: false, facts })
    let down = false
    claims.trouble = (call) => {
      down ||= call === 'written' && claims.writes.length === 2
      if (down && call !== 'write') throw new YarakError('unavailable', 'no answer')
    }
    const steps = chain({ mark: () => expect.unreachable(), slow: () => {} }, 100)
    const answered = replica('two', { patience: 60_000 }).answer(steps)
    await later(80_000)
    claims.trouble = () => {}
    await later(120_000)
    expect((await answered).report.outcome).toBe('succeeded')
  })

  it('and that can never be taken is not begun', async () => {
    const { replica, claims } = setup()
    await claims.create('r1', { holder: '', lasts: 1, settled: false, facts: '{"begun":{},"ended":{}}' })
    claims.trouble = (call) => {
      if (call === 'write') throw new YarakError('failed', 'the disk is full')
    }
    const ran = vi.fn()
    const answered = replica('two', { patience: 60_000 }).answer(chain({ kill: ran }))
    await later(200_000)
    expect((await answered).report).toMatchObject({ outcome: 'interrupted' })
    expect(ran).not.toHaveBeenCalled()
  })

  it('whose facts cannot be read is not begun', async () => {
    const { replica, claims } = setup()
    await claims.create('r1', { holder: '', lasts: 1, settled: false, facts: '{"begun":1}' })
    const ran = vi.fn()
    const answered = replica('two', { patience: 1 }).answer(chain({ kill: ran }))
    await later(10_000)
    const { report } = await answered
    expect(report).toMatchObject({ outcome: 'interrupted' })
    expect(ran).not.toHaveBeenCalled()
  })
})

describe('what a claim tells', () => {
  it('is without secrets, and what was redacted is left out where a later step would use it', async () => {
    const { replica, facts } = setup()
    const clean = (report: Report): Report => ({
      ...report,
      steps: report.steps.map(
        (step) => JSON.parse(JSON.stringify(step).replaceAll('hunter2', '[redacted]')) as StepReport,
      ),
    })
    await replica('one', { clean }).answer(async ({ past }) => {
      await past.begin('run', {})
      const step = stepReport('run', { summary: 'said hunter2', output: 'hunter2', objects: { pod: 'web-1' } })
      past.end(step)
      return reportOf([step])
    })
    const { steps } = facts()['report'] as Report
    expect(steps).toMatchObject([{ summary: 'said [redacted]', objects: { pod: 'web-1' } }])
    expect(JSON.stringify(facts())).not.toContain('hunter2')
    expect(steps[0]).not.toHaveProperty('output')
  })
})

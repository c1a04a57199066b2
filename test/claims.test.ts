import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { http } from '../inputs/http.ts'
import type { Agreement } from '../src/agreement.ts'
import { pause } from '../src/backoff.ts'
import { createSharing } from '../src/claims.ts'
import { createGateway, type Gateway, type GatewayOptions, type Notice } from '../src/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { SILENT } from '../src/options.ts'
import { type Action, defineInput, type InputIo, type Step, YarakError, z } from '../src/plugin.ts'
import { testIo } from '../src/testing.ts'
import { chain, setup } from './_claim-kit.ts'
import { agreeing, fakeClaims } from './fake-claims.ts'
import { about, alert, gate, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const gateways: Gateway[] = []
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.stop({ deadline: 10 })))
})

/** An input whose events may be given to several processes: by position, as a topic of Kafka. */
const topic = () => {
  let io: InputIo | undefined
  const plugin = defineInput({
    type: 'topic',
    summary: 'Gives what the test says.',
    config: z.strictObject({}),
    replayable: true,
    async run(_config, given) {
      io = given
      await new Promise<void>((resolve) => given.signal.addEventListener('abort', () => resolve()))
    },
  })
  return {
    use: plugin({}),
    give: async (position: string, raw: unknown = alert()) => {
      while (!io) await new Promise(setImmediate)
      return (await io.emit(raw, { position, authenticated: 'sasl' })).done
    },
  }
}

type Steps = NonNullable<GatewayOptions['rules']>[number]['steps']

const shared = () => {
  const claims = fakeClaims()
  const place = agreeing(claims)
  const replica = async (steps: Steps, more: GatewayOptions = {}) => {
    const input = topic()
    const output = sink()
    const told = () => output.told.filter(({ report }: Notice) => report)
    const gateway = createGateway({
      ...{ mode: 'enforce', claims: place, inputs: [input.use], rules: [{ name: 'all', steps, join: 0 }] },
      outputs: [{ output: output.use, tell: 'both' }],
      ...more,
    })
    gateways.push(gateway)
    await gateway.start()
    const metrics = async () => (await gateway.ops.request('/metrics')).text()
    return { gateway, give: input.give, told, metrics }
  }
  return { claims, place, replica }
}

const changing = (run: (step: Step) => unknown, more: Partial<Action> = {}) =>
  probe((_params, step) => run(step), { changes: 'destructive', ...more })({})

describe('two gateways that share the work', () => {
  it('run a response to an event that both were given once, and tell of it once', async () => {
    const { replica } = shared()
    let runs = 0
    const step = () => changing(() => `run ${++runs}`)
    const [one, two] = [await replica([step()]), await replica([step()])]
    const [first] = await one.give('0')
    const [second] = await two.give('0')
    expect(runs).toBe(1)
    expect(second).toMatchObject({ id: first?.id, outcome: 'succeeded', steps: [{ summary: 'run 1' }] })
    expect([one.told().length, two.told().length]).toEqual([1, 0])
    expect(await one.metrics()).toContain('yarak_responses_ended_total{rule="all",outcome="succeeded"} 1')
    const text = await two.metrics()
    expect(text).toContain('yarak_responses_suppressed_total{rule="all",reason="handed-over"} 1')
    expect(text).not.toContain('yarak_responses_ended_total{')
    expect(text).not.toContain('yarak_steps_ended_total{')
  })

  it('keep what the other did in the history of both', async () => {
    const { replica } = shared()
    const journals = [memoryJournal(), memoryJournal()]
    for (const journal of journals) {
      const { give } = await replica([changing(() => 'done')], { journal })
      await give('0')
    }
    const reports = await Promise.all(journals.map((journal) => journal.responses()))
    expect(reports.map(([one]) => one?.report.steps[0]?.summary)).toEqual(['done', 'done'])
    expect(reports.map(([one]) => one?.report.handedOverTo)).toEqual([undefined, 'yarak'])
  })

  it('go on where the other was stopped, in the same trace', async () => {
    const { replica, claims } = shared()
    const runs: string[] = []
    const chain = (slow: () => unknown): Steps => [
      probe(() => void runs.push('mark'), { type: 'test:mark', changes: 'reversible' })({}),
      probe(() => (runs.push('slow'), slow()), { type: 'test:slow' })({}),
      probe(() => void runs.push('kill'), { type: 'test:kill', changes: 'destructive' })({}),
    ]
    const one = await replica(chain(() => new Promise(() => {})))
    void one.give('0')
    await expect.poll(() => runs).toEqual(['mark', 'slow'])
    await one.gateway.stop({ deadline: 10 })
    expect([...claims.all.values()].map(({ holder }) => holder)).toEqual([''])
    const two = await replica(chain(() => 'quick'))
    const [report] = await two.give('0')
    expect(report).toMatchObject({ outcome: 'succeeded', steps: [{ id: 'test-mark' }, { summary: 'quick' }, {}] })
    expect(runs).toEqual(['mark', 'slow', 'slow', 'kill'])
    expect([one.told().length, two.told().length]).toEqual([0, 1])
    const responds = spans.all().filter(({ name }) => name === 'respond all')
    const [first, waited, last] = responds
    expect(last).toMatchObject({ traceId: first?.traceId, attributes: { 'yarak.resumed': true } })
    expect(last?.links).toEqual([waited?.spanId])
    expect(waited?.attributes).toMatchObject({ 'yarak.outcome': 'taken-over' })
    expect(report?.traceId).toBe(first?.traceId)
  })

  it('keep the order of a target, also where one waits for the other', async () => {
    const { replica, claims } = shared()
    const order: string[] = []
    const hold = gate()
    const steps = (who: string) => [
      changing(async ({ event }) => {
        order.push(`${who} ${event.uuid}`)
        if (event.uuid === 'first') await hold.promise
      }),
    ]
    const [one, two] = [await replica(steps('one')), await replica(steps('two'))]
    const done = [one.give('0', alert({ uuid: 'first' }))]
    await expect.poll(() => claims.all.size).toBe(1)
    done.push(two.give('0', alert({ uuid: 'first' })), two.give('1', alert({ uuid: 'second' })))
    done.push(two.give('2', about('web-9', { uuid: 'other' })))
    await expect.poll(() => order).toEqual(['one first', 'two other'])
    hold.resolve()
    await Promise.all(done)
    expect(order).toEqual(['one first', 'two other', 'two second'])
  })

  it('hold no place while one waits for the other', async () => {
    const { replica } = shared()
    const hold = gate()
    const [one, two] = [
      await replica([changing(() => hold.promise)]),
      await replica([changing(() => 'ran')], { limits: { responses: 1 } }),
    ]
    const first = one.give('0')
    await expect.poll(() => one.gateway.health().running).toBe(1)
    const waiting = two.give('0')
    expect(await two.give('1', about('web-2'))).toMatchObject([{ outcome: 'succeeded' }])
    hold.resolve()
    await Promise.all([first, waiting])
  })

  it('change nothing when nobody can be asked, and try again as the step says', async () => {
    const { replica, claims } = shared()
    let down = true
    claims.trouble = () => {
      if (down) throw new YarakError('unavailable', 'no answer')
    }
    let runs = 0
    const { give } = await replica([changing(() => runs++)])
    expect(await give('0')).toMatchObject([
      { outcome: 'refused', steps: [{ attempts: 1, error: { reason: 'no-claim' } }] },
    ])
    const again = await replica([{ action: changing(() => runs++), retries: 3 }])
    setTimeout(() => (down = false), 100)
    const [report] = await again.give('1')
    expect(report).toMatchObject({ outcome: 'succeeded' })
    expect(runs).toBe(1)
  })

  it('count a response as one that waits until its report is agreed on', async () => {
    const { replica, claims } = shared()
    const agreed = gate()
    let changed = false
    claims.trouble = (call) => (changed && call === 'write' ? agreed.promise : undefined)
    const { give, gateway, metrics } = await replica([changing(() => (changed = true))])
    const given = give('0')
    await expect.poll(() => [changed, gateway.health().running]).toEqual([true, 0])
    expect(await metrics()).toContain('yarak_responses_queued 1')
    agreed.resolve()
    await given
    const text = await metrics()
    expect(text).toContain('yarak_responses_queued 0')
    expect(text).toContain('yarak_responses_ended_total{rule="all",outcome="succeeded"} 1')
  })

  it('ask about a backlog a few at a time, which is not in the way of what is written', async () => {
    const { replica, claims } = shared()
    const answered = gate()
    let asking = 0
    const { give } = await replica([changing(() => 'done')])
    const held = gate()
    const changes = await replica([changing(() => held.promise)])
    const first = changes.give('0')
    await expect.poll(() => claims.writes.length).toBe(1)
    claims.trouble = (call) => (call === 'read' ? (asking++, answered.promise) : undefined)
    const backlog = Array.from({ length: 200 }, (_, i) => give(String(i + 1), about(`web-${i}`)))
    await expect.poll(() => asking).toBe(64)
    held.resolve()
    await first
    expect(asking).toBe(64)
    answered.resolve()
    await Promise.all(backlog)
    expect(asking).toBe(200)
  })

  it('have not ended before it is written that the outputs were told', async () => {
    const claims = fakeClaims()
    const sharing = createSharing({ resource: agreeing(claims), log: SILENT, io: (id) => testIo({ id }) })
    const { settle } = await sharing.answerOnce(setup().replica('one').about, chain({ kill: () => {} }))
    const written = gate()
    claims.trouble = () => written.promise
    void settle()
    const ended = vi.fn()
    const over = sharing.ended().then(ended)
    await new Promise(setImmediate)
    expect(ended).not.toHaveBeenCalled()
    written.resolve()
    await over
    expect(claims.all.get('r1')?.settled).toBe(true)
  })

  it.each<[string, GatewayOptions, Steps]>([
    ['in observe mode', { mode: 'observe' }, [changing(() => 'x')]],
    ['that changes nothing', {}, [probe(() => 'x')({})]],
  ])('make no claim of a response %s', async (_what, more, steps) => {
    const { replica, claims } = shared()
    await (await replica(steps, more)).give('0')
    expect(claims.writes).toEqual([])
  })

  it('make no claim of an event that only one of them can have', async () => {
    const { replica, claims } = shared()
    const { gateway } = await replica([changing(() => 'x')])
    const [report] = await (await gateway.emit(alert())).done
    expect(report?.outcome).toBe('succeeded')
    expect(claims.writes).toEqual([])
  })
})

describe('an input that is to be led', () => {
  /** Who leads is who asked first, until the test says otherwise. */
  const leadership = () => {
    const over: AbortController[] = []
    const line: (() => void)[] = []
    const lead: Agreement['lead'] = async (name, signal, work, waits = () => {}) => {
      if (name === 'claims') return
      if (over.length > 0) {
        waits()
        await new Promise<void>((resolve) => {
          line.push(resolve)
          signal.addEventListener('abort', () => resolve())
        })
        if (signal.aborted) return
      }
      const end = new AbortController()
      over.push(end)
      await work(AbortSignal.any([signal, end.signal]))
    }
    return { lead, over, next: () => line.shift()?.() }
  }

  const setUp = async (place = leadership()) => {
    const input = topic()
    const gateway = createGateway({
      claims: agreeing(fakeClaims(), place.lead),
      inputs: [{ input: input.use, leader: true }],
    })
    gateways.push(gateway)
    await gateway.start()
    const state = () => gateway.health().inputs[0]?.state
    return { gateway, state, place }
  }

  it('runs in one, and stands by in the other until that leads', async () => {
    const one = await setUp()
    const two = await setUp(one.place)
    await expect.poll(() => [one.state(), two.state()]).toEqual(['running', 'standby'])
    expect(two.gateway.health()).toMatchObject({ ready: true, status: 'ok' })
    one.place.over[0]?.abort()
    one.place.next()
    await expect.poll(two.state).toBe('running')
  })

  it('fails, and does not run, when it may not be asked who leads', async () => {
    const lead: Agreement['lead'] = () => Promise.reject(new YarakError('refused', 'leases: forbidden'))
    const { state, gateway } = await setUp({ ...leadership(), lead })
    await expect.poll(state).toBe('failing')
    expect(gateway.health().reasons).toMatchObject([{ part: 'input', message: 'leases: forbidden' }])
  })

  it('needs a place to agree in', () => {
    expect(() => createGateway({ inputs: [{ input: topic().use, leader: true }] })).toThrow('leader needs `claims`')
    const claims = agreeing(fakeClaims(), leadership().lead)
    expect(() => createGateway({ claims, inputs: [{ input: http({}), leader: true }] })).toThrow('for inputs that read')
  })
})

describe('claims that are over', () => {
  const HOUR = 3_600_000
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
  afterEach(() => void vi.useRealTimers())

  const sweeping = (lead?: Agreement['lead']) => {
    const claims = fakeClaims()
    const stop = new AbortController()
    const warned: string[] = []
    const log = { ...SILENT, warn: (text: string) => void warned.push(text) }
    const sharing = createSharing({ resource: agreeing(claims, lead), log, io: (id) => testIo({ id }) })
    sharing.start(stop.signal)
    const add = (id: string, settled: boolean) => claims.create(id, { holder: 'x', lasts: 1, settled, facts: '{}' })
    return { claims, add, warned, stop: () => (stop.abort(), sharing.ended()) }
  }

  it('are removed an hour after their last change, others after a day', async () => {
    const { claims, add, stop } = sweeping()
    await add('settled', true)
    await add('open', false)
    await vi.advanceTimersByTimeAsync(HOUR - 60_000)
    expect([...claims.all.keys()]).toEqual(['settled', 'open'])
    await vi.advanceTimersByTimeAsync(180_000)
    expect([...claims.all.keys()]).toEqual(['open'])
    await vi.advanceTimersByTimeAsync(24 * HOUR)
    expect([...claims.all.keys()]).toEqual([])
    await stop()
  })

  it('are counted anew when they change', async () => {
    const { claims, add, stop } = sweeping()
    const version = (await add('one', true)) ?? ''
    await vi.advanceTimersByTimeAsync(HOUR / 2)
    await claims.replace('one', { holder: 'y', lasts: 1, settled: true, facts: '{}' }, version)
    await vi.advanceTimersByTimeAsync(HOUR * 0.75)
    expect(claims.all.size).toBe(1)
    await vi.advanceTimersByTimeAsync(HOUR / 2)
    expect(claims.all.size).toBe(0)
    await stop()
  })

  it('stay where another process removes them; that nobody can be asked is told once', async () => {
    const others = sweeping(async (_name, signal) => pause(1e9, signal))
    await others.add('one', true)
    const forbidden = sweeping(() => Promise.reject(new YarakError('refused', 'forbidden')))
    await vi.advanceTimersByTimeAsync(3 * HOUR)
    expect(others.claims.all.size).toBe(1)
    expect(forbidden.warned).toEqual(['claims that are over cannot be removed'])
    await Promise.all([others.stop(), forbidden.stop()])
  })
})

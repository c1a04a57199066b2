import { describe, expect, it } from 'vitest'
import { createGateway, type GatewayOptions, type Report } from '../src/index.ts'
import { defineContext, defineOutput, YarakError, z } from '../src/plugin.ts'
import { disk } from './disk.ts'
import { alert, gate, probe } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const { open, close } = disk()

type Rule = NonNullable<GatewayOptions['rules']>[number]

const reportOf = async (rule: Omit<Rule, 'name'>, options: GatewayOptions = {}, event = alert()): Promise<Report> => {
  const gateway = createGateway({ mode: 'enforce', ...options, rules: [{ name: 'all', join: 0, ...rule }] })
  const [report] = await (await gateway.emit(event)).done
  await gateway.stop()
  if (!report) throw new Error('no report')
  return report
}

/** `id outcome` of each step. */
const told = ({ steps }: Report): string[] =>
  steps.map(({ id, outcome, summary }) => (summary === 'not reached' ? `${id} -` : `${id} ${outcome}`))

const works = (id: string, more: object = {}) => ({ action: probe(() => id)({}), id, ...more })
const fails = (id: string, more: object = {}) => ({
  action: probe(() => {
    throw new YarakError('failed', `${id} failed`, { permanent: true })
  })({}),
  id,
  ...more,
})

describe('a failure', () => {
  it('stops the chain, unless the step says to go on', async () => {
    expect(told(await reportOf({ steps: [fails('a'), works('b')] }))).toEqual(['a failed', 'b -'])
    const steps = [fails('a', { onError: 'continue' }), works('b')]
    expect(told(await reportOf({ steps }))).toEqual(['a failed', 'b succeeded'])
  })

  it('goes on at a later step, past those between', async () => {
    const steps = [fails('a', { onError: 'clean' }), works('b'), works('clean'), works('after')]
    const report = await reportOf({ steps })
    expect(told(report)).toEqual(['a failed', 'b -', 'clean succeeded', 'after succeeded'])
    expect(report.outcome).toBe('failed')
  })

  it('jumps into a group as a whole', async () => {
    const steps = [fails('a', { onError: 'two' }), works('b'), { parallel: [works('one'), works('two')] }]
    expect(told(await reportOf({ steps }))).toEqual(['a failed', 'b -', 'one succeeded', 'two succeeded'])
  })

  it('runs onFailure when it stopped the chain, with what is known of the steps', async () => {
    const seen: unknown[] = []
    const note = probe(({ value }) => void seen.push(value))
    const onFailure = [{ action: note({ value: '{{ steps.a.outcome }}: {{ steps.a.error.message }}' }), id: 'note' }]
    expect(told(await reportOf({ steps: [fails('a')], onFailure }))).toEqual(['a failed', 'note succeeded'])
    expect(seen).toEqual(['failed: a failed'])
  })

  it('that was dealt with is none for onFailure', async () => {
    const onFailure = [works('note')]
    expect(told(await reportOf({ steps: [works('a')], onFailure }))).toEqual(['a succeeded'])
    expect(told(await reportOf({ steps: [fails('a', { onError: 'continue' })], onFailure }))).toEqual(['a failed'])
    const jump = [fails('a', { onError: 'b' }), works('b')]
    expect(told(await reportOf({ steps: jump, onFailure }))).toEqual(['a failed', 'b succeeded'])
  })

  it('never keeps finally from running', async () => {
    const rule = { onFailure: [fails('x'), works('y')], finally: [works('last')] }
    expect(told(await reportOf({ ...rule, steps: [fails('a')] }))).toEqual([
      'a failed',
      'x failed',
      'y -',
      'last succeeded',
    ])
    expect(told(await reportOf({ ...rule, steps: [works('a')] }))).toEqual(['a succeeded', 'last succeeded'])
  })
})

describe('a group', () => {
  it('runs its steps at the same time, and the chain goes on when all have ended', async () => {
    const [one, two] = [gate(), gate()]
    const order: string[] = []
    const first = probe(async () => (one.resolve(), await two.promise, order.push('first')))({})
    const second = probe(async () => (two.resolve(), await one.promise, order.push('second')))({})
    const report = await reportOf({
      steps: [{ parallel: [first, { action: second, id: 'second' }] }, probe(() => order.push('after'))({})],
    })
    expect(report.outcome).toBe('succeeded')
    expect(order.at(-1)).toBe('after')
    expect(report.steps.map(({ id }) => id)).toEqual(['test-probe', 'second', 'test-probe-2'])
  })

  it('lets the others end when one fails, and then stops', async () => {
    const steps = [{ parallel: [fails('a'), works('b')] }, works('c')]
    expect(told(await reportOf({ steps }))).toEqual(['a failed', 'b succeeded', 'c -'])
  })

  it('stops when one says so, though another would go on', async () => {
    const steps = [{ parallel: [fails('a', { onError: 'c' }), fails('b')] }, works('c')]
    expect(told(await reportOf({ steps }))).toEqual(['a failed', 'b failed', 'c -'])
    const jumps = [
      { parallel: [fails('a', { onError: 'd' }), fails('b', { onError: 'continue' })] },
      works('c'),
      works('d'),
    ]
    expect(told(await reportOf({ steps: jumps }))).toEqual(['a failed', 'b failed', 'c -', 'd succeeded'])
  })
})

describe('a pause', () => {
  it('is over when its time is', async () => {
    const report = await reportOf({ steps: [{ wait: '20ms' }, works('after')] })
    expect(report.steps).toMatchObject([
      { id: 'wait', action: 'wait', outcome: 'succeeded', summary: 'waited 0.02 s' },
      { id: 'after', outcome: 'succeeded' },
    ])
    expect(report.duration).toBeGreaterThanOrEqual(20)
    expect(spans.one('wait').attributes).toMatchObject({ 'yarak.step': 'wait', 'yarak.outcome': 'succeeded' })
  })

  it('is only shown in observe mode, and skipped where its condition does not hold', async () => {
    const steps = [{ wait: '1h' }, works('after')]
    const report = await reportOf({ steps, deadline: 7_200_000 }, { mode: 'observe' })
    expect(report.steps[0]).toMatchObject({ simulated: true, summary: 'would wait 3600 s' })
    const other = await reportOf({ steps: [{ wait: '1h', if: 'rule = other' }], deadline: 7_200_000 })
    expect(other.steps[0]).toMatchObject({ outcome: 'skipped' })
  })

  it('is not begun anew by a restart', async () => {
    const before = await open()
    const rule = { name: 'all', join: 0, steps: [{ wait: '400ms', id: 'calm' }, works('after')] }
    const gateway = createGateway({ mode: 'enforce', journal: before, rules: [rule] })
    const begun = Date.now()
    const { id } = await gateway.emit(alert())
    await gateway.stop({ deadline: 20 })
    await close(before)
    const after = await open()
    const next = createGateway({ mode: 'enforce', journal: after, rules: [rule] })
    const reports: Report[] = []
    const reading = (async () => {
      for await (const { report } of next.events()) if (report) reports.push(report)
    })()
    await next.start()
    await next.ended()
    await next.stop()
    await reading
    expect(reports).toMatchObject([{ event: id, outcome: 'succeeded' }])
    expect(Date.now() - begun).toBeGreaterThanOrEqual(400)
    expect(reports[0]?.steps[0]?.duration).toBeLessThan(400)
  })

  it('cut short by a stop comes again', async () => {
    const rule = { steps: [{ wait: '1h' }, works('after')], deadline: 7_200_000 }
    const gateway = createGateway({ mode: 'enforce', rules: [{ name: 'all', ...rule, finally: [works('last')] }] })
    const { done } = await gateway.emit(alert())
    await gateway.stop({ deadline: 20 })
    const [report] = await done
    expect(report?.outcome).toBe('interrupted')
    expect(told(report!)).toEqual(['wait interrupted', 'after -'])
  })
})

describe('the deadline of a chain', () => {
  it('ends the step that runs; the rest is not reached, onFailure and finally run', async () => {
    const report = await reportOf({
      steps: [{ action: probe(() => new Promise(() => {}))({}), id: 'hangs' }, works('b')],
      onFailure: [works('note')],
      finally: [works('last')],
      deadline: 30,
    })
    expect(told(report)).toEqual(['hangs timed_out', 'b -', 'note succeeded', 'last succeeded'])
    expect(report.steps[0]?.error).toEqual({
      code: 'timed_out',
      reason: 'deadline',
      message: 'the chain is not done after 0.03 s',
    })
  })

  it('ends a pause, and a step that waits for its next try', async () => {
    const slow = probe(() => new Promise((resolve) => setTimeout(() => resolve('late'), 100)))({})
    const wait = await reportOf({ steps: [slow, { wait: '100ms' }, works('c')], deadline: 120 })
    expect(told(wait)).toEqual(['test-probe succeeded', 'wait timed_out', 'c -'])
    const again = probe(() => {
      throw new YarakError('unavailable', 'not now', { retryAfter: 3_600_000 })
    })({})
    const retried = await reportOf({ steps: [{ action: again, id: 'again', retries: 3 }], deadline: 30 })
    expect(told(retried)).toEqual(['again timed_out'])
  })
})

describe('a step that is only to be shown', () => {
  it('changes nothing, also in enforce mode', async () => {
    const runs: string[] = []
    const change = probe(() => void runs.push('ran'), { changes: 'reversible' })
    const report = await reportOf({ steps: [{ action: change({}), dryRun: true }, works('after')] })
    expect(report.steps[0]).toMatchObject({ outcome: 'succeeded', simulated: true })
    expect(runs).toEqual([])
  })

  it('is validated by an action that can', async () => {
    const runs: boolean[] = []
    const change = probe((_params, { dryRun }) => void runs.push(dryRun), { changes: 'reversible', dryRun: true })
    await reportOf({ steps: [{ action: change({}), dryRun: true }, change({})] })
    expect(runs).toEqual([true, false])
  })
})

describe('a context', () => {
  const host = (lookup: (signal: AbortSignal) => unknown) =>
    defineContext({
      type: 'host',
      summary: 'Tells of the host.',
      config: z.strictObject({}),
      lookup: async (_config, { signal }) => (await lookup(signal)) as Record<string, unknown>,
    })({})

  it('is looked up once for a response, when a step names it', async () => {
    let lookups = 0
    const seen: string[] = []
    const say = probe(({ value }) => void seen.push(value))
    const contexts = [host(() => ({ zone: `z${++lookups}` }))]
    await reportOf({ steps: [works('none')] }, { contexts })
    expect(lookups).toBe(0)
    await reportOf(
      {
        steps: [
          say({ value: '{{ context.host.zone }}' }),
          { action: say({ value: 'again' }), id: 'second', if: 'context.host.zone = z1' },
        ],
      },
      { contexts },
    )
    expect(seen).toEqual(['z1', 'again'])
  })

  it('that cannot be had fails the step', async () => {
    const steps = [{ action: probe(() => 'ran')({ value: '{{ context.host.zone }}' }), id: 'a' }]
    const contexts = [host(() => Promise.reject(new YarakError('unavailable', 'no answer', { reason: 'imds' })))]
    const report = await reportOf({ steps }, { contexts })
    expect(report.steps[0]).toMatchObject({ outcome: 'failed', error: { reason: 'imds' } })
  })

  it('that is not there is a mistake', () => {
    const steps = [probe(() => 'ran')({ value: '{{ context.cloud.zone }}' })]
    expect(() => createGateway({ rules: [{ name: 'all', steps }] })).toThrow('there is no context cloud')
  })
})

describe('a store', () => {
  const kept: string[] = []
  const shelf = defineOutput({
    type: 'shelf',
    summary: 'Keeps files.',
    config: z.strictObject({}),
    stores: true,
    open: () => ({
      send: async () => {},
      async store({ name }, chunks) {
        let text = ''
        for await (const chunk of chunks) text += Buffer.from(chunk).toString()
        kept.push(`${name.replace(/^[^_]*_/, '')} ${text.length > 50 ? 'record' : text}`)
        return { url: `shelf:${name}` }
      },
    }),
  })
  const saves = probe(
    async (_params, step) => {
      const artifact = await step.save('out.txt', [Buffer.from('hello')])
      return { summary: 'saved', artifacts: [artifact] }
    },
    { saves: 'always' },
  )

  it('keeps what a step makes, with a record beside it', async () => {
    const report = await reportOf(
      { steps: [{ action: saves({}), id: 'dump', store: 'shelf' }] },
      { outputs: [shelf({})] },
    )
    const { id, steps } = report
    expect(kept).toEqual([
      `shop_web-1_${id.slice(0, 8)}_dump_out.txt hello`,
      expect.stringMatching(/custody\.json record$/),
    ])
    expect(steps[0]?.artifacts).toMatchObject([{ size: 5, url: expect.stringMatching(/^shelf:/) }])
    expect(spans.one('store shelf').attributes).toMatchObject({ 'yarak.output': 'shelf' })
  })

  it('is needed where files are made, and must be one', () => {
    const of = (steps: Rule['steps']) => () => createGateway({ outputs: [shelf({})], rules: [{ name: 'all', steps }] })
    expect(of([saves({})])).toThrow('rule all: test:probe makes files: name a `store`')
    expect(of([{ action: saves({}), store: 'attic' }])).toThrow('the store attic is not an output that keeps files')
    expect(of([{ action: saves({}), store: 'shelf' }])).not.toThrow()
  })
})

describe('a rule is refused', () => {
  const of = (rule: Omit<Rule, 'name'>) => () => createGateway({ rules: [{ name: 'all', ...rule }] })

  it.each<[string, Omit<Rule, 'name'>, string]>([
    ['for a jump to nowhere', { steps: [works('a', { onError: 'b' })] }, 'a: onError names b, and no later step'],
    ['for a jump back', { steps: [works('a'), works('b', { onError: 'a' })] }, 'b: onError names a'],
    ['for two of a name', { steps: [works('a')], finally: [works('a')] }, 'two steps have the id a'],
    [
      'for pauses over its deadline',
      { steps: [{ wait: '1m' }], deadline: 60_000 },
      'its pauses take 60 s of a deadline of 60 s',
    ],
    ['for a pause that is none', { steps: [{ wait: 'soon' }] }, 'must be a duration'],
  ])('%s', (_why, rule, message) => {
    expect(of(rule)).toThrow(message)
  })
})

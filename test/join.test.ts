import { describe, expect, it } from 'vitest'
import { createGateway } from '../src/index.ts'
import { createJoins } from '../src/join.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import type { Outcome, Report } from '../src/plugin.ts'
import { YarakError } from '../src/plugin.ts'
import type { Span } from '../src/telemetry.ts'
import { about, alert, gate, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

const metrics = async ({ ops }: ReturnType<typeof createGateway>): Promise<string> =>
  (await ops.request('/metrics')).text()

/** A gateway whose rule runs `run` and counts. */
const counting = (run: () => unknown = () => 'ok', more: { join?: number; parallel?: boolean } = {}) => {
  let runs = 0
  const step = probe(() => (runs++, run()))
  const { use, told } = sink()
  const gateway = createGateway({
    mode: 'enforce',
    rules: [{ name: 'all', steps: [step({})], ...more }],
    outputs: [{ output: use, tell: 'both' }],
  })
  return { gateway, told, runs: () => runs }
}

describe('an event on a target that is being answered', () => {
  it('joins the response, is settled with it, and its own notice goes out', async () => {
    const hold = gate()
    const { gateway, told, runs } = counting(() => hold.promise)
    const first = await gateway.emit(alert({ output: 'one' }))
    const second = await gateway.emit(alert({ output: 'two' }))
    let settled = false
    void second.done.then(() => (settled = true))
    await expect.poll(() => told.length).toBe(2)
    expect(settled).toBe(false)
    hold.resolve()
    const [[led], [joined]] = await Promise.all([first.done, second.done])
    expect(joined).toEqual(led)
    expect(runs()).toBe(1)
    expect(told.map(({ event, report }) => [event.output, report?.outcome])).toEqual([
      ['one', undefined],
      ['two', undefined],
      ['one', 'succeeded'],
    ])
    expect(await metrics(gateway)).toContain('yarak_responses_joined_total{rule="all"} 1')
    expect(await metrics(gateway)).toContain('yarak_rules_matched_total{rule="all"} 2')
    expect(await metrics(gateway)).toContain('yarak_responses_ended_total{rule="all",outcome="succeeded"} 1')
    await gateway.stop()
  })

  it('is linked to its span', async () => {
    const { gateway } = counting()
    await (
      await gateway.emit(alert())
    ).done
    await (
      await gateway.emit(alert())
    ).done
    await gateway.stop()
    const [led, joined] = spans.all().filter(({ name }) => name === 'respond all')
    expect(joined).toMatchObject({
      attributes: { 'yarak.outcome': 'joined', 'yarak.response.id': led?.attributes['yarak.response.id'] },
      links: [led?.spanId],
    })
    expect(joined?.traceId).not.toBe(led?.traceId)
  })

  it.each([
    ['another target', () => [about('web-1'), about('web-2')]],
    ['no known target', () => [alert({ output_fields: {} }), alert({ output_fields: {} })]],
  ])('with %s is answered by itself', async (_what, events) => {
    const { gateway, runs } = counting()
    for (const event of events()) await (await gateway.emit(event)).done
    await gateway.stop()
    expect(runs()).toBe(2)
  })

  it.each([
    ['whose window is 0', { join: 0 }],
    ['whose responses are parallel', { parallel: true }],
  ])('under a rule %s is answered by itself', async (_what, more) => {
    const { gateway, runs } = counting(() => 'ok', more)
    for (let i = 0; i < 2; i++) await (await gateway.emit(alert())).done
    await gateway.stop()
    expect(runs()).toBe(2)
  })

  it('that failed is answered anew', async () => {
    const { gateway, runs } = counting(() => {
      throw new YarakError('failed', 'no', { permanent: true })
    })
    for (let i = 0; i < 2; i++) await (await gateway.emit(alert())).done
    await gateway.stop()
    expect(runs()).toBe(2)
  })

  it('had joined before a crash, and its leader is settled: it needs nothing', async () => {
    let runs = 0
    const journal = memoryJournal({
      pending: [{ id: '2', input: 'http', body: JSON.stringify(alert()), at: 1 }],
      facts: { 2: { 'joined all': 'response' } },
    })
    const gateway = createGateway({
      journal,
      mode: 'enforce',
      rules: [{ name: 'all', steps: [probe(() => runs++)({})] }],
    })
    await gateway.start()
    await gateway.ended()
    await gateway.stop()
    expect(runs).toBe(0)
    expect(await journal.stats()).toMatchObject({ unsettled: 0 })
  })
})

describe('the window', () => {
  const report = (outcome: Outcome) => ({ outcome }) as Report
  const leader = (outcome: Outcome) => ({ id: 'r', span: {} as Span, report: Promise.resolve(report(outcome)) })

  it.each<[Outcome, boolean]>([
    ['succeeded', true],
    ['gone', true],
    ['failed', false],
    ['timed_out', false],
    ['refused', false],
    ['skipped', false],
    ['unknown', false],
    ['interrupted', false],
  ])('after %s is open: %s', async (outcome, open) => {
    const joins = createJoins(() => 0)
    joins.lead('rule', 'pod/a/b', 60, leader(outcome))
    expect(joins.find('rule', 'pod/a/b')).toBeDefined()
    await new Promise((resolve) => setImmediate(resolve))
    expect(joins.find('rule', 'pod/a/b') !== undefined).toBe(open)
  })

  it('begins with the response and ends after its time, but never while it runs', async () => {
    let now = 0
    const joins = createJoins(() => now)
    const hold = gate<Report>()
    joins.lead('rule', 't', 60, { id: 'r', span: {} as Span, report: hold.promise })
    now = 1_000
    expect(joins.find('rule', 't')).toBeDefined()
    hold.resolve(report('succeeded'))
    await hold.promise
    expect(joins.find('rule', 't')).toBeUndefined()
  })

  it('is one for each rule and target', () => {
    const joins = createJoins(() => 0)
    joins.lead('rule', 't', 60, leader('succeeded'))
    expect(joins.find('other', 't')).toBeUndefined()
    expect(joins.find('rule', 'u')).toBeUndefined()
    expect(joins.find('rule', undefined)).toBeUndefined()
  })

  it('of an older response ends with the newer one', async () => {
    let now = 0
    const joins = createJoins(() => now)
    joins.lead('rule', 't', 10, leader('succeeded'))
    await Promise.resolve()
    now = 20
    joins.lead('rule', 't', 10, { ...leader('succeeded'), id: 'newer' })
    expect(joins.find('rule', 't')?.id).toBe('newer')
  })
})

import { describe, expect, it } from 'vitest'
import { clusterOf, ownCluster } from '../src/cluster.ts'
import { parseEvent } from '../src/event.ts'
import { createGateway, type GatewayOptions } from '../src/index.ts'
import type { InputInput } from '../src/options.ts'
import { defineInput, type Input, type Notice, type Use, z } from '../src/plugin.ts'
import { noticeText, readNotice } from '../src/stored.ts'
import { disk } from './disk.ts'
import { alert, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const { open, close } = disk()

const FIELDS = { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' }
const from = (cluster: string) => alert({ output_fields: { ...FIELDS, 'k8s.cluster.name': cluster } })

const eventOf = (raw: unknown, origin: { cluster?: string; shared?: boolean } = {}) =>
  parseEvent(raw, { id: '1', input: 'test', ...origin })

describe('the cluster of an event', () => {
  it.each([
    ['nothing is named', alert(), {}, 'prod'],
    ['its input names ours', alert(), { cluster: 'prod' }, 'prod'],
    ['its input names another', alert(), { cluster: 'eu' }, 'eu'],
    ['it names ours', from('prod'), {}, 'prod'],
    ['it names another', from('eu'), {}, 'eu'],
    ['it names another than its input, which is ours', from('eu'), { cluster: 'prod' }, 'eu'],
    ['it says that it is of ours, but its input is of another', from('prod'), { cluster: 'eu' }, 'eu'],
    ['its field has no value', from('<NA>'), {}, 'prod'],
    ['its field is no text', alert({ output_fields: { 'k8s.cluster.name': ['eu'] } }), {}, 'prod'],
    ['nothing is named, and the input is shared', alert(), { shared: true }, undefined],
    ['it names ours, and the input is shared', from('prod'), { shared: true }, 'prod'],
    ['it names another, and the input is shared', from('eu'), { shared: true }, 'eu'],
  ])('where %s', (_what, raw, origin, cluster) => {
    expect(clusterOf(eventOf(raw, origin), ownCluster('prod'))).toBe(cluster)
  })

  it('is in the field that is set', () => {
    const raw = alert({ output_fields: { site: 'eu', 'k8s.cluster.name': 'us' } })
    expect(clusterOf(eventOf(raw), ownCluster({ name: 'prod', field: 'site' }))).toBe('eu')
  })

  it('is not known where an input is shared and ours has no name', () => {
    expect(clusterOf(eventOf(from('eu'), { shared: true }), undefined)).toBeUndefined()
    expect(clusterOf(eventOf(from('eu')), undefined)).toBe('eu')
    expect(clusterOf(eventOf(alert()), undefined)).toBeUndefined()
  })
})

/** An input that emits what it is given. */
const items = (all: readonly unknown[], replayable = true): Use<Input> =>
  defineInput({
    type: 'items',
    summary: 'Emits items.',
    config: z.strictObject({}),
    replayable,
    async run(_config, io) {
      for (const [i, item] of all.entries()) await io.emit(item, { position: String(i), authenticated: 'test' })
    },
  })({})

/** What becomes of events by such an input. */
const answered = async (input: InputInput, options: GatewayOptions = {}) => {
  const ran: string[] = []
  const { use, told } = sink()
  const gateway = createGateway({
    ...{ mode: 'enforce', cluster: 'prod', inputs: [input], outputs: [{ output: use, tell: 'both' }] },
    rules: [
      {
        name: 'all',
        join: 0,
        steps: [
          { action: probe(() => void ran.push('look'), { type: 'test:look' })({}), onError: 'continue' },
          { action: probe(() => void ran.push('change'), { type: 'test:change', changes: 'reversible' })({}) },
        ],
      },
    ],
    ...options,
  })
  await gateway.start()
  await gateway.ended()
  await gateway.stop()
  const metrics = await (await gateway.ops.request('/metrics')).text()
  return { ran, told, metrics, reports: told.flatMap(({ report }) => report ?? []) }
}

describe('an event of another cluster', () => {
  it.each<[string, InputInput]>([
    ['that it names', items([from('eu')])],
    ['that its input is set to', { input: items([alert()]), cluster: 'eu' }],
    ['that it names, by a shared input', { input: items([from('eu')]), shared: true }],
  ])('%s is told and not answered', async (_what, input) => {
    const { ran, told, metrics } = await answered(input)
    expect(ran).toEqual([])
    expect(told).toMatchObject([{ cluster: 'eu', event: { rule: 'Terminal shell in container' } }])
    expect(metrics).toContain('yarak_responses_suppressed_total{rule="all",reason="wrong-cluster"} 1\n')
    expect(metrics).toContain('yarak_events_settled_total{input="items"} 1\n')
    expect(spans.one('respond all').attributes).toMatchObject({
      ...{ 'k8s.cluster.name': 'eu', 'yarak.outcome': 'suppressed', 'yarak.reason': 'wrong-cluster' },
    })
  })

  it('is answered where ours has no name', async () => {
    const { cluster: _none, ...options } = { cluster: undefined }
    const gateway = createGateway({ ...options, rules: [{ name: 'all', steps: [probe(() => 'ok')({})] }] })
    const [report] = await (await gateway.emit(from('eu'))).done
    expect(report).toMatchObject({ outcome: 'succeeded', cluster: 'eu' })
    await gateway.stop()
  })
})

describe('an event by a shared input', () => {
  it('that names no cluster changes nothing, and is looked at', async () => {
    const { ran, told, reports } = await answered({ input: items([alert()]), shared: true })
    expect(ran).toEqual(['look'])
    expect(reports).toMatchObject([
      { outcome: 'refused', steps: [{ outcome: 'succeeded' }, { error: { reason: 'unknown-cluster' } }] },
    ])
    for (const notice of told) expect(notice).not.toHaveProperty('cluster')
  })

  it('that names ours is answered', async () => {
    const { ran, reports } = await answered({ input: items([from('prod')]), shared: true })
    expect(ran).toEqual(['look', 'change'])
    expect(reports).toMatchObject([{ outcome: 'succeeded', cluster: 'prod' }])
  })

  it('changes nothing where ours has no name', async () => {
    const { ran } = await answered({ input: items([from('prod')]), shared: true }, { cluster: undefined as never })
    expect(ran).toEqual(['look'])
  })
})

describe('the cluster', () => {
  it('is on every span of the event', async () => {
    await answered(items([from('prod')]), { rules: callingRules() })
    const names = spans.all().map(({ name }) => name)
    for (const name of ['receive items', 'match', 'respond all', 'action test:call', 'GET /x', 'notify sink'])
      expect(names).toContain(name)
    for (const span of spans.all()) expect(span.attributes).toMatchObject({ 'k8s.cluster.name': 'prod' })
  })

  it('is part of the id of a response, and of what joins', async () => {
    const gateway = createGateway({ cluster: 'prod', rules: [{ name: 'all', steps: [probe(() => 'ok')({})] }] })
    const first = await (await gateway.emit(alert())).done
    const again = await (await gateway.emit(from('prod'))).done
    await gateway.stop()
    expect(again[0]?.id).toBe(first[0]?.id)
    const shared = await answered({ input: items([from('prod'), alert()]), shared: true }, { rules: joiningRules() })
    expect(new Set(shared.reports.map(({ id }) => id)).size).toBe(2)
  })

  it('is kept with a notice', () => {
    const event = eventOf(from('eu'), { cluster: 'eu', shared: true })
    const notice: Notice = { id: '1', event, cluster: 'eu' }
    const back = readNotice(noticeText(notice, true)).notice
    expect(back).toMatchObject({ cluster: 'eu', event: { cluster: 'eu', shared: true } })
    const plain = readNotice(noticeText({ id: '1', event: eventOf(alert()) }, false)).notice
    expect(plain).not.toHaveProperty('cluster')
    expect(plain.event).not.toHaveProperty('shared')
  })

  it('and that the input is shared outlive a crash', async () => {
    const before = await open()
    const stuck = probe(() => new Promise(() => {}))({})
    const rules = [{ name: 'all', steps: [stuck] }]
    const first = createGateway({
      ...{ mode: 'enforce', journal: before, rules, cluster: 'prod' },
      inputs: [{ input: items([alert()], false), cluster: 'eu' }, shared('items/shared')],
    })
    await first.start()
    await first.ended()
    await first.stop({ deadline: 20 })
    await close(before)

    const after = await open()
    const seen = await answered(items([]), { journal: after })
    expect(seen.ran).toEqual(['look'])
    expect(seen.reports).toMatchObject([{ steps: [{}, { error: { reason: 'unknown-cluster' } }] }])
  })

  it('of an input is checked', () => {
    expect(() => createGateway({ inputs: [{ input: items([]), cluster: '' }] })).toThrow('input items: cluster')
    expect(() => createGateway({ inputs: [items([]), { input: items([]) }] })).toThrow('two inputs are called items')
  })
})

const shared = (id: string): InputInput => ({ input: { ...items([alert()], false), id }, shared: true })

/** A rule whose step makes a call. */
const callingRules = (): NonNullable<GatewayOptions['rules']> => {
  const call = probe((_params, step) => step.call({ name: 'GET /x' }, async () => 'ok'), { type: 'test:call' })
  return [{ name: 'all', steps: [call({})] }]
}

/** A rule whose responses are joined. */
const joiningRules = (): NonNullable<GatewayOptions['rules']> => [{ name: 'all', steps: [probe(() => 'ok')({})] }]

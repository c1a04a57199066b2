import { describe, expect, it } from 'vitest'
import { createGateway, type GatewayOptions } from '../src/index.ts'
import { compareOptions } from '../src/changes.ts'
import { YarakError } from '../src/plugin.ts'
import { about, alert, gate, probe, sink, source } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

const rule = (name: string, run: () => unknown, more: object = {}) => ({
  name,
  steps: [probe(run)({})],
  join: 0,
  ...more,
})

const answerTo = async (gateway: ReturnType<typeof createGateway>, event: unknown = alert()) =>
  (await (await gateway.emit(event)).done).map(({ rule, steps }) => `${rule}: ${steps[0]?.summary}`)

describe('reload', () => {
  it('answers new events by the new rules, and says what changed', async () => {
    const gateway = createGateway({ mode: 'enforce', rules: [rule('a', () => 'old'), rule('b', () => 'old')] })
    expect(await answerTo(gateway)).toEqual(['a: old', 'b: old'])
    const changes = await gateway.reload({ mode: 'enforce', rules: [rule('a', () => 'new'), rule('c', () => 'new')] })
    expect(changes.map(({ what, name, change }) => `${what} ${name} ${change}`)).toEqual([
      'rule a changed',
      'rule c added',
      'rule b removed',
    ])
    expect(await answerTo(gateway)).toEqual(['a: new', 'c: new'])
    expect(gateway.health().generation).toBe(2)
    await gateway.stop()
    const generations = spans.all().flatMap(({ attributes }) => attributes['yarak.generation'] ?? [])
    expect(generations.toSorted()).toEqual([1, 1, 2, 2])
  })

  it('ends what it began with on the old rules, outputs and guards', async () => {
    const hold = gate()
    const old = sink(undefined, { type: 'old' })
    const fresh = sink(undefined, { type: 'fresh' })
    const second = probe(() => 'second', { type: 'test:second', changes: 'reversible' })
    const gateway = createGateway({
      mode: 'enforce',
      rules: [{ name: 'a', steps: [probe(() => hold.promise)({}), second({})] }],
      outputs: [{ output: old.use, tell: 'responses' }],
    })
    const { done } = await gateway.emit(alert())
    await gateway.reload({
      mode: 'observe',
      rules: [rule('b', () => 'new')],
      outputs: [{ output: fresh.use, tell: 'responses' }],
    })
    hold.resolve()
    expect((await done)[0]).toMatchObject({ rule: 'a', mode: 'enforce', steps: [{}, { summary: 'second' }] })
    expect(old.told.map(({ report }) => report?.rule)).toEqual(['a'])
    expect(await answerTo(gateway)).toEqual(['b: new'])
    expect(fresh.told.map(({ report }) => report?.rule)).toEqual(['b'])
    await gateway.stop()
  })

  it('keeps the connection and the queue of an output that is the same', async () => {
    const hold = gate()
    const { told, output } = sink(() => hold.promise)
    const use = output({})
    const gateway = createGateway({ outputs: [{ output: use, queue: 10 }] })
    await gateway.emit(alert({ output: 'before' }))
    await gateway.reload({ outputs: [{ output: output({}), queue: 10 }], rules: [rule('a', () => 'ok')] })
    expect(gateway.health().outputs).toMatchObject([{ id: 'sink', queued: 1 }])
    hold.resolve()
    await (
      await gateway.emit(alert({ output: 'after' }))
    ).done
    expect(told.map(({ event }) => event.output)).toEqual(['before', 'after'])
    await gateway.stop()
  })

  it('lets an output that is gone deliver what it has, then closes it', async () => {
    const hold = gate()
    let closed = false
    const { told, use } = sink(() => hold.promise)
    const closing = {
      ...use,
      plugin: {
        ...use.plugin,
        open: async (...args: Parameters<typeof use.plugin.open>) => ({
          ...(await use.plugin.open(...args)),
          close: async () => void (closed = true),
        }),
      },
    }
    const gateway = createGateway({ outputs: [closing] })
    const { done } = await gateway.emit(alert())
    await gateway.reload({ outputs: [] })
    expect(closed).toBe(false)
    hold.resolve()
    await done
    await expect.poll(() => closed).toBe(true)
    expect(told).toHaveLength(1)
    await gateway.stop()
  })

  it('and a stop waits for it', async () => {
    const hold = gate()
    const { told, use } = sink(() => hold.promise)
    const gateway = createGateway({ outputs: [use] })
    await gateway.emit(alert())
    await gateway.reload({ outputs: [] })
    const stopped = gateway.stop()
    hold.resolve()
    await stopped
    expect(told).toHaveLength(1)
  })

  it('with a mistake changes nothing', async () => {
    const gateway = createGateway({ mode: 'enforce', rules: [rule('a', () => 'old')] })
    const wrong: GatewayOptions = { rules: [rule('a', () => 'new', { notify: ['nobody'] })] }
    await expect(gateway.reload(wrong)).rejects.toThrow(YarakError)
    expect(await answerTo(gateway)).toEqual(['a: old'])
    expect(gateway.health().generation).toBe(1)
    await gateway.stop()
  })

  it('of the same options makes no new generation', async () => {
    const options = { rules: [rule('a', () => 'x')], outputs: [sink().use] }
    const gateway = createGateway(options)
    expect(await gateway.reload({ ...options, rules: [{ ...options.rules[0]!, origin: 'rules.yaml:7' }] })).toEqual([])
    expect(gateway.health().generation).toBe(1)
    await gateway.stop()
  })

  it('keeps the order of responses on one target', async () => {
    const hold = gate()
    const order: string[] = []
    const gateway = createGateway({ rules: [rule('a', () => hold.promise.then(() => order.push('old')))] })
    const before = await gateway.emit(about('web-1'))
    await gateway.reload({ rules: [rule('b', () => order.push('new'))] })
    const after = await gateway.emit(about('web-1'))
    hold.resolve()
    await Promise.all([before.done, after.done])
    expect(order).toEqual(['old', 'new'])
    await gateway.stop()
  })
})

describe('what changed', () => {
  it('is nothing between equal options, given or left out', () => {
    expect(compareOptions({}, { mode: 'observe', rules: [], outputs: [], guards: {}, inputs: [] })).toEqual([])
  })

  it('is also the cluster that an input is set to', () => {
    const input = source([])({})
    expect(compareOptions({ inputs: [input] }, { inputs: [{ input, cluster: 'eu' }] })).toEqual([
      { what: 'input', name: 'items', change: 'changed', needsRestart: true },
    ])
  })

  it('tells each thing by name, and what takes effect at the next start only', () => {
    const told = compareOptions(
      { inputs: [source([])({})], outputs: [sink().use] },
      { mode: 'enforce', guards: { ownNamespace: 'yarak' }, cluster: 'one' },
    )
    expect(told).toEqual([
      { what: 'output', name: 'sink', change: 'removed', needsRestart: false },
      { what: 'guards', name: '', change: 'changed', needsRestart: false },
      { what: 'mode', name: '', change: 'changed', needsRestart: false },
      { what: 'cluster', name: '', change: 'changed', needsRestart: false },
      { what: 'input', name: 'items', change: 'removed', needsRestart: true },
    ])
  })
})

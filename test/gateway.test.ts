import { describe, expect, it } from 'vitest'
import { createGateway, defineInput, type Notice, YarakError } from '../src/index.ts'
import { textOf } from '../src/event.ts'
import { z } from '../src/plugin.ts'
import { about, alert, answering, gate, probe, sink, source } from './kit.ts'

const metric = async (gateway: ReturnType<typeof createGateway>, name: string): Promise<Record<string, number>> => {
  const text = await (await gateway.ops.request('/metrics')).text()
  const lines = text.split('\n').filter((line) => line.startsWith(name))
  return Object.fromEntries(lines.map((line) => [/\{(.*)\}/.exec(line)?.[1] ?? '', Number(line.split(' ').at(-1))]))
}

const total = async (gateway: ReturnType<typeof createGateway>, name: string): Promise<number> =>
  Object.values(await metric(gateway, name)).reduce((sum, value) => sum + value, 0)

describe('emit', () => {
  it('accepts, then settles with the reports', async () => {
    const done = gate()
    const gateway = answering([probe(() => done.promise.then(() => 'did it'))({ value: 'x' })])
    const receipt = await gateway.emit(alert())
    expect(gateway.health()).toMatchObject({ unsettled: 1, running: 1 })
    done.resolve()
    const [report] = await receipt.done
    expect(report).toMatchObject({
      rule: 'all',
      outcome: 'succeeded',
      event: receipt.id,
      target: 'pod/shop/web-1',
      mode: 'enforce',
    })
    expect(report?.steps).toMatchObject([
      { id: 'test-probe', action: 'test:probe', outcome: 'succeeded', summary: 'did it', attempts: 1 },
    ])
    expect(gateway.health()).toMatchObject({ unsettled: 0, running: 0 })
    await gateway.stop()
  })

  it.each([
    ['text that is not JSON', '{"rule":', 'invalid', 400],
    ['an array', [], 'invalid', 400],
    ['no rule', alert({ rule: null }), 'invalid', 400],
    ['an unknown priority', alert({ priority: 'loud' }), 'invalid', 400],
    ['a function', () => {}, 'invalid', 400],
  ])('rejects %s and counts it', async (_what, raw, code, status) => {
    const gateway = createGateway({})
    await expect(gateway.emit(raw)).rejects.toMatchObject({ name: 'YarakError', code, status })
    expect(await metric(gateway, 'yarak_events_rejected_total')).toEqual({ [`input="host",reason="${code}"`]: 1 })
    await gateway.stop()
  })

  it('rejects with `closing` once the gateway stops', async () => {
    const gateway = createGateway({})
    await gateway.stop()
    await expect(gateway.emit(alert())).rejects.toMatchObject({ code: 'closing', status: 503 })
  })

  it('rejects with `overloaded` when there is no room, and takes events again when there is', async () => {
    const hold = gate()
    const gateway = answering([probe(() => hold.promise)({})], { limits: { unsettled: 2, patience: 20 } })
    const first = [await gateway.emit(alert()), await gateway.emit(about('web-2'))]
    await expect(gateway.emit(about('web-3'))).rejects.toMatchObject({ code: 'overloaded', retryAfter: 20 })
    hold.resolve()
    await Promise.all(first.map(({ done }) => done))
    await (
      await gateway.emit(about('web-3'))
    ).done
    expect(await total(gateway, 'yarak_events_received_total')).toBe(4)
    await gateway.stop()
  })

  it('gives a replayed position the same event and response id, and another one to each push', async () => {
    const ids = { file: [] as unknown[], push: [] as unknown[] }
    for (const replayable of [true, false]) {
      for (let run = 0; run < 2; run++) {
        const { told, use } = sink()
        const gateway = createGateway({
          inputs: [source([alert()], replayable)({})],
          outputs: [{ output: use, tell: 'both' }],
          rules: [{ name: 'r', steps: [] }],
        })
        await gateway.start()
        await gateway.ended()
        await gateway.stop()
        ids[replayable ? 'file' : 'push'].push(told.map(({ event, report }) => [event.id, report?.id]))
      }
    }
    expect(ids.file[0]).toEqual(ids.file[1])
    expect(ids.push[0]).not.toEqual(ids.push[1])
    expect(JSON.stringify(ids)).toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/)
  })
})

describe('responses', () => {
  it('are serial for one target, in order of acceptance and then of the rules, and parallel otherwise', async () => {
    const log: string[] = []
    const gates = new Map(['web-1', 'web-2'].map((pod) => [pod, gate()]))
    const step = probe(async ({ value }, { event }) => {
      const pod = textOf(event.field('k8s.pod.name'))
      log.push(`${pod} ${value} ${event.tags.join()} starts`)
      await gates.get(pod)?.promise
      log.push(`${pod} ${value} ${event.tags.join()} ends`)
    })
    const gateway = createGateway({
      mode: 'enforce',
      rules: [
        { name: 'first', steps: [step({ value: 'first' })], join: 0 },
        { name: 'second', steps: [step({ value: 'second' })], join: 0 },
      ],
    })
    const receipts = [
      await gateway.emit(about('web-1', { tags: ['a'] })),
      await gateway.emit(about('web-1', { tags: ['b'] })),
      await gateway.emit(about('web-2', { tags: ['c'] })),
    ]
    gates.get('web-2')?.resolve()
    await receipts[2]?.done
    expect(log).toEqual([
      'web-1 first a starts',
      'web-2 first c starts',
      'web-2 first c ends',
      'web-2 second c starts',
      'web-2 second c ends',
    ])
    gates.get('web-1')?.resolve()
    await Promise.all(receipts.map(({ done }) => done))
    expect(log.filter((line) => line.startsWith('web-1'))).toEqual(
      ['first a', 'second a', 'first b', 'second b'].flatMap((what) => [`web-1 ${what} starts`, `web-1 ${what} ends`]),
    )
    await gateway.stop()
  })

  it('of a rule with `parallel` overlap on one target', async () => {
    const hold = gate()
    let running = 0
    const step = probe(async () => {
      running++
      await hold.promise
    })
    const gateway = createGateway({ mode: 'enforce', rules: [{ name: 'r', parallel: true, steps: [step({})] }] })
    const receipts = [await gateway.emit(alert()), await gateway.emit(alert())]
    await expect.poll(() => running).toBe(2)
    hold.resolve()
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
  })

  it('beyond the limit of one target are suppressed and counted, and the outputs are told all the same', async () => {
    const hold = gate()
    const { told, use } = sink()
    const gateway = answering([probe(() => hold.promise)({})], { outputs: [use], limits: { perTarget: 1 } })
    const receipts = [await gateway.emit(alert()), await gateway.emit(alert()), await gateway.emit(alert())]
    expect(await receipts[2]?.done).toEqual([])
    hold.resolve()
    await Promise.all(receipts.map(({ done }) => done))
    expect(told).toHaveLength(3)
    expect(await metric(gateway, 'yarak_responses_suppressed_total')).toEqual({ 'rule="all",reason="target_busy"': 1 })
    await gateway.stop()
  })

  it("do not answer Falco's own reports, unless a rule names their source", async () => {
    const step = probe(() => 'ok')({})
    const { told, use } = sink()
    const gateway = createGateway({
      outputs: [use],
      rules: [
        { name: 'all', steps: [step] },
        { name: 'drops', match: { source: 'internal' }, steps: [step] },
        { name: 'drops too', condition: 'source = internal', steps: [step] },
      ],
    })
    const { done } = await gateway.emit(alert({ source: 'internal', rule: 'Falco internal: syscall event drop' }))
    expect((await done).map(({ rule }) => rule)).toEqual(['drops', 'drops too'])
    expect(told).toEqual([])
    expect(await metric(gateway, 'yarak_falco_internal_total')).toEqual({
      'rule="Falco internal: syscall event drop"': 1,
    })
    await gateway.stop()
  })
})

describe('accounting', () => {
  it('puts every event, match and notice into exactly one term', async () => {
    const { use } = sink((notices) => {
      if (notices[0]?.event.tags.includes('bad')) throw new YarakError('failed', 'no', { permanent: true })
    })
    const step = probe((_params, { event }) => {
      if (event.tags.includes('fails')) throw new Error('boom')
    })
    const gateway = answering([step({})], { outputs: [{ output: use, minimumPriority: 'notice', tell: 'both' }] })
    const events = [
      alert(),
      alert({ tags: ['bad'] }),
      alert({ tags: ['fails'] }),
      alert({ priority: 'Debug' }),
      'nonsense',
      alert({ time: 'now' }),
    ]
    const receipts = await Promise.allSettled(events.map((event) => gateway.emit(event)))
    for (const receipt of receipts) if (receipt.status === 'fulfilled') await receipt.value.done
    const of = (name: string) => total(gateway, `yarak_${name}_total`)
    expect(await of('events_received')).toBe((await of('events_rejected')) + (await of('events_settled')))
    expect(await of('events_rejected')).toBe(2)
    expect(await of('rules_matched')).toBe(await of('responses_ended'))
    expect(await metric(gateway, 'yarak_responses_ended_total')).toEqual({
      'rule="all",outcome="succeeded"': 3,
      'rule="all",outcome="failed"': 1,
    })
    expect(await of('notices_offered')).toBe(8)
    expect(await of('notices_delivered')).toBe(4)
    expect(await of('notices_filtered')).toBe(2)
    expect(await metric(gateway, 'yarak_notices_dead_lettered_total')).toEqual({ 'output="sink",reason="failed"': 2 })
    await gateway.stop()
  })
})

describe('inputs', () => {
  it('that fail are started again, told in /readyz, and harm no other', async () => {
    let starts = 0
    const shaky = defineInput({
      type: 'shaky',
      summary: 'Fails once.',
      config: z.strictObject({}),
      replayable: true,
      async run(_config, io) {
        if (starts++ === 0) throw new YarakError('unavailable', 'the broker is down', { retryAfter: 30 })
        await io.emit(alert())
      },
    })
    const { told, use } = sink()
    const errors: string[] = []
    const log = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) }
    const gateway = createGateway({ inputs: [shaky({}), source([alert()])({})], outputs: [use], log })
    await gateway.start()
    await expect
      .poll(() => gateway.health().inputs)
      .toContainEqual(expect.objectContaining({ id: 'shaky', state: 'failing', error: 'the broker is down' }))
    expect((await gateway.ops.request('/readyz')).status).toBe(503)
    await gateway.ended()
    await gateway.stop()
    expect(told).toHaveLength(2)
    expect(errors).toEqual(['an input failed and will be started again'])
  })

  it('may deliver a position again while it is in work: it is answered once, and settled with the first', async () => {
    const hold = gate()
    let runs = 0
    const again = defineInput({
      type: 'again',
      summary: 'Emits a position twice.',
      config: z.strictObject({}),
      replayable: true,
      async run(_config, io) {
        const receipts = [await io.emit(alert(), { position: '1' }), await io.emit(alert(), { position: '1' })]
        hold.resolve()
        const [first, second] = await Promise.all(receipts.map(({ done }) => done))
        expect([receipts[0]?.id, first]).toEqual([receipts[1]?.id, second])
        io.count('rejected', 'too_large')
        io.count('skipped', 'tombstone')
      },
    })
    const step = probe(() => hold.promise.then(() => runs++))
    const gateway = answering([step({})], { inputs: [again({})] })
    await gateway.start()
    await gateway.ended()
    await gateway.stop()
    expect(runs).toBe(1)
    expect(await total(gateway, 'yarak_events_received_total')).toBe(3)
    expect(await total(gateway, 'yarak_events_settled_total')).toBe(2)
    expect(await total(gateway, 'yarak_events_rejected_total')).toBe(1)
    expect(await total(gateway, 'yarak_input_skipped_total')).toBe(1)
  })

  it('are told by the signal when the gateway stops', async () => {
    let stopped = false
    const endless = defineInput({
      type: 'endless',
      summary: 'Runs until it is stopped.',
      config: z.strictObject({}),
      replayable: false,
      run: (_config, { signal }) =>
        new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => {
            stopped = true
            resolve()
          }),
        ),
    })
    const gateway = createGateway({ inputs: [endless({})] })
    await gateway.start()
    await gateway.stop()
    expect(stopped).toBe(true)
  })
})

describe('events()', () => {
  it('streams every notice to each reader, until the gateway stops', async () => {
    const gateway = answering([probe(() => 'ok')({})])
    const read = async () => {
      const all: Notice[] = []
      for await (const notice of gateway.events()) all.push(notice)
      return all.map(({ event, report }) => [event.rule, report?.outcome])
    }
    const readers = [read(), read()]
    await (
      await gateway.emit(alert())
    ).done
    await gateway.stop()
    const expected = [
      ['Terminal shell in container', undefined],
      ['Terminal shell in container', 'succeeded'],
    ]
    expect(await Promise.all(readers)).toEqual([expected, expected])
  })
})

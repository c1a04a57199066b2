import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createGateway, defineOutput, type OutputInput, YarakError } from '../src/index.ts'
import { z } from '../src/plugin.ts'
import { about, alert, gate, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

const counted = async (gateway: ReturnType<typeof createGateway>, name: string): Promise<string[]> =>
  (await (await gateway.ops.request('/metrics')).text())
    .split('\n')
    .filter((line) => line.startsWith(`yarak_notices_${name}`))

const telling = (...outputs: OutputInput[]) =>
  createGateway({ outputs, mode: 'enforce', rules: [{ name: 'all', steps: [probe(() => 'ok')({})], join: 0 }] })

const tell = async (gateway: ReturnType<typeof createGateway>, ...events: unknown[]) => {
  for (const event of events) await (await gateway.emit(event)).done
  return gateway
}

describe('what an output is told', () => {
  const events = [
    alert({ priority: 'Debug' }),
    alert({ priority: 'Critical' }),
    alert({ rule: 'Other', priority: 'Warning', output_fields: { 'k8s.ns.name': 'shop' } }),
  ]
  it.each([
    ['events by default', {}, ['e', 'e', 'e']],
    ['responses', { tell: 'responses' as const }, ['r', 'r', 'r']],
    ['both', { tell: 'both' as const }, ['e', 'r', 'e', 'r', 'e', 'r']],
    ['nothing, as a store that only keeps files', { tell: 'none' as const }, []],
    ['from a priority on', { minimumPriority: 'warning' }, ['e', 'e']],
    ['what a match selects', { match: { rules: ['Other'] } }, ['e']],
    ['what a condition selects', { condition: 'priority >= critical and k8s.ns.name = shop' }, ['e']],
  ])('%s', async (_what, settings, expected) => {
    const { told, use } = sink()
    await (await tell(telling({ output: use, ...settings }), ...events)).stop()
    expect(told.map(({ report }) => (report ? 'r' : 'e'))).toEqual(expected)
  })

  it.each([{ minimumPriority: 'emergency' }, { tell: 'none' as const }])(
    'a rule that names an output adds its reports, past the filter %j',
    async (filter) => {
      const { told, use } = sink()
      const gateway = createGateway({
        outputs: [{ output: use, ...filter }],
        rules: [{ name: 'r', steps: [], notify: ['sink'] }],
      })
      await (await tell(gateway, alert())).stop()
      expect(told.map(({ report }) => report?.rule)).toEqual(['r'])
    },
  )
})

describe('delivery', () => {
  it('tries again what may pass, in its span', async () => {
    let tries = 0
    const { told, use } = sink(() => {
      if (++tries < 3) throw new YarakError('failed', 'busy', { retryAfter: 1 })
    })
    const gateway = await tell(telling(use), alert())
    expect(told).toHaveLength(1)
    expect(await counted(gateway, 'retried')).toEqual(['yarak_notices_retried_total{output="sink"} 2'])
    await gateway.stop()
    const span = spans.one('notify sink')
    expect(span.events.map(({ name }) => name)).toEqual(['retry', 'retry'])
    expect(span.attributes).toMatchObject({ 'yarak.output': 'sink', 'yarak.outcome': 'delivered' })
    expect(told[0]?.traceparent).toContain(span.spanId)
  })

  it.each([
    ['what never can be', () => new YarakError('failed', '400', { permanent: true, reason: '400' }), '400'],
    ['what was tried for long enough', () => new YarakError('failed', 'busy', { retryAfter: 1_000 }), 'failed'],
    ['what any error ended', () => new TypeError('bug'), 'error'],
  ])('gives up %s, counts it, and says why', async (_what, error, reason) => {
    const { use } = sink(() => {
      throw error()
    })
    const gateway = await tell(telling({ output: use, retryFor: '100ms' }), alert())
    expect(await counted(gateway, 'dead_lettered')).toEqual([
      `yarak_notices_dead_lettered_total{output="sink",reason="${reason}"} 1`,
    ])
    expect(gateway.health().outputs[0]?.lastError).toBeTruthy()
    await gateway.stop()
    expect(spans.one('notify sink')).toMatchObject({ failed: true, attributes: { 'yarak.outcome': 'dead_lettered' } })
  })

  it('takes part of a batch: delivers, gives up and tries again each as it is', async () => {
    const batches: string[][] = []
    const { use } = sink(
      (notices) => {
        batches.push(notices.map(({ event }) => event.output))
        if (batches.length === 2) {
          throw new YarakError('failed', 'partly', {
            retryAfter: 1,
            failed: [
              { index: 0, permanent: true, reason: 'bad' },
              { index: 2, permanent: false, reason: 'busy' },
            ],
          })
        }
      },
      { batch: 10 },
    )
    const gateway = telling({ output: use, concurrency: 1 })
    const receipts = await Promise.all(['a', 'b', 'c', 'd'].map((output) => gateway.emit(about(output, { output }))))
    await Promise.all(receipts.map(({ done }) => done))
    expect(batches).toEqual([['a'], ['b', 'c', 'd'], ['d']])
    expect(await counted(gateway, 'delivered')).toEqual(['yarak_notices_delivered_total{output="sink"} 3'])
    expect(await counted(gateway, 'dead_lettered')).toEqual([
      'yarak_notices_dead_lettered_total{output="sink",reason="rejected"} 1',
    ])
    await gateway.stop()
  })

  it('cuts a delivery at its limit, also when the output does not listen', async () => {
    const { use } = sink(() => gate().promise)
    const gateway = await tell(telling({ output: use, timeout: '20ms', retryFor: '10ms' }), alert())
    expect(await counted(gateway, 'dead_lettered')).toEqual([
      'yarak_notices_dead_lettered_total{output="sink",reason="timed_out"} 1',
    ])
    await gateway.stop()
  })

  it('cut at its limit goes on with what was not delivered, as the output tells', async () => {
    const sent: string[] = []
    const { use } = sink(
      async (notices, signal) => {
        const failed = []
        for (const [index, { event }] of notices.entries()) {
          if (signal.aborted) failed.push({ index, permanent: false, reason: 'interrupted' })
          else sent.push(event.output)
          if (event.output === 'b' && sent.length === 2) await once(signal, 'abort')
        }
        if (failed.length > 0) throw new YarakError('interrupted', 'cut short', { failed })
      },
      { batch: 3, linger: 1_000 },
    )
    const gateway = telling({ output: use, timeout: '50ms' })
    const receipts = await Promise.all(['a', 'b', 'c'].map((output) => gateway.emit(about(output, { output }))))
    await Promise.all(receipts.map(({ done }) => done))
    expect(sent).toEqual(['a', 'b', 'c'])
    await gateway.stop()
  })

  it('pauses between tries also when the other side asks for no pause', async () => {
    let tries = 0
    const { use } = sink(() => {
      tries++
      throw new YarakError('failed', 'busy', { retryAfter: 0 })
    })
    const gateway = await tell(telling({ output: use, retryFor: '50ms', breaker: 0 }), alert())
    expect(tries).toBe(1)
    await gateway.stop()
  })

  it('tells of an event before the response to it', async () => {
    const { told, use } = sink()
    const gateway = createGateway({
      outputs: [{ output: use, tell: 'both', concurrency: 1 }],
      rules: [{ name: 'r', steps: [] }],
    })
    await (await tell(gateway, alert())).stop()
    expect(told.map(({ report }) => report?.rule)).toEqual([undefined, 'r'])
  })

  it('a full queue gives up the new notice, and a dead output holds nothing back', async () => {
    const dead = gate()
    const slow = sink(() => dead.promise)
    const quick = sink(undefined, { type: 'quick' })
    const gateway = telling({ output: slow.use, queue: 2, concurrency: 1, timeout: '10s' }, quick.use)
    const receipts = await Promise.all([1, 2, 3, 4, 5].map((n) => gateway.emit(about(`web-${n}`))))
    await expect.poll(() => quick.told.length).toBe(5)
    expect(await counted(gateway, 'dead_lettered')).toEqual([
      'yarak_notices_dead_lettered_total{output="sink",reason="queue-full"} 2',
    ])
    expect(gateway.health().outputs[0]).toMatchObject({ id: 'sink', queued: 3 })
    dead.resolve()
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    expect(slow.told).toHaveLength(3)
  })
})

describe('the life of an output', () => {
  it('is opened on its first notice, again after a failed open, and closed once after the last', async () => {
    const log: string[] = []
    const output = defineOutput({
      type: 'life',
      summary: 'Logs.',
      config: z.strictObject({}),
      open() {
        log.push('open')
        if (log.length === 1) throw new YarakError('unavailable', 'not yet', { retryAfter: 1 })
        return { send: async () => void log.push('send'), close: async () => void log.push('close') }
      },
    })
    const gateway = telling(output({}))
    expect(log).toEqual([])
    await (await tell(gateway, alert(), alert())).stop()
    await gateway.stop()
    expect(log).toEqual(['open', 'open', 'send', 'send', 'close'])
  })

  it('an output that hangs in its end holds up no stop', async () => {
    const output = defineOutput({
      type: 'hangs',
      summary: 'Never closes.',
      config: z.strictObject({}),
      open: () => ({ send: async () => {}, close: () => gate().promise }),
    })
    const lines: string[] = []
    const line = (message: string) => void lines.push(message)
    const log = { debug: line, info: line, warn: line, error: line }
    const gateway = createGateway({ outputs: [{ output: output({}), timeout: '20ms' }], log })
    await (await tell(gateway, alert())).stop()
    expect(lines).toContain('closing an output failed')
  })

  it('stop delivers what is queued, and gives up what is not done by the deadline', async () => {
    for (const [deadline, expected] of [
      [5_000, 3],
      [20, 0],
    ] as const) {
      const hold = gate()
      const { told, use } = sink(() => hold.promise)
      const gateway = createGateway({ outputs: [{ output: use, concurrency: 1 }] })
      const receipts = await Promise.all([1, 2, 3].map(() => gateway.emit(alert())))
      const stopping = gateway.stop({ deadline })
      if (expected > 0) hold.resolve()
      await stopping
      await Promise.all(receipts.map(({ done }) => done))
      expect(told).toHaveLength(expected)
    }
  })
})

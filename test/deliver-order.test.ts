/** How notices go out: in order, in batches, no faster than asked for, one in place of many, and with secrets taken out. */
import { describe, expect, it } from 'vitest'
import { createGateway, type OutputInput, YarakError } from '../src/index.ts'
import type { Notice } from '../src/plugin.ts'
import { disk } from './disk.ts'
import { about, alert, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const { open, close } = disk()

const tell = async (outputs: readonly OutputInput[], events: readonly unknown[], more: object = {}) => {
  const gateway = createGateway({ outputs, ...more })
  const receipts = await Promise.all(events.map((event) => gateway.emit(event)))
  await Promise.all(receipts.map(({ done }) => done))
  return gateway
}

const texts = (notices: readonly Notice[]): string[] => notices.map(({ event }) => event.output)

const events = Array.from({ length: 30 }, (_, i) => about(`web-${i % 3}`, { output: `${i % 3} ${i}` }))

describe('order', () => {
  it('of one target is kept over failures that pass, and one target does not hold back another', async () => {
    let failures = 0
    const { told, use } = sink(async ([notice]) => {
      if (notice?.event.output.startsWith('0') && failures++ < 3)
        throw new YarakError('failed', 'busy', { retryAfter: 1 })
    })
    const gateway = await tell([{ output: use, order: 'target', breaker: 0 }], events)
    await gateway.stop()
    for (const pod of ['0', '1', '2']) {
      const order = texts(told).filter((text) => text.startsWith(`${pod} `))
      expect(order).toEqual(events.flatMap(({ output }) => (String(output).startsWith(`${pod} `) ? [output] : [])))
    }
  })

  it('of one target never has two deliveries at once; without it they overlap', async () => {
    const most = async (order: 'target' | 'none') => {
      let [running, highest] = [0, 0]
      const { use } = sink(async () => {
        highest = Math.max(highest, ++running)
        await new Promise(setImmediate)
        running--
      })
      await (await tell([{ output: use, order }], events.slice(0, 9))).stop()
      return highest
    }
    expect([await most('target'), await most('none')]).toEqual([3, 8])
  })
})

describe('batches', () => {
  const gathered = async (settings: object, plugin: object) => {
    const sizes: number[] = []
    const { use } = sink((notices) => void sizes.push(notices.length), { batch: 10, ...plugin })
    await (await tell([{ output: use, ...settings }], events)).stop()
    return sizes
  }

  it('wait for more when the output says so, and are cut as set', async () => {
    expect(await gathered({}, { linger: 50 })).toEqual([10, 10, 10])
    expect(await gathered({ batch: { count: 4, wait: '50ms' } }, {})).toEqual([4, 4, 4, 4, 4, 4, 4, 2])
    expect((await gathered({ batch: { wait: '0s' } }, { linger: 60_000 }))[0]).toBe(1)
  })

  it('that are not full go out at a stop', async () => {
    const { told, use } = sink(undefined, { batch: 10, linger: 60_000 })
    const gateway = createGateway({ outputs: [use] })
    await gateway.emit(alert())
    await gateway.stop()
    expect(told).toHaveLength(1)
  })
})

describe('an output that is down', () => {
  it('is tried by one delivery at a time, and told of it all when it is back', async () => {
    let down = true
    const tries: string[] = []
    const { told, use } = sink(([notice]) => {
      tries.push(notice?.event.output ?? '')
      if (down) throw new YarakError('unavailable', 'refused', { retryAfter: 20 })
    })
    const gateway = createGateway({ outputs: [{ output: use, breaker: 2, concurrency: 8 }] })
    const receipts = await Promise.all(events.map((event) => gateway.emit(event)))
    await expect.poll(() => gateway.health().outputs[0]?.breaker).not.toBe('closed')
    const before = tries.length
    await expect.poll(() => tries.length).toBeGreaterThan(before + 3)
    const metrics = await (await gateway.ops.request('/metrics')).text()
    expect(metrics).toContain('yarak_output_breaker_open{output="sink"} 1')
    expect(new Set(tries).size).toBeLessThanOrEqual(8)
    down = false
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    expect(texts(told).sort()).toEqual(events.map(({ output }) => output).sort())
    expect(gateway.health().outputs[0]).toMatchObject({ breaker: 'closed', queued: 0 })
  })

  it('gives up what is overdue also while the breaker is open', async () => {
    const { use } = sink(() => {
      throw new YarakError('unavailable', 'refused')
    })
    const output = { output: use, breaker: 1, retryFor: '50ms' }
    const gateway = await tell([output], events)
    expect(await (await gateway.ops.request('/metrics')).text()).toContain(
      'yarak_notices_dead_lettered_total{output="sink",reason="unavailable"} 30',
    )
    await gateway.stop()
  })

  it('that refuses what it is told is not down', async () => {
    const { use } = sink(() => {
      throw new YarakError('failed', 'no', { permanent: true, reason: '400' })
    })
    const gateway = await tell([{ output: use, breaker: 1 }], events)
    expect(gateway.health().outputs[0]?.breaker).toBe('closed')
    await gateway.stop()
  })
})

describe('a digest', () => {
  const burst = Array.from({ length: 5 }, (_, i) =>
    about('web-0', { output: `o${i}`, time: `2026-01-31T12:00:0${i}Z` }),
  )

  it('tells the first at once and the rest as one when the window ends; reports and other outputs as ever', async () => {
    const [digested, other] = [sink(), sink(undefined, { type: 'other' })]
    const gateway = await tell([{ output: digested.use, digest: { window: '50ms' } }, other.use], burst)
    expect(texts(digested.told)).toEqual(['o0'])
    await expect.poll(() => texts(digested.told)).toEqual(['o0', 'o4'])
    expect(digested.told[1]?.digest).toEqual({ count: 4, first: burst[1]?.time, last: burst[4]?.time })
    expect(texts(other.told)).toHaveLength(5)
    const metrics = await (await gateway.ops.request('/metrics')).text()
    expect(metrics).toContain('yarak_notices_folded_total{output="sink"} 4')
    expect(metrics).toContain('yarak_notices_delivered_total{output="sink"} 2')
    await gateway.stop()
  })

  it('is told at a stop', async () => {
    const { told, use } = sink()
    await (await tell([{ output: use, digest: { window: '1h' } }], burst)).stop()
    expect(told.map(({ digest }) => digest?.count)).toEqual([undefined, 4])
  })

  it('that a crash cut short is told by the next start', async () => {
    const journal = await open()
    await tell([{ output: sink().use, digest: { window: '1h' } }], burst, { journal })
    await close(journal)
    const { told, use } = sink()
    const gateway = createGateway({
      outputs: [{ output: use, digest: { window: '1h' } }],
      journal: await open(),
    })
    await gateway.start()
    await expect.poll(() => told.map(({ digest }) => digest?.count)).toEqual([4])
    await gateway.stop()
  })
})

const refusal = ({ value }: { value: string }): never => {
  throw new YarakError('failed', `no ${value}`, { permanent: true })
}

describe('secrets', () => {
  const event = alert({
    output: 'curl -H "Authorization: Bearer abcdefghijklmnop" by ann@example.com',
    output_fields: { 'proc.cmdline': 'mysql -psecret123', 'user.name': 'ann' },
  })

  it('are taken out for the output that says so, and for no other', async () => {
    const [clean, plain] = [sink(), sink(undefined, { type: 'plain' })]
    const redact = { fields: ['user.*'], presets: ['tokens', 'emails'] as const }
    await (
      await tell([{ output: clean.use, redact: { ...redact, presets: [...redact.presets] } }, plain.use], [event])
    ).stop()
    expect(clean.told[0]?.event.output).not.toMatch(/abcdefghijklmnop|ann@/)
    expect(clean.told[0]?.event.fields).toMatchObject({ 'user.name': '[redacted]' })
    expect(plain.told[0]?.event.output).toBe(event.output)
  })

  it('that are set for all reach no output, no dead letter and no log', async () => {
    const lines: string[] = []
    const line = (message: string, fields?: object) => void lines.push(message + JSON.stringify(fields))
    const log = { debug: line, info: line, warn: line, error: line }
    const letters: unknown[] = []
    const { told, use } = sink((notices) => {
      letters.push(...notices)
      throw new YarakError('failed', 'no: mysql -psecret123', { permanent: true })
    })
    const gateway = await tell([use], [event], { redact: { presets: ['tokens', 'passwords'] }, log })
    await expect(gateway.emit('{"rule": 1, "x": "Bearer abcdefghijklmnop"}')).rejects.toThrow()
    await gateway.stop()
    expect(told).toEqual([])
    expect(letters).toHaveLength(1)
    expect(JSON.stringify([lines, letters])).not.toMatch(/abcdefghijklmnop|secret123/)
  })
})

describe('the history', () => {
  it('holds no value of a redacted field, whatever a step said of it', async () => {
    const journal = await open()
    const event = alert({ output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web', 'user.name': 'ann.smith' } })
    const tells = probe(({ value }) => `asked ${value}`, { changes: 'nothing' })
    const gateway = createGateway({
      journal,
      redact: { fields: ['user.name'] },
      rules: [
        { name: 'r', steps: [tells({ value: '{{ user.name }}' }), probe(refusal)({ value: '{{ user.name }}' })] },
      ],
      mode: 'enforce',
    })
    const [report] = await (await gateway.emit(event)).done
    await gateway.stop()
    expect(report?.steps[0]?.summary).toBe('asked ann.smith')
    const [stored] = await journal.responses()
    expect(stored?.report.steps.map(({ summary }) => summary)).toEqual(['asked [redacted]', 'no [redacted]'])
    await close(journal)
  })
})

describe('the trace of a report', () => {
  it('is linked as the setting says', async () => {
    const { told, use } = sink()
    const gateway = await tell([{ output: use, tell: 'both' }], [alert()], {
      rules: [{ name: 'r', steps: [] }],
      traceUrl: 'http://jaeger/trace/{traceId}',
    })
    await gateway.stop()
    const [trace] = spans.all().map(({ traceId }) => traceId)
    expect(told.map(({ traceUrl }) => traceUrl)).toEqual([undefined, `http://jaeger/trace/${trace}`])
  })
})

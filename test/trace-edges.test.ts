/** Spans where things go wrong: whatever happens, each is ended once, and what a sender writes harms nothing. */
import { context, diag, DiagLogLevel, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createGateway, defineAction, YarakError } from '../src/index.ts'
import { z } from '../src/plugin.ts'
import { disk } from './disk.ts'
import { about, alert, answering, gate, probe, sink, source } from './kit.ts'

interface Seen {
  readonly name: string
  readonly spanContext: () => { readonly spanId: string }
  readonly parentSpanContext?: { readonly spanId: string }
}

/** Every span that was begun and every one that was ended; and what the SDK complains of. */
const begun: string[] = []
const ended: string[] = []
const roots: string[] = []
const complaints: string[] = []
const complain = (message: string): void => void complaints.push(message)
const sdk = new NodeSDK({
  autoDetectResources: false,
  spanProcessors: [
    {
      onStart: (span: Seen) => void begun.push(span.name),
      onEnd(span: Seen) {
        ended.push(span.name)
        if (!span.parentSpanContext) roots.push(span.name)
      },
      forceFlush: async () => {},
      shutdown: async () => {},
    },
  ],
  metricReaders: [],
  logRecordProcessors: [],
})
beforeAll(() => {
  sdk.start()
  diag.setLogger({ error: complain, warn: complain, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN)
})
beforeEach(() => {
  for (const list of [begun, ended, roots, complaints]) list.length = 0
})
afterAll(() => sdk.shutdown())

const { open, close } = disk()

const sorted = (names: readonly string[]): string[] => names.toSorted()

describe('every span is ended, once', () => {
  it('of a step that throws, of one that hangs, and of what follows', async () => {
    const steps = [
      probe(() => {
        throw new TypeError('broken')
      })({}),
      probe(() => new Promise(() => {}), { timeout: 20 })({}),
    ]
    for (const step of steps) {
      const gateway = answering([step], { outputs: [{ output: sink().use, tell: 'both' }] })
      await (
        await gateway.emit(alert())
      ).done
      await gateway.stop()
    }
    expect(sorted(ended)).toEqual(sorted(begun))
    expect(complaints).toEqual([])
  })

  it('of responses and notices that a stop cuts short', async () => {
    const { promise: hangs } = gate()
    const gateway = answering([probe(() => hangs)({})], {
      outputs: [{ output: sink(() => hangs, { batch: 4 }).use, tell: 'both', concurrency: 1 }],
    })
    await Promise.all([alert(), alert(), about('web-2')].map((event) => gateway.emit(event)))
    await expect.poll(() => begun.filter((name) => name === 'action test:probe')).toHaveLength(2)
    await gateway.stop({ deadline: 0 })
    expect(sorted(ended)).toEqual(sorted(begun))
    expect(complaints).toEqual([])
  })

  it('of notices of an output that a reload takes away', async () => {
    const slow = gate()
    const { use, told } = sink(() => slow.promise)
    const gateway = createGateway({ outputs: [use] })
    const receipts = await Promise.all([gateway.emit(alert()), gateway.emit(alert())])
    await gateway.reload({ outputs: [] })
    slow.resolve()
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    expect(told).toHaveLength(2)
    expect(sorted(ended)).toEqual(sorted(begun))
    expect(complaints).toEqual([])
  })

  it('of notices that a full queue gives up, and of a batch of which a part is refused', async () => {
    const hold = gate()
    const refused = new YarakError('failed', 'no', { failed: [{ index: 0, permanent: true, reason: 'no' }] })
    const { use } = sink(
      async () => {
        await hold.promise
        throw refused
      },
      { batch: 2 },
    )
    const gateway = createGateway({ outputs: [{ output: use, queue: 2, concurrency: 1 }] })
    const receipts = await Promise.all(Array.from({ length: 8 }, () => gateway.emit(alert())))
    hold.resolve()
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    expect(sorted(ended)).toEqual(sorted(begun))
    expect(complaints).toEqual([])
  })
})

describe('what a stop leaves in the journal', () => {
  it('has no open span, and is counted in one term before and after the start', async () => {
    const { promise: hangs } = gate()
    const down = () => {
      throw new YarakError('unavailable', 'down', { retryAfter: 60_000 })
    }
    for (const isFirst of [true, false]) {
      const journal = await open()
      const { told, use } = sink(isFirst ? down : undefined)
      const gateway = answering([probe(() => (isFirst ? hangs : 'done'))({})], {
        journal,
        outputs: [{ output: use, tell: 'both', queue: 1 }],
      })
      await gateway.start()
      if (isFirst) await Promise.all([alert(), about('web-2')].map((event) => gateway.emit(event)))
      if (isFirst) await expect.poll(() => begun.filter((name) => name === 'action test:probe')).toHaveLength(2)
      else await expect.poll(() => told.length).toBe(4)
      await gateway.stop({ deadline: isFirst ? 0 : 10_000 })
      await close(journal)
      expect(sorted(ended)).toEqual(sorted(begun))
      expect(complaints).toEqual([])
      const count = (...names: Parameters<typeof gateway.counters.sum>[0][]): number =>
        names.reduce((all, name) => all + gateway.counters.sum(name), 0)
      expect(count('yarak_notices_offered_total', 'yarak_notices_restored_total')).toBe(
        count('yarak_notices_delivered_total', 'yarak_notices_dead_lettered_total') + (isFirst ? 2 : 0),
      )
      expect(count('yarak_rules_matched_total')).toBe(count('yarak_responses_ended_total'))
      expect(count('yarak_responses_ended_total')).toBe(2)
    }
  })
})

describe('a hostile sender', () => {
  const call = defineAction({
    type: 'test:call',
    summary: 'Passes the trace on.',
    config: z.strictObject({}),
    changes: 'nothing',
    run: (_params, step) =>
      step.call({ name: 'GET /' }, async ({ headers }) => ({ summary: JSON.stringify([...new Headers(headers)]) })),
  })

  it.each([
    ['a line break in baggage', { baggage: 'a=b;c\r\nx-evil: 1' }],
    ['baggage beyond latin1', { baggage: 'a=b;\u{1f600}' }],
    ['half a character', { baggage: 'a=\ud800' }],
    ['a line break in tracestate', { tracestate: 'a=b\r\nx-evil: 1' }],
    ['a very long tracestate', { tracestate: Array.from({ length: 100_000 }, (_, i) => `k${i}=v`).join() }],
    ['a very long baggage', { baggage: Array.from({ length: 100_000 }, (_, i) => `k${i}=v`).join() }],
  ])('with %s breaks no call that is made', async (_what, headers) => {
    const gateway = answering([call({})])
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const [report] = await (await gateway.emit(alert(), { headers: { traceparent, ...headers } })).done
    await gateway.stop()
    expect(report?.outcome).toBe('succeeded')
    expect(report?.steps[0]?.summary).toContain('a'.repeat(32))
    expect(report?.steps[0]?.summary).not.toContain('evil')
    expect(report?.steps[0]?.summary.length).toBeLessThan(9_000)
  })
})

describe('a gateway that is started within a span of its program', () => {
  it('makes a trace of its own for each event that it reads', async () => {
    const gateway = createGateway({ inputs: [source([alert(), alert()])({})], outputs: [sink().use] })
    const boot = trace.getTracer('host').startSpan('boot')
    await context.with(trace.setSpan(context.active(), boot), () => gateway.start())
    boot.end()
    await gateway.ended()
    await gateway.stop()
    expect(sorted(roots)).toEqual(['boot', 'receive items', 'receive items'])
  })
})

describe('a clock that is set back while a response runs', () => {
  it('makes no time negative, and no measurement is missing', async () => {
    const gateway = answering([
      probe(() => {
        const before = Date.now()
        vi.spyOn(Date, 'now').mockReturnValue(before - 3_600_000)
      })({}),
    ])
    const [report] = await (await gateway.emit(alert())).done
    vi.restoreAllMocks()
    expect(report?.duration).toBeGreaterThanOrEqual(0)
    const page = gateway.counters.text()
    for (const name of ['alert_to_action', 'alert_to_settled', 'response_duration', 'step_duration'])
      expect(page).toMatch(new RegExp(`^yarak_${name}_seconds_count\\{.*\\} 1$`, 'm'))
    await gateway.stop()
  })
})

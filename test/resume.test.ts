import { describe, expect, it } from 'vitest'
import type { AuditEntry } from '../src/audit.ts'
import { createGateway, type Report } from '../src/index.ts'
import type { StoredEvent } from '../src/journal/index.ts'
import { responseId } from '../src/ids.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import type { Action, Subject } from '../src/plugin.ts'
import { YarakError } from '../src/plugin.ts'
import { disk } from './disk.ts'
import { about, alert, answering, gate, probe, sink, source } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const { open, close } = disk()

const stored = (id: string, more: Partial<StoredEvent> = {}): StoredEvent => ({
  id,
  input: 'http',
  body: JSON.stringify(alert()),
  at: Date.now(),
  ...more,
})

/** The reports that a gateway gives after its start, when what it resumes is settled. */
const resumedBy = async (gateway: ReturnType<typeof createGateway>): Promise<Report[]> => {
  const reports: Report[] = []
  const reading = (async () => {
    for await (const { report } of gateway.events()) if (report) reports.push(report)
  })()
  await gateway.start()
  await gateway.ended()
  await gateway.stop()
  await reading
  return reports
}

describe('an event that was accepted and not settled', () => {
  it('is answered after the next start, from the step that was cut short', async () => {
    const runs: string[] = []
    const first = probe(() => void runs.push('first'), { type: 'test:first', changes: 'reversible' })
    const second = (run: () => unknown) => probe(() => (runs.push('second'), run()), { type: 'test:second' })
    const before = await open()
    const gateway = answering([first({}), second(() => new Promise(() => {}))({})], { journal: before })
    const { id } = await gateway.emit(alert({ uuid: 'the one' }))
    await gateway.stop({ deadline: 20 })
    await close(before)
    expect(runs).toEqual(['first', 'second'])

    const after = await open()
    const reports = await resumedBy(answering([first({}), second(() => 'done')({})], { journal: after }))
    expect(runs).toEqual(['first', 'second', 'second'])
    expect(reports).toMatchObject([{ event: id, outcome: 'succeeded', steps: [{ attempts: 1 }, { summary: 'done' }] }])
    expect(await after.stats()).toMatchObject({ unsettled: 0, responses: 1 })
  })

  it('is answered anew when nothing had been changed for it', async () => {
    const before = await open()
    const runs: string[] = []
    const first = probe(() => void runs.push('first'), { type: 'test:first' })
    const second = (run: () => unknown) => probe(() => (runs.push('second'), run()), { type: 'test:second' })
    const gateway = answering([first({}), second(() => new Promise(() => {}))({})], { journal: before })
    await gateway.emit(alert())
    await gateway.stop({ deadline: 20 })
    await close(before)
    await resumedBy(answering([first({}), second(() => 'done')({})], { journal: await open() }))
    expect(runs).toEqual(['first', 'second', 'first', 'second'])
  })

  it('remembers also what was found out before the first change', async () => {
    const journal = memoryJournal()
    const noted: unknown[] = []
    const look = probe(() => 'seen', { type: 'test:look' })
    const change = probe((_params, { event }) => void noted.push(...(journal.facts(event.id)?.keys() ?? [])), {
      changes: 'reversible',
    })
    const gateway = answering([look({}), change({})], { journal })
    await (
      await gateway.emit(alert())
    ).done
    await gateway.stop()
    expect(noted).toEqual(['ended test-look all', 'begun test-probe all'])
  })

  it('goes on in the same trace, and says that it was resumed', async () => {
    const before = await open()
    const gateway = answering([probe(() => new Promise(() => {}), { changes: 'reversible', done: 'repeatable' })({})], {
      journal: before,
    })
    await gateway.emit(alert())
    await gateway.stop({ deadline: 20 })
    await close(before)
    const interrupted = spans.all().find(({ name }) => name === 'action test:probe')

    const after = await open()
    await resumedBy(
      answering([probe(() => 'ok', { changes: 'reversible', done: 'repeatable' })({})], { journal: after }),
    )
    const resumed = spans
      .all()
      .filter(({ name }) => name.startsWith('respond '))
      .at(-1)
    expect(resumed?.attributes).toMatchObject({ 'yarak.resumed': true, 'yarak.outcome': 'succeeded' })
    expect(new Set(spans.all().map(({ traceId }) => traceId)).size).toBe(1)
    const action = spans
      .all()
      .filter(({ name }) => name === 'action test:probe')
      .at(-1)
    expect(action?.links).toEqual([interrupted?.spanId])
  })

  it('is settled by the next start when nobody wants it any more', async () => {
    const before = await open()
    const hanging = answering([probe(() => new Promise(() => {}))({})], { journal: before })
    await hanging.emit(alert())
    await hanging.stop({ deadline: 10 })
    await close(before)
    const after = await open()
    expect(await resumedBy(createGateway({ journal: after }))).toEqual([])
    expect((await after.stats()).unsettled).toBe(0)
  })

  it('keeps how its sender proved who it is', async () => {
    const seen: unknown[] = []
    const step = probe((_params, { event }) => void seen.push(event.authenticated))
    const journal = memoryJournal({ pending: [stored('1', { authenticated: 'mtls' }), stored('2')] })
    await resumedBy(answering([step({})], { journal }))
    expect(seen).toEqual(['mtls', undefined])
  })

  it('that cannot be read any more is a dead letter', async () => {
    const journal = memoryJournal({ pending: [stored('1', { body: '{"rule": 1}' })] })
    await resumedBy(answering([], { journal }))
    expect(await journal.letters()).toMatchObject([{ kind: 'event', from: 'http', body: '{"rule": 1}' }])
    expect((await journal.stats()).unsettled).toBe(0)
  })

  it('is counted apart from what was received', async () => {
    const journal = memoryJournal({ pending: [stored('1')] })
    const gateway = answering([], { journal })
    await resumedBy(gateway)
    const text = await (await gateway.ops.request('/metrics')).text()
    expect(text).toContain('yarak_events_resumed_total{input="http"} 1')
    expect(text).toContain('yarak_events_settled_total{input="http"} 1')
    expect(text).not.toContain('yarak_events_received_total{')
  })

  it('is not kept when nothing wants it', async () => {
    const journal = await open()
    const gateway = createGateway({ journal, outputs: [{ output: sink().use, minimumPriority: 'critical' }] })
    await (
      await gateway.emit(alert())
    ).done
    expect(await journal.stats()).toMatchObject({ unsettled: 0 })
    await gateway.stop()
  })
})

describe('a change of which nobody knows whether it happened', () => {
  const pod = (uid: string): Subject => ({
    ...{ kind: 'Pod', key: 'pod/shop/web-1', namespace: 'shop', name: 'web-1', uid },
    ...{ labels: {}, owners: [] },
  })
  const begun = (uid?: string) => ({ pending: [stored('1')], facts: { 1: { 'begun test-probe all': { uid } } } })
  const resume = async (more: Partial<Action>, left = begun()) => {
    let runs = 0
    const record: AuditEntry[] = []
    const audit = { append: (entry: AuditEntry) => void record.push(entry) }
    const step = probe(() => `run ${++runs}`, { changes: 'reversible', ...more })
    const [report] = await resumedBy(answering([step({})], { journal: memoryJournal(left), audit }))
    return { runs, step: report?.steps[0], record }
  }

  it('is not made again', async () => {
    expect(await resume({})).toMatchObject({ runs: 0, step: { outcome: 'unknown' } })
  })

  it('is made again when that has the same effect', async () => {
    expect(await resume({ done: 'repeatable' })).toMatchObject({ runs: 1, step: { outcome: 'succeeded' } })
  })

  it('is asked about where the action knows how', async () => {
    const done = await resume({ done: async () => ({ summary: 'it is there' }) })
    expect(done).toMatchObject({ runs: 0, step: { outcome: 'succeeded', summary: 'it is there' } })
    expect(await resume({ done: async () => undefined })).toMatchObject({ runs: 1, step: { outcome: 'succeeded' } })
  })

  it('is not made to a thing that has taken the name of its target', async () => {
    const target = async () => pod('new')
    const then = begun('old')
    expect(await resume({ target, done: 'repeatable' }, then)).toMatchObject({ runs: 0, step: { outcome: 'gone' } })
    expect(await resume({ target, done: 'repeatable' }, begun('new'))).toMatchObject({ runs: 1 })
  })

  it('is in the audit record, whatever is found: the process may have ended before its line was written', async () => {
    const verdicts = async (more: Partial<Action>, uid?: string) => {
      const left = begun(uid)
      left.pending = [stored('1', { authenticated: 'token' })]
      const { record } = await resume({ changes: 'destructive', target: async () => pod('new'), ...more }, left)
      return record.map(({ kind, verdict }) => `${kind} ${verdict}`)
    }
    expect(await verdicts({})).toEqual(['step unknown'])
    expect(await verdicts({ done: async () => ({ summary: 'it is gone' }) })).toEqual(['step succeeded'])
    expect(await verdicts({ done: async () => undefined })).toEqual(['step succeeded'])
    expect(await verdicts({ done: 'repeatable' }, 'old')).toEqual(['step gone'])
  })

  it('is noted, with its target, before it is made', async () => {
    const journal = memoryJournal()
    const facts: unknown[] = []
    const step = probe((_params, { event }) => void facts.push(Object.fromEntries(journal.facts(event.id) ?? [])), {
      changes: 'reversible',
      target: async () => pod('u1'),
    })
    const gateway = answering([step({})], { journal })
    await (
      await gateway.emit(alert())
    ).done
    await gateway.stop()
    expect(facts).toMatchObject([{ 'begun test-probe all': { uid: 'u1' } }])
  })

  it('is not noted in observe mode', async () => {
    const journal = memoryJournal()
    const noted: unknown[] = []
    const read = probe((_params, { event }) => void noted.push(journal.facts(event.id)), { type: 'test:read' })
    const gateway = answering([probe(() => 'ok', { changes: 'reversible' })({}), read({})], {
      journal,
      mode: 'observe',
    })
    await (
      await gateway.emit(alert())
    ).done
    await gateway.stop()
    expect(noted).toEqual([undefined])
  })

  it.each<[string, Partial<Action>, number]>([
    ['a change that may have happened is not tried again', { changes: 'reversible' }, 1],
    ['one that can be repeated is', { changes: 'reversible', done: 'repeatable' }, 2],
    ['what changes nothing is', {}, 2],
  ])('after a deadline: %s', async (_what, more, expected) => {
    let runs = 0
    const step = probe(() => {
      if (++runs === 1) throw new YarakError('timed_out', 'too slow', { retryAfter: 1 })
    }, more)
    const gateway = answering([{ action: step({}), retries: 3 }])
    await (
      await gateway.emit(alert())
    ).done
    await gateway.stop()
    expect(runs).toBe(expected)
  })
})

describe('a response that had ended', () => {
  it('is not run again, only told to those who were not told', async () => {
    const report = {
      id: 'r1',
      event: '1',
      rule: 'all',
      mode: 'enforce',
      outcome: 'succeeded',
      steps: [],
      startedAt: '2026-11-23T08:00:00Z',
      duration: 1,
    }
    const one = sink(undefined, { type: 'one' })
    const two = sink(undefined, { type: 'two' })
    const facts = { 1: { 'report all': report, 'told one all': 1, 'told one ': 1 } }
    const step = probe(() => expect.unreachable())
    const gateway = answering([step({})], {
      journal: memoryJournal({ pending: [stored('1')], facts }),
      outputs: [one.use, two.use].map((output) => ({ output, tell: 'both' as const })),
    })
    expect(await resumedBy(gateway)).toMatchObject([{ id: 'r1' }])
    expect(one.told).toEqual([])
    expect(two.told.map(({ id }) => id)).toEqual(['1', responseId('1', 'all')])
  })
})

describe('an event that its source delivers again', () => {
  it('after it was settled needs nothing any more, also after a restart', async () => {
    let runs = 0
    const deliver = async () => {
      const journal = await open()
      const gateway = answering([probe(() => void runs++)({})], { journal, inputs: [source([alert()], true)({})] })
      await gateway.start()
      await gateway.ended()
      await gateway.stop()
      await close(journal)
      return (await gateway.ops.request('/metrics')).text()
    }
    await deliver()
    expect(await deliver()).toContain('yarak_events_repeated_total{input="items"} 1')
    expect(runs).toBe(1)
  })

  it('goes on where it was cut short', async () => {
    const runs: string[] = []
    const first = probe(() => void runs.push('first'), { type: 'test:first', changes: 'reversible' })
    const deliver = async (run: () => unknown) => {
      const journal = await open()
      const begun = gate()
      const second = probe(() => (runs.push('second'), begun.resolve(), run()), { type: 'test:second' })
      const gateway = answering([first({}), second({})], { journal, inputs: [source([alert()], true)({})] })
      await gateway.start()
      await gateway.ended()
      await begun.promise
      await gateway.stop({ deadline: 30 })
      await close(journal)
    }
    await deliver(() => new Promise(() => {}))
    await deliver(() => 'ok')
    expect(runs).toEqual(['first', 'second', 'second'])
  })
})

describe('more events than there is room for', () => {
  it('wait in the journal, and are answered in their order', async () => {
    const journal = await open()
    const hold = gate()
    const order: unknown[] = []
    const step = probe(async (_params, { target }) => {
      await hold.promise
      order.push(target.pod)
    })
    const gateway = answering([step({})], { journal, limits: { unsettled: 2 } })
    const receipts = []
    for (let i = 0; i < 10; i++) receipts.push(await gateway.emit(about(`web-${i}`)))
    expect(gateway.health().unsettled).toBe(10)
    expect((await journal.stats()).unsettled).toBe(10)
    hold.resolve()
    const reports = await Promise.all(receipts.map(({ done }) => done))
    expect(reports.map(([report]) => report?.outcome)).toEqual(Array.from({ length: 10 }, () => 'succeeded'))
    expect(order).toEqual(Array.from({ length: 10 }, (_, i) => `web-${i}`))
    await gateway.stop()
    expect((await journal.stats()).unsettled).toBe(0)
  })

  it('and wait over a restart', async () => {
    const before = await open()
    const stuck = answering([probe(() => new Promise(() => {}))({})], { journal: before, limits: { unsettled: 2 } })
    for (let i = 0; i < 5; i++) await stuck.emit(about(`web-${i}`))
    await stuck.stop({ deadline: 10 })
    await close(before)
    const after = await open()
    const reports = await resumedBy(answering([probe(() => 'ok')({})], { journal: after, limits: { unsettled: 2 } }))
    expect(reports.map(({ target }) => target)).toEqual([0, 1, 2, 3, 4].map((i) => `pod/shop/web-${i}`))
  })

  it('are refused when the journal is full', async () => {
    const journal = await open({ maxSize: 64 * 1024 })
    const gateway = answering([probe(() => new Promise(() => {}))({})], { journal })
    const fill = async () => {
      for (let i = 0; i < 1_000; i++) await gateway.emit(about(`web-${i}`, { output: 'x'.repeat(4_000) }))
    }
    await expect(fill()).rejects.toMatchObject({ code: 'overloaded', reason: 'journal-full' })
    expect(gateway.health().journal).toMatchObject({ mode: 'durable', full: true })
    await gateway.stop({ deadline: 10 })
  })
})

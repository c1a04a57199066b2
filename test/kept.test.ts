import { describe, expect, it } from 'vitest'
import { createGateway, type GatewayOptions } from '../src/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import type { Journal } from '../src/journal/index.ts'
import { YarakError } from '../src/plugin.ts'
import { noticeText } from '../src/stored.ts'
import { aNotice } from '../src/testing.ts'
import { disk } from './disk.ts'
import { about, alert, gate, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const { open, close } = disk()

const down = () => {
  throw new YarakError('unavailable', 'down', { retryAfter: 60_000 })
}

const metrics = async ({ ops }: ReturnType<typeof createGateway>): Promise<string> =>
  (await ops.request('/metrics')).text()

const sum = (text: string, name: string): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`yarak_notices_${name}`))
    .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)

/** One run of a gateway over the journal: emits, stops. */
const run = async (journal: Journal, options: GatewayOptions, ...events: unknown[]) => {
  const gateway = createGateway({ journal, ...options })
  await gateway.start()
  for (const event of events) await (await gateway.emit(event)).done
  return gateway
}

describe('a notice whose output is down', () => {
  it('is kept: the event is settled, and the next start delivers it', async () => {
    const before = await open()
    const first = await run(before, { outputs: [sink(down).use] }, alert({ output: 'a' }), alert({ output: 'b' }))
    expect(await before.stats()).toMatchObject({ unsettled: 0, notices: { sink: 2 } })
    expect(first.health().outputs).toMatchObject([{ id: 'sink', queued: 2, lastError: 'down' }])
    await first.stop()
    await close(before)

    const after = await open()
    const { told, use } = sink()
    const second = await run(after, { outputs: [use] })
    await expect.poll(() => told.map(({ event }) => event.output)).toEqual(['a', 'b'])
    await second.stop()
    expect(await after.stats()).toMatchObject({ notices: {}, deadLetters: 0 })
    const text = await metrics(second)
    expect(text).toContain('yarak_notices_restored_total{output="sink"} 2')
    expect(text).toContain('yarak_notices_delivered_total{output="sink"} 2')
  })

  it('keeps its id, its event to the last digit, its report and its trace', async () => {
    const before = await open()
    const gateway = createGateway({
      journal: before,
      mode: 'enforce',
      rules: [{ name: 'r', steps: [probe(() => 'did it')({})], notify: ['sink'] }],
      outputs: [{ output: sink(down).use, tell: 'responses' }],
    })
    const fields = '{"evt.time":1763870000003770413}'
    const { id, done } = await gateway.emit(
      `{"rule":"r","priority":"Notice","time":"2026-11-23T08:00:00Z","output":"o","output_fields":${fields}}`,
    )
    const [report] = await done
    await gateway.stop()
    await close(before)
    const { told, use } = sink()
    const second = await run(await open(), { outputs: [{ output: use, tell: 'responses' }] })
    await expect.poll(() => told.length).toBe(1)
    await second.stop()
    expect(told[0]).toMatchObject({ id: report?.id, event: { id }, report: { outcome: 'succeeded' } })
    expect(told[0]?.event.field('evt.time')).toBe(1763870000003770413n)
    expect(new Set(spans.all().map(({ traceId }) => traceId)).size).toBe(1)
  })

  it('is delivered without a restart, once the output is up', async () => {
    let up = false
    const { told, use } = sink(() => {
      if (!up) throw new YarakError('unavailable', 'down', { retryAfter: 5 })
    })
    const journal = await open()
    const gateway = await run(journal, { outputs: [use] }, ...[1, 2, 3].map((n) => about(`web-${n}`)))
    expect(told).toEqual([])
    up = true
    await expect.poll(() => told.length).toBe(3)
    await expect.poll(async () => (await journal.stats()).notices).toEqual({})
    await gateway.stop()
  })

  it('beyond the queue waits in the journal, in order', async () => {
    const hold = gate()
    const { told, use } = sink(() => hold.promise)
    const journal = await open()
    const output = { output: use, queue: 4, concurrency: 1 }
    const gateway = createGateway({ journal, outputs: [output] })
    await gateway.start()
    for (let n = 0; n < 50; n++) await gateway.emit(alert({ output: String(n) }))
    expect(gateway.health().outputs[0]?.queued).toBe(50)
    hold.resolve()
    await expect.poll(() => told.length).toBe(50)
    expect(told.map(({ event }) => Number(event.output))).toEqual(Array.from({ length: 50 }, (_, n) => n))
    await gateway.stop()
    expect(gateway.health().outputs[0]?.queued).toBe(0)
    expect(await journal.stats()).toMatchObject({ notices: {}, deadLetters: 0 })
  })

  it('is counted in exactly one term', async () => {
    const journal = await open()
    let n = 0
    const { use } = sink(() => {
      if (++n % 3 === 0) throw new YarakError('failed', 'never', { permanent: true })
      if (n % 3 === 1) down()
    })
    const gateway = await run(
      journal,
      { outputs: [{ output: use, concurrency: 64 }] },
      ...Array.from({ length: 30 }, () => alert()),
    )
    const text = await metrics(gateway)
    expect(sum(text, 'offered')).toBe(30)
    expect(sum(text, 'delivered') + sum(text, 'dead_lettered') + sum(text, 'queued')).toBe(30)
    await gateway.stop()
  })

  it('after its time is a dead letter', async () => {
    const journal = await open()
    const { use } = sink(() => {
      throw new YarakError('unavailable', 'down', { retryAfter: 20 })
    })
    const gateway = await run(journal, { outputs: [{ output: use, retryFor: '50ms' }] }, alert())
    await expect.poll(() => journal.letters()).toHaveLength(1)
    await gateway.stop()
    expect(await journal.letters()).toMatchObject([{ kind: 'notice', from: 'sink', reason: 'unavailable' }])
    expect((await journal.stats()).notices).toEqual({})
  })

  it('whose output is not configured any more is a dead letter', async () => {
    const journal = memoryJournal({ kept: [{ output: 'old', id: '1', at: 1, body: noticeText(aNotice(), false) }] })
    await (await run(journal, {})).stop()
    expect(await journal.letters()).toMatchObject([{ from: 'old', reason: 'output-removed' }])
    expect(await journal.waiting()).toEqual({})
  })

  it('that cannot be read is a dead letter', async () => {
    const journal = memoryJournal({ kept: [{ output: 'sink', id: '1', at: 1, body: 'rubbish' }] })
    const gateway = await run(journal, { outputs: [sink().use] })
    await expect.poll(() => journal.letters()).toMatchObject([{ from: 'sink', reason: 'unreadable', body: 'rubbish' }])
    await gateway.stop()
    expect(gateway.health().outputs[0]?.queued).toBe(0)
  })
})

describe('a dead letter', () => {
  it('of a notice is tried again, past the filter', async () => {
    const journal = memoryJournal()
    let broken = true
    const { told, use } = sink(() => {
      if (broken) throw new YarakError('failed', '400', { permanent: true })
    })
    const gateway = await run(journal, { outputs: [use] }, alert({ output: 'x' }))
    const [letter] = await journal.letters()
    broken = false
    expect(await gateway.replay(letter!)).toEqual({ outcome: 'delivered' })
    expect(told.map(({ event }) => event.output)).toEqual(['x'])
    await gateway.stop()
  })

  it('of an output that is not configured is refused', async () => {
    const gateway = await run(memoryJournal(), {})
    const letter = { at: 1, kind: 'notice' as const, from: 'slack', reason: 'x', message: 'x', body: '' }
    await expect(gateway.replay(letter)).rejects.toMatchObject({ code: 'config' })
    await gateway.stop()
  })

  it('is made of what is no event, as it came, with its place', async () => {
    const journal = memoryJournal()
    const gateway = await run(journal, {})
    await expect(gateway.emit('{"rule":', { position: 'falco/3/7' })).rejects.toMatchObject({ code: 'invalid' })
    const [letter] = await journal.letters()
    expect(letter).toMatchObject({
      kind: 'event',
      from: 'host',
      reason: 'invalid',
      body: '{"rule":',
      position: 'falco/3/7',
    })
    await expect(gateway.replay(letter!)).rejects.toMatchObject({ code: 'invalid' })
    expect(await journal.letters()).toHaveLength(1)
    expect(await gateway.replay({ ...letter!, body: JSON.stringify(alert()) })).toEqual({ outcome: 'accepted' })
    await gateway.stop()
  })
})

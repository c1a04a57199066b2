import { describe, expect, it } from 'vitest'
import { createCounters } from '../src/counters.ts'
import { countProcess } from '../src/gauges.ts'
import { createGateway, defineInput, type GatewayOptions, YarakError } from '../src/index.ts'
import type { Journal, JournalHealth } from '../src/journal/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { z } from '../src/plugin.ts'
import { VERSION } from '../src/version.ts'
import { parseExposition, totalOf, valueOf } from './exposition.ts'
import { about, alert, gate, probe, sink } from './kit.ts'

type Gateway = ReturnType<typeof createGateway>

/** As a scrape, which comes in between what the gateway does, and not amid of it. */
const read = async (gateway: Gateway) => {
  await new Promise((done) => setImmediate(done))
  return parseExposition(await (await gateway.ops.request('/metrics')).text())
}

const journalOf = (health: Partial<JournalHealth>): Journal => {
  const journal = memoryJournal()
  return { ...journal, health: () => ({ ...journal.health(), ...health }) }
}

describe('the gauges of a gateway', () => {
  it('at rest say that all is well', async () => {
    const gateway = createGateway({ outputs: [sink().use] })
    const families = await read(gateway)
    const values = Object.fromEntries(
      [...families.values()].flatMap(({ samples }) => samples).map((one) => [one.name, one.value]),
    )
    expect(values).toMatchObject({
      yarak_ready: 1,
      yarak_config_generation: 1,
      yarak_journal_up: 1,
      yarak_journal_full: 0,
      yarak_journal_max_bytes: 0,
      yarak_events_unsettled: 0,
      yarak_responses_running: 0,
      yarak_responses_queued: 0,
      yarak_notices_queued: 0,
      yarak_notices_oldest_seconds: 0,
      yarak_output_breaker_open: 0,
    })
    await gateway.stop()
    expect(valueOf(await read(gateway), 'yarak_ready')).toBe(0)
  })

  it('count the rules in force by mode, and the generations', async () => {
    const rule = (name: string, mode?: 'observe') => ({ name, ...(mode && { mode }), steps: [probe(() => 'x')({})] })
    const options: GatewayOptions = { mode: 'enforce', rules: [rule('a'), rule('b'), rule('c', 'observe')] }
    const gateway = createGateway(options)
    const rules = async () => {
      const families = await read(gateway)
      const of = (mode: string) => valueOf(families, 'yarak_rules', { mode })
      return [valueOf(families, 'yarak_config_generation'), of('enforce'), of('observe')]
    }
    expect(await rules()).toEqual([1, 2, 1])
    await gateway.reload({ ...options, mode: 'observe' })
    expect(await rules()).toEqual([2, 0, 3])
    await gateway.stop()
  })

  it('tell of an input that fails', async () => {
    const input = (type: string, run: () => Promise<void>) =>
      defineInput({ type, summary: 'Fails or not.', config: z.strictObject({}), replayable: false, run })({})
    const down = input('down', () => Promise.reject(new YarakError('failed', 'no', { permanent: true })))
    const gateway = createGateway({ inputs: [down, input('up', async () => {})] })
    await gateway.start()
    const up = async (id: string) => valueOf(await read(gateway), 'yarak_input_up', { input: id })
    await expect.poll(() => up('down')).toBe(0)
    expect(await up('up')).toBe(1)
    expect(valueOf(await read(gateway), 'yarak_ready')).toBe(0)
    await gateway.stop()
  })

  it('tell how long the oldest notice has waited, while it waits', async () => {
    const hold = gate()
    const gateway = createGateway({ outputs: [sink(() => hold.promise).use] })
    const receipt = await gateway.emit(alert())
    const oldest = async () => valueOf(await read(gateway), 'yarak_notices_oldest_seconds', { output: 'sink' })
    await expect.poll(oldest).toBeGreaterThan(0)
    hold.resolve()
    await receipt.done
    expect(await oldest()).toBe(0)
    await gateway.stop()
  })

  it.each([
    [{ mode: 'durable', size: 7, maxSize: 10, full: false } as const, [7, 10, 0, 1]],
    [{ mode: 'durable', size: 10, maxSize: 10, full: true } as const, [10, 10, 1, 1]],
    [{ mode: 'degraded', size: 3, maxSize: 10, full: false } as const, [3, 10, 0, 0]],
  ])('of a journal that is %j are %j', async (health, expected) => {
    const gateway = createGateway({ journal: journalOf(health) })
    const families = await read(gateway)
    const [max, full, up] = ['yarak_journal_max_bytes', 'yarak_journal_full', 'yarak_journal_up'].map((name) =>
      valueOf(families, name),
    )
    expect([valueOf(families, 'yarak_journal_bytes', { mode: health.mode }), max, full, up]).toEqual(expected)
    await gateway.stop()
  })
})

describe('the accounting', () => {
  it('adds up at any time: events, matches and notices', async () => {
    const hold = gate()
    let failed = 0
    const flaky = sink(() => {
      if (failed++ % 3 === 0) throw new YarakError('failed', 'no', { permanent: true })
    })
    const gateway = createGateway({
      mode: 'enforce',
      limits: { perTarget: 1 },
      outputs: [{ output: flaky.use, minimumPriority: 'notice' }, sink(() => hold.promise, { type: 'slow' }).use],
      rules: [
        { name: 'waits', steps: [probe(() => hold.promise)({})], join: 0 },
        { name: 'joins', steps: [probe(() => 'x')({})], condition: 'k8s.pod.name = web-1' },
      ],
    })
    const check = async () => {
      const families = await read(gateway)
      const sum = (...names: string[]) => names.reduce((all, name) => all + totalOf(families, `yarak_${name}`), 0)
      expect(sum('events_received_total', 'events_resumed_total')).toBe(
        sum('events_rejected_total', 'events_settled_total', 'events_unsettled'),
      )
      expect(sum('rules_matched_total')).toBe(
        sum('responses_joined_total', 'responses_suppressed_total', 'responses_ended_total') +
          sum('responses_running', 'responses_queued'),
      )
      expect(sum('notices_offered_total', 'notices_restored_total')).toBe(
        sum('notices_delivered_total', 'notices_filtered_total', 'notices_dead_lettered_total', 'notices_queued'),
      )
      return (name: string) => sum(name)
    }
    const receipts = []
    for (let i = 0; i < 40; i++) {
      const event = about(`web-${i % 4}`, { priority: i % 2 === 0 ? 'Notice' : 'Debug' })
      receipts.push((await gateway.emit(event)).done)
      await expect(gateway.emit({ rule: 1 })).rejects.toThrow()
      await check()
    }
    const during = await check()
    for (const name of ['responses_running', 'responses_suppressed_total', 'responses_joined_total', 'notices_queued'])
      expect([name, during(name)]).not.toEqual([name, 0])
    hold.resolve()
    await Promise.all(receipts)
    const after = await check()
    expect(after('events_unsettled')).toBe(0)
    expect(after('events_rejected_total')).toBe(40)
    for (const name of ['notices_filtered_total', 'notices_dead_lettered_total', 'notices_delivered_total'])
      expect([name, after(name)]).not.toEqual([name, 0])
    await gateway.stop()
  })
})

describe('the gauges of a process', () => {
  it('tell of what it is and what it uses', () => {
    const counters = createCounters()
    const end = countProcess(counters, process)
    const families = parseExposition(counters.text('openmetrics'), true)
    expect(families.get('process_cpu_seconds')?.type).toBe('counter')
    expect(valueOf(families, 'yarak_build_info', { version: VERSION, node: process.versions.node })).toBe(1)
    for (const name of ['process_cpu_seconds_total', 'process_heap_bytes']) {
      expect(valueOf(families, name)).toBeGreaterThan(0)
    }
    if (process.platform === 'linux') expect(valueOf(families, 'process_open_fds')).toBeGreaterThan(2)
    end()
  })

  it('tell how late the event loop was since the last reading', async () => {
    const counters = createCounters()
    const end = countProcess(counters, process)
    const delay = () => parseExposition(counters.text())
    const latest = () => valueOf(delay(), 'yarak_event_loop_delay_seconds', { quantile: '1' })
    expect(latest()).toBe(0)
    // what the watch finds is what was late: between two of its looks nothing else may run
    await expect
      .poll(
        async () => {
          await new Promise((done) => setTimeout(done, 30))
          const until = performance.now() + 150
          while (performance.now() < until);
          await new Promise((done) => setTimeout(done, 30))
          return latest()
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0.1)
    expect(delay().get('yarak_event_loop_delay_seconds')).toMatchObject({
      type: 'summary',
      samples: [{ labels: { quantile: '0.5' } }, { labels: { quantile: '0.99' } }, { labels: { quantile: '1' } }],
    })
    end()
  })
})

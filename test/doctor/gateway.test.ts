import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCounters } from '../../src/counters.ts'
import { gatewayFindings, type Stats } from '../../src/doctor/gateway.ts'
import { findRunning, type Running, skewOf, type Told } from '../../src/doctor/running.ts'
import { seriesOf, sumOf } from '../../src/doctor/series.ts'
import { VERSION } from '../../src/version.ts'
import { closedPort, folder } from '../cli/_kit.ts'
import { listener, serve } from '../serve/_kit.ts'
import { answering, lines } from './_kit.ts'

const files = folder()

const JOURNAL = { mode: 'durable', size: 1_024, maxSize: 1_048_576, full: false } as const
const HEALTH: Told = { ready: true, mode: 'enforce', generation: 2, version: VERSION, journal: JOURNAL }
const found = (health: Partial<Told> = {}, metrics = '# none\n', stats?: Stats): string[] => {
  const running: Running = { url: 'http://g', health: { ...HEALTH, ...health }, metrics, skew: 0, listens: () => true }
  return lines(gatewayFindings(running, stats))
}

describe('the gateway that runs', () => {
  it('none: the other checks go on', () => {
    expect(lines(gatewayFindings(undefined, undefined))).toEqual([
      expect.stringMatching(/^skip running: no gateway answers/),
    ])
  })

  it('one in health', () => {
    expect(found({}, undefined, { stats: { deadLetters: 0 } })).toEqual([
      'ok ready: http://g is ready, in mode enforce, generation 2',
      'ok events: none was rejected',
      'ok spans: none was lost',
      'ok journal: 1 KiB of 1 MiB are used',
      'ok dead letters: there are none',
      `ok version: it is ${VERSION}, as this command`,
    ])
  })

  it('one that is not ready says why', () => {
    const reasons = [
      { part: 'input', id: 'kafka', severity: 'fails', message: 'no broker answers', since: 'x' },
      { part: 'output', id: 'slack', severity: 'degrades', message: 'it is down', since: 'x' },
    ] as const
    expect(found({ ready: false, reasons })[0]).toBe(
      'fail ready: http://g is not ready: input kafka: no broker answers',
    )
    const inputs = [{ id: 'kafka', state: 'failing', error: 'gone' }] as const
    expect(found({ ready: false, inputs })[0]).toMatch(/not ready: input kafka: gone$/)
    expect(found({ ready: false })[0]).toMatch(/it does not say why$/)
  })

  it('its inputs: the last event, none, a failure', () => {
    const inputs = [
      { id: 'a', state: 'running', lastEvent: new Date(Date.now() - 90_000).toISOString() },
      { id: 'b', state: 'running' },
      { id: 'c', state: 'failing', error: 'no broker answers' },
    ] as const
    expect(found({ inputs }).filter((line) => line.includes(' input '))).toEqual([
      expect.stringMatching(/^ok input a: its last event came 9\d s ago$/),
      'skip input b: it has brought no event since the start',
      'fail input c: it fails: no broker answers',
    ])
  })

  it('its lag: of a few records, of many', () => {
    const metrics = (lag: number) =>
      `yarak_input_lag{input="kafka",part="t/0"} ${lag}\nyarak_input_lag{input="kafka",part="t/1"} 1\n`
    const inputs = [{ id: 'kafka', state: 'running' }] as const
    expect(found({ inputs }, metrics(2))).toContain('ok input kafka lag: 3 left to do in its source')
    expect(found({ inputs }, metrics(99_999))).toContain('warn input kafka lag: 100000 wait in its source')
  })

  it('its outputs and breakers', () => {
    const outputs = [
      { id: 'slack', queued: 2, breaker: 'closed' },
      { id: 'loki', queued: 9, breaker: 'open', lastError: 'answered 500' },
    ] as const
    const told = found({ outputs, breaker: 'open' })
    expect(told).toContain('ok output slack: 2 notices waiting')
    expect(told).toContain('fail output loki: its breaker is open: answered 500')
    expect(told).toContainEqual(expect.stringMatching(/^warn breaker/))
  })

  it('events that it rejected, spans that it lost', () => {
    const metrics =
      'yarak_events_rejected_total{input="http",reason="invalid"} 3\n' +
      'yarak_spans_total{outcome="lost",reason="queue_full"} 2\nyarak_spans_total{outcome="exported"} 5\n'
    expect(found({}, metrics)).toEqual(
      expect.arrayContaining(['warn events: 3 events rejected (invalid)', 'warn spans: 2 spans lost']),
    )
    expect(found({}, '')).toContainEqual(expect.stringMatching(/^skip metrics/))
  })

  it.each([
    [{ mode: 'memory' }, /^warn journal: .* in memory only/],
    [{ mode: 'degraded', reason: 'disk full' }, /^fail journal: the disk fails: disk full/],
    [{ full: true }, /^fail journal: .* new events are refused/],
    [{ size: 1_000_000 }, /^warn journal: 976.6 KiB of 1 MiB/],
  ] as const)('its journal: %j', (more, expected) => {
    expect(found({ journal: { ...JOURNAL, ...more } })).toContainEqual(expect.stringMatching(expected))
  })

  it('dead letters: some, or not told', () => {
    expect(found({}, '', { stats: { deadLetters: 4 } })).toContain('warn dead letters: 4 dead letters kept')
    expect(found({}, '', { refused: 'a token is needed' })).toContain('skip dead letters: not told: a token is needed')
  })

  it('its version: another, told by the metrics, not told', () => {
    expect(found({ version: '0.0.9' })).toContainEqual(
      expect.stringMatching(/^warn version: it is 0.0.9, and this command/),
    )
    const { version: _, ...without } = HEALTH
    const running = { url: 'u', skew: 0, listens: () => true }
    const metrics = `yarak_build_info{version="${VERSION}",node="24"} 1\n`
    expect(lines(gatewayFindings({ ...running, health: without, metrics }, undefined))).toContainEqual(
      expect.stringMatching(/^ok version/),
    )
    expect(lines(gatewayFindings({ ...running, health: without, metrics: '#\n' }, undefined))).toContainEqual(
      expect.stringMatching(/^skip version/),
    )
  })
})

describe('finding it', () => {
  it('where the configuration listens, over TCP and over a socket', async () => {
    const path = files.at('a.sock')
    const { url } = serve(['127.0.0.1:0', `unix:${path}`])
    const tcp = listener((await url(0)).replace('http://', ''))
    await url(1)
    for (const at of [tcp, { path }]) {
      const running = await findRunning([at], undefined, 2_000)
      expect(running?.health).toMatchObject({ ready: true })
      expect(running?.metrics).toContain('# TYPE')
      expect(running?.listens(at)).toBe(true)
      expect(running?.listens(listener('127.0.0.1:1'))).toBe(false)
    }
  })

  it('where it is said to be', async () => {
    const { first } = serve(['127.0.0.1:0'])
    expect((await findRunning([], await first(), 2_000))?.url).toBe(await first())
  })

  it('not where nobody, or somebody else, answers, nor where nobody answers in time', async () => {
    const other = await answering((_, response) => void response.end('{"ready":"no"}'))
    const silent = await answering(() => {})
    for (const url of [`http://127.0.0.1:${await closedPort()}`, other, silent])
      expect(await findRunning([], url, 200)).toBeUndefined()
  })
})

describe('reading /metrics', () => {
  it('gives back what was counted, whatever the labels hold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.nat(1_000)), { maxLength: 5 }), (added) => {
        const counters = createCounters()
        for (const [input, by] of added) counters.add('yarak_events_received_total', { input }, by + 1)
        const total = added.reduce((sum, [, by]) => sum + by + 1, 0)
        expect(sumOf(counters.text(), 'yarak_events_received_total')).toBe(total)
        for (const { labels, value } of seriesOf(counters.text(), 'yarak_events_received_total'))
          expect(counters.sum('yarak_events_received_total', labels)).toBe(value)
      }),
    )
  })
})

describe('the clock of an answer', () => {
  it('a clock that goes as ours never differs, however long the answer took', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.nat(30_000), fc.nat(100), (before, took, part) => {
        const date = new Date(before + (took * part) / 100).toUTCString()
        expect(skewOf(date, before, before + took)).toBe(0)
      }),
    )
  })

  it('a clock that is ahead or behind by whole seconds differs by that, within a second', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.integer({ min: 2, max: 10_000 }), fc.boolean(), (now, seconds, ahead) => {
        const skew = (ahead ? 1 : -1) * seconds * 1_000
        const told = skewOf(new Date(now + 2e9 + skew).toUTCString(), now + 2e9, now + 2e9) ?? 0
        expect(Math.abs(told - skew)).toBeLessThanOrEqual(1_000)
      }),
    )
  })

  it.each([undefined, 'soon', 7])('%s is no time', (date) => expect(skewOf(date, 0, 1)).toBeUndefined())
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COUNTERS, createCounters, type Gauge, HISTOGRAMS } from '../src/counters.ts'
import { parseExposition, totalOf, valueOf } from './exposition.ts'

describe('the counters', () => {
  it('are named and explained as Prometheus asks', () => {
    for (const name of Object.keys(COUNTERS)) expect(name).toMatch(/^yarak_[a-z_]+_total$/)
    for (const name of Object.keys(HISTOGRAMS)) expect(name).toMatch(/^yarak_[a-z_]+_seconds$/)
    for (const help of Object.values({ ...COUNTERS, ...HISTOGRAMS })) expect(help).toMatch(/^[A-Z][^\\\n]*\.$/)
  })

  it('count by labels, and add up', () => {
    const counters = createCounters()
    counters.add('yarak_events_rejected_total', { input: 'http', reason: 'invalid' })
    counters.add('yarak_events_rejected_total', { input: 'http', reason: 'invalid' }, 2)
    counters.add('yarak_events_rejected_total', { input: 'http', reason: 'too_large' })
    counters.add('yarak_events_rejected_total', { input: 'kafka', reason: 'invalid' })
    const sum = (labels?: Record<string, string>) => counters.sum('yarak_events_rejected_total', labels)
    expect(sum()).toBe(5)
    expect(sum({ input: 'http' })).toBe(4)
    expect(sum({ reason: 'invalid' })).toBe(4)
    expect(sum({ input: 'http', reason: 'invalid' })).toBe(3)
    expect(sum({ input: 'file' })).toBe(0)
    expect(counters.sum('yarak_events_received_total')).toBe(0)
  })

  it('are written for Prometheus', () => {
    const counters = createCounters()
    counters.add('yarak_events_received_total', { input: 'http' }, 3)
    counters.add('yarak_rules_matched_total')
    let queued = 1
    counters.gauge('yarak_notices_queued', 'Notices that wait.', () => [[{ output: 'slack/secops' }, queued]])
    counters.gauge('yarak_nothing', 'A gauge without a value.', () => [])
    queued = 7
    expect(counters.text()).toBe(
      [
        `# HELP yarak_events_received_total ${COUNTERS.yarak_events_received_total}`,
        '# TYPE yarak_events_received_total counter',
        'yarak_events_received_total{input="http"} 3',
        `# HELP yarak_rules_matched_total ${COUNTERS.yarak_rules_matched_total}`,
        '# TYPE yarak_rules_matched_total counter',
        'yarak_rules_matched_total 1',
        '# HELP yarak_notices_queued Notices that wait.',
        '# TYPE yarak_notices_queued gauge',
        'yarak_notices_queued{output="slack/secops"} 7',
        '# HELP yarak_nothing A gauge without a value.',
        '# TYPE yarak_nothing gauge',
        '',
      ].join('\n'),
    )
    expect(parseExposition(createCounters().text()).size).toBe(0)
  })

  it('are bounded: what is too much is counted together', () => {
    const counters = createCounters()
    const count = (rule: string) => counters.add('yarak_falco_internal_total', { rule })
    for (let i = 0; i < 3_000; i++) count(`rule ${i}`)
    count('rule 1')
    count('rule 2999')
    const { samples = [] } = parseExposition(counters.text()).get('yarak_falco_internal_total') ?? {}
    expect(samples).toHaveLength(1_001)
    expect(counters.sum('yarak_falco_internal_total')).toBe(3_002)
    expect(counters.sum('yarak_falco_internal_total', { rule: 'rule 1' })).toBe(2)
    expect(counters.sum('yarak_falco_internal_total', { rule: 'overflow' })).toBe(2_001)
  })

  it('are bounded in what a label holds: texts of attackers are cut, and add up where they are the same then', () => {
    const counters = createCounters()
    const count = (rule: string) => counters.add('yarak_falco_internal_total', { rule })
    for (const end of ['a', 'b']) count('x'.repeat(200) + end)
    for (const half of ['\ud800', '\udfff']) count(`half ${half}`)
    expect(valuesOf(counters.text())).toEqual({ ['x'.repeat(200)]: 2, 'half \u{fffd}': 2 })
    expect(counters.sum('yarak_falco_internal_total', { rule: `${'x'.repeat(200)}c` })).toBe(2)
  })

  it('are there before anything happened, when somebody says so', () => {
    const counters = createCounters()
    counters.add('yarak_audit_failures_total', {}, 0)
    expect(valueOf(parseExposition(counters.text()), 'yarak_audit_failures_total')).toBe(0)
  })

  it('tell the same to Prometheus and to the program, whatever the labels hold, in both formats', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'a"\\\n}{,= #\0') }))
    const labels = fc.record({ rule: text, outcome: text }, { noNullPrototype: true })
    const add = fc.record({
      name: fc.constantFrom('yarak_steps_ended_total' as const, 'yarak_responses_ended_total' as const),
      labels,
      by: fc.integer({ min: 1, max: 1e9 }),
    })
    fc.assert(
      fc.property(fc.array(add), fc.array(fc.tuple(text, fc.nat())), fc.boolean(), (adds, gauges, open) => {
        const counters = createCounters()
        for (const { name, labels, by } of adds) counters.add(name, labels, by)
        counters.gauge('yarak_a_gauge', 'A gauge.', () => gauges.map(([output, value]) => [{ output }, value]))
        const families = parseExposition(counters.text(open ? 'openmetrics' : 'text'), open)
        for (const { name, labels } of adds) {
          const kept = { rule: clean(labels.rule), outcome: clean(labels.outcome) }
          const total = sumOf(adds.filter((one) => one.name === name && isSame(one.labels, kept)).map(({ by }) => by))
          expect(valueOf(families, name, kept)).toBe(total)
          expect(counters.sum(name, labels)).toBe(total)
        }
        for (const [output] of gauges) {
          const total = sumOf(gauges.filter(([other]) => clean(other) === clean(output)).map(([, value]) => value))
          expect(valueOf(families, 'yarak_a_gauge', { output: clean(output) })).toBe(total)
        }
      }),
    )
  })
})

describe('a gauge', () => {
  it('with too many series has the sum of the rest under overflow', () => {
    const counters = createCounters()
    const parts = Array.from({ length: 3_000 }, (_, i) => [{ input: 'kafka', partition: String(i) }, 2] as const)
    counters.gauge('yarak_parts', 'Parts.', () => parts)
    const families = parseExposition(counters.text())
    expect(families.get('yarak_parts')?.samples).toHaveLength(1_001)
    expect(valueOf(families, 'yarak_parts', { input: 'overflow', partition: 'overflow' })).toBe(4_000)
    expect(totalOf(families, 'yarak_parts')).toBe(6_000)
  })

  it('of the same name takes the place of the first', () => {
    const counters = createCounters()
    counters.gauge('yarak_a_gauge', 'The first.', () => [[{}, 1]])
    counters.gauge('yarak_a_gauge', 'The second.', () => [[{}, -Infinity]])
    const families = parseExposition(counters.text())
    expect(families.get('yarak_a_gauge')).toMatchObject({ help: 'The second.', samples: [{ value: -Infinity }] })
  })

  it('may count or be a summary, and is explained with whatever characters', () => {
    const counters = createCounters()
    const help = 'Says "no", a \\ and\na new line.'
    counters.gauge('process_cpu_seconds_total', help, () => [[{}, 1.5]], 'counter')
    counters.gauge('yarak_delay_seconds', help, () => [[{ quantile: '0.5' }, 1e-7]], 'summary')
    const [text, open] = [parseExposition(counters.text()), parseExposition(counters.text('openmetrics'), true)]
    expect([...text.values()].map((one) => [one.type, one.help])).toEqual([
      ['counter', help],
      ['summary', help],
    ])
    expect([...open.values()].map((one) => [one.type, one.help])).toEqual([
      ['counter', help],
      ['summary', help],
    ])
    expect([...open.keys()]).toEqual(['process_cpu_seconds', 'yarak_delay_seconds'])
    expect(valueOf(open, 'process_cpu_seconds_total')).toBe(1.5)
    expect(valueOf(open, 'yarak_delay_seconds', { quantile: '0.5' })).toBe(1e-7)
  })
})

describe('a watcher', () => {
  it('is told of gauges there are and gauges to come, each once, and of each measurement until it leaves', () => {
    const counters = createCounters()
    const gauges: Gauge[] = []
    const seen: unknown[] = []
    counters.gauge('yarak_a', 'A.', () => [[{}, 1]])
    const leave = counters.watch({
      added: (gauge) => void gauges.push(gauge),
      observed: (name, seconds, labels) => void seen.push([name, seconds, labels]),
    })
    counters.gauge('yarak_b', 'B.', () => [[{}, 2]])
    counters.gauge('yarak_a', 'A.', () => [[{}, 3]])
    counters.observe('yarak_step_duration_seconds', 2, { action: 'a', outcome: 'failed' })
    leave()
    counters.gauge('yarak_c', 'C.', () => [])
    counters.observe('yarak_step_duration_seconds', 3, { action: 'a', outcome: 'failed' })
    expect(gauges.map(({ name, read }) => [name, [...read()]])).toEqual([
      ['yarak_a', [[{}, 3]]],
      ['yarak_b', [[{}, 2]]],
    ])
    expect(seen).toEqual([['yarak_step_duration_seconds', 2, { action: 'a', outcome: 'failed' }]])
  })
})

/** What is counted of Falco's own rules. */
const valuesOf = (text: string): Record<string, number> =>
  Object.fromEntries(
    (parseExposition(text).get('yarak_falco_internal_total')?.samples ?? []).map(({ labels, value }) => [
      labels.rule ?? '',
      value,
    ]),
  )

const clean = (text: string): string => text.slice(0, 200).toWellFormed()

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** @param kept as labels are kept */
const isSame = (given: Readonly<Record<string, string>>, kept: Readonly<Record<string, string>>): boolean =>
  Object.entries(kept).every(([name, value]) => clean(given[name] ?? '') === value)

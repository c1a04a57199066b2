import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COUNTERS, createCounters } from '../src/counters.ts'

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Family {
  readonly help: string
  readonly type: string
  readonly samples: Sample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = String.raw`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"`
const SAMPLE = new RegExp(String.raw`^(${NAME})(?:\{(${LABEL}(?:,${LABEL})*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$`)

const unescaped = (text: string) => text.replaceAll(/\\(.)/g, (_all, char: string) => (char === 'n' ? '\n' : char))

/** Reads the text format 0.0.4 (Prometheus, "Exposition formats") and takes nothing that is not of it. */
const parseExposition = (text: string): Map<string, Family> => {
  if (!text.endsWith('\n')) throw new Error('the last line must end')
  const families = new Map<string, Family>()
  const lines = text.split('\n').slice(0, -1)
  for (let at = 0; at < lines.length;) {
    if (lines[at] === '') {
      at++
      continue
    }
    const [, name = '', help = ''] = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(lines[at++] ?? '') ?? []
    const [, typed, type = ''] = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`).exec(lines[at++] ?? '') ?? []
    if (!name || typed !== name || families.has(name)) throw new Error(`line ${at}: no family ${name}`)
    const samples: Sample[] = []
    for (; at < lines.length && !lines[at]?.startsWith('#'); at++) samples.push(parseSample(lines[at] ?? '', name))
    families.set(name, { help, type, samples })
  }
  return families
}

const parseSample = (line: string, family: string): Sample => {
  const match = SAMPLE.exec(line)
  if (match?.[1] !== family) throw new Error(`not a sample of ${family}: ${line}`)
  const pairs = [...(match[2] ?? '').matchAll(new RegExp(LABEL, 'g'))]
  const labels = Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, unescaped(value)]))
  if (Object.keys(labels).length !== pairs.length) throw new Error(`a label is there twice: ${line}`)
  return { name: family, labels, value: Number(match.at(-1)) }
}

describe('the counters', () => {
  it('are named and explained as Prometheus asks', () => {
    for (const [name, help] of Object.entries(COUNTERS)) {
      expect(name).toMatch(/^yarak_[a-z_]+_total$/)
      expect(help).toMatch(/^[A-Z][^\\\n]*\.$/)
    }
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
        '# HELP yarak_events_received_total Events handed to the gateway, by input.',
        '# TYPE yarak_events_received_total counter',
        'yarak_events_received_total{input="http"} 3',
        '# HELP yarak_rules_matched_total Matches of a rule, by rule.',
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

  it('tell the same to Prometheus and to the program, whatever the labels hold', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'a"\\\n}{,= #') }))
    const add = fc.record({
      name: fc.constantFrom('yarak_steps_ended_total' as const, 'yarak_responses_ended_total' as const),
      labels: fc.record({ rule: text, outcome: text }),
      by: fc.integer({ min: 1, max: 1e9 }),
    })
    fc.assert(
      fc.property(fc.array(add), fc.array(fc.tuple(text, fc.nat())), (adds, gauges) => {
        const counters = createCounters()
        for (const { name, labels, by } of adds) counters.add(name, labels, by)
        counters.gauge('yarak_a_gauge', 'A gauge.', () => gauges.map(([output, value]) => [{ output }, value]))
        const families = parseExposition(counters.text())
        for (const { name, labels } of adds) {
          const wanted = adds.filter((one) => one.name === name && isSame(one.labels, labels))
          const total = wanted.reduce((sum, { by }) => sum + by, 0)
          const samples = families.get(name)?.samples.filter((one) => isSame(one.labels, labels))
          expect(samples?.map(({ value }) => value)).toEqual([total])
          expect(counters.sum(name, labels)).toBe(total)
        }
        expect(families.get('yarak_a_gauge')?.samples.map(({ value }) => value)).toEqual(gauges.map(([, v]) => v))
      }),
    )
  })
})

const isSame = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
  Object.entries(a).every(([name, value]) => b[name] === value)

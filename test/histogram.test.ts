import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCounters, HISTOGRAMS } from '../src/counters.ts'
import { BUCKETS } from '../src/histogram.ts'
import { type Family, parseExposition, totalOf, valueOf } from './exposition.ts'

const NAME = 'yarak_delivery_duration_seconds'
const LABELS = { output: 'slack', outcome: 'delivered' }
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const span = (flags: string) => ({ traceId: TRACE, traceparent: `00-${TRACE}-${SPAN}-${flags}` })

const bucketsOf = (families: ReadonlyMap<string, Family>) =>
  (families.get(NAME)?.samples ?? []).filter(({ name }) => name === `${NAME}_bucket`)

describe('a distribution', () => {
  it('goes from 5 ms to 10 min', () => {
    expect([BUCKETS[0], BUCKETS.at(-1)]).toEqual([0.005, 600])
    expect(BUCKETS.toSorted((a, b) => a - b)).toEqual(BUCKETS)
  })

  it('is written for Prometheus, its buckets adding up', () => {
    const counters = createCounters()
    for (const seconds of [0.001, 0.005, 0.3, 0.3, 700]) counters.observe(NAME, seconds, LABELS)
    const text = counters.text()
    expect(text.split('\n').slice(0, 3)).toEqual([
      `# HELP ${NAME} ${HISTOGRAMS[NAME]}`,
      `# TYPE ${NAME} histogram`,
      `${NAME}_bucket{output="slack",outcome="delivered",le="0.005"} 2`,
    ])
    const families = parseExposition(text)
    const le = (bound: string) => valueOf(families, `${NAME}_bucket`, { ...LABELS, le: bound })
    expect(['0.25', '0.5', '1.0', '600.0', '+Inf'].map(le)).toEqual([2, 4, 4, 4, 5])
    expect(valueOf(families, `${NAME}_count`, LABELS)).toBe(5)
    expect(valueOf(families, `${NAME}_sum`, LABELS)).toBeCloseTo(700.606)
  })

  it('without labels has only the bounds', () => {
    const counters = createCounters()
    counters.observe(NAME, 1)
    const families = parseExposition(counters.text())
    expect(valueOf(families, `${NAME}_bucket`, { le: '1.0' })).toBe(1)
    expect(valueOf(families, `${NAME}_count`)).toBe(1)
  })

  it.each([NaN, Infinity, -1])('leaves out %s, as a clock or a sender that is wrong gives it', (seconds) => {
    const counters = createCounters()
    counters.observe(NAME, seconds, LABELS)
    expect(counters.text()).toBe('')
  })

  it('has at most 200 series, and counts the rest together', () => {
    const counters = createCounters()
    for (let i = 0; i < 1_000; i++) counters.observe(NAME, 1, { output: `o${i}`, outcome: 'failed' })
    const families = parseExposition(counters.text())
    expect(families.get(NAME)?.samples).toHaveLength(201 * (BUCKETS.length + 3))
    expect(valueOf(families, `${NAME}_count`, { output: 'overflow', outcome: 'overflow' })).toBe(800)
    expect(totalOf(families, `${NAME}_sum`)).toBe(1_000)
  })

  it('holds every measurement in the first bucket that is large enough', () => {
    const seconds = fc.oneof(fc.constantFrom(...BUCKETS), fc.double({ min: 0, max: 1_000, noNaN: true }))
    fc.assert(
      fc.property(fc.array(seconds, { minLength: 1 }), fc.boolean(), (all, open) => {
        const counters = createCounters()
        for (const one of all) counters.observe(NAME, one, LABELS)
        const families = parseExposition(counters.text(open ? 'openmetrics' : 'text'), open)
        for (const { labels, value } of bucketsOf(families)) {
          const bound = Number(labels.le?.replace('+Inf', 'Infinity'))
          expect(value).toBe(all.filter((one) => one <= bound).length)
        }
        expect(totalOf(families, `${NAME}_count`)).toBe(all.length)
        expect(totalOf(families, `${NAME}_sum`)).toBeCloseTo(
          all.reduce((sum, one) => sum + one, 0),
          3,
        )
      }),
    )
  })
})

describe('the exemplar of a bucket', () => {
  const exemplars = (text: string) =>
    bucketsOf(parseExposition(text, true)).flatMap(({ labels, exemplar }) => (exemplar ? [[labels.le, exemplar]] : []))

  it('is the last measurement of a recorded span, in OpenMetrics alone', () => {
    const counters = createCounters()
    const before = Date.now()
    counters.observe(NAME, 0.3, LABELS, span('01'))
    counters.observe(NAME, 0.4, LABELS, span('01'))
    counters.observe(NAME, 2_000, LABELS, span('01'))
    const found = exemplars(counters.text('openmetrics'))
    const labels = { trace_id: TRACE, span_id: SPAN }
    expect(found).toMatchObject([
      ['0.5', { labels, value: 0.4 }],
      ['+Inf', { labels, value: 2_000 }],
    ])
    const { at } = (found[0] as [string, { at: number }])[1]
    expect(at * 1_000).toBeGreaterThanOrEqual(before - 1)
    expect(at * 1_000).toBeLessThanOrEqual(Date.now() + 1)
    expect(counters.text()).not.toContain(TRACE)
  })

  it('is none of a span that is not recorded, or that is none', () => {
    const counters = createCounters()
    counters.observe(NAME, 0.3, LABELS, span('00'))
    counters.observe(NAME, 0.3, LABELS, { traceId: undefined, traceparent: undefined })
    counters.observe(NAME, 0.3, LABELS)
    expect(exemplars(counters.text('openmetrics'))).toEqual([])
    expect(valueOf(parseExposition(counters.text()), `${NAME}_count`, LABELS)).toBe(3)
  })
})

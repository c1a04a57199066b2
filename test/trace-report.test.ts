import { describe, expect, it } from 'vitest'
import type { Undone } from '../src/journal/index.ts'
import type { Report, StepReport } from '../src/plugin.ts'
import { reportSpans } from '../src/trace-report.ts'
import { drawTrace } from '../src/trace-tree.ts'
import { report as base } from './journal/_kit.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

const step = (id: string, more: Partial<StepReport> = {}): StepReport => ({
  ...{ id, action: 'kubernetes:label', outcome: 'succeeded', summary: `did ${id}`, attempts: 1, duration: 10 },
  ...more,
})

const report = (steps: readonly StepReport[], more: Partial<Report> = {}): Report =>
  base('r1', { rule: 'Shell', traceId: TRACE, duration: 50, steps, ...more })

const spansOf = (steps: readonly StepReport[], more: Partial<Report> = {}, undone: readonly Undone[] = []) =>
  reportSpans({ report: report(steps, more), undone })

const namesOf = (steps: readonly StepReport[]): unknown[] =>
  spansOf(steps)
    .slice(1)
    .toSorted((a, b) => a.start - b.start)
    .map(({ attributes }) => attributes['yarak.step'])

const at = (millis: number): string => new Date(Date.parse('2026-11-23T08:00:00.000Z') + millis).toISOString()

describe('a report as spans', () => {
  it('has the response, with its steps below it', () => {
    const [response, first, second] = spansOf([step('mark'), step('wait', { action: 'wait' })], {
      target: 'pod/shop/web',
    })
    expect(response).toMatchObject({
      ...{ name: 'respond Shell', traceId: TRACE, start: Date.parse(at(0)), end: Date.parse(at(50)), failed: false },
      attributes: { 'yarak.response.id': 'r1', 'yarak.mode': 'enforce', 'yarak.outcome': 'succeeded' },
    })
    expect(response).not.toHaveProperty('parentId')
    expect(first).toMatchObject({ name: 'action kubernetes:label', parentId: response?.spanId, traceId: TRACE })
    expect(second).toMatchObject({ name: 'wait', parentId: response?.spanId })
    expect(first?.spanId).not.toBe(second?.spanId)
  })

  it('has steps that ran in parallel in the order in which they began', () => {
    expect(namesOf([step('a', { startedAt: at(8) }), step('b', { startedAt: at(3) }), step('c')])).toEqual([
      'b',
      'a',
      'c',
    ])
  })

  it('has the steps of an old report, which have no times, in the order of the rule', () => {
    expect(namesOf([step('c'), step('a', { duration: 0 }), step('b')])).toEqual(['c', 'a', 'b'])
    const [, first, second] = spansOf([step('a', { duration: 12.9 }), step('b')])
    expect([first?.start, second?.start]).toEqual([Date.parse(at(0)), Date.parse(at(12))])
  })

  it('has what was not reached before what came after it', () => {
    const steps = [
      step('a', { startedAt: at(100), duration: 5.8 }),
      step('never', { outcome: 'skipped', duration: 0, attempts: 0 }),
      step('tidy', { startedAt: at(105) }),
    ]
    expect(namesOf(steps)).toEqual(['a', 'never', 'tidy'])
  })

  it('has a time that is none as none', () => {
    expect(namesOf([step('a', { startedAt: 'soon' }), step('b')])).toEqual(['a', 'b'])
    const [response] = spansOf([], { startedAt: 'never' })
    expect(response).toMatchObject({ start: 0, end: 50, events: [{ name: 'never UTC, event e' }] })
  })

  it('says what went wrong, on the step and on the response', () => {
    const error = { code: 'failed', reason: 'http-503', message: 'answered 503' }
    const failed = step('mark', { outcome: 'failed', error, summary: 'answered 503', attempts: 3 })
    const [response, first] = spansOf([failed], { outcome: 'failed' })
    expect(response).toMatchObject({ failed: true, message: 'mark: answered 503' })
    expect(first).toMatchObject({
      ...{ failed: true, message: 'answered 503', attributes: { 'error.type': 'http-503' } },
      events: [{ name: '3 attempts' }],
    })
  })

  it('does not call it a failure that the target was gone', () => {
    const error = { code: 'gone', reason: 'gone', message: 'no such pod' }
    const [, first] = spansOf([step('mark', { outcome: 'gone', error })])
    expect(first?.failed).toBe(false)
  })

  it('is drawn with all that the journal knows', () => {
    const undone: Undone = {
      ...{ action: 'kubernetes:label', rule: 'Shell', response: 'r1', step: 'mark', object: 'pod shop/web-1' },
      ...{ outcome: 'succeeded', summary: 'put back', at: '2026-11-23T09:00:00.000Z' },
    }
    const capture = step('capture', {
      ...{ action: 'kubernetes:tcpdump', startedAt: at(20), simulated: true, objects: {} },
      artifacts: [{ name: 'a.pcap', url: 's3://evidence/a.pcap', size: 2_048, sha256: 'ab'.repeat(32) }],
    })
    const mark = step('mark', { startedAt: at(10), objects: { pod: 'web-1', namespace: 'shop' }, attempts: 2 })
    const spans = spansOf([mark, capture], { target: 'pod/shop/web-1', cluster: 'eu' }, [undone])
    expect(`\n${drawTrace(spans)}\n`).toMatchInlineSnapshot(`
      "
      trace 4bf92f3577b34da6a3ce929d0e0e4736
      respond Shell · enforce                 ✔ succeeded              50.0 ms
      │  response r1 · pod/shop/web-1
      │  2026-11-23 08:00:00 UTC, event e, cluster eu
      ├─ action kubernetes:label · mark       ✔ succeeded              10.0 ms
      │     2 attempts
      │     objects pod=web-1 namespace=shop
      │     did mark
      │     undone 2026-11-23 09:00:00 UTC, pod shop/web-1: put back
      └─ action kubernetes:tcpdump · capture  ✔ succeeded (simulated)  10.0 ms
            file a.pcap · 2 KiB
            sha256 abababababababababababababababababababababababababababababababab
            at s3://evidence/a.pcap
            did capture
      "
    `)
  })

  it('of several responses of one trace is one tree', () => {
    const second = reportSpans({ report: { ...report([step('mark')]), id: 'r2' }, undone: [] })
    const lines = drawTrace([...spansOf([step('mark')]), ...second]).split('\n')
    expect(lines.filter((line) => line.startsWith('respond'))).toHaveLength(2)
    expect(lines.filter((line) => line.startsWith('└─ action'))).toHaveLength(2)
    expect(lines.filter((line) => line.startsWith('trace'))).toEqual([`trace ${TRACE}`])
  })

  it('that was not traced is a tree all the same', () => {
    const { traceId: _, ...untraced } = report([step('mark')])
    expect(drawTrace(reportSpans({ report: untraced, undone: [] })).split('\n')[0]).toBe('no trace')
  })
})

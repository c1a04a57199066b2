import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { drawTrace, type Paint, type SpanRecord } from '../src/trace-tree.ts'

const span = (name: string, more: Partial<SpanRecord> = {}): SpanRecord => ({
  name,
  kind: 'internal',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: name,
  start: 0,
  end: 2.1,
  failed: false,
  attributes: {},
  events: [],
  ...more,
})

const outcome = (word: string, more: object = {}) => ({ 'yarak.outcome': word, ...more })

const draw = (...spans: SpanRecord[]) => drawTrace(spans).split('\n')

describe('a trace', () => {
  it('is drawn as a tree, by time', () => {
    const trace = [
      span('notify slack', { parentId: 'POST /', start: 9, end: 10, attributes: outcome('delivered') }),
      span('PATCH /api/v1', { parentId: 'act', start: 3, end: 4, attributes: { 'http.response.status_code': 200 } }),
      span('respond', {
        parentId: 'POST /',
        start: 2,
        end: 14_002,
        name: 'respond Shell',
        attributes: outcome('failed', { 'yarak.mode': 'enforce' }),
      }),
      span('act', {
        parentId: 'respond',
        start: 3,
        end: 6,
        name: 'action kubernetes:label',
        attributes: outcome('succeeded', { 'yarak.simulated': true, 'yarak.summary': 'would label web-1' }),
      }),
      span('stop', {
        parentId: 'respond',
        start: 6,
        end: 7,
        name: 'action stop',
        failed: true,
        message: 'no rights',
        attributes: outcome('failed', { 'yarak.summary': 'unsaid' }),
        events: [{ name: 'retry', attributes: { 'yarak.attempt': 1, 'yarak.reason': '503' } }],
      }),
      span('POST /', { attributes: { 'security_rule.name': 'Terminal shell', 'falco.priority': 'Notice' } }),
    ]
    expect(`\n${drawTrace(trace)}\n`).toMatchInlineSnapshot(`
      "
      trace 4bf92f3577b34da6a3ce929d0e0e4736
      POST / · Terminal shell · Notice                              2.1 ms
      ├─ respond Shell · enforce        ✘ failed                    14.0 s
      │  ├─ action kubernetes:label     ✔ succeeded (simulated)     3.0 ms
      │  │  │  would label web-1
      │  │  └─ PATCH /api/v1            ✔ 200                       1.0 ms
      │  └─ action stop                 ✘ failed                    1.0 ms
      │        retry attempt=1 reason=503
      │        no rights
      └─ notify slack                   ✔ delivered                 1.0 ms
      "
    `)
  })

  it.each([
    ['an outcome', { attributes: outcome('succeeded') }, '✔ succeeded'],
    ['a bad outcome', { attributes: outcome('refused') }, '✘ refused'],
    ['a good status', { attributes: { 'http.response.status_code': 204 } }, '✔ 204'],
    ['a bad status', { attributes: { 'http.response.status_code': 503 } }, '✘ 503'],
    ['an outcome before a status', { attributes: outcome('gone', { 'http.response.status_code': 404 }) }, '✔ gone'],
    ['a failure', { failed: true }, '✘ error'],
    ['nothing', {}, 's '],
  ])('marks %s', (_what, more, mark) => {
    expect(draw(span('s', more))[1]).toContain(mark)
  })

  it.each([
    [0, '0.0 ms'],
    [9_999.94, '9999.9 ms'],
    [10_000, '10.0 s'],
    [61_250, '61.3 s'],
  ])('tells that %d milliseconds are %s', (end, text) => {
    expect(draw(span('s', { end }))[1]?.trimEnd().endsWith(text)).toBe(true)
  })

  it('has its id above it, also when it has no spans', () => {
    expect(draw(span('s'))[0]).toBe('trace 4bf92f3577b34da6a3ce929d0e0e4736')
    expect(drawTrace([])).toBe('trace ')
  })

  it('has spans whose parent is elsewhere, as roots', () => {
    expect(draw(span('b', { parentId: 'remote', start: 2 }), span('a', { start: 1 })).slice(1)).toEqual([
      expect.stringMatching(/^a/),
      expect.stringMatching(/^b/),
    ])
  })

  it('is painted', () => {
    const paint: Paint = { ok: (t) => `+${t}+`, bad: (t) => `-${t}-`, dim: (t) => `.${t}.`, bold: (t) => `*${t}*` }
    const good = span('respond x', { attributes: outcome('succeeded', { 'yarak.summary': 'done' }) })
    const bad = span('bad', { failed: true, start: 1 })
    const text = drawTrace([good, bad], paint)
    expect(text).toContain('.trace 4bf92f3577b34da6a3ce929d0e0e4736.')
    expect(text).toMatch(/\*respond x\* {2}\+✔ succeeded +\+/)
    expect(text).toContain('.done.')
    expect(text).toMatch(/bad {8}-✘ error +-/)
  })

  it('cannot be broken by what an event holds', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    const record = fc.record({ name: text, rule: text, summary: text, note: text, failed: fc.boolean() })
    fc.assert(
      fc.property(record, ({ name, rule, summary, note, failed }) => {
        const attributes = { 'security_rule.name': rule, 'yarak.summary': summary, 'yarak.outcome': rule }
        const events = [{ name: note, attributes: { 'yarak.reason': note } }]
        const lines = draw(span('s', { name, failed, message: summary, attributes, events }))
        expect(lines.length).toBeLessThanOrEqual(4)

        expect(lines.some((line) => /[\u0000-\u001f\u007f-\u009f]/.test(line))).toBe(false)
        expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(700)
      }),
    )
  })

  it('names every span of any tree once', () => {
    const trees = fc.array(fc.nat(), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(trees, (parents) => {
        const spans = parents.map((parent, i) =>
          span(`s${i}.`, { ...(i > 0 && { parentId: `s${parent % i}.` }), start: i, end: i + 1 }),
        )
        const lines = draw(...spans).slice(1)
        expect(lines.map((line) => /s\d+\./.exec(line)?.[0]).toSorted()).toEqual(
          spans.map(({ name }) => name).toSorted(),
        )
        const ends = new Set(lines.map((line) => line.length))
        expect(ends.size).toBe(1)
      }),
    )
  })
})

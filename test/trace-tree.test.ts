import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textWidth } from '../src/text-width.ts'
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
      POST / · Terminal shell · Notice                           2.1 ms
      ├─ respond Shell · enforce        ✘ failed                 14.0 s
      │  ├─ action kubernetes:label     ✔ succeeded (simulated)  3.0 ms
      │  │  │  would label web-1
      │  │  └─ PATCH /api/v1            ✔ 200                    1.0 ms
      │  └─ action stop                 ✘ failed                 1.0 ms
      │        retry 1: 503
      │        no rights
      └─ notify slack                   ✔ delivered              1.0 ms
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
    ['a step that was left out', { attributes: outcome('skipped') }, '– skipped'],
    ['a duplicate', { attributes: outcome('joined') }, '– joined'],
    ['nothing', {}, 's '],
  ])('marks %s', (_what, more, mark) => {
    expect(draw(span('s', more))[1]).toContain(mark)
  })

  it.each([
    [0, '0.0 ms'],
    [9_999.94, '9999.9 ms'],
    [10_000, '10.0 s'],
    [61_250, '61.3 s'],
    [1_800_000, '30.0 min'],
    [-3, '0.0 ms'],
  ])('tells that %d milliseconds are %s', (end, text) => {
    expect(draw(span('s', { end }))[1]?.trimEnd().endsWith(text)).toBe(true)
  })

  it('has its id above it, also when it has no spans', () => {
    expect(draw(span('s'))[0]).toBe('trace 4bf92f3577b34da6a3ce929d0e0e4736')
    expect(drawTrace([])).toBe('no trace')
  })

  it('has spans whose parent is elsewhere, as roots with a mark', () => {
    expect(draw(span('b', { parentId: 'remote', start: 2 }), span('a', { start: 1 })).slice(1)).toEqual([
      'a      1.1 ms',
      '┄ b    0.1 ms',
    ])
  })

  it('has spans that are each other’s parents, once', () => {
    const lines = draw(
      span('a', { parentId: 'b' }),
      span('b', { parentId: 'a', start: 1 }),
      span('c', { parentId: 'c' }),
    )
    expect(lines.slice(1).map((line) => line.replace(/ +[\d.]+ ms$/, ''))).toEqual(['┄ a', '└─ b', '┄ c'])
  })

  it('may be deep and wide', () => {
    const chain = Array.from({ length: 5_000 }, (_, i) =>
      span(`s${i}.`, { ...(i > 0 && { parentId: `s${i - 1}.` }), start: i }),
    )
    const leaves = Array.from({ length: 5_000 }, (_, i) => span(`leaf${i}`, { parentId: 's4999.', start: 5_000 + i }))
    const lines = draw(...chain, ...leaves)
    expect(lines).toHaveLength(10_001)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(200)
    expect(lines[5_000]).toMatch(/^… .* └─ s4999\. /)
  })

  it('is painted', () => {
    const paint: Paint = { ok: (t) => `+${t}+`, bad: (t) => `-${t}-`, dim: (t) => `.${t}.`, bold: (t) => `*${t}*` }
    const good = span('respond x', { attributes: outcome('succeeded', { 'yarak.summary': 'done' }) })
    const bad = span('bad', { failed: true, start: 1 })
    const text = drawTrace([good, bad], paint)
    expect(text).toContain('.trace 4bf92f3577b34da6a3ce929d0e0e4736.')
    expect(text).toContain('\n*respond x*  +✔ succeeded+  2.1 ms')
    expect(text).toContain('\n.   done.\n')
    expect(text).toContain('\nbad        -✘ error    -  1.1 ms')
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

        expect(lines.some((line) => /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u.test(line))).toBe(false)
      }),
    )
  })

  it('is never wider than the terminal', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 120 })
    const records = fc.array(fc.record({ name: text, note: text, parent: fc.nat(), outcome: text }), { maxLength: 20 })
    fc.assert(
      fc.property(records, fc.integer({ min: 40, max: 200 }), (given, columns) => {
        const spans = given.map(({ name, note, parent, outcome }, i) =>
          span(`${name}${i}`, {
            ...(i > 0 && { parentId: `${given[parent % i]?.name}${parent % i}` }),
            attributes: { 'yarak.summary': note, 'yarak.outcome': outcome },
          }),
        )
        const widths = drawTrace(spans, undefined, columns).split('\n').slice(1).map(textWidth)
        expect(Math.max(0, ...widths)).toBeLessThanOrEqual(columns)
      }),
    )
  })

  it('is cut to the terminal, the outer branches first, and not cut in a pipe', () => {
    const long = 'x'.repeat(300)
    const spans = Array.from({ length: 12 }, (_, i) =>
      span(`${i}`, {
        ...{ name: `action ${i} ${long}`, start: i, ...(i > 0 && { parentId: `${i - 1}` }) },
        ...{ attributes: outcome('succeeded', { 'yarak.summary': long }) },
      }),
    )
    const lines = drawTrace(spans, undefined, 80).split('\n')
    expect(lines.slice(-2)).toEqual([
      '…                 └─ action 11 xxxxxxxxxxxxxxxxxxxxxxxxxxx…  ✔ succeeded  0.0 ms',
      expect.stringMatching(/^… +x{40,}…$/),
    ])
    expect(drawTrace(spans)).toContain(`${long}  ✔ succeeded`)
    expect(drawTrace(spans)).toContain(`${long}\n`)
  })

  it('is straight also with names that take two columns a character', () => {
    const lines = draw(
      span('日本語', { attributes: outcome('succeeded') }),
      span('👩‍💻 e\u0301', { start: 1 }),
      span('plain'),
    )
    expect(lines.slice(1).map((line) => textWidth(line))).toEqual([27, 27, 27])
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

describe('the lines below a span', () => {
  const notes = (more: Partial<SpanRecord>): string[] =>
    draw(span('notify slack', more))
      .slice(2)
      .map((line) => line.trim())

  it.each<[string, Partial<SpanRecord>, string[]]>([
    [
      'which response it is, and about what',
      {
        name: 'respond x',
        attributes: { 'yarak.response.id': 'r1', 'k8s.namespace.name': 'shop', 'k8s.pod.name': 'web' },
      },
      ['response r1 · shop/web'],
    ],
    [
      'which container, where there is no pod',
      { name: 'respond x', attributes: { 'yarak.response.id': 'r1', 'container.id': 'abc' } },
      ['response r1 · abc'],
    ],
    [
      'what an undoing is of',
      { name: 'undo x', attributes: { 'yarak.response.id': 'r1' }, links: ['s9'] },
      ['of response r1', 'linked with span s9'],
    ],
    [
      'why it was suppressed',
      { attributes: outcome('suppressed', { 'yarak.reason': 'target_busy' }) },
      ['target_busy'],
    ],
    [
      'some of many links',
      { links: ['a', 'b', 'c', 'd', 'e'] },
      ['linked with span a', 'linked with span b', 'linked with span c', 'and with 2 more'],
    ],
    [
      'why it is a dead letter',
      { failed: true, message: 'no', attributes: { 'error.type': 'http-400' } },
      ['no (http-400)'],
    ],
    [
      'a reason once',
      { failed: true, message: 'http-400: no', attributes: { 'error.type': 'http-400' } },
      ['http-400: no'],
    ],
    ['a reason alone', { failed: true, attributes: { 'error.type': 'econnreset' } }, ['econnreset']],
    [
      'an event that nobody knows',
      { events: [{ name: 'cache', attributes: { 'yarak.hit': true, n: 2 } }] },
      ['cache hit=true n=2'],
    ],
    ['an event with a name of objects', { events: [{ name: 'constructor', attributes: {} }] }, ['constructor']],
    [
      'what had been undone already',
      {
        events: [{ name: 'undone', attributes: { at: 'then', 'yarak.outcome': 'gone', 'yarak.summary': 'no pod' } }],
      },
      ['undone then: gone: no pod'],
    ],
    [
      'a file',
      { attributes: { 'yarak.artifact': 'a.pcap', 'yarak.artifact.size': 1_536, 'yarak.artifact.sha256': 'ab' } },
      ['file a.pcap · 1.5 KiB', 'sha256 ab'],
    ],
    [
      'a file that was not kept',
      { failed: true, message: 'full', attributes: { 'yarak.artifact': 'a.pcap' } },
      ['file a.pcap', 'full'],
    ],
  ])('tell %s', (_what, more, expected) => {
    expect(notes(more)).toEqual(expected)
  })

  it('are whole in a pipe, up to a thousand characters', () => {
    expect(notes({ failed: true, message: 'm'.repeat(900) })).toEqual(['m'.repeat(900)])
    expect(notes({ failed: true, message: 'm'.repeat(90_000) })).toEqual([`${'m'.repeat(999)}…`])
  })
})

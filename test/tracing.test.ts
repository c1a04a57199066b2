import { context, trace } from '@opentelemetry/api'
import { describe, expect, it, vi } from 'vitest'
import { YarakError } from '../src/index.ts'
import { createTracing } from '../src/telemetry.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const tracing = createTracing('1.2.3')

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`

describe('a span', () => {
  it('has its name, kind, attributes and events', () => {
    const span = tracing.start('POST /', { kind: 'server', attributes: { a: 'x', b: undefined, c: ['y'] } })
    span.set({ d: 5 })
    span.event('retry', { reason: '503' })
    span.end()
    expect(spans.one('POST /')).toMatchObject({
      kind: 'server',
      attributes: { a: 'x', c: ['y'], d: 5 },
      events: [{ name: 'retry', attributes: { reason: '503' } }],
      failed: false,
    })
    expect(spans.one('POST /').attributes).not.toHaveProperty('b')
  })

  it.each(['internal', 'server', 'client', 'producer', 'consumer'] as const)('can be of kind %s', (kind) => {
    tracing.start('x', { kind }).end()
    expect(spans.one('x').kind).toBe(kind)
  })

  it('is internal, and a root, when nothing else is said', () => {
    tracing.start('x').end()
    expect(spans.one('x')).toMatchObject({ kind: 'internal', parentId: undefined })
  })

  it('is a child of a span of ours', () => {
    const parent = tracing.start('parent')
    tracing.start('child', { parent }).end()
    parent.end()
    expect(spans.shape()).toBe('parent\n  child')
  })

  it('goes on the trace of a sender', () => {
    const span = tracing.start('x', { from: { traceparent: TRACEPARENT } })
    span.end()
    expect(span.traceId).toBe(TRACE)
    expect(spans.one('x')).toMatchObject({ traceId: TRACE, parentId: 'b7ad6b7169203331' })
  })

  it.each([
    ['none', {}],
    ['nonsense', { traceparent: 'nonsense' }],
    ['zeros', { traceparent: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01` }],
  ])('is a root when the header of the sender is %s', (_what, from) => {
    tracing.start('x', { from }).end()
    expect(spans.one('x').parentId).toBeUndefined()
  })

  it('nests under the active span of the host program, and the spans of the host under it', () => {
    const host = trace.getTracer('host')
    host.startActiveSpan('request', (request) => {
      const ours = tracing.start('ours')
      ours.run(() => host.startSpan('query').end())
      ours.end()
      request.end()
    })
    expect(spans.shape()).toBe('request\n  ours\n    query')
  })

  it('gives the headers that make another process go on its trace', () => {
    const span = tracing.start('x')
    const { traceparent } = span.headers()
    expect(traceparent).toBe(span.traceparent)
    expect(traceparent).toMatch(new RegExp(`^00-${span.traceId}-[0-9a-f]{16}-01$`))
    tracing.start('far', { from: span.headers() }).end()
    span.end()
    expect(spans.shape()).toBe('x\n  far')
  })

  it.each([
    ['an error of ours', new YarakError('failed', 'no', { reason: 'protected' }), 'no', 'protected'],
    [
      'an error of the system',
      Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
      'refused',
      'econnrefused',
    ],
    ['anything', 'text', 'text', 'error'],
  ])('fails with %s', (_what, error, message, type) => {
    const span = tracing.start('x')
    span.fail(error)
    span.end()
    expect(spans.one('x')).toMatchObject({ failed: true, message, attributes: { 'error.type': type } })
  })
})

describe('links', () => {
  it('lead to spans and to headers; what is neither is left out', async () => {
    const first = tracing.start('first')
    first.end()
    const made = vi.spyOn(trace.getTracer('x').constructor.prototype as { startSpan: () => unknown }, 'startSpan')
    tracing.start('joined', { links: [first, TRACEPARENT, 'nonsense', ''] }).end()
    const [, options] = made.mock.calls[0] as unknown as [string, { links: { context: object }[] }]
    made.mockRestore()
    expect(options.links.map((link) => link.context)).toEqual([
      { traceId: first.traceId, spanId: first.traceparent?.split('-')[2], traceFlags: 1 },
      { traceId: TRACE, spanId: 'b7ad6b7169203331', traceFlags: 1 },
    ])
  })
})

describe('the clock', () => {
  it('keeps spans in the order in which they began and ended', () => {
    const parent = tracing.start('parent')
    for (let i = 0; i < 20; i++) tracing.start(String(i), { parent }).end()
    parent.end()
    const all = spans.all()
    const children = all.filter(({ name }) => name !== 'parent').toSorted((a, b) => a.start - b.start)
    expect(children.map(({ name }) => name)).toEqual([...Array(20).keys()].map(String))
    const outer = spans.one('parent')
    for (const { start, end } of children) {
      expect(start).toBeGreaterThanOrEqual(outer.start)
      expect(end).toBeLessThanOrEqual(outer.end)
    }
  })

  it('takes the times it is given', () => {
    tracing.start('x', { at: 1_000_000.5 }).end(1_000_002)
    expect(spans.one('x')).toMatchObject({ start: 1_000_000.5, end: 1_000_002 })
  })

  it('follows a wall clock that is set', () => {
    const clock = createTracing('1').now
    const before = clock()
    const set = vi.spyOn(Date, 'now').mockReturnValue(before + 3_600_000)
    expect(clock() - before).toBeGreaterThan(3_599_000)
    set.mockRestore()
    expect(Math.abs(clock() - Date.now())).toBeLessThan(1_000)
  })
})

describe('without a provider', () => {
  it('spans have no ids, give no headers, and still run what they are given', () => {
    trace.disable()
    context.disable()
    const span = createTracing('1').start('x', { attributes: { a: 1 } })
    span.set({ b: 2 })
    span.event('e')
    span.fail(new Error('no'))
    expect(span.run(() => 5)).toBe(5)
    expect([span.traceId, span.traceparent, span.headers()]).toEqual([undefined, undefined, {}])
    span.end()
  })
})

import { propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { describe, expect, it } from 'vitest'
import { traceContext } from '../../src/trace-context.ts'
import { collector, telemetry } from './_kit.ts'

const TRACE = '80f198ee56343ba864fe8b2a57d3eff7'
const SPAN = 'e457b5a2e4d86bd1'

const B3_SINGLE = { b3: `${TRACE}-${SPAN}-1` }
const B3_MULTI = { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '1' }
const W3C = { traceparent: `00-${TRACE}-${SPAN}-01` }

/** An event with these headers, as inputs pass them on. */
const received = async (propagators: string, headers: Readonly<Record<string, string>>) => {
  const { url, spans } = await collector()
  const { tracing, stop, lines } = await telemetry({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
    OTEL_PROPAGATORS: propagators,
  })
  const span = tracing.start('POST /', { kind: 'server', from: traceContext((name) => headers[name]) })
  const out = span.headers()
  const fields = propagation.fields()
  const baggage = propagation.getBaggage(propagation.extract(ROOT_CONTEXT, headers))
  span.end()
  await stop()
  return { span: spans()[0], out, fields, lines, baggage, traceparent: span.traceparent }
}

describe('an event', () => {
  it.each([
    ['b3', B3_SINGLE],
    ['b3', B3_MULTI],
    ['b3multi', B3_SINGLE],
    ['b3multi', B3_MULTI],
    ['tracecontext,baggage,b3', B3_SINGLE],
    ['b3, tracecontext', B3_MULTI],
    ['tracecontext', W3C],
    ['', W3C],
    ['tracecontext,b3', W3C],
  ])('with OTEL_PROPAGATORS=%s goes on in the trace of %j', async (propagators, headers) => {
    const { span, lines } = await received(propagators, headers)
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: SPAN })
    expect(lines).toEqual([])
  })

  it.each([
    ['', B3_SINGLE],
    ['tracecontext', B3_MULTI],
    ['b3', W3C],
    ['none', W3C],
    ['b3', { b3: 'nonsense' }],
  ])('with OTEL_PROPAGATORS=%s begins a trace of its own beside %j', async (propagators, headers) => {
    const { span } = await received(propagators, headers)
    expect(span).toMatchObject({ parentSpanId: '', traceId: expect.not.stringContaining(TRACE) as string })
  })
})

describe('what goes out', () => {
  it.each([
    ['', ['traceparent']],
    ['b3', ['b3']],
    ['b3multi', ['x-b3-sampled', 'x-b3-spanid', 'x-b3-traceid']],
    ['tracecontext,b3', ['b3', 'traceparent']],
    ['none', []],
  ])('with OTEL_PROPAGATORS=%s is %j', async (propagators, names) => {
    const { out, span, traceparent } = await received(propagators, {})
    expect(Object.keys(out).sort()).toEqual(names)
    if (out.traceparent) expect(out.traceparent).toBe(traceparent)
    if (out.b3) expect(out.b3).toBe(`${span?.traceId}-${span?.spanId}-1`)
    if (out['x-b3-traceid']) expect(out['x-b3-traceid']).toBe(span?.traceId)
  })

  it('of baggage is what came in', async () => {
    const { baggage, fields } = await received('', { ...W3C, baggage: 'tenant=blue' })
    expect(baggage?.getEntry('tenant')?.value).toBe('blue')
    expect(fields).toContain('baggage')
  })

  it('of a propagator that is not known is nothing, which is told', async () => {
    const { out, lines } = await received('ottrace,b3', {})
    expect(lines).toEqual([
      'OTEL_PROPAGATORS: ottrace is not known; there are tracecontext, baggage, b3, b3multi and none',
    ])
    expect(Object.keys(out)).toEqual(['b3'])
  })
})

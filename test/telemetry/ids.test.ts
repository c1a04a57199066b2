import { describe, expect, it } from 'vitest'
import { fnv128 } from '../../src/fnv.ts'
import { createIds } from '../../src/telemetry/ids.ts'
import { collector, telemetry } from './_kit.ts'

describe('ids', () => {
  it('are random, of the right length, and never the same', () => {
    const { generator } = createIds()
    const traces = Array.from({ length: 5_000 }, () => generator.generateTraceId())
    const spans = Array.from({ length: 5_000 }, () => generator.generateSpanId())
    expect(new Set(traces).size).toBe(5_000)
    expect(new Set(spans).size).toBe(5_000)
    expect(traces.every((id) => /^[0-9a-f]{32}$/.test(id) && /[^0]/.test(id))).toBe(true)
    expect(spans.every((id) => /^[0-9a-f]{16}$/.test(id) && /[^0]/.test(id))).toBe(true)
  })

  it('of two generators differ', () => {
    const [one, other] = [createIds(), createIds()]
    expect(one.generator.generateTraceId()).not.toBe(other.generator.generateTraceId())
  })

  it('of the next trace can be given, of that one alone', () => {
    const { generator, next } = createIds()
    const given = fnv128('shop:web-1')
    next(given)
    generator.generateSpanId()
    expect(generator.generateTraceId()).toBe(given)
    expect(generator.generateTraceId()).not.toBe(given)
  })

  // the vectors of Falcosidekick's own tests
  it.each([
    ['my-ns:my-pod-name', '087e7ab4196a3c4801e3c23bc1406163'],
    ['42', '088094c785ab1be95aa073305569c06b'],
    ['localhost', 'b96c8fbfe005d268653aef8210412f0a'],
  ])('of %s are those of Falcosidekick', (text, id) => {
    expect(fnv128(text)).toBe(id)
  })
})

describe('events of one target', () => {
  it('are in one trace, another and children as ever', async () => {
    const { url, spans } = await collector()
    const ids = createIds()
    const { tracing, stop } = await telemetry({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url }, { ids })
    for (const name of ['first', 'second']) {
      const root = tracing.start(name, { group: 'my-ns:my-pod-name' })
      tracing.start(`${name} child`, { parent: root, group: 'ignored below a parent' }).end()
      root.end()
    }
    tracing.start('alone').end()
    const from = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
    tracing.start('begun by the sender', { group: 'my-ns:my-pod-name', from }).end()
    tracing.start('alone too').end()
    await stop()
    const traceOf = (name: string): string | undefined => spans().find((span) => span.name === name)?.traceId
    for (const name of ['first', 'first child', 'second', 'second child'])
      expect(traceOf(name)).toBe('087e7ab4196a3c4801e3c23bc1406163')
    expect(traceOf('begun by the sender')).toBe('0af7651916cd43dd8448eb211c80319c')
    expect(new Set(['first', 'alone', 'begun by the sender', 'alone too'].map(traceOf)).size).toBe(4)
  })
})

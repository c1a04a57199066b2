import { describe, expect, it } from 'vitest'
import type { SpanRecord } from '../../src/trace-tree.ts'
import { createIds } from '../../src/telemetry/ids.ts'
import { event, telemetry } from './_kit.ts'

const BEGUN = 1_770_000_000_000

const showing = async () => {
  const shown: (readonly SpanRecord[])[] = []
  const ids = createIds()
  return { shown, ...(await telemetry({}, { onTrace: (spans) => shown.push(spans), ids })) }
}

describe('traces that are shown', () => {
  it('are told once, when nothing of them is open', async () => {
    const { shown, tracing, stop } = await showing()
    const reception = tracing.start('POST /')
    const respond = tracing.start('respond r', { parent: reception })
    reception.end()
    await new Promise((done) => setTimeout(done, 150))
    expect(shown).toEqual([])
    respond.end()
    const notify = tracing.start('notify slack', { parent: respond })
    notify.end()
    await expect.poll(() => shown.length).toBe(1)
    await stop()
    expect(shown).toHaveLength(1)
    expect(shown[0]?.map(({ name }) => name)).toEqual(['POST /', 'respond r', 'notify slack'])
    expect(shown[0]?.[1]).toMatchObject({ parentId: shown[0]?.[0]?.spanId, kind: 'internal', failed: false })
  })

  it('leave out those without a response', async () => {
    const { shown, tracing, stop } = await showing()
    event(tracing, 0)
    await stop()
    expect(shown).toEqual([])
  })

  it('are all told at the stop, also what is still open', async () => {
    const { shown, tracing, stop } = await showing()
    event(tracing)
    const open = tracing.start('POST /')
    tracing.start('respond late', { parent: open }).end()
    await stop()
    expect(shown.map((spans) => spans.map(({ name }) => name))).toEqual([
      ['match', 'respond r', 'POST /'],
      ['respond late'],
    ])
  })

  it('are shown again after another start', async () => {
    const first = await showing()
    event(first.tracing)
    await first.stop()
    const second = await showing()
    event(second.tracing)
    await second.stop()
    expect([first.shown.length, second.shown.length]).toEqual([1, 1])
  })

  it('tell of each span what there is to tell', async () => {
    const { shown, tracing, stop } = await showing()
    const other = tracing.start('other')
    const span = tracing.start('respond r', { kind: 'client', attributes: { a: 1 }, at: BEGUN, links: [other] })
    span.event('retry', { attempt: 2 })
    span.fail(new Error('gone'))
    span.end(BEGUN + 250)
    await stop()
    expect(shown).toMatchObject([
      [
        {
          name: 'respond r',
          kind: 'client',
          traceId: span.traceId,
          parentId: undefined,
          start: BEGUN,
          end: BEGUN + 250,
          failed: true,
          message: 'gone',
          attributes: { a: 1 },
          events: [{ name: 'retry', attributes: { attempt: 2 } }],
          links: [other.traceparent?.split('-')[2]],
        },
      ],
    ])
  })

  it('beyond 2,000 open ones the oldest is let go', async () => {
    const { shown, tracing, stop } = await showing()
    const open = Array.from({ length: 2_001 }, () => tracing.start('respond r'))
    for (const span of open) span.end()
    await stop()
    expect(shown).toHaveLength(2_000)
    expect(shown.flat().some(({ traceId }) => traceId === open[0]?.traceId)).toBe(false)
  })

  it('that never rest, as those of a busy target, are told in parts of 10,000 spans', async () => {
    const { shown, tracing, stop } = await showing()
    const open = tracing.start('POST /', { group: 'shop:web-1' })
    for (let i = 0; i < 10_001; i++) tracing.start('respond r', { group: 'shop:web-1' }).end()
    expect(shown.map((spans) => spans.length)).toEqual([10_000])
    open.end()
    await stop()
    expect(shown.map((spans) => spans.length)).toEqual([10_000, 2])
  })
})

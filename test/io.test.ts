import { describe, expect, it } from 'vitest'
import { createHttpClient } from '../src/http.ts'
import { createIo, type IoHost } from '../src/io.ts'
import { areaLog, LOG_AREAS, traceFields } from '../src/log-area.ts'
import { createLog } from '../src/log.ts'
import type { Resources } from '../src/resources.ts'
import { memoryState } from '../src/state.ts'
import { createTracing } from '../src/telemetry.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const ACTIVE = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) }

const aHost = (more: Partial<IoHost> = {}) => {
  const lines: string[] = []
  const log = createLog({ levels: { 'slack/ops': 'debug' }, stream: { write: (text) => lines.push(text) } })
  const state = memoryState()
  const host: IoHost = {
    tracing: createTracing('1'),
    http: createHttpClient({ env: {} }),
    log,
    env: { A: 'b' },
    dataDir: '/data',
    state: (id) => state.of(id),
    resources: () => ({ use: async ({ type }: { type: string }) => type }) as unknown as Resources,
    ...more,
  }
  const said = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { host, said }
}

describe('the lines of a plugin', () => {
  it('say whose they are, at every level that is wanted of it', () => {
    const { host, said } = aHost()
    for (const id of ['slack', 'slack/ops']) {
      const { log } = createIo(host, id)
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level)
    }
    expect(said().map(({ plugin, level }) => `${String(plugin)} ${String(level)}`)).toEqual([
      ...['slack info', 'slack warn', 'slack error'],
      ...['slack/ops debug', 'slack/ops info', 'slack/ops warn', 'slack/ops error'],
    ])
  })

  it('have the ids of the span that they belong to, also within a call', async () => {
    const { host, said } = aHost()
    const span = host.tracing.start('action x')
    const io = createIo(host, 'x', span)
    io.log.info('before')
    await io.call({ name: 'GET' }, async () => io.log.info('within', { count: 1 }))
    span.end()
    const { traceId, spanId } = spans.one('action x')
    expect(said().map(({ trace_id, span_id }) => ({ trace_id, span_id }))).toEqual([
      { trace_id: traceId, span_id: spanId },
      { trace_id: traceId, span_id: spanId },
    ])
    expect(spans.one('GET').parentId).toBe(spanId)
  })

  it('of what is bound to no span have those of the active one', () => {
    const active: { ids?: typeof ACTIVE } = {}
    const { host, said } = aHost({ activeIds: () => active.ids })
    const { log } = createIo(host, 'kubernetes')
    log.info('idle')
    active.ids = ACTIVE
    log.info('asked')
    expect(said().map(({ trace_id, span_id }) => [trace_id, span_id])).toEqual([
      [undefined, undefined],
      [ACTIVE.trace_id, ACTIVE.span_id],
    ])
  })

  it('cannot be given out for those of another', () => {
    const { host, said } = aHost({ activeIds: () => ACTIVE })
    const forged = { plugin: 'slack/ops', trace_id: 'c'.repeat(32), span_id: 'd'.repeat(16), area: 'guard', n: 1 }
    createIo(host, 'x').log.info('m', forged)
    createIo(host, 'x').log.debug('m', forged)
    expect(said()).toHaveLength(1)
    expect(said()[0]).toMatchObject({ plugin: 'x', ...ACTIVE, n: 1 })
  })

  it('reach a log that has no levels', () => {
    const lines: unknown[] = []
    const line = (message: string, fields?: object) => void lines.push([message, fields])
    const { host } = aHost({ log: { debug: line, info: line, warn: line, error: line } })
    createIo(host, 'x').log.debug('m', { a: 1 })
    createIo(host, 'x').log.error('n')
    expect(lines).toEqual([
      ['m', { plugin: 'x', a: 1 }],
      ['n', { plugin: 'x' }],
    ])
  })
})

describe('what a plugin gets', () => {
  it('is its id, its memory, the resources and what the gateway was given', async () => {
    const { host } = aHost()
    const io = createIo(host, 'x/y')
    expect(io).toMatchObject({ id: 'x/y', env: { A: 'b' }, dataDir: '/data' })
    await io.state.set('k', 1)
    expect(await createIo(host, 'x/y').state.get('k')).toBe(1)
    expect(await createIo(host, 'x/z').state.get('k')).toBeUndefined()
    expect(await io.use({ type: 'kafka' } as never)).toBe('kafka')
  })

  it('tells in the span of a call that it failed, and what was set', async () => {
    const { host } = aHost()
    const span = host.tracing.start('action x')
    const call = createIo(host, 'x', span).call({ name: 'send', kind: 'producer' }, async ({ headers, set }) => {
      set('messaging.system', 'kafka')
      throw new Error(headers.traceparent)
    })
    await expect(call).rejects.toThrow(/^00-/)
    span.end()
    expect(spans.one('send')).toMatchObject({
      kind: 'producer',
      attributes: { 'messaging.system': 'kafka' },
      failed: true,
    })
  })
})

describe('the ids in a line', () => {
  it('are those of the span, or none', () => {
    expect(traceFields({ traceparent: `00-${ACTIVE.trace_id}-${ACTIVE.span_id}-01` })).toEqual(ACTIVE)
    expect(traceFields({ traceparent: undefined })).toBeUndefined()
    expect(traceFields(undefined)).toBeUndefined()
  })
})

describe('the log of an area', () => {
  it('says what each line is about, and the active span', () => {
    const { host, said } = aHost()
    for (const area of LOG_AREAS) areaLog(host.log, area, () => ACTIVE).info('m', { n: 1 })
    expect(said().map(({ area, trace_id, n }) => [area, trace_id, n])).toEqual(
      LOG_AREAS.map((area) => [area, ACTIVE.trace_id, 1]),
    )
  })

  it('leaves to a line what it says itself', () => {
    const { host, said } = aHost()
    areaLog(areaLog(host.log, 'delivery'), 'guard').warn('m')
    areaLog(host.log, 'delivery', () => ACTIVE).warn('m', { trace_id: 'mine' })
    expect(said().map(({ area, trace_id }) => [area, trace_id])).toEqual([
      ['guard', undefined],
      ['delivery', 'mine'],
    ])
  })
})

import { ROOT_CONTEXT, SpanKind, trace, TraceFlags } from '@opentelemetry/api'
import * as sdk from '@opentelemetry/sdk-trace'
import { describe, expect, it } from 'vitest'
import { matchedFirst, samplerOf } from '../../src/telemetry/sampler.ts'
import { ALL, collector, event, telemetry } from './_kit.ts'

type Parent = 'none' | 'remote' | 'remote sampled' | 'local' | 'local sampled'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
/** By the SDK's own rule the first is in half of all traces, the other is not. */
const [LOW, HIGH] = [`${'0'.repeat(31)}1`, `${'0'.repeat(24)}ffffffff`] as const

const contextOf = (parent: Parent, traceId = TRACE) =>
  parent === 'none'
    ? ROOT_CONTEXT
    : trace.setSpanContext(ROOT_CONTEXT, {
        traceId,
        spanId: 'b7ad6b7169203331',
        traceFlags: parent.endsWith('sampled') ? TraceFlags.SAMPLED : TraceFlags.NONE,
        isRemote: parent.startsWith('remote'),
      })

const never = (problem: string): never => expect.unreachable(problem)

/** Whether such a span is recorded. */
const isSampled = (
  env: Record<string, string>,
  parent: Parent,
  attributes: Record<string, number | string> = { 'yarak.matched': 0 },
  traceId = TRACE,
): boolean => {
  const sampler = matchedFirst(sdk, samplerOf(sdk, env, never))
  const result = sampler.shouldSample(contextOf(parent, traceId), traceId, 'x', SpanKind.INTERNAL, attributes, [])
  return result.decision === sdk.SamplingDecision.RECORD_AND_SAMPLED
}

const PARENTS: readonly Parent[] = ['none', 'remote', 'remote sampled', 'local', 'local sampled']

describe('a reception that no rule matched', () => {
  it.each<[string, string | undefined, readonly boolean[]]>([
    ['always_on', undefined, [true, true, true, true, true]],
    ['always_off', undefined, [false, false, false, false, true]],
    ['traceidratio', '0', [false, false, false, false, true]],
    ['traceidratio', '1', [true, true, true, true, true]],
    ['traceidratio', undefined, [true, true, true, true, true]],
    ['parentbased_always_on', undefined, [true, false, true, false, true]],
    ['parentbased_always_off', undefined, [false, false, true, false, true]],
    ['parentbased_traceidratio', '0', [false, false, true, false, true]],
    ['parentbased_traceidratio', '1', [true, false, true, false, true]],
    ['', undefined, [true, false, true, false, true]],
  ])('by %j with %j is as the specification has it, below any of our own that is recorded', (name, arg, expected) => {
    const env = { OTEL_TRACES_SAMPLER: name, ...(arg !== undefined && { OTEL_TRACES_SAMPLER_ARG: arg }) }
    expect(PARENTS.map((parent) => isSampled(env, parent))).toEqual(expected)
  })

  it('by a ratio depends on the trace alone', () => {
    const env = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' }
    expect(isSampled(env, 'none', { 'yarak.matched': 0 }, LOW)).toBe(true)
    expect(isSampled(env, 'none', { 'yarak.matched': 0 }, HIGH)).toBe(false)
  })
})

describe('what is of a response', () => {
  it.each(['always_off', 'parentbased_always_off', 'traceidratio', 'parentbased_traceidratio', 'always_on'])(
    'is recorded by %s under any parent',
    (name) => {
      const env = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: '0' }
      for (const parent of PARENTS) {
        expect(isSampled(env, parent, { 'yarak.matched': 1 })).toBe(true)
        expect(isSampled(env, parent, { 'yarak.response.id': 'r1' })).toBe(true)
      }
    },
  )

  it.each(['always_off', 'traceidratio'])('is recorded by %s below a span of an earlier run', (name) => {
    const env = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: '0' }
    expect(isSampled(env, 'remote sampled', { 'yarak.output': 'slack' })).toBe(true)
    expect(isSampled(env, 'remote', { 'yarak.output': 'slack' })).toBe(false)
  })

  it('tells how it samples', () => {
    const sampler = matchedFirst(sdk, samplerOf(sdk, { OTEL_TRACES_SAMPLER: 'always_off' }, never))
    expect(sampler.toString()).toBe('MatchedFirst{AlwaysOffSampler}')
  })
})

describe('what the variables say wrong', () => {
  it.each(['-0.1', '1.1', 'half', 'NaN'])('the ratio %s is told, and all are recorded', (OTEL_TRACES_SAMPLER_ARG) => {
    const told: string[] = []
    const env = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG }
    const sampler = samplerOf(sdk, env, (problem) => told.push(problem))
    expect(told).toEqual(['OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: 1 is used'])
    expect(sampler.toString()).toBe('TraceIdRatioBased{1}')
  })

  it('a ratio beside a sampler without one is not looked at', () => {
    samplerOf(sdk, { OTEL_TRACES_SAMPLER: 'always_on', OTEL_TRACES_SAMPLER_ARG: 'half' }, never)
  })

  it('a sampler that is not known is told, and the default holds', () => {
    const told: string[] = []
    const sampler = samplerOf(sdk, { OTEL_TRACES_SAMPLER: 'xray' }, (problem) => told.push(problem))
    expect(told).toEqual([expect.stringContaining('OTEL_TRACES_SAMPLER: xray is not known; there are always_on,')])
    expect(sampler.toString()).toContain('ParentBased{root=AlwaysOnSampler')
  })
})

describe('what is exported', () => {
  const REMOTE = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }

  it.each([
    ['always_off', {}, ALL],
    ['always_on', {}, [...ALL, 'POST /', 'match']],
    ['parentbased_always_on', {}, [...ALL, 'POST /', 'match']],
    ['parentbased_always_on', { from: REMOTE }, ALL],
    ['parentbased_always_off', {}, ALL],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }, ALL],
    ['parentbased_traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }, ALL],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '1' }, [...ALL, 'POST /', 'match']],
  ] as const)('%s %j: what a rule matched is whole, the rest as configured', async (sampler, more, expected) => {
    const { url, names } = await collector()
    const { from, ...arg } = more as { from?: typeof REMOTE; OTEL_TRACES_SAMPLER_ARG?: string }
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url, OTEL_TRACES_SAMPLER: sampler, ...arg }
    const { tracing, stop } = await telemetry(env)
    event(tracing, 1, { from })
    event(tracing, 0, { from })
    await stop()
    expect(names().sort()).toEqual([...expected].sort())
  })

  it('what is not recorded has ids to pass on, and costs no span', async () => {
    const { url } = await collector()
    const { tracing, stop, count } = await telemetry({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
      OTEL_TRACES_SAMPLER: 'always_off',
    })
    const span = tracing.start('POST /', { attributes: { 'yarak.matched': 0 } })
    expect(span.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    expect(span.run(() => trace.getActiveSpan()?.isRecording())).toBe(false)
    expect(span.headers().traceparent).toBe(span.traceparent)
    span.end()
    await stop()
    expect([count('exported'), count('lost')]).toEqual([0, 0])
  })
})

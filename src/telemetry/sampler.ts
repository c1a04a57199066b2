/** Which traces are recorded. */
import { trace, TraceFlags } from '@opentelemetry/api'
import type * as sdkTrace from '@opentelemetry/sdk-trace'
import type { Sampler } from '@opentelemetry/sdk-trace'
import { type Env, listOf, type Tell, textOf } from './env.ts'

type SdkTrace = Pick<
  typeof sdkTrace,
  'AlwaysOffSampler' | 'AlwaysOnSampler' | 'TraceIdRatioBasedSampler' | 'ParentBasedSampler' | 'SamplingDecision'
>

const BASES = ['always_on', 'always_off', 'traceidratio'] as const
const NAMES = [...BASES, ...BASES.map((base) => `parentbased_${base}`)]

/** As `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say; default `parentbased_always_on`. */
export const samplerOf = (sdk: SdkTrace, env: Env, tell: Tell): Sampler => {
  const [name = 'parentbased_always_on'] = listOf(env, 'OTEL_TRACES_SAMPLER', NAMES, tell)
  const roots = {
    always_on: () => new sdk.AlwaysOnSampler(),
    always_off: () => new sdk.AlwaysOffSampler(),
    traceidratio: () => new sdk.TraceIdRatioBasedSampler(ratioOf(env, tell)),
  }
  const root = roots[name.replace('parentbased_', '') as (typeof BASES)[number]]()
  return name.startsWith('parentbased_') ? new sdk.ParentBasedSampler({ root }) : root
}

const ratioOf = (env: Env, tell: Tell): number => {
  const ratio = Number(textOf(env, 'OTEL_TRACES_SAMPLER_ARG') ?? 1)
  if (ratio >= 0 && ratio <= 1) return ratio
  tell('OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: 1 is used')
  return 1
}

/**
 * Records every event that a rule matched, also under a parent that was not sampled, with all that comes of it, also
 * later and after a restart; the rest as configured.
 */
export const matchedFirst = ({ SamplingDecision }: SdkTrace, otherwise: Sampler): Sampler => ({
  shouldSample(parent, traceId, name, kind, attributes, links) {
    const above = trace.getSpanContext(parent)
    const sampled = above !== undefined && (above.traceFlags & TraceFlags.SAMPLED) !== 0
    const matched = attributes['yarak.matched']
    // only a reception has a parent that is not ours, and only a reception tells how many rules matched
    const within = sampled && (above.isRemote !== true || matched === undefined)
    return within || Number(matched ?? 0) > 0 || attributes['yarak.response.id'] !== undefined
      ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
      : otherwise.shouldSample(parent, traceId, name, kind, attributes, links)
  },
  toString: () => `MatchedFirst{${otherwise.toString()}}`,
})

/** Which traces are recorded. */
import { trace, TraceFlags } from '@opentelemetry/api'
import type { Sampler } from '@opentelemetry/sdk-trace'

type SdkTrace = Pick<
  typeof import('@opentelemetry/sdk-trace'),
  'AlwaysOffSampler' | 'AlwaysOnSampler' | 'TraceIdRatioBasedSampler' | 'ParentBasedSampler' | 'SamplingDecision'
>

export const samplerOf = (sdk: SdkTrace, env: Readonly<Record<string, string | undefined>>): Sampler => {
  const name = env.OTEL_TRACES_SAMPLER ?? 'parentbased_always_on'
  const base = name.replace('parentbased_', '')
  const root =
    base === 'always_off'
      ? new sdk.AlwaysOffSampler()
      : base === 'traceidratio'
        ? new sdk.TraceIdRatioBasedSampler(Number(env.OTEL_TRACES_SAMPLER_ARG ?? 1))
        : new sdk.AlwaysOnSampler()
  return name.startsWith('parentbased_') ? new sdk.ParentBasedSampler({ root }) : root
}

/**
 * Records every event that a rule matched, also under a parent that was not sampled, with all that comes of it; the rest
 * as configured.
 */
export const matchedFirst = ({ SamplingDecision }: SdkTrace, otherwise: Sampler): Sampler => ({
  shouldSample(parent, traceId, name, kind, attributes, links) {
    const above = trace.getSpanContext(parent)
    const within = above !== undefined && above.isRemote !== true && (above.traceFlags & TraceFlags.SAMPLED) !== 0
    return within || Number(attributes['yarak.matched'] ?? 0) > 0
      ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
      : otherwise.shouldSample(parent, traceId, name, kind, attributes, links)
  },
  toString: () => `MatchedFirst{${otherwise.toString()}}`,
})

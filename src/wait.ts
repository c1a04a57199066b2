/** A pause between steps. */
import { pause } from './backoff.ts'
import type { CompiledWait } from './chain.ts'
import { stopped } from './deadline.ts'
import type { StepReport } from './plugin.ts'
import type { StepHost, StepRun } from './step.ts'

/** Waits until the time noted when it began, so that a restart does not begin it anew. Never rejects. */
export const runWait = async (step: CompiledWait, run: StepRun, host: StepHost): Promise<StepReport> => {
  const { id, wait } = step
  const startedAt = new Date().toISOString()
  const started = performance.now()
  const span = host.tracing.start('wait', { parent: run.span, attributes: { 'yarak.step': id } })
  const report = (rest: Pick<StepReport, 'outcome' | 'summary' | 'error' | 'simulated'>): StepReport => {
    span.set({ 'yarak.outcome': rest.outcome, 'yarak.summary': rest.summary })
    span.end()
    return { ...rest, id, action: 'wait', attempts: 1, startedAt, duration: performance.now() - started }
  }
  const scope = { ...run.scope, steps: run.previous }
  if (step.holds && !step.holds(scope)) return report({ outcome: 'skipped', summary: 'its condition does not hold' })
  if (run.mode === 'observe') {
    return report({ outcome: 'succeeded', simulated: true, summary: `would wait ${wait / 1_000} s` })
  }
  const until = run.past.begun(id)?.until ?? Date.now() + wait
  await run.past.begin(id, { until })
  // a timer may fire a moment early
  while (Date.now() < until && !run.signal.aborted) await pause(until - Date.now(), run.signal)
  if (!run.signal.aborted) return report({ outcome: 'succeeded', summary: `waited ${wait / 1_000} s` })
  const error = stopped(run.signal)
  span.fail(error)
  const { code, reason, message } = error
  const outcome = code === 'timed_out' ? 'timed_out' : 'interrupted'
  return report({ outcome, summary: message, error: { code, reason, message } })
}

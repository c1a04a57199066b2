/** The routes for those who run Yarak: health and metrics. */
import { Hono } from 'hono'
import type { CompatMetrics } from './compat-metrics.ts'
import type { Counters } from './counters.ts'
import type { JournalHealth } from './journal/index.ts'
import type { BreakerState } from './output-gate.ts'
import type { Mode } from './plugin.ts'
import type { InputStatus } from './supervise.ts'

export interface OutputHealth {
  readonly id: string
  /** Notices that wait or are being delivered. */
  readonly queued: number
  /** `open`: it failed several times in a row, and is left alone for a while; `half-open`: it is being tried. */
  readonly breaker: BreakerState
  /** Why the last delivery failed; absent when it did not. */
  readonly lastError?: string
}

export interface Health {
  /** Every input works, and the journal keeps what is accepted. An output that is down does not make it unready. */
  readonly ready: boolean
  readonly mode: Mode
  /** Counts reloads, from 1. */
  readonly generation: number
  readonly inputs: readonly InputStatus[]
  readonly outputs: readonly OutputHealth[]
  readonly journal: JournalHealth
  /** `open`: too many changing steps were asked for, so none is run for a while. */
  readonly breaker: 'open' | 'closed'
  /** Responses that run. */
  readonly running: number
  /** Accepted events that are not settled. */
  readonly unsettled: number
}

/** @param compat what is counted under the names of the peers, too */
export const mountOps = (health: () => Health, counters: Counters, compat?: CompatMetrics): Hono => {
  const ops = new Hono()
  ops.get('/livez', (c) => c.text('ok'))
  // These two answer to any method, as Falcosidekick's do.
  ops.all('/healthz', (c) => c.body('{"status": "ok"}', 200, { 'content-type': 'application/json' }))
  ops.all('/ping', (c) => c.text('pong\n'))
  ops.get('/readyz', (c) => {
    const now = health()
    return c.json(now, now.ready ? 200 : 503)
  })
  ops.get('/metrics', (c) =>
    c.body(counters.text() + (compat?.text() ?? ''), 200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  )
  return ops
}

/** The routes for those who run Yarak: health and metrics. */
import { Hono } from 'hono'
import type { Counters } from './counters.ts'
import type { Mode } from './plugin.ts'
import type { InputStatus } from './supervise.ts'

export interface Health {
  /** Every input works. An output that is down does not make the gateway unready. */
  readonly ready: boolean
  readonly mode: Mode
  readonly inputs: readonly InputStatus[]
  readonly outputs: readonly { readonly id: string; readonly queued: number; readonly lastError?: string }[]
  /** Responses that run. */
  readonly running: number
  /** Accepted events that are not settled. */
  readonly unsettled: number
}

export const mountOps = (health: () => Health, counters: Counters): Hono => {
  const ops = new Hono()
  ops.get('/livez', (c) => c.text('ok'))
  ops.get('/healthz', (c) => c.body('{"status": "ok"}', 200, { 'content-type': 'application/json' }))
  ops.get('/readyz', (c) => {
    const now = health()
    return c.json(now, now.ready ? 200 : 503)
  })
  ops.get('/metrics', (c) =>
    c.body(counters.text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
  return ops
}

/** The routes for those who run Yarak: health and metrics. */
import { Hono } from 'hono'
import type { CompatMetrics } from './compat-metrics.ts'
import type { Counters } from './counters.ts'
import type { Health } from './health.ts'

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

/** The routes for those who run Yarak: health and metrics. */
import { type Context, Hono } from 'hono'
import type { CompatMetrics } from './compat-metrics.ts'
import type { Counters } from './counters.ts'
import type { Health } from './health.ts'
import { CONTENT_TYPES, formatOf } from './metrics-page.ts'

/** @param compat what is counted under the names of the peers, too */
export const mountOps = (health: () => Health, counters: Counters, compat?: CompatMetrics): Hono => {
  const ops = new Hono()
  ops.get('/livez', (c) => c.text('ok'))
  // These two answer to any method, as Falcosidekick's do.
  ops.all('/healthz', (c) => c.body('{"status": "ok"}', 200, { 'content-type': 'application/json' }))
  ops.all('/ping', (c) => c.text('pong\n'))
  ops.get('/readyz', (c) => answerReady(c, health()))
  ops.get('/metrics', (c) => {
    const format = formatOf(c.req.header('accept'))
    const text = counters.text(format, compat?.text())
    return c.body(text, 200, { 'content-type': CONTENT_TYPES[format], vary: 'accept' })
  })
  return ops
}

/** Health, and that of the listeners where there are some. */
export type WholeHealth = Health & { readonly listeners?: readonly { readonly address: string }[] }

/** JSON, or a line for each part with `?verbose` and for whoever takes plain text only; 503 when it is not ready. */
export const answerReady = (c: Context, health: WholeHealth): Response => {
  const accept = c.req.header('accept') ?? ''
  const isText = c.req.query('verbose') !== undefined || (/text\/plain/i.test(accept) && !/json/i.test(accept))
  const status = health.ready ? 200 : 503
  return isText ? c.text(readyText(health), status) : c.json(health, status)
}

/**
 * As the API server of Kubernetes tells it to `kubectl get --raw '/readyz?verbose'`.
 * @see https://kubernetes.io/docs/reference/using-api/health-checks/
 * @example '[+]journal ok\n[-]output slack failing: the webhook answered 503\nreadyz check passed, degraded\n'
 */
const readyText = (health: WholeHealth): string => {
  const lines = partsOf(health).map(([part, id]) => {
    const reason = health.reasons.find((one) => one.part === part && one.id === id)
    const name = part === id ? part : `${part} ${id}`
    return reason ? `[-]${name} failing: ${reason.message}` : `[+]${name} ok`
  })
  const verdict = { ok: 'passed', degraded: 'passed, degraded', failing: 'failed' }[health.status]
  return [...lines, `readyz check ${verdict}`, ''].join('\n')
}

const partsOf = ({ listeners = [], inputs, outputs, resources, audit }: WholeHealth): (readonly [string, string])[] => [
  ['gateway', 'gateway'],
  ...listeners.map(({ address }) => ['listener', address] as const),
  ...inputs.map(({ id }) => ['input', id] as const),
  ['journal', 'journal'],
  ...outputs.map(({ id }) => ['output', id] as const),
  ...resources.filter(({ state }) => state !== 'unused').map(({ id }) => ['cluster', id] as const),
  ['rules', 'rules'],
  ['guard', 'guard'],
  ...(audit ? [['audit', 'audit'] as const] : []),
]

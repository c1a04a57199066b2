/** What a listener answers: the inputs that it serves, and health, metrics and more beside them. */
import type { RequestListener, ServerResponse } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Listener } from '../config/listen.ts'
import type { Counters } from '../counters.ts'
import { messageOf } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import { answerReady, type WholeHealth } from '../ops.ts'
import type { Log } from '../plugin.ts'
import type { Refused } from './server.ts'
import { anyOf, type PathTest, readTarget, routed } from './target.ts'

export interface Served {
  readonly gateway: Pick<Gateway, 'mounts' | 'ops'>
  /** More routes, at the root. */
  readonly extra: Hono
  /** Of the gateway and all listeners. */
  readonly health: () => WholeHealth
  /** Of all listeners. */
  readonly counters: Counters
  readonly log: Log
  /** The extra routes are those of the administration. */
  readonly admin?: true
}

/**
 * Answers on node:http. Health, metrics and the extra routes come first, whatever path an input takes; then each input
 * is asked there, and then Hono, which has the routes of all.
 */
export const createAnswer = (listener: Listener, served: Served, refused: Refused): RequestListener => {
  const { gateway, extra, log } = served
  const admitted = admission(listener)
  const mounts = gateway.mounts.filter(({ input }) => listener.inputs?.includes(input) ?? true)
  const own = routed([gateway.ops, extra])
  const app = createApp(
    mounts.map((mount) => mount.app),
    admitted,
    served,
  )
  const byHono = getRequestListener(app.fetch, { hostname: 'localhost' })
  return (request, response) => {
    const target = readTarget(request.url ?? '')
    if (!target) {
      refused('bad_request', 'the target of a request is not valid')
      return answer(response, 400, 'invalid', 'the target of the request is not valid')
    }
    request.url = target.url
    try {
      if (admitted(target.path) && !own(target.path) && mounts.some(({ handle }) => handle?.(request, response))) return
    } catch (error) {
      log.error('a request failed', { error: messageOf(error) })
      return answer(response, 500, 'failed', 'the request failed')
    }
    void byHono(request, response)
  }
}

const answer = (response: ServerResponse, status: number, error: string, message: string): void => {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify({ error, message }))
}

const admission = ({ paths, exceptPaths }: Listener): PathTest => {
  if (paths) return anyOf(paths)
  const excepted = anyOf(exceptPaths ?? [])
  return (path) => !excepted(path)
}

const createApp = (inputs: readonly Hono[], admitted: PathTest, served: Served) => {
  const { gateway, extra, health, log } = served
  const root = new Hono<{ Bindings: HttpBindings }>()
  root.use((c, next) => (admitted(c.req.path) ? next() : Promise.resolve(c.notFound())))
  root.get('/readyz', (c) => answerReady(c, health()))
  for (const app of [gateway.ops, extra, ...inputs]) root.route('/', app)
  root.notFound((c) => c.json({ error: 'not_found', message: `nothing is served at ${c.req.path}` }, 404))
  root.onError((error, c) => {
    const { incoming } = c.env
    const wentAway = incoming.destroyed && !incoming.complete
    log[wentAway ? 'debug' : 'error']('a request failed', { error: messageOf(error) })
    return c.json({ error: 'failed', message: 'the request failed' }, 500)
  })
  return root
}

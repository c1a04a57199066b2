/** Where the HTTP input is found, over Hono and over node:http. */
import { Hono } from 'hono'
import type { Handle, InputIo } from '../src/plugin.ts'
import { type Answer, type Ask, NOT_ALLOWED, PONG } from './_http-ask.ts'
import { askOf, send } from './_http-node.ts'
import { createReceiver } from './_http-receive.ts'
import type { Settings } from './_http-settings.ts'
import { askOfContext, respond } from './_http-web.ts'

/** Answers at one place; the request is looked into only when events are posted. */
type Place = (method: string, ask: () => Ask) => Answer | Promise<Answer>

interface Places {
  /** By path. */
  readonly fixed: ReadonlyMap<string, Place>
  /** What stands before the secret, and what is found there. */
  readonly secret: { readonly before: string; readonly place: Place } | undefined
  /** At a POST to any other path. */
  readonly rest: Place | undefined
}

const placesOf = (settings: Settings, io: InputIo): Places => {
  const { path, secretPath, catchAll, testEndpoint } = settings
  const receiver = createReceiver(settings, io)
  const base = path.replace(/\/$/, '')
  const posted =
    (what: keyof typeof receiver, route: string): Place =>
    (method, ask) =>
      method === 'POST' ? receiver[what](route, ask()) : NOT_ALLOWED
  return {
    fixed: new Map([
      [`${base}/ping`, () => PONG],
      ...(testEndpoint ? [[`${base}/test`, posted('test', `${base}/test`)] as const] : []),
      [path, posted('events', path)],
    ]),
    secret:
      secretPath === undefined ? undefined : { before: `${base}/in/`, place: posted('events', `${base}/in/{token}`) },
    rest: catchAll ? posted('events', '*') : undefined,
  }
}

export const routes = (settings: Settings, io: InputIo): Hono => {
  const { fixed, secret, rest } = placesOf(settings, io)
  const app = new Hono()
  for (const [path, place] of fixed)
    app.all(path, async (c) => respond(await place(c.req.method, () => askOfContext(c))))
  if (secret) {
    app.all(`${secret.before}:token`, async (c) =>
      respond(await secret.place(c.req.method, () => askOfContext(c, c.req.param('token')))),
    )
  }
  if (rest) app.post('*', async (c) => respond(await rest(c.req.method, () => askOfContext(c))))
  return app
}

export const handle = (settings: Settings, io: InputIo): Handle => {
  const { fixed, secret, rest } = placesOf(settings, io)
  return (request, response) => {
    const { method = '', url = '' } = request
    const path = pathOf(url)
    const token = secret && tokenIn(path, secret.before)
    const place = fixed.get(path) ?? (token === undefined ? method === 'POST' && rest : secret?.place)
    if (!place) return false
    const answer = place(method, () => askOf(request, response, token))
    if (answer instanceof Promise) void answer.then((one) => send(request, response, one))
    else send(request, response, answer)
    return true
  }
}

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

/** The last part of a path, decoded; undefined when it is not one below `before`. */
const tokenIn = (path: string, before: string): string | undefined => {
  const token = path.startsWith(before) ? path.slice(before.length) : ''
  if (token === '' || token.includes('/')) return undefined
  try {
    return decodeURIComponent(token)
  } catch {
    return token
  }
}

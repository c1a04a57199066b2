/** Where the HTTP input is found, over Hono and over node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Hono } from 'hono'
import type { Handle, InputIo } from '../src/plugin.ts'
import { type Answer, type Ask, NOT_ALLOWED, PONG } from './_http-ask.ts'
import { isPlain, wholeBody } from './_http-fast.ts'
import { askOf, send } from './_http-node.ts'
import { createReceiver, type ServeOne } from './_http-receive.ts'
import type { Settings } from './_http-settings.ts'
import { askOfContext, respond } from './_http-web.ts'

/** What is at one place; a request is looked into only when events are posted. */
interface Place {
  answer(method: string, ask: () => Ask): Answer | Promise<Answer>
  readonly one?: ServeOne
}

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
  const posted = (what: 'events' | 'test', route: string): Place => ({
    answer: (method, ask) => (method === 'POST' ? receiver[what](route, ask()) : NOT_ALLOWED),
    ...(what === 'events' && { one: receiver.one(route) }),
  })
  return {
    fixed: new Map<string, Place>([
      [`${base}/ping`, { answer: () => PONG }],
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
    app.all(path, async (c) => respond(await place.answer(c.req.method, () => askOfContext(c))))
  if (secret) {
    app.all(`${secret.before}:token`, async (c) =>
      respond(await secret.place.answer(c.req.method, () => askOfContext(c, c.req.param('token')))),
    )
  }
  if (rest) app.post('*', async (c) => respond(await rest.answer(c.req.method, () => askOfContext(c))))
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
    if (place.one && method === 'POST' && isPlain(request.rawHeaders))
      setImmediate(() => {
        const body = wholeBody(request, settings.maxBody)
        const answer = body && place.one?.(body, request.socket, token)
        if (answer) void answer.then((one) => send(request, response, one))
        else answerBy(place, request, response, token, body)
      })
    else answerBy(place, request, response, token)
    return true
  }
}

const answerBy = (
  place: Place,
  request: IncomingMessage,
  response: ServerResponse,
  token: string | undefined,
  body?: Buffer,
): void => {
  const answer = place.answer(request.method ?? '', () => askOf(request, { response, token, body }))
  if (answer instanceof Promise) void answer.then((one) => send(request, response, one))
  else send(request, response, answer)
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

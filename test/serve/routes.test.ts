import type { IncomingMessage, ServerResponse } from 'node:http'
import { Hono } from 'hono'
import type { HttpBindings } from '@hono/node-server'
import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { agent, gatewayWith, get, listener, mount, raw, serve, statuses } from './_kit.ts'

/** Takes every request on node:http, as an input with a catch-all path does. */
const catchAll = (name: string) => (_request: IncomingMessage, response: ServerResponse) => {
  response.end(name)
  return true
}

const post = async (url: string, path = '/') => {
  const { statusCode, body } = await request(url + path, { method: 'POST', body: '{}', dispatcher: agent() })
  return { status: statusCode, text: await body.text() }
}

/** What comes for a request line as it is written here: clients tidy their paths. */
const ask = (url: string, line: string): Promise<string> =>
  raw(url, `${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`).all()

describe('health and metrics', () => {
  const everything = () => serve(['127.0.0.1:0'], gatewayWith(mount('all', new Hono(), catchAll('all'))))

  it.each(['/healthz', '/livez', '/readyz', '/metrics', '/ping', '/%68ealthz', '/x/../healthz'])(
    'come before an input that takes every path: %s',
    async (path) => {
      const { first } = everything()
      const came = await ask(await first(), `GET ${path}`)
      expect(statuses(came)).toEqual([200])
      expect(came).not.toMatch(/all$/)
    },
  )

  it('leave it everything else', async () => {
    const { first } = everything()
    expect((await get(`${await first()}/health`)).text).toBe('all')
    expect((await post(await first(), '/anything')).text).toBe('all')
  })
})

describe('the admin routes', () => {
  const app = new Hono().get('/admin/dlq/:id', (c) => c.text(`letter ${c.req.param('id')}`))
  const both = () =>
    serve(['127.0.0.1:0'], gatewayWith(mount('all', new Hono(), catchAll('all'))), {
      admin: { app, listeners: [listener('127.0.0.1:0')] },
    })

  it.each(['/admin', '/admin/dlq/7', '/%61dmin/dlq/7', '/x/../admin/dlq/7'])(
    'are not where events come in, not even for an input that takes every path: %s',
    async (path) => {
      for (const method of ['GET', 'POST', 'OPTIONS'])
        expect(statuses(await ask(await both().first(), `${method} ${path}`))).toEqual([404])
    },
  )

  it('have a listener of their own, which takes no events and tells health and metrics', async () => {
    const { url, logged } = both()
    const at = await url(1)
    expect((await get(`${at}/admin/dlq/7`)).text).toBe('letter 7')
    expect((await get(`${at}/healthz`)).status).toBe(200)
    expect((await get(`${at}/metrics`)).text).toContain('yarak_listener_up')
    expect((await post(at)).status).toBe(404)
    expect(logged).toContainEqual(['info', 'listening', { address: at, admin: true }])
  })

  it('that cannot be served make the gateway degraded, and not unready', async () => {
    const { first } = serve(['127.0.0.1:0'], gatewayWith(), {
      admin: { app, listeners: [listener('unix:/dev/null/none')] },
    })
    const url = await first()
    await expect
      .poll(async () => JSON.parse((await get(`${url}/readyz`)).text) as object)
      .toMatchObject({
        ready: true,
        status: 'degraded',
        listeners: [{ state: 'listening' }, { state: 'failing', admin: true }],
      })
  })
})

describe('two ways into an input', () => {
  it('its handle is asked first; what it leaves goes to its routes, with the connection at hand', async () => {
    const app = new Hono<{ Bindings: HttpBindings }>().post('/slow', (c) =>
      c.text(`hono ${c.env.incoming.socket.remoteAddress}`),
    )
    const fast = (request: IncomingMessage, response: ServerResponse): boolean => {
      if (request.url === '/fast?x=1') response.end(`fast ${request.url}`)
      return request.url === '/fast?x=1'
    }
    const { first } = serve(['127.0.0.1:0'], gatewayWith(mount('in', app as unknown as Hono, fast)))
    expect(await ask(await first(), 'POST /a/../fast?x=1')).toMatch(/200 OK[^]*fast \/fast\?x=1$/)
    expect(await post(await first(), '/slow')).toEqual({ status: 200, text: 'hono 127.0.0.1' })
    expect((await post(await first(), '/none')).status).toBe(404)
  })

  it('a target that no route can have is refused before both', async () => {
    const { first } = serve(['127.0.0.1:0'], gatewayWith(mount('all', new Hono(), catchAll('all'))))
    const url = await first()
    for (const target of ['*', 'x', '/a\\b']) {
      expect([target, statuses(await ask(url, `OPTIONS ${target}`))]).toEqual([target, [400]])
    }
    expect((await get(`${url}/metrics`)).text).toMatch(
      /client_errors_total\{address="127\.0\.0\.1:0",reason="bad_request"\} 3/,
    )
    expect(await ask(url, `GET ${url}/ping`)).toMatch(/200 OK[^]*pong\n$/)
  })
})

describe('a listener of some inputs', () => {
  it('serves only these, so that two may have one path', async () => {
    const named = (name: string) => mount(name, new Hono(), catchAll(name))
    const routes = mount(
      'plain',
      new Hono().post('/plain', (c) => c.text('plain')),
    )
    const { url } = serve(
      [
        listener('127.0.0.1:0', { inputs: ['http/falcosidekick', 'plain'] }),
        listener('127.0.0.1:0', { inputs: ['http/talon'] }),
        listener('127.0.0.1:0', { inputs: [] }),
      ],
      gatewayWith(routes, named('http/falcosidekick'), named('http/talon')),
    )
    expect((await post(await url(0))).text).toBe('http/falcosidekick')
    expect((await post(await url(1))).text).toBe('http/talon')
    expect((await post(await url(1), '/plain')).text).toBe('http/talon')
    expect((await post(await url(2))).status).toBe(404)
    expect((await get(`${await url(2)}/healthz`)).status).toBe(200)
  })

  it('without a handle, too', async () => {
    const { url } = serve(
      [listener('127.0.0.1:0', { inputs: ['a'] }), listener('127.0.0.1:0', { inputs: ['b'] })],
      gatewayWith(
        mount(
          'a',
          new Hono().post('/', (c) => c.text('a')),
        ),
        mount(
          'b',
          new Hono().post('/', (c) => c.text('b')),
        ),
      ),
    )
    expect([(await post(await url(0))).text, (await post(await url(1))).text]).toEqual(['a', 'b'])
  })
})

describe('a listener of some paths', () => {
  const both = mount(
    'in',
    new Hono().post('/hono', (c) => c.text('hono')),
    (request, response) => {
      if (request.url !== '/') return false
      response.end('handle')
      return true
    },
  )
  const answers = async (url: string, paths: readonly string[]): Promise<number[]> => {
    const all: number[] = []
    for (const path of paths) {
      const method = path === '/' || path === '/hono' ? 'POST' : 'GET'
      all.push(...statuses(await ask(url, `${method} ${path}`)))
    }
    return all
  }

  it('answers these, and 404 to the others', async () => {
    const at = listener('127.0.0.1:0', { paths: ['/healthz', '/metrics', '/hono'] })
    const { first } = serve([at], gatewayWith(both))
    const url = await first()
    expect(await answers(url, ['/healthz', '/metrics', '/hono'])).toEqual([200, 200, 200])
    expect(await answers(url, ['/', '/ping', '/readyz', '/admin/dlq', '/healthz/'])).toEqual([404, 404, 404, 404, 404])
    expect((await get(`${url}/ping`)).text).toBe('{"error":"not_found","message":"nothing is served at /ping"}')
  })

  it('or all but these, however they are written', async () => {
    const at = listener('127.0.0.1:0', { exceptPaths: ['/admin/*', '/metrics', '/'] })
    const { first } = serve([at], gatewayWith(both))
    const url = await first()
    expect(await answers(url, ['/healthz', '/hono'])).toEqual([200, 200])
    const forbidden = ['/', '/metrics', '/%6detrics', '/x/../metrics', '/admin/dlq', '/%61dmin/dlq', '/./admin/dlq']
    expect(await answers(url, [...forbidden, 'http://x/admin/dlq', '//admin/dlq', '/admin%2Fdlq'])).toEqual(
      Array.from({ length: 10 }, () => 404),
    )
  })
})

describe('draining', () => {
  it('tells the senders that are being answered, by either way, and those that still ask', async () => {
    const hold = Promise.withResolvers<void>()
    let asked = 0
    const late = (request: IncomingMessage, response: ServerResponse): boolean => {
      if (request.url !== '/') return false
      asked++
      void hold.promise.then(() => response.writeHead(200, { 'content-length': 4 }).end('late'))
      return true
    }
    const app = new Hono().post('/hono', async (c) => {
      asked++
      await hold.promise
      return c.text('late')
    })
    const { first, listeners } = serve(['127.0.0.1:0'], gatewayWith(mount('late', app, late)))
    const url = await first()
    const posting = (path: string): string => `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`
    const one = raw(url, posting('/'))
    const two = raw(url, posting('/hono'))
    const three = raw(url, posting('/') + posting('/'))
    await expect.poll(() => asked).toBe(4)
    const closing = listeners.close(60_000)
    one.socket.write(posting('/'))
    await expect.poll(() => asked).toBe(5)
    hold.resolve()
    await closing
    const [first1, two1, three1] = [await one.all(), await two.all(), await three.all()]
    expect(statuses(first1)).toEqual([200])
    expect(first1).toMatch(/connection: close\r\n/i)
    expect(two1).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n[^]*late$/i)
    expect(statuses(three1)).toEqual([200, 200])
    expect(three1).toMatch(/keep-alive[^]*late[^]*connection: close\r\n[^]*late$/i)
  })
})

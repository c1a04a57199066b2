import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { YarakError } from '../src/errors.ts'
import { parseEvent } from '../src/event.ts'
import { createHttpClient, type Http, type HttpClient, type HttpRequest, parseRetryAfter } from '../src/http.ts'
import type { ClientSpan } from '../src/plugin.ts'

const closers: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => void server.close(() => resolve()))
  })
  return (server.address() as AddressInfo).port
}

const serve = async (listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listening(createServer(listener))}`

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** A server that answers with what it was sent. */
const echo: RequestListener = (request, response) => {
  void bodyOf(request).then((body) => {
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }))
  })
}

interface Echo {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

interface Recorded extends ClientSpan {
  readonly set: Record<string, string | number | boolean>
}

const client = (headers: Record<string, string> = {}): { http: Http; spans: Recorded[]; client: HttpClient } => {
  const spans: Recorded[] = []
  const made = createHttpClient()
  closers.push(() => made.close())
  const http = made.bind((span, fn) => {
    const set: Recorded['set'] = {}
    spans.push({ ...span, set })
    return fn({ headers, set: (name, value) => void (set[name] = value) })
  })
  return { http, spans, client: made }
}

const failure = async (http: Http, request: HttpRequest, signal?: AbortSignal): Promise<YarakError> => {
  const error: unknown = await http(request, signal).then(
    () => new Error('the request succeeded'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(YarakError)
  return error as YarakError
}

const answering =
  (status: number, headers: Record<string, string> = {}, body = ''): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

const echoed = async (http: Http, request: HttpRequest): Promise<Echo> => JSON.parse((await http(request)).body) as Echo

describe('a request', () => {
  it('is a POST of JSON by default', async () => {
    const url = await serve(echo)
    const got = await echoed(client().http, { url: `${url}/hook?a=1`, body: { a: [1, 'é'] } })
    expect(got).toMatchObject({ method: 'POST', url: '/hook?a=1', body: '{"a":[1,"é"]}' })
    expect(got.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'user-agent': 'yarak' })
  })

  it('keeps every digit of large integers', async () => {
    const url = await serve(echo)
    const json =
      '{"rule":"r","priority":"Error","time":"2026-01-31T12:00:00Z","output_fields":{"n":1769860800123456789}}'
    const event = parseEvent(json, { id: '1', input: 'test' })
    expect((await echoed(client().http, { url, body: event.toJSON() })).body).toContain('"n":1769860800123456789')
  })

  it.each<[string, NonNullable<HttpRequest['body']>]>([
    ['text', 'a b'],
    ['bytes', new TextEncoder().encode('a b')],
    ['a stream', Readable.from([Buffer.from('a '), Buffer.from('b')])],
  ])('sends %s as it is, without a content type of its own', async (_name, body) => {
    const got = await echoed(client().http, { url: await serve(echo), body })
    expect(got.body).toBe('a b')
    expect(got.headers['content-type']).toBeUndefined()
  })

  it('lets the caller replace headers, and leaves out undefined ones', async () => {
    const headers = { 'Content-Type': 'application/x-y', 'User-Agent': 'me', 'x-none': undefined }
    const got = await echoed(client().http, { url: await serve(echo), headers, body: { a: 1 }, method: 'PUT' })
    expect(got.method).toBe('PUT')
    expect(got.headers).toMatchObject({ 'content-type': 'application/x-y', 'user-agent': 'me' })
    expect(got.headers).not.toHaveProperty('x-none')
  })

  it('sends the trace along', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect((await echoed(client({ traceparent }).http, { url: await serve(echo) })).headers.traceparent).toBe(
      traceparent,
    )
  })

  it('sends user and password of the address as basic authentication, unless a header says otherwise', async () => {
    const url = (await serve(echo)).replace('//', '//us%2Fer:p%C3%A4ss%@')
    const basic = `Basic ${Buffer.from('us/er:päss%').toString('base64')}`
    expect((await echoed(client().http, { url })).headers.authorization).toBe(basic)
    const own = { url, headers: { authorization: 'Bearer t' } }
    expect((await echoed(client().http, own)).headers.authorization).toBe('Bearer t')
  })
})

describe('an answer', () => {
  it('has status, headers and body', async () => {
    const url = await serve(answering(202, { 'x-id': '7' }, 'taken'))
    expect(await client().http({ url })).toMatchObject({ status: 202, body: 'taken', headers: { 'x-id': '7' } })
  })

  it('has the first MiB of a longer body', async () => {
    const url = await serve((_request, response) => void response.end(Buffer.alloc(3 * 1024 * 1024, 'x')))
    expect((await client().http({ url })).body).toHaveLength(1024 * 1024)
  })

  it.each([
    [400, true],
    [401, true],
    [404, true],
    [413, true],
    [408, false],
    [425, false],
    [429, false],
    [500, false],
    [503, false],
  ])('of %i is an error, permanent: %s', async (status, permanent) => {
    const error = await failure(client().http, { url: await serve(answering(status, {}, ' no\n  way ')) })
    expect(error).toMatchObject({ code: 'failed', permanent, reason: String(status), retryAfter: undefined })
    expect(error.message).toMatch(new RegExp(`^POST http://127.0.0.1:\\d+ answered ${status}: no way$`))
  })

  it.each([429, 503])('of %i says when to come back', async (status) => {
    const url = await serve(answering(status, { 'retry-after': '7' }))
    expect((await failure(client().http, { url })).retryAfter).toBe(7_000)
  })

  it.each([301, 302, 307, 308])('of %i is not followed', async (status) => {
    const seen: string[] = []
    const url = await serve((request, response) => {
      seen.push(request.url ?? '')
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    expect(await failure(client().http, { url: `${url}/here` })).toMatchObject({ permanent: true, reason: `${status}` })
    expect(seen).toEqual(['/here'])
  })
})

describe('parseRetryAfter', () => {
  it('reads decimals, as Discord sends them', () => {
    expect(parseRetryAfter('0.65')).toBe(650)
  })

  it('reads seconds, dates and the first of several', () => {
    expect(parseRetryAfter('120')).toBe(120_000)
    expect(parseRetryAfter(['3', '9'])).toBe(3_000)
    expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:00 GMT')).toBe(0)
    const inAMinute = parseRetryAfter(new Date(Date.now() + 60_000).toUTCString()) ?? 0
    expect(inAMinute).toBeGreaterThan(0)
    expect(inAMinute).toBeLessThanOrEqual(60_000)
  })

  it('gives nothing for anything else', () => {
    for (const text of [undefined, '', 'soon', '-1x']) expect(parseRetryAfter(text)).toBeUndefined()
  })
})

describe('a request that gets no answer', () => {
  const silent: RequestListener = () => {}

  it('ends at its timeout', async () => {
    const error = await failure(client().http, { url: await serve(silent), timeout: 30 })
    expect(error).toMatchObject({ code: 'timed_out', reason: 'timeout', permanent: false })
  })

  it('ends at its timeout also in the middle of the body', async () => {
    const url = await serve((_request, response) => void response.write('some'))
    expect(await failure(client().http, { url, timeout: 50 })).toMatchObject({ code: 'timed_out' })
  })

  it('ends when the signal is aborted', async () => {
    const stop = new AbortController()
    const url = await serve(() => stop.abort(new Error('stopping')))
    expect(await failure(client().http, { url }, stop.signal)).toMatchObject({ code: 'interrupted', permanent: false })
  })

  it('is not sent when the signal is aborted already', async () => {
    let asked = false
    const url = await serve((_request, response) => {
      asked = true
      response.end()
    })
    expect(await failure(client().http, { url }, AbortSignal.abort())).toMatchObject({ code: 'interrupted' })
    expect(asked).toBe(false)
  })

  it('may be tried again when nobody listens', async () => {
    const server = createServer()
    const port = await listening(server)
    await new Promise((resolve) => server.close(resolve))
    const error = await failure(client().http, { url: `http://127.0.0.1:${port}/` })
    expect(error).toMatchObject({ code: 'unavailable', permanent: false, reason: 'econnrefused' })
  })

  it('may be tried again when the connection is cut', async () => {
    const url = await serve((request) => void request.socket.destroy())
    expect(await failure(client().http, { url })).toMatchObject({ code: 'unavailable', permanent: false })
  })
})

describe('an address', () => {
  it.each(['', 'not a url', 'ftp://example.com/x', 'file:///etc/passwd', 'unix:/x'])('%j is refused', async (url) => {
    const { http, spans } = client()
    expect(await failure(http, { url })).toMatchObject({ permanent: true, reason: 'bad-url' })
    expect(spans).toEqual([])
  })
})

describe('secrets', () => {
  const SECRET = 'XXXXsecretXXXXXXXXXXXXXX'

  /** A server that quotes everything it refuses, as many frameworks do. */
  const quoting: RequestListener = (request, response) => {
    const { authorization = '' } = request.headers
    response.writeHead(404).end(`Cannot ${request.method} ${request.url} with ${authorization}`)
  }

  const requests: [string, (origin: string) => HttpRequest][] = [
    ['in the path', (origin) => ({ url: `${origin}/services/T0/${SECRET}` })],
    ['in the query', (origin) => ({ url: `${origin}/?api_key=${SECRET}` })],
    ['in a header', (origin) => ({ url: `${origin}/`, headers: { authorization: `Bearer ${SECRET}` } })],
    ['in the user part', (origin) => ({ url: origin.replace('//', `//user:${SECRET}@`) })],
    ['beside a template', (origin) => ({ url: `${origin}/bot${SECRET}/send`, template: '/bot{token}/send' })],
  ]

  it('given as user and password are masked in their encoded form', async () => {
    const url = (await serve(quoting)).replace('//', `//user:${SECRET}@`)
    const encoded = Buffer.from(`user:${SECRET}`).toString('base64')
    expect((await failure(client().http, { url })).message).not.toContain(encoded)
  })

  it.each(requests)('%s are in no error and no span, also when the server quotes them', async (_name, make) => {
    for (const url of [await serve(quoting), 'http://127.0.0.1:1']) {
      const { http, spans } = client()
      const error = await failure(http, { ...make(url), timeout: 5_000 })
      expect(JSON.stringify([error.message, error.reason, spans])).not.toContain(SECRET)
    }
  })

  it('are masked also when the server quotes them without their encoding, and a password by itself', async () => {
    const url = await serve((request, response) => {
      const [, basic = ''] = (request.headers.authorization ?? '').split(' ')
      const user = Buffer.from(basic, 'base64').toString()
      response.writeHead(403).end(`${decodeURIComponent(request.url ?? '')} ${request.url} by ${user}`)
    })
    const address = `${url.replace('//', '//ann:pass%2Bword1@')}/hook/key%2Bnumber1?token=to%2Bken%3Dtext1`
    const { message } = await failure(client().http, { url: address })
    expect(message).not.toMatch(/pass.+word1|key.+number1|to.+ken.+text1/)
  })

  it('of an address that is none are in no error', async () => {
    expect((await failure(client().http, { url: `htp://${SECRET}` })).message).not.toContain(SECRET)
  })

  it('leave the rest of what the server says', async () => {
    const url = await serve(answering(400, {}, 'no_service: the path /api/v2/alerts wants "labels"'))
    const error = await failure(client().http, { url: `${url}/api/v2/alerts`, template: '/api/v2/alerts' })
    expect(error.message).toContain('no_service: the path /api/v2/alerts wants "labels"')
  })
})

describe('the span', () => {
  it('has the method and the template as its name, and the semantic attributes', async () => {
    const url = await serve(echo)
    const { http, spans } = client()
    await http({ url: `${url}/api/7`, template: '/api/{id}', method: 'PUT' })
    expect(spans).toEqual([
      {
        name: 'PUT /api/{id}',
        attributes: {
          'http.request.method': 'PUT',
          'server.address': '127.0.0.1',
          'server.port': Number(new URL(url).port),
          'url.template': '/api/{id}',
        },
        set: { 'http.response.status_code': 200 },
      },
    ])
  })

  it('tells no path without a template, and the status also of a failure', async () => {
    const { http, spans } = client()
    await failure(http, { url: `${await serve(answering(500))}/a/b` })
    expect(spans[0]).toMatchObject({ name: 'POST', set: { 'http.response.status_code': 500 } })
    expect(JSON.stringify(spans)).not.toContain('/a/b')
  })
})

describe('TLS', () => {
  const certificate = () => {
    const folder = mkdtempSync(join(tmpdir(), 'yarak-http-'))
    closers.push(() => rmSync(folder, { recursive: true }))
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=yarak test', '-addext', 'subjectAltName=IP:127.0.0.1']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile]
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, '-out', certFile, ...subject], { stdio: 'ignore' })
    return { keyFile, certFile, key: readFileSync(keyFile), cert: readFileSync(certFile) }
  }

  const serveTls = async (options: object, listener: RequestListener): Promise<string> =>
    `https://127.0.0.1:${await listening(createTlsServer(options, listener))}`

  it('takes a certificate of the CA it is given, and no other', async () => {
    const { key, cert, certFile } = certificate()
    const url = await serveTls({ key, cert }, answering(200, {}, 'ok'))
    const { http } = client()
    expect(await http({ url, tls: { caFile: certFile } })).toMatchObject({ body: 'ok' })
    expect(await failure(http, { url })).toMatchObject({ code: 'unavailable', permanent: false })
    expect(await http({ url, tls: { verify: false } })).toMatchObject({ body: 'ok' })
  })

  it('shows its own certificate', async () => {
    const { key, cert, certFile, keyFile } = certificate()
    const who = (request: IncomingMessage, response: ServerResponse) =>
      void response.end(String('authorized' in request.socket && request.socket.authorized))
    const url = await serveTls({ key, cert, ca: cert, requestCert: true, rejectUnauthorized: false }, who)
    const { http } = client()
    expect(await http({ url, tls: { caFile: certFile, certFile, keyFile } })).toMatchObject({ body: 'true' })
    expect(await http({ url, tls: { caFile: certFile } })).toMatchObject({ body: 'false' })
  })
})

describe('the pools', () => {
  it('reuse connections, and close them', async () => {
    const sockets = new Set<unknown>()
    const url = await serve((request, response) => {
      sockets.add(request.socket)
      response.end()
    })
    const { http, client: made } = client()
    for (let i = 0; i < 20; i++) await http({ url: `${url}/${i}` })
    const opened = sockets.size
    expect(opened).toBeLessThan(20)
    await made.close()
    await http({ url })
    expect(sockets.size).toBe(opened + 1)
  })
})

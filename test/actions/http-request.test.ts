import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { http } from '../../inputs/http.ts'
import { httpRequest } from '../../src/actions/http-request.ts'
import { testInputIo } from '../../src/testing.ts'
import { aStep, perform, type StepOptions } from './step.ts'

type Params = Parameters<typeof perform<typeof httpRequest.config>>[1]

interface Got {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Reply {
  readonly status?: number
  readonly body?: string
  readonly headers?: Record<string, string>
  readonly hang?: boolean
}

const aServer = async ({ status = 200, body = '', headers, hang }: Reply = {}) => {
  const got: Got[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      got.push({ ...pick(request), body: Buffer.concat(chunks).toString() })
      if (!hang) response.writeHead(status, headers).end(body)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const pick = ({ method, url, headers }: { method?: string; url?: string; headers: IncomingHttpHeaders }) => ({
  method,
  url,
  headers,
})

const run = async (params: Params, options: StepOptions = {}) => perform(httpRequest, params, await aStep(options))

describe('http:request', () => {
  it('posts a map as JSON, with headers and the trace context, and keeps the answer', async () => {
    const { got, url } = await aServer({ status: 201, body: '{"id":7}' })
    const result = await run({
      url: `${url}/block?x=1`,
      headers: { Authorization: 'Bearer hush' },
      body: { ip: '10.0.0.1', n: 12345678901234567890n },
    })
    expect(result).toEqual({ summary: `POST ${url} answered 201`, objects: { status: '201' }, output: '{"id":7}' })
    expect(got[0]).toMatchObject({
      method: 'POST',
      url: '/block?x=1',
      body: '{"ip":"10.0.0.1","n":12345678901234567890}',
      headers: {
        authorization: 'Bearer hush',
        'content-type': 'application/json; charset=utf-8',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
    })
  })

  it('sends a text as it is, and its type unless another is given', async () => {
    const { got, url } = await aServer()
    await run({ method: 'PUT', url, body: 'a=b' })
    await run({ method: 'PUT', url, body: 'a=b', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })
    expect(got.map(({ method, body, headers }) => [method, body, headers['content-type']])).toEqual([
      ['PUT', 'a=b', 'text/plain; charset=utf-8'],
      ['PUT', 'a=b', 'application/x-www-form-urlencoded'],
    ])
  })

  it('tells neither path nor headers in its span and summary: they may hold secrets', async () => {
    const { url } = await aServer()
    const recorded = await aStep()
    const result = await perform(httpRequest, { method: 'GET', url: `${url}/hook/hush` }, recorded)
    expect(JSON.stringify([result, recorded.spans])).not.toContain('hush')
    expect(recorded.spans[0]).toMatchObject({ name: 'GET', after: { 'http.response.status_code': 200 } })
  })

  it('keeps the first 64 KiB of the answer', async () => {
    const { url } = await aServer({ body: 'é'.repeat(50_000) })
    const { output } = await run({ method: 'GET', url })
    expect(output).toBe(`${'é'.repeat(32_768)}\n[cut: 65536 of 100000 bytes]`)
  })

  it('has no output when the answer is empty', async () => {
    const { url } = await aServer({ status: 204 })
    expect(await run({ url })).not.toHaveProperty('output')
  })
})

describe('the status', () => {
  const attempt = async (status: number, expected?: number[]) => {
    const { url } = await aServer({ status, body: 'said' })
    return run({ url, ...(expected && { expect: expected }) }).then(
      ({ objects, output }) => ({ status: objects?.status, output }),
      (error: { code: string; reason: string; permanent: boolean }) => ({
        code: error.code,
        reason: error.reason,
        permanent: error.permanent,
      }),
    )
  }

  it.each([
    [200, undefined, { status: '200', output: 'said' }],
    [299, undefined, { status: '299', output: 'said' }],
    [302, undefined, { code: 'failed', reason: '302', permanent: true }],
    [404, undefined, { code: 'failed', reason: '404', permanent: true }],
    [429, undefined, { code: 'failed', reason: '429', permanent: false }],
    [500, undefined, { code: 'failed', reason: '500', permanent: false }],
    [202, [202, 409], { status: '202', output: 'said' }],
    [409, [202, 409], { status: '409', output: 'said' }],
    [200, [202, 409], { code: 'failed', reason: '200', permanent: true }],
    [500, [202, 409], { code: 'failed', reason: '500', permanent: false }],
  ])('%i, where %j is expected, is %j', async (status, expected, result) => {
    expect(await attempt(status, expected)).toEqual(result)
  })

  it('of a redirection does not lead elsewhere', async () => {
    const inner = await aServer()
    const { url } = await aServer({ status: 302, headers: { location: inner.url } })
    await run({ url, expect: [302] })
    expect(inner.got).toEqual([])
  })

  it('that never comes is timed out', async () => {
    const { url } = await aServer({ hang: true })
    await expect(run({ url, timeout: '50ms' })).rejects.toMatchObject({ code: 'timed_out' })
  })

  it('is not waited for when the step is cut short', async () => {
    const { url } = await aServer({ hang: true })
    await expect(run({ url }, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'interrupted' })
  })
})

describe('the signature', () => {
  const hmac = (algorithm: string, text: string | undefined) =>
    `${algorithm}=${createHmac(algorithm, 'hush')
      .update(text ?? '')
      .digest('hex')}`

  it.each([
    ['a map', { ip: '10.0.0.1', n: 12345678901234567890n }, '{"ip":"10.0.0.1","n":12345678901234567890}'],
    ['a text', 'ä\nb', 'ä\nb'],
    ['nothing', undefined, ''],
  ])('is that of the bytes that are sent: of %s', async (_what, body, sent) => {
    const { got, url } = await aServer()
    await run({ url, sign: { secret: 'hush' }, ...(body !== undefined && { body }) })
    expect(got[0]?.body).toBe(sent)
    expect(got[0]?.headers['x-hub-signature-256']).toBe(hmac('sha256', sent))
  })

  it('has another hash and header when it is told to', async () => {
    const { got, url } = await aServer()
    const headers = { 'X-Signature': 'forged' }
    await run({ url, body: 'a', headers, sign: { secret: 'hush', header: 'X-Signature', algorithm: 'sha512' } })
    expect(got[0]?.headers['x-signature']).toBe(hmac('sha512', 'a'))
  })

  it('is one that the input http takes, for an event on its way to another gateway', async () => {
    const { got, url } = await aServer()
    const event = { rule: 'r', priority: 'Info', time: '2026-01-31T12:00:00Z', output: 'x', output_fields: {} }
    await run({ url, body: event, sign: { secret: 'hush' } })
    const io = testInputIo()
    const app = http.routes?.(http.config.parse({ hmac: { secret: 'hush' } }), io)
    const post = (body: string) => {
      const headers = { 'x-hub-signature-256': String(got[0]?.headers['x-hub-signature-256']) }
      return app?.request('/', { method: 'POST', body, headers })
    }
    expect((await post(got[0]?.body ?? ''))?.status).toBe(200)
    expect((await post(`${got[0]?.body} `))?.status).toBe(403)
  })

  it('is not told, and its key is no template', async () => {
    const { url } = await aServer({ status: 400, body: 'no' })
    const recorded = await aStep()
    const error: unknown = await perform(httpRequest, { url, sign: { secret: 'hush' } }, recorded).catch(
      (e: unknown) => e,
    )
    expect(JSON.stringify([String(error), recorded.spans])).not.toContain('hush')
    expect(() => httpRequest({ url, sign: { secret: '{{ proc.name }}' } })).toThrow('sign must be fixed text')
    expect(() => httpRequest({ url, sign: { secret: 's', header: 'a b' } })).toThrow('sign.header')
  })
})

describe('the settings of http:request', () => {
  it.each([
    'file:///etc/passwd',
    'ftp://x',
    'no url',
    'http://user:hush@x/',
    'http://x/a/../admin',
    'http://x/a/%2e%2E/admin',
    'http://x/a/..',
    'http://x/./a',
    'http://x\\@y',
    'http://x/a b',
    'http://x/\n',
  ])('refuse the URL %j', (url) => {
    expect(() => httpRequest({ url })).toThrow('url: must be an http or https URL')
  })

  it.each(['http://x', 'https://x:8443/a.b/..c?q=/..x#f', 'http://[::1]/'])('take the URL %j', (url) => {
    expect(httpRequest({ url }).config).toEqual({ url })
  })

  it('refuse, after rendering, a value that climbs or breaks a header', async () => {
    await expect(run({ url: `http://127.0.0.1:1/pods/${'..'}/x` })).rejects.toThrow('must be an http')
    await expect(run({ url: 'http://127.0.0.1:1/', headers: { a: 'b\r\nc: d' } })).rejects.toThrow('one line')
    expect(() => httpRequest({ url: 'http://x', headers: { 'a b': 'c' } })).toThrow('headers.a b')
  })

  it('refuse a body where none belongs, and a method that an event chooses', () => {
    expect(() => httpRequest({ url: 'http://x', method: 'GET', body: 'x' })).toThrow('has no body')
    expect(() => httpRequest({ url: 'http://x', method: '{{ m }}' })).toThrow('method must be fixed text')
  })

  it.each([
    '{{ fd.rip }}',
    'https://{{ fd.rip }}/',
    'https://a.{{ fd.rip }}',
    '{{ x }}://a/',
    'https://a{% if b %}.c{% endif %}/',
  ])('refuse a host that an event chooses: %s', (url) =>
    expect(() => httpRequest({ url })).toThrow('the host of url must be fixed text'),
  )

  it('take a path and a query from an event', () => {
    for (const url of ['https://a.example/{{ fd.rip | url }}', 'http://a:80?ip={{ fd.rip | url }}']) {
      expect(httpRequest({ url }).config).toEqual({ url })
    }
  })

  it('decide what it changes', () => {
    const { changes } = httpRequest
    const of = (method: 'GET' | 'HEAD' | 'POST' | 'DELETE') =>
      typeof changes === 'function' && changes(httpRequest.config.parse({ url: 'http://x', method }))
    expect([of('GET'), of('HEAD'), of('POST'), of('DELETE')]).toEqual([
      'nothing',
      'nothing',
      'reversible',
      'reversible',
    ])
  })
})

/** How HTTP requests of an output reach their server: further headers, compression, proxy, and where they may not go. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { isPrivateAddress, proxyFor } from '../src/http-connection.ts'
import { type HttpConnection, httpSettings } from '../src/http-settings.ts'
import { createHttpClient } from '../src/http.ts'
import { YarakError } from '../src/plugin.ts'
import { checkSettings } from '../src/settings.ts'

const left: (() => unknown)[] = []
afterEach(async () => {
  for (const close of left.splice(0).reverse()) await close()
})

interface Got {
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

const serve = async (server: Server): Promise<string> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  left.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const target = async (): Promise<{ url: string; got: Got[] }> => {
  const got: Got[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    got.push({ url: request.url ?? '', headers: request.headers, body: await buffer(request) })
    response.end('ok')
  }
  return { url: await serve(createServer((request, response) => void answer(request, response))), got }
}

/** A proxy that forwards, and remembers what for. */
const proxy = async (): Promise<{ url: string; asked: { what: string; authorization: string | undefined }[] }> => {
  const asked: { what: string; authorization: string | undefined }[] = []
  const note = (what: string, request: IncomingMessage): void =>
    void asked.push({ what, authorization: request.headers['proxy-authorization'] })
  const made = createServer((request, response) => {
    note(`${request.method} ${request.url}`, request)
    response.end('from the proxy')
  })
  made.on('connect', (request, client) => {
    note(`CONNECT ${request.url}`, request)
    const [host = '', port = ''] = (request.url ?? '').split(':')
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(client)
      client.pipe(upstream)
    })
    for (const one of [client, upstream]) one.on('error', () => {})
  })
  return { url: await serve(made), asked }
}

const httpWith = (connection: HttpConnection, env: Record<string, string> = {}) => {
  const client = createHttpClient({ env })
  left.push(() => client.close())
  return client.bind((_span, fn) => fn({ headers: {}, set: () => {} }), connection)
}

describe('headers', () => {
  it('that are set replace those of the output, in any case', async () => {
    const { url, got } = await target()
    const http = httpWith({ headers: { 'X-Key': 'k', 'CONTENT-TYPE': 'text/x' } })
    await http({ url, body: { a: 1 }, headers: { 'x-key': 'own', 'x-other': 'o' } })
    expect(got[0]?.headers).toMatchObject({ 'x-key': 'k', 'x-other': 'o', 'content-type': 'text/x' })
  })

  it('are never told in an error', async () => {
    const made = createServer((request, response) =>
      response.writeHead(400).end(`bad key ${String(request.headers['x-key'])}`),
    )
    const http = httpWith({ headers: { 'X-Key': 'very-secret-key' } })
    const error = await http({ url: await serve(made) }).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toContain('bad key ***')
  })

  it.each([
    ['a line break in a value', { headers: { a: 'x\r\nb: y' } }, 'must be one line'],
    ['a name that is none', { headers: { 'a b': 'x' } }, 'must be the name of an HTTP header'],
    ['a proxy of another kind', { proxy: 'socks5://x' }, 'must be an http or https address'],
  ])('refuses %s', (_what, settings, message) => {
    expect(checkSettings(httpSettings, settings)[0]?.message).toContain(message)
  })
})

describe('compression', () => {
  it.each([
    ['an object', { a: 'é' }, '{"a":"é"}'],
    ['a text', 'text', 'text'],
    ['bytes', Buffer.from([1, 2, 3]), '\u0001\u0002\u0003'],
  ])('packs %s', async (_what, body, expected) => {
    const { url, got } = await target()
    await httpWith({ compression: 'gzip' })({ url, body })
    expect(got[0]?.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(got[0]?.body ?? '').toString()).toBe(expected)
  })

  it('is left out when there is nothing to send, or the request says so', async () => {
    const { url, got } = await target()
    const http = httpWith({ compression: 'gzip' })
    await http({ url, method: 'GET' })
    await http({ url, body: 'plain', compression: 'none' })
    expect(got.map(({ headers, body }) => [headers['content-encoding'], body.toString()])).toEqual([
      [undefined, ''],
      [undefined, 'plain'],
    ])
  })
})

describe('a proxy', () => {
  it('that is set is asked, with its name and password', async () => {
    const { url, asked } = await proxy()
    const http = httpWith({ proxy: url.replace('http://', 'http://user:p%40ss@') })
    expect((await http({ url: 'http://siem.example/x' })).body).toBe('from the proxy')
    expect(asked).toEqual([
      { what: 'POST http://siem.example/x', authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}` },
    ])
  })

  it('that the environment names is asked, but not for this machine', async () => {
    const [{ url, got }, { url: via, asked }] = await Promise.all([target(), proxy()])
    const http = httpWith({}, { HTTP_PROXY: via })
    await http({ url })
    expect([got.length, asked.length]).toEqual([1, 0])
    await http({ url: 'http://siem.example/' })
    expect(asked.map(({ what }) => what)).toEqual(['POST http://siem.example/'])
  })

  it.each([
    ['https://a.example/', { HTTPS_PROXY: 'http://p' }, 'http://p'],
    ['https://a.example/', { https_proxy: 'http://low', HTTPS_PROXY: 'http://p' }, 'http://low'],
    ['https://a.example/', { HTTP_PROXY: 'http://p' }, undefined],
    ['http://a.example/', { HTTP_PROXY: 'http://p', NO_PROXY: 'a.example' }, undefined],
    ['http://b.a.example/', { HTTP_PROXY: 'http://p', NO_PROXY: '.a.example, x' }, undefined],
    ['http://b.a.example/', { HTTP_PROXY: 'http://p', no_proxy: '*.a.example' }, undefined],
    ['http://ba.example/', { HTTP_PROXY: 'http://p', NO_PROXY: 'a.example' }, 'http://p'],
    ['http://a.example:81/', { HTTP_PROXY: 'http://p', NO_PROXY: 'a.example:82' }, 'http://p'],
    ['http://a.example:82/', { HTTP_PROXY: 'http://p', NO_PROXY: 'a.example:82' }, undefined],
    ['http://a.example/', { HTTP_PROXY: 'http://p', NO_PROXY: '*' }, undefined],
    ['http://[::1]/', { HTTP_PROXY: 'http://p' }, undefined],
    ['http://localhost/', { HTTP_PROXY: 'http://p' }, undefined],
    ['http://a.example/', { HTTP_PROXY: '' }, undefined],
  ])('for %s with %j is %s', (url, env, expected) => {
    expect(proxyFor(new URL(url), env)).toBe(expected)
  })
})

describe('private addresses', () => {
  it.each(['127.0.0.1', 'localhost', '[::1]', '169.254.169.254', '10.1.2.3', '[::ffff:10.0.0.1]', '0x7f.1'])(
    'such as %s are refused for good when they are denied',
    async (host) => {
      const { url, got } = await target()
      const http = httpWith({ denyPrivate: true })
      const error = await http({ url: url.replace('127.0.0.1', host) }).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(YarakError)
      expect(error).toMatchObject({ permanent: true, reason: 'private-address' })
      expect(got).toEqual([])
    },
  )

  it.each([
    ['8.8.8.8', false],
    ['192.168.0.1', true],
    ['172.32.0.1', false],
    ['172.31.255.255', true],
    ['100.64.0.1', true],
    ['224.0.0.1', true],
    ['2001:4860:4860::8888', false],
    ['fd00::1', true],
    ['fe80::1', true],
    ['::', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:8.8.8.8', false],
  ])('%s is one: %s', (address, expected) => {
    expect(isPrivateAddress(address)).toBe(expected)
  })
})

import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gzipSync } from 'node:zlib'
import { http } from '../../inputs/http.ts'
import { createClientOf, isLoopback, subjectName } from '../../inputs/_http-peer.ts'
import { testInputIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import { recordSpans } from '../spans.ts'
import { closed, type HttpSettings, listening, serving, WAYS } from './_http-rig.ts'

const ALERT = JSON.stringify(alert())
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})
const signed = (body: string | Uint8Array, key = 'k3y') =>
  `sha256=${createHmac('sha256', key).update(body).digest('hex')}`

interface Proof {
  readonly name: string
  readonly settings: HttpSettings
  readonly headers?: Record<string, string>
  readonly path?: string
  readonly body?: string | Uint8Array
  /** How it was proved; a number is the status of the refusal. */
  readonly is: string | number
}

const ALL: HttpSettings = {
  token: 's3cret',
  basic: { username: 'falco', password: 'pa:ss' },
  hmac: { secret: 'k3y' },
  secretPath: 'open-sesame',
}

const PROOFS: readonly Proof[] = [
  { name: 'bearer, in any case', settings: ALL, headers: { authorization: 'bearer  s3cret' }, is: 'bearer' },
  { name: 'basic', settings: ALL, headers: basic('falco', 'pa:ss'), is: 'basic' },
  { name: 'path', settings: ALL, path: '/in/open-sesame', is: 'path' },
  { name: 'hmac', settings: ALL, headers: { 'x-hub-signature-256': signed(ALERT) }, is: 'hmac' },
  {
    name: 'hmac in upper case',
    settings: ALL,
    headers: { 'x-hub-signature-256': signed(ALERT).toUpperCase() },
    is: 'hmac',
  },
  {
    name: 'hmac in another header, without a prefix',
    settings: { hmac: { secret: 'k3y', header: 'X-Signature', prefix: '' } },
    headers: { 'x-signature': signed(ALERT).slice(7) },
    is: 'hmac',
  },
  {
    name: 'hmac over the body as it was sent',
    settings: ALL,
    headers: { 'x-hub-signature-256': signed(gzipSync(ALERT)), 'content-encoding': 'gzip' },
    body: gzipSync(ALERT),
    is: 'hmac',
  },
  {
    name: 'hmac over lines',
    settings: ALL,
    headers: { 'x-hub-signature-256': signed(`${ALERT}\n`), 'content-type': 'application/x-ndjson' },
    body: `${ALERT}\n`,
    is: 'hmac',
  },
  { name: 'hmac with another key', settings: ALL, headers: { 'x-hub-signature-256': signed(ALERT, 'x') }, is: 401 },
  { name: 'hmac of another body', settings: ALL, headers: { 'x-hub-signature-256': signed('x') }, is: 401 },
  { name: 'an empty signature', settings: ALL, headers: { 'x-hub-signature-256': '' }, is: 401 },
  { name: 'a wrong token', settings: ALL, headers: { authorization: 'Bearer s3cre' }, is: 401 },
  { name: 'an empty token', settings: ALL, headers: { authorization: 'Bearer ' }, is: 401 },
  { name: 'the token as a password', settings: ALL, headers: basic('falco', 's3cret'), is: 401 },
  { name: 'another user', settings: ALL, headers: basic('root', 'pa:ss'), is: 401 },
  { name: 'credentials that are not base64', settings: ALL, headers: { authorization: 'Basic %%%' }, is: 401 },
  { name: 'a wrong path', settings: ALL, path: '/in/open-sesame2', is: 401 },
  { name: 'nothing', settings: ALL, is: 401 },
  { name: 'nothing, where no header would help', settings: { hmac: { secret: 'k3y' } }, is: 403 },
  { name: 'nothing, where a certificate is asked for', settings: { clientCertificates: {} }, is: 403 },
  { name: 'nothing, where one is trusted if none asks for more', settings: { ...ALL, trust: true }, is: 401 },
]

describe.each(WAYS)('a sender by way of %s', (way) => {
  it.each(PROOFS)('$name: $is', async ({ settings, headers, path, body = ALERT, is }) => {
    const rig = await serving(way, settings)
    const got = await rig.ask({ body, ...(headers && { headers }), ...(path && { path }) })
    await rig.stop()
    expect(got.status).toBe(typeof is === 'number' ? is : 200)
    expect(rig.told.map(({ event }) => event.authenticated)).toEqual(typeof is === 'number' ? [] : [is])
    expect(await rig.counted('rejected', 'unauthorized')).toBe(typeof is === 'number' ? 1 : 0)
    if (is === 401) expect(got.headers['www-authenticate']).toBe('Bearer, Basic realm="yarak"')
  })

  it.each([
    ['directly', {}, {}],
    ['by a proxy', { 'x-forwarded-for': '192.0.2.7' }, {}],
    ['by a proxy that says so in another way', { forwarded: 'for=192.0.2.7' }, {}],
    ['by a browser', { origin: 'http://127.0.0.1' }, {}],
    ['by a browser that hides from where', { 'sec-fetch-site': 'cross-site' }, {}],
    ['by a trusted proxy, for this machine', { 'x-forwarded-for': '127.0.0.1' }, { trustedProxies: ['127.0.0.1'] }],
    ['by a trusted proxy, for another', { 'x-forwarded-for': '192.0.2.7' }, { trustedProxies: ['127.0.0.0/8'] }],
    [
      'by a trusted proxy, for a browser',
      { 'x-forwarded-for': '::1', origin: 'null' },
      { trustedProxies: ['127.0.0.0/8'] },
    ],
    ['by a trusted proxy that hides for whom', { forwarded: 'for=127.0.0.1' }, { trustedProxies: ['127.0.0.1'] }],
  ] as [string, Record<string, string>, HttpSettings][])('that proves nothing, %s', async (how, headers, settings) => {
    const isLocal = way !== 'app' && (how === 'directly' || how.endsWith('for this machine'))
    for (const trust of [false, true]) {
      const rig = await serving(way, { ...settings, trust })
      expect((await rig.ask({ body: ALERT, headers })).status).toBe(200)
      await rig.stop()
      expect(rig.told.map(({ event }) => event.authenticated)).toEqual([
        isLocal ? 'loopback' : trust ? 'trust' : undefined,
      ])
    }
  })
})

describe('a refused sender', () => {
  it('leaves no dead letter, and no secret in logs or answers', async () => {
    const io = testInputIo()
    const app = http.routes?.(http.config.parse(ALL), io)
    const guess = 'open-sesame-guess'
    const answer = await app?.request(`/in/${guess}`, {
      method: 'POST',
      body: ALERT,
      headers: { authorization: guess },
    })
    expect(answer?.status).toBe(401)
    expect([io.counted, io.lost, io.emitted]).toEqual([['rejected unauthorized'], [], []])
    const all = JSON.stringify([io.lines, await answer?.text(), [...(answer?.headers ?? [])]])
    for (const secret of [guess, 'open-sesame', 's3cret', 'pa:ss', 'k3y']) expect(all).not.toContain(secret)
  })

  it('is logged ten times and then now and then', async () => {
    const io = testInputIo()
    const app = http.routes?.(http.config.parse(ALL), io)
    for (let i = 0; i < 1_000; i++) await app?.request('/', { method: 'POST', body: '{}' })
    expect(io.lines).toHaveLength(11)
    expect(io.lines.at(-1)).toMatchObject({ level: 'warn', fields: { code: 'unauthorized', refused: 1_000 } })
    expect(io.counted).toHaveLength(1_000)
  })

  it('is not asked for its body first', async () => {
    const rig = await serving('handle', { ...ALL, maxBody: '1MiB' })
    const got = await rig.ask({ body: ALERT, headers: { 'content-length': '1000000' } }).catch(() => undefined)
    expect(got?.status).toBe(401)
    await rig.stop()
  })
})

describe('over a unix socket', () => {
  it.each([
    [{}, 'unix'],
    [{ 'x-forwarded-for': '192.0.2.7' }, undefined],
  ])('headers %j: %s', async (headers: Record<string, string>, is) => {
    const io = testInputIo()
    const handle = http.handle?.(http.config.parse({}), io)
    const path = join(io.dataDir, `../yarak-http-${crypto.randomUUID()}.sock`)
    const server = await listening(
      createServer((asked, answer) => void handle?.(asked, answer)),
      { path },
    )
    const { request } = await import('node:http')
    await new Promise<void>((resolve, reject) => {
      const asked = request({ socketPath: path, method: 'POST', path: '/', headers, agent: false }, (answer) =>
        answer.resume().on('end', resolve),
      )
      asked.on('error', reject).end(ALERT)
    })
    await closed(server)
    expect(io.emitted.map(({ options }) => options.authenticated)).toEqual([is])
  })
})

describe('the client behind proxies', () => {
  const spans = recordSpans()

  it.each([
    [[], '127.0.0.1', '203.0.113.9', '127.0.0.1'],
    [['127.0.0.1'], '127.0.0.1', '203.0.113.9', '203.0.113.9'],
    [['127.0.0.1'], '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    [['127.0.0.1'], '127.0.0.1', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    [['127.0.0.1', '203.0.113.0/24'], '127.0.0.1', '198.51.100.1, 203.0.113.9', '198.51.100.1'],
    [['0.0.0.0/0'], '127.0.0.1', '198.51.100.1, 203.0.113.9', '198.51.100.1'],
    [['127.0.0.1'], '127.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    [['127.0.0.1'], '127.0.0.1', '[2001:db8::1]:443', '2001:db8::1'],
    [['127.0.0.1'], '127.0.0.1', '2001:db8::1', '2001:db8::1'],
    [['127.0.0.1'], '127.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    [['127.0.0.1'], '127.0.0.1', '198.51.100.1, unknown', undefined],
    [['127.0.0.1', 'fd00::/8'], 'fd00::1', '203.0.113.9', '203.0.113.9'],
    [['127.0.0.1'], '127.0.0.1', undefined, '127.0.0.1'],
    [['127.0.0.1'], undefined, '203.0.113.9', undefined],
  ])('trusting %j, %s sends for %s: %s', (trusted, address, header, client) => {
    const headers = header === undefined ? {} : { 'x-forwarded-for': header }
    expect(createClientOf(trusted)(address, headers).address).toBe(client)
  })

  it('is never one that only an untrusted sender told, whatever it sends', () => {
    const clientOf = createClientOf(['10.0.0.0/8'])
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), (header, last) => {
        fc.pre(!last.startsWith('10.'))
        const { address } = clientOf('10.0.0.1', { 'x-forwarded-for': `${header}, ${last}` })
        expect(address).toBe(last)
      }),
    )
  })

  it.each([
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['::1', true],
    ['128.0.0.1', false],
    ['::2', false],
    ['127.0.0.1.example', false],
    [undefined, false],
  ])('%s is loopback: %s', (address, is) => expect(isLoopback(address)).toBe(is))

  it('is on the span, which tells the secret path by its pattern only', async () => {
    const rig = await serving('handle', { secretPath: 'open-sesame', trustedProxies: ['127.0.0.1'] })
    await rig.ask({ path: '/in/open-sesame', body: ALERT, headers: { 'x-forwarded-for': '203.0.113.9' } })
    await rig.stop()
    expect(spans.one('POST /in/{token}').attributes).toMatchObject({
      'http.route': '/in/{token}',
      'client.address': '203.0.113.9',
      'yarak.input': 'http',
    })
    expect(JSON.stringify(spans.all())).not.toContain('open-sesame')
  })

  it.each(['10.0.0.0/33', 'proxy.example', '10.0.0/8', '::/129'])('%s is not a network', (network) => {
    expect(() => http({ trustedProxies: [network] })).toThrow('must be an address or a network')
  })
})

describe('settings of proofs', () => {
  it('takes a secret path that stands in a URL as it is, and is long enough', () => {
    for (const secretPath of ['short', 'with/slash/in/it', 'with space in it'])
      expect(() => http({ secretPath })).toThrow('secretPath: must be 8 or more')
  })

  it('names a subject in any order of its parts', () => {
    expect(subjectName('O=Acme, CN=falco')).toBe(subjectName('CN=falco,O=Acme'))
    expect(subjectName('CN=falco')).not.toBe(subjectName('falco'))
    expect(subjectName('spiffe://acme.example/a=b')).toBe('spiffe://acme.example/a=b')
  })
})

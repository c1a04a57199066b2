import { gzipSync, deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { http } from '../../inputs/http.ts'
import { createGateway } from '../../src/index.ts'
import { toJson } from '../../src/plugin.ts'
import { alert, sink } from '../kit.ts'
import { type HttpSettings, type Sent, serving, WAYS } from './_http-rig.ts'

const json = (value: unknown): string => JSON.stringify(value)
const ALERT = json(alert())
const BEARER = { authorization: 'Bearer s3cret' }

interface Case {
  readonly name: string
  readonly settings?: HttpSettings
  readonly sent: Sent
  readonly status: number
  /** Headers that the answer has; null: has not. */
  readonly headers?: Readonly<Record<string, string | null>>
  /** The answer's JSON, or its text. */
  readonly body?: unknown
  /** The rules of the events taken. Default none. */
  readonly taken?: readonly string[]
  /** The reason under which one is counted as rejected. */
  readonly rejected?: string
}

const RULE = alert().rule
const invalid = (message: string) => ({ error: 'invalid', message: expect.stringContaining(message) as string })

/** What the input does with a request, whichever way it came. */
const CASES: readonly Case[] = [
  { name: 'an event', sent: { body: ALERT }, status: 200, body: '', headers: { 'content-length': '0' }, taken: [RULE] },
  { name: 'a pretty-printed event', sent: { body: json(alert()).replaceAll(',', ',\n') }, status: 200, taken: [RULE] },
  { name: 'an event after a byte order mark', sent: { body: `\ufeff${ALERT}` }, status: 200, taken: [RULE] },
  { name: 'an event and a query', sent: { body: ALERT, path: '/?from=falco' }, status: 200, taken: [RULE] },
  {
    name: 'an array',
    sent: { body: json([alert({ rule: 'a' }), alert({ rule: 'b' })]) },
    status: 200,
    body: { accepted: 2, rejected: [] },
    taken: ['a', 'b'],
  },
  {
    name: 'lines, by content type',
    sent: { body: `${ALERT}\r\n\n${ALERT}`, headers: { 'content-type': 'application/x-ndjson' } },
    status: 200,
    body: { accepted: 2, rejected: [] },
    taken: [RULE, RULE],
  },
  {
    name: 'one line, by content type: a batch all the same',
    sent: { body: ALERT, headers: { 'content-type': 'application/jsonl' } },
    status: 200,
    body: { accepted: 1, rejected: [] },
    taken: [RULE],
  },
  {
    name: 'records of RFC 7464',
    sent: { body: `\x1e${ALERT}\n\x1e${ALERT}\n`, headers: { 'content-type': 'application/json-seq' } },
    status: 200,
    taken: [RULE, RULE],
  },
  { name: 'lines, by shape', sent: { body: `\n${ALERT}\n${ALERT}\n` }, status: 200, taken: [RULE, RULE] },
  { name: 'objects one after another', sent: { body: ALERT + ALERT + ALERT }, status: 200, taken: [RULE, RULE, RULE] },
  { name: 'a single event that holds }{', sent: { body: json(alert({ output: '}{' })) }, status: 200, taken: [RULE] },
  {
    name: 'a batch of which some are wrong',
    sent: { body: [ALERT, '{"rule": "x"}', '7'].join('\n') },
    status: 200,
    body: {
      accepted: 1,
      rejected: [
        { index: 1, code: 'invalid', message: 'priority is missing' },
        { index: 2, code: 'invalid', message: 'an event is a JSON object, not a number' },
      ],
    },
    taken: [RULE],
  },
  { name: 'a batch of which all are wrong', sent: { body: '[1,2]' }, status: 400 },
  { name: 'an empty batch', sent: { body: '[]' }, status: 200, body: { accepted: 0, rejected: [] } },
  {
    name: 'no JSON',
    sent: { body: '{"rule": "x",' },
    status: 400,
    body: invalid('not valid JSON'),
    rejected: 'invalid',
  },
  { name: 'nothing', sent: { body: '' }, status: 400, body: invalid('not valid JSON'), rejected: 'invalid' },
  {
    name: 'a wrong type',
    sent: { body: json(alert({ tags: 'x' })) },
    status: 400,
    body: { error: 'invalid', message: 'tags must be an array of strings' },
    headers: { 'content-type': 'application/json' },
    rejected: 'invalid',
  },
  {
    name: 'a text line of Falco',
    sent: { body: '10:13:25.361321113: Notice A shell was spawned (user=root)' },
    status: 400,
    body: invalid('set json_output: true in falco.yaml'),
    rejected: 'invalid',
  },
  { name: 'an array that never ends', sent: { body: '[{}' }, status: 400, rejected: 'invalid' },
  {
    name: 'a body over the limit, announced',
    settings: { maxBody: '64B' },
    sent: { body: ALERT },
    status: 413,
    body: { error: 'too_large', message: 'the body is over 64 bytes' },
    headers: { connection: 'close' },
    rejected: 'too_large',
  },
  {
    name: 'a body over the limit, not announced',
    settings: { maxBody: '64B' },
    sent: { body: ALERT, headers: { 'transfer-encoding': 'chunked' } },
    status: 413,
    rejected: 'too_large',
  },
  {
    name: 'gzip',
    sent: { body: gzipSync(ALERT), headers: { 'content-encoding': 'gzip' } },
    status: 200,
    taken: [RULE],
  },
  {
    name: 'deflate, in any case',
    sent: { body: deflateSync(ALERT), headers: { 'content-encoding': 'Deflate' } },
    status: 200,
    taken: [RULE],
  },
  { name: 'identity', sent: { body: ALERT, headers: { 'content-encoding': 'identity' } }, status: 200, taken: [RULE] },
  {
    name: 'another encoding',
    sent: { body: ALERT, headers: { 'content-encoding': 'br' } },
    status: 415,
    body: { error: 'unsupported', message: 'content-encoding must be gzip or deflate' },
    headers: { 'accept-encoding': 'gzip, deflate' },
    rejected: 'unsupported',
  },
  {
    name: 'the name of a member of every object as an encoding',
    sent: { body: ALERT, headers: { 'content-encoding': 'constructor' } },
    status: 415,
    rejected: 'unsupported',
  },
  {
    name: 'what is not gzip',
    sent: { body: ALERT, headers: { 'content-encoding': 'gzip' } },
    status: 400,
    body: { error: 'invalid', message: 'the body cannot be decompressed' },
    rejected: 'invalid',
  },
  {
    name: 'gzip that ends too early',
    sent: { body: gzipSync(ALERT).subarray(0, -20), headers: { 'content-encoding': 'gzip' } },
    status: 400,
    rejected: 'invalid',
  },
  {
    name: 'a small body that becomes a huge one',
    settings: { maxBody: '64KiB' },
    sent: { body: gzipSync(Buffer.alloc(1024 * 1024)), headers: { 'content-encoding': 'gzip' } },
    status: 413,
    rejected: 'too_large',
  },
  { name: 'GET', sent: { method: 'GET' }, status: 405, headers: { allow: 'POST' } },
  { name: 'HEAD', sent: { method: 'HEAD' }, status: 405, headers: { allow: 'POST' }, body: '' },
  { name: 'OPTIONS', sent: { method: 'OPTIONS' }, status: 405, headers: { allow: 'POST' } },
  { name: 'PUT', sent: { method: 'PUT', body: ALERT }, status: 405 },
  { name: 'another path', sent: { path: '/events', body: ALERT }, status: 404 },
  {
    name: 'another path, for a catch-all',
    settings: { catchAll: true },
    sent: { path: '/events/x', body: ALERT },
    status: 200,
    taken: [RULE],
  },
  {
    name: 'GET at another path, for a catch-all',
    settings: { catchAll: true },
    sent: { path: '/x', method: 'GET' },
    status: 404,
  },
  {
    name: 'its own path',
    settings: { path: '/falco' },
    sent: { path: '/falco', body: ALERT },
    status: 200,
    taken: [RULE],
  },
  { name: 'the root, when it is elsewhere', settings: { path: '/falco' }, sent: { body: ALERT }, status: 404 },
  { name: '/ping', sent: { path: '/ping', method: 'GET' }, status: 200, body: 'pong\n' },
  {
    name: '/ping below its path',
    settings: { path: '/falco/' },
    sent: { path: '/falco/ping' },
    status: 200,
    body: 'pong\n',
  },
  { name: '/test', sent: { path: '/test' }, status: 200, body: '', taken: ['Test rule'] },
  { name: 'GET /test', sent: { path: '/test', method: 'GET' }, status: 405 },
  { name: '/test, switched off', settings: { testEndpoint: false }, sent: { path: '/test' }, status: 404 },
  {
    name: '/test without the token',
    settings: { token: 's3cret' },
    sent: { path: '/test' },
    status: 401,
    rejected: 'unauthorized',
  },
  {
    name: 'the token',
    settings: { token: 's3cret' },
    sent: { body: ALERT, headers: BEARER },
    status: 200,
    taken: [RULE],
  },
  {
    name: 'no token',
    settings: { token: 's3cret' },
    sent: { body: ALERT },
    status: 401,
    body: { error: 'unauthorized', message: 'the sender did not prove who it is' },
    headers: { 'www-authenticate': 'Bearer' },
    rejected: 'unauthorized',
  },
  {
    name: 'the secret path',
    settings: { secretPath: 'open~sesame' },
    sent: { body: ALERT, path: '/in/open%7Esesame?x=1' },
    status: 200,
    taken: [RULE],
  },
  {
    name: 'another secret path: its answer does not tell it',
    settings: { secretPath: 'open~sesame' },
    sent: { body: ALERT, path: '/in/open-sesame' },
    status: 403,
    body: { error: 'forbidden', message: 'the sender did not prove who it is' },
    headers: { 'www-authenticate': null },
    rejected: 'unauthorized',
  },
  {
    name: 'a path below the secret one',
    settings: { secretPath: 'open~sesame' },
    sent: { path: '/in/a/b' },
    status: 404,
  },
  {
    name: 'GET at the secret path',
    settings: { secretPath: 'open~sesame' },
    sent: { path: '/in/open~sesame', method: 'GET' },
    status: 405,
  },
]

describe.each(WAYS)('%s', (way) => {
  it.each(CASES)('$name', async ({ settings, sent, status, headers = {}, body, taken = [], rejected }) => {
    const rig = await serving(way, settings)
    const got = await rig.ask(sent)
    await rig.stop()
    expect(got.status).toBe(status)
    for (const [name, value] of Object.entries(headers)) expect(got.headers[name] ?? null, name).toBe(value)
    if (typeof body === 'string') expect(got.body).toBe(body)
    else if (body !== undefined) expect(JSON.parse(got.body)).toEqual(body)
    expect(rig.told.map(({ event }) => event.rule)).toEqual(taken)
    if (rejected !== undefined) expect(await rig.counted('rejected', rejected)).toBe(1)
    const [received, settled] = [await rig.counted('received'), await rig.counted('settled')]
    expect([settled, received - settled]).toEqual([taken.length, rejected === undefined ? received - settled : 1])
  })

  it('answers with the id of the event, whose numbers keep every digit', async () => {
    const rig = await serving(way)
    const { headers } = await rig.ask({ body: ALERT.replace('"bash"', '"bash","evt.time":1763870000003770413') })
    await rig.stop()
    expect(rig.told[0]?.event.id).toBe(headers['yarak-event-id'])
    expect(toJson(rig.told[0]?.event.toJSON())).toContain('"evt.time":1763870000003770413')
  })

  it('answers 503 with Retry-After while there is no room, and 503 closing with Connection: close once it stops', async () => {
    const never = new Promise<void>(() => {})
    const { use } = sink(() => never)
    const rig = await serving(way, {}, { outputs: [use], limits: { unsettled: 1, patience: 10 } })
    expect((await rig.ask({ body: ALERT })).status).toBe(200)
    const full = await rig.ask({ body: ALERT })
    expect([full.status, full.headers['retry-after'], JSON.parse(full.body)]).toMatchObject([
      503,
      '1',
      { error: 'overloaded' },
    ])
    const batch = await rig.ask({ body: `[${ALERT},${ALERT}]` })
    expect([batch.status, batch.headers['retry-after'], JSON.parse(batch.body)]).toMatchObject([
      503,
      '1',
      {
        accepted: 0,
        rejected: [
          { index: 0, code: 'overloaded' },
          { index: 1, code: 'overloaded' },
        ],
      },
    ])
    void rig.gateway.stop({ deadline: 1_000 })
    const stopping = await rig.ask({ body: ALERT })
    expect([stopping.status, stopping.headers.connection, JSON.parse(stopping.body)]).toMatchObject([
      503,
      'close',
      { error: 'closing' },
    ])
    await rig.stop()
  })
})

describe('in a host’s own app', () => {
  it('is found below where the host mounts it, also when the host has read the body', async () => {
    const { Hono } = await import('hono')
    const { told, use } = sink()
    const gateway = createGateway({ inputs: [http({ secretPath: 'open-sesame' })], outputs: [use] })
    const app = new Hono()
    app.use(async (c, next) => {
      expect(await c.req.text()).toBe(ALERT)
      await next()
    })
    app.route('/falco', gateway.app)
    const answer = await app.request('/falco/in/open-sesame', { method: 'POST', body: ALERT })
    expect(answer.status).toBe(200)
    await gateway.stop()
    expect(told.map(({ event }) => event.authenticated)).toEqual(['path'])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitArray, splitBody } from '../../inputs/_batch.ts'
import { http } from '../../inputs/http.ts'
import { createGateway, type GatewayOptions, type Notice } from '../../src/index.ts'
import { toJson } from '../../src/plugin.ts'
import { alert, sink } from '../kit.ts'

const serving = (settings: Parameters<typeof http>[0] = {}, options: GatewayOptions = {}) => {
  const { told, use } = sink()
  const gateway = createGateway({ inputs: [http(settings)], outputs: [use], ...options })
  const post = (body: string | object, headers: Record<string, string> = {}, path = '/') =>
    gateway.app.request(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers })
  return { gateway, told, post }
}

const rulesOf = (told: readonly Notice[]) => told.map(({ event }) => event.rule)

/** What Falco's http_output sends: compact JSON, keys sorted, a 19-digit evt.time, no newline. */
const FALCO =
  '{"hostname":"node-1","output":"10:13:25.361321113: Notice A shell was spawned (user=root)","output_fields":{"evt.time":1763870000003770413,"proc.name":"bash","user.uid":0},"priority":"Notice","rule":"Terminal shell in container","source":"syscall","tags":["container","shell"],"time":"2026-11-23T10:13:25.361321113Z"}'

describe('POST', () => {
  it("takes Falco's body and answers 200 with the event's id, once it is accepted", async () => {
    const { told, post, gateway } = serving()
    const answer = await post(FALCO, { 'content-type': 'application/json' })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
    await gateway.stop()
    expect(told[0]?.event.id).toBe(answer.headers.get('yarak-event-id'))
    expect(toJson(told[0]?.event.toJSON())).toContain('"evt.time":1763870000003770413')
  })

  it.each([
    ['a JSON array', JSON.stringify([alert({ rule: 'a' }), alert({ rule: 'b' })]), 'application/json'],
    [
      'newline-delimited JSON',
      `${JSON.stringify(alert({ rule: 'a' }))}\n${JSON.stringify(alert({ rule: 'b' }))}\n`,
      'application/x-ndjson',
    ],
    [
      'lines of JSON under any content type',
      `${JSON.stringify(alert({ rule: 'a' }))}\r\n\n${JSON.stringify(alert({ rule: 'b' }))}`,
      'text/plain',
    ],
  ])('takes %s', async (_what, body, type) => {
    const { told, post, gateway } = serving()
    const answer = await post(body, { 'content-type': type })
    expect([answer.status, await answer.json()]).toEqual([200, { accepted: 2, rejected: [] }])
    await gateway.stop()
    expect(rulesOf(told)).toEqual(['a', 'b'])
  })

  it('takes one pretty-printed event', async () => {
    const { told, post, gateway } = serving()
    expect((await post(JSON.stringify(alert(), null, 2))).status).toBe(200)
    await gateway.stop()
    expect(told).toHaveLength(1)
  })

  it('takes what is good of a batch and names what is not', async () => {
    const { post, gateway } = serving()
    const answer = await post([alert(), { rule: 'x' }, 7].map((one) => JSON.stringify(one)).join('\n'))
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        accepted: 1,
        rejected: [
          { index: 1, code: 'invalid', message: 'priority is missing' },
          { index: 2, code: 'invalid', message: 'an event is a JSON object, not a number' },
        ],
      },
    ])
    expect((await post('[1,2]')).status).toBe(400)
    expect((await post('[]')).status).toBe(200)
    await gateway.stop()
  })

  it.each([
    ['malformed JSON', '{"rule": "x",', 'the event is not valid JSON'],
    ['a wrong type', alert({ tags: 'x' }), 'tags must be an array of strings'],
    ['a missing member', alert({ rule: undefined }), 'rule is missing'],
    ['nothing', '', 'the event is not valid JSON'],
    [
      'a text line of Falco',
      '10:13:25.361321113: Notice A shell was spawned (user=root)',
      'set json_output: true in falco.yaml',
    ],
    ['an array that never ends', '[{}', 'the event is not valid JSON'],
  ])('answers 400 to %s, and counts it', async (_what, body, message) => {
    const { post, gateway } = serving()
    const answer = await post(body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'invalid', message: expect.stringContaining(message) })
    expect(await (await gateway.ops.request('/metrics')).text()).toContain(
      'yarak_events_rejected_total{input="http",reason="invalid"} 1',
    )
    await gateway.stop()
  })

  it('answers 413 to a body over the limit, announced or not, and counts it', async () => {
    const { post, gateway } = serving({ maxBody: '1KiB' })
    const big = alert({ output: 'x'.repeat(2_000) })
    expect((await post(big, { 'content-length': '2200' })).status).toBe(413)
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(300).fill(32))
      },
    })
    const streamed = await gateway.app.request('/', { method: 'POST', body, duplex: 'half' })
    expect([streamed.status, await streamed.json()]).toEqual([
      413,
      { error: 'too_large', message: 'the body is over 1024 bytes' },
    ])
    expect(await (await gateway.ops.request('/metrics')).text()).toContain('reason="too_large"} 2')
    await gateway.stop()
  })

  it('takes 10 MiB by default and no more', async () => {
    const { post, gateway } = serving()
    expect((await post(alert({ output: 'x'.repeat(9_000_000) }))).status).toBe(200)
    expect((await post(alert({ output: 'x'.repeat(11_000_000) }))).status).toBe(413)
    await gateway.stop()
  })

  it.each([
    ['none', undefined],
    ['a wrong one', 'Bearer wrong'],
    ['another scheme', 'Basic czNjcmV0'],
  ])('answers 401 to %s token', async (_what, authorization) => {
    const { post, gateway, told } = serving({ token: 's3cret' })
    const answer = await post(alert(), authorization ? { authorization } : {})
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect((await post(alert(), { authorization: 'Bearer s3cret' })).status).toBe(200)
    await gateway.stop()
    expect(told.map(({ event }) => event.authenticated)).toEqual(['bearer'])
  })

  it('answers 503 with Retry-After when there is no room, and while it stops', async () => {
    const never = new Promise<void>(() => {})
    const { use } = sink(() => never)
    const { post, gateway } = serving({}, { outputs: [use], limits: { unsettled: 1, patience: 10 } })
    expect((await post(alert())).status).toBe(200)
    const full = await post(alert())
    expect([full.status, full.headers.get('retry-after'), await full.json()]).toMatchObject([
      503,
      '1',
      { error: 'overloaded' },
    ])
    await gateway.stop({ deadline: 1 })
    expect(await (await post(alert())).json()).toMatchObject({ error: 'closing' })
  })

  it('serves the path of its settings, and says what to do elsewhere', async () => {
    const { post, gateway } = serving({ path: '/in' })
    expect((await post(alert(), {}, '/in')).status).toBe(200)
    expect((await post(alert())).status).toBe(404)
    const got = await gateway.app.request('/in')
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
    await gateway.stop()
  })
})

describe('splitting a body', () => {
  const json = fc.jsonValue({ maxDepth: 4 }).filter((value) => typeof value === 'object' && value !== null)

  it('cuts any array into the texts of its items', () => {
    fc.assert(
      fc.property(fc.array(json), fc.constantFrom(0, 2, '\t'), (items, indent) => {
        const texts = splitArray(JSON.stringify(items, null, indent).trim())
        expect(texts?.map((text) => JSON.parse(text) as unknown)).toEqual(JSON.parse(JSON.stringify(items)))
      }),
    )
  })

  it('never fails on any text, and never makes up text', () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (text, ndjson) => {
        const { texts } = splitBody(text, ndjson)
        for (const one of texts) expect(text).toContain(one)
      }),
    )
  })
})

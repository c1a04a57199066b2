import { createHmac } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { http } from '../../inputs/http.ts'
import { parseEvent } from '../../src/event.ts'
import { testInputIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import type { HttpSettings } from './_http-rig.ts'

const json = (value: unknown): string => JSON.stringify(value)

/** What the input emits, counts and answers for a body that comes in pieces. */
const take = async (
  chunks: readonly Uint8Array[],
  headers: Record<string, string> = {},
  settings: HttpSettings = {},
) => {
  const io = testInputIo()
  const rest = [...chunks]
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = rest.shift()
      if (next) controller.enqueue(next)
      else controller.close()
    },
  })
  const init = { method: 'POST', headers, body, duplex: 'half' }
  const answer = await http.routes?.(http.config.parse(settings), io).request('/', init as RequestInit)
  return { raws: io.emitted.map(({ raw }) => raw), counted: io.counted, text: await answer?.text() }
}

const cut = (body: Buffer, at: readonly number[]): Buffer[] => {
  const ends = [...new Set(at.map((one) => one % (body.length + 1)))].sort((a, b) => a - b)
  return [0, ...ends].map((start, i) => body.subarray(start, ends[i])).filter(({ length }) => length > 0)
}

describe('a body', () => {
  const bodies: readonly (readonly [string, Record<string, string>, Buffer])[] = [
    ['an event', {}, Buffer.from(json(alert({ output: 'größer 🦅 als' })))],
    ['a pretty-printed event', {}, Buffer.from(JSON.stringify(alert(), null, 2))],
    ['lines', {}, Buffer.from(`\r\n${json(alert({ rule: '🦅' }))}\r\n\n${json(alert())}\n7`)],
    ['declared lines', { 'content-type': 'application/x-ndjson' }, Buffer.from(`x\n${json(alert())}`)],
    ['an array', {}, Buffer.from(json([alert(), { 'ä"]': '[' }, 7]))],
    ['objects one after another', {}, Buffer.from(json(alert()) + json(alert({ rule: '}{' })))],
    ['gzip', { 'content-encoding': 'gzip' }, gzipSync(`${json(alert())}\n${json(alert())}`)],
    [
      'a CloudEvent',
      { 'content-type': 'application/cloudevents+json' },
      Buffer.from('{"specversion":"1.0","data":{}}'),
    ],
  ]

  it.each(bodies)('is the same however it is cut: %s', async (_what, headers, body) => {
    const { text, ...whole } = await take([body], headers)
    expect(whole.raws.length + whole.counted.length).toBeGreaterThan(0)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(2_000), { maxLength: 12 }), async (at) => {
        const { text: told, ...pieces } = await take(cut(body, at), headers)
        expect(pieces).toEqual(whole)
        expect(told?.replace(/event-\d+/, '')).toBe(text?.replace(/event-\d+/, ''))
      }),
      { numRuns: 40 },
    )
  })
})

describe('what shippers wrap around an alert', () => {
  const inner = json(alert())
  const wrapped = json({ date: 1, log: `${inner}\n` })

  it.each([
    ['auto', wrapped, [inner]],
    ['log', wrapped, [inner]],
    ['message', wrapped, []],
    ['none', wrapped, [wrapped]],
    ['auto', json({ message: json({ log: inner }) }), [inner]],
    ['auto', inner, [inner]],
    ['none', inner, [inner]],
  ] as const)('unwrap: %s', async (unwrap, body, raws) => {
    const taken = await take([Buffer.from(body)], {}, { unwrap })
    expect(taken.raws).toEqual(raws)
    expect(taken.counted).toEqual(raws.length > 0 ? [] : ['skipped not-an-alert'])
  })
})

describe('the test event', () => {
  it('is an event of its own source, for a sender who may send', async () => {
    const io = testInputIo()
    const app = http.routes?.(http.config.parse({ path: '/falco', hmac: { secret: 'k3y' } }), io)
    const post = (signature: string) =>
      app?.request('/falco/test', { method: 'POST', body: 'x', headers: { 'x-hub-signature-256': signature } })
    expect((await post('sha256=00'))?.status).toBe(403)
    expect((await post(`sha256=${createHmac('sha256', 'k3y').update('x').digest('hex')}`))?.status).toBe(200)
    const [{ raw, options } = { raw: undefined, options: {} }] = io.emitted
    expect(parseEvent(raw, { id: 'x', input: 'http' })).toMatchObject({
      rule: 'Test rule',
      priority: 'Debug',
      source: 'test',
      hostname: 'yarak',
    })
    expect([options.authenticated, options.span?.name]).toEqual(['hmac', 'POST /falco/test'])
    expect(io.counted).toEqual(['rejected unauthorized'])
  })
})

describe('settings', () => {
  it.each([
    [{ path: 'falco' }, 'path'],
    [{ rate: { perSecond: 0 } }, 'rate.perSecond'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ basic: { username: 'a:b', password: 'x' } }, 'basic.username'],
    [{ hmac: { secret: 'x', header: 'a b' } }, 'hmac.header'],
    [{ clientCertificates: { subjects: [] } }, 'clientCertificates.subjects'],
    [{ maxBody: '10 bananas' }, 'maxBody'],
    [{ tokens: 'x' }, 'tokens'],
  ] as [HttpSettings, string][])('%j are refused', (settings, name) => {
    expect(() => http(settings)).toThrow(name)
  })
})

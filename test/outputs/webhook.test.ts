import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { webhook } from '../../outputs/webhook.ts'
import { createHttpClient } from '../../src/http.ts'
import { type Notice, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, outputCases, testIo } from '../../src/testing.ts'

const NEVER = new AbortController().signal
const ADDRESS = 'https://siem.example.com/falco'

const sent = async (notice: Notice, config: Partial<Parameters<typeof webhook>[0]> = {}) => {
  const io = testIo()
  const use = webhook({ address: ADDRESS, ...config })
  const sender = await webhook.open(webhook.config.parse(use.config), io)
  await sender.send([notice], NEVER)
  return io.requests[0] ?? expect.fail('nothing was sent')
}

describe('webhook', () => {
  for (const { name, run } of outputCases(webhook)) it(name, run)

  it('posts the event as Falco wrote it, digits included, members in the usual order', async () => {
    const event = anEvent({ output_fields: { 'evt.time': 1_769_860_800_123_456_789n } })
    const { body } = await sent(aNotice({ event }))
    expect(body).toContain('"evt.time":1769860800123456789')
    const order = ['uuid', 'output', 'priority', 'rule', 'time', 'output_fields', 'source', 'tags', 'hostname']
    expect(Object.keys(JSON.parse(body) as object)).toEqual(order)
  })

  it("keeps the sender's uuid, and gives one to an event without", async () => {
    expect((await sent(aNotice({ event: anEvent({ uuid: 'mine' }) }))).body).toContain('"uuid":"mine"')
    expect((await sent(aNotice())).body).toContain(`"uuid":"${anEvent().id}"`)
  })

  it('passes members on that it does not know', async () => {
    expect((await sent(aNotice({ event: anEvent({ cluster: 'prod' }) }))).body).toContain('"cluster":"prod"')
  })

  it('posts a report beside its event', async () => {
    const report = aReport()
    const body = JSON.parse((await sent(aNotice({ report }))).body) as Record<string, unknown>
    expect(body).toMatchObject({ rule: 'Terminal shell in container', response: report })
  })

  it('takes PUT and headers, which win over its own', async () => {
    const headers = { authorization: 'Bearer t0ken', 'Content-Type': 'application/vnd.falco+json' }
    const request = await sent(aNotice(), { method: 'PUT', headers })
    expect(request.method).toBe('PUT')
    expect(request.headers).toMatchObject({
      authorization: 'Bearer t0ken',
      'content-type': 'application/vnd.falco+json',
    })
  })

  it.each([
    [{ address: 'example.com' }, /address: must be an http or https address/],
    [{ address: 'ftp://example.com' }, /http or https/],
    [{ address: ADDRESS, method: 'GET' }, /method must be one of POST, PUT/],
    [{ address: ADDRESS, headers: { 'a b': 'c' } }, /name of an HTTP header/],
    [{ address: ADDRESS, headers: { a: 'b\r\nx: y' } }, /one line of a header/],
    [{ adress: ADDRESS }, /adress is not a known setting/],
  ])('refuses %j', (config, message) => {
    expect(() => webhook(config as never)).toThrow(message)
  })

  it('reaches a real server, and tells what that answers', async () => {
    const bodies: string[] = []
    const server = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (chunk: string) => bodies.push(chunk))
      request.on('end', () => response.writeHead(bodies.length > 1 ? 503 : 200, { 'retry-after': '3' }).end())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = createHttpClient()
    const io = { ...testIo(), http: client.bind((_span, fn) => fn({ headers: {}, set: () => {} })) }
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/falco`
    const sender = await webhook.open(webhook.config.parse({ address }), io)
    await sender.send([aNotice()], NEVER)
    expect(JSON.parse(bodies[0] ?? '')).toEqual(webhook.example?.sends?.body)
    const again = sender.send([aNotice()], NEVER)
    await expect(again).rejects.toThrow(YarakError)
    await expect(again).rejects.toMatchObject({ permanent: false, retryAfter: 3_000 })
    await client.close()
    server.close()
  })
})

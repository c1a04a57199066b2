import { describe, expect, it } from 'vitest'
import { sumologic } from '../../outputs/sumologic.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { exact } from './_falcosidekick.ts'
import { compared, sent } from './_hosted.ts'

const RECEIVER = 'https://endpoint1.collection.sumologic.com/receiver/v1/http/ZaVnC4dhaV3GH4x'

const linesOf = (body = '') => body.split('\n').filter(Boolean)

describe('sumologic', () => {
  it.each(compared('sumologic'))('sends what Falcosidekick sends, $name', async ({ notice, headers, body }) => {
    const config = { receiverUrl: RECEIVER, sourceCategory: 'c', sourceHost: 'h', name: 'n' }
    const { requests } = await sent(sumologic, config, [notice])
    expect(requests[0]).toMatchObject({ method: 'POST', url: RECEIVER, headers })
    expect(exact(requests[0]?.body ?? '')).toEqual(exact(body))
  })

  it('sends no header that is not set', async () => {
    const { requests } = await sent(sumologic, { receiverUrl: RECEIVER })
    expect(Object.keys(requests[0]?.headers ?? {}).filter((name) => name.startsWith('x-sumo'))).toEqual([])
  })

  it('sends many lines by one request, in order, and no event can add one', async () => {
    const notices = ['a', 'b\nc', '\u2028'].map((output) => aNotice({ event: anEvent({ output }) }))
    const { requests } = await sent(sumologic, { receiverUrl: RECEIVER }, [...notices, aNotice({ report: aReport() })])
    expect(requests).toHaveLength(1)
    const lines = linesOf(requests[0]?.body).map((line) => JSON.parse(line) as { output: string; response?: object })
    expect(lines.map(({ output }) => output)).toEqual(['a', 'b\nc', '\u2028', anEvent().output])
    expect(lines.at(-1)?.response).toMatchObject({ id: '7d0f4a2c9b1e', outcome: 'succeeded' })
  })

  // "HTTP Logs and Metrics Source", Sumo Logic: 1 MB of a request before compression
  it('keeps requests below 1 MB', async () => {
    const notices = Array.from({ length: 9 }, (_, i) =>
      aNotice({ event: anEvent({ rule: `r${i}`, output_fields: { x: 'x'.repeat(i === 4 ? 3_000_000 : 300_000) } }) }),
    )
    const { requests } = await sent(sumologic, { receiverUrl: RECEIVER }, notices)
    for (const { body } of requests) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(1_000_000)
    const rules = requests
      .flatMap(({ body }) => linesOf(body))
      .map((line) => (JSON.parse(line) as { rule: string }).rule)
    expect(rules).toEqual(notices.map(({ event }) => event.rule))
    expect(requests.length).toBe(5)
  })

  it('leaves what is behind a failed request for the next try', async () => {
    const notices = Array.from({ length: 6 }, (_, i) =>
      aNotice({ event: anEvent({ rule: `r${i}`, output_fields: { x: 'x'.repeat(400_000) } }) }),
    )
    const answer = ({ body }: { body: string }) => ({ status: body.includes('"r2"') ? 503 : 200 })
    const { requests, error } = await sent(sumologic, { receiverUrl: RECEIVER }, notices, answer)
    expect(requests).toHaveLength(2)
    expect(error).toMatchObject({ permanent: false, reason: '503' })
    expect(error?.failed?.map(({ index }) => index)).toEqual([2, 3, 4, 5])
  })

  it.each([
    [{}, /receiverUrl is required/],
    [{ receiverUrl: RECEIVER, name: 'a\r\nx-evil: 1' }, /name: must be one line of ASCII/],
    [{ receiverUrl: RECEIVER, sourceCategory: '規' }, /sourceCategory: must be one line of ASCII/],
  ])('refuses %j', (config, message) => {
    expect(() => sumologic(config as never)).toThrow(message)
  })
})

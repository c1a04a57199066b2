import { describe, expect, it } from 'vitest'
import { datadoglogs } from '../../outputs/datadoglogs.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { exact } from './_falcosidekick.ts'
import { compared, sent } from './_hosted.ts'

const KEY = '9775a026f1ca7d1c6c5af9d94d9595a4'

interface Log {
  readonly ddsource: string
  readonly hostname?: string
  readonly service?: string
  readonly message: string
  readonly ddtags?: string
}

const logsOf = (body = '[]') => JSON.parse(body) as Log[]

const many = (count: number, cmdline = 'x') =>
  Array.from({ length: count }, (_, i) =>
    aNotice({ event: anEvent({ rule: `rule ${i}`, output_fields: { 'proc.cmdline': cmdline } }) }),
  )

describe('datadoglogs', () => {
  it.each(compared('datadoglogs'))('sends what Falcosidekick sends, $name', async ({ notice, path, headers, body }) => {
    const config = { apiKey: 'secret-key', host: 'http://sink', service: 'falco' }
    const { requests } = await sent(datadoglogs, config, [notice])
    expect(requests[0]).toMatchObject({ method: 'POST', url: `http://sink${path}`, headers })
    const theirs = JSON.parse(body) as Log
    // different: a list
    const [mine, ...others] = logsOf(requests[0]?.body)
    expect(others).toEqual([])
    expect({ ...mine, message: exact(mine?.message ?? '') }).toEqual({ ...theirs, message: exact(theirs.message) })
  })

  it('goes to Datadog in the United States without a double slash, and names no service', async () => {
    const { requests, io } = await sent(datadoglogs, { apiKey: KEY })
    expect(requests[0]?.url).toBe('https://http-intake.logs.datadoghq.com/api/v2/logs')
    expect(logsOf(requests[0]?.body)[0]).not.toHaveProperty('service')
    expect(io.spans[0]?.name).toBe('POST /api/v2/logs')
  })

  it('takes an address that ends in a slash, as Falcosidekick has it', async () => {
    const { requests } = await sent(datadoglogs, { apiKey: KEY, host: 'https://http-intake.logs.datadoghq.eu/' })
    expect(requests[0]?.url).toBe('https://http-intake.logs.datadoghq.eu/api/v2/logs')
  })

  it('has the report of a response in the message', async () => {
    const { requests } = await sent(datadoglogs, { apiKey: KEY }, [aNotice({ report: aReport() })])
    const message = JSON.parse(logsOf(requests[0]?.body)[0]?.message ?? '') as object
    expect(message).toMatchObject({
      rule: 'Terminal shell in container',
      response: { outcome: 'succeeded', id: '7d0f4a2c9b1e' },
    })
  })

  it('sends many logs by one request, in order', async () => {
    const { requests } = await sent(datadoglogs, { apiKey: KEY }, many(1_000))
    expect(requests).toHaveLength(1)
    const rules = logsOf(requests[0]?.body).map(({ message }) => (JSON.parse(message) as { rule: string }).rule)
    expect(rules).toEqual(Array.from({ length: 1_000 }, (_, i) => `rule ${i}`))
  })

  // "Send logs", Datadog: 5 MB of a request, 1 MB of a log, 1,000 logs
  it('keeps requests below 5 MB and logs below 1 MB', async () => {
    const { requests } = await sent(datadoglogs, { apiKey: KEY }, many(8, '"'.repeat(700_000)))
    expect(requests.length).toBe(2)
    const logs = requests.flatMap(({ body }) => logsOf(body))
    expect(logs).toHaveLength(8)
    for (const { body } of requests) expect(Buffer.byteLength(body)).toBeLessThan(5_000_000)
    for (const log of logs) {
      expect(Buffer.byteLength(JSON.stringify(log))).toBeLessThan(1_000_000)
      expect(JSON.parse(log.message)).toMatchObject({ truncated: true })
    }
  })

  it('says which log was refused, when the others are taken one by one', async () => {
    const { error, requests } = await sent(datadoglogs, { apiKey: KEY }, many(3), ({ body }) => ({
      status: body.includes('rule 1') ? 400 : 202,
    }))
    expect(requests).toHaveLength(4)
    expect(error).toMatchObject({ failed: [{ index: 1, permanent: true }] })
  })

  it.each([
    [403, true],
    [408, false],
    [429, false],
    [503, false],
  ])('tries no log alone after %i', async (status, permanent) => {
    const { error, requests } = await sent(datadoglogs, { apiKey: KEY }, many(3), { status })
    expect(requests).toHaveLength(1)
    expect(error).toMatchObject({ permanent, reason: String(status) })
  })

  it('waits for others, and needs a key', () => {
    expect([datadoglogs.batch, datadoglogs.linger]).toEqual([1_000, 1_000])
    expect(() => datadoglogs({} as never)).toThrow(/apiKey is required/)
  })
})

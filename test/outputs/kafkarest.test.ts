import { describe, expect, it } from 'vitest'
import { kafkarest } from '../../outputs/kafkarest.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { exact, UUID } from './_falcosidekick.ts'
import { compared, sent, whole } from './_hosted.ts'

const ADDRESS = 'http://kafka-rest:8082/topics/falco'

const valuesOf = (body = ''): string[] =>
  (JSON.parse(body) as { records: { value: string }[] }).records.map(({ value }) =>
    Buffer.from(value, 'base64').toString(),
  )

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => aNotice({ event: anEvent({ rule: `rule ${i}` }) }))

describe('kafkarest', () => {
  it.each([
    ['kafkarest', 2],
    ['kafkarest-v1', 1],
  ] as const)('sends what Falcosidekick sends, %s', async (name, version) => {
    for (const { notice, headers, body } of compared(name)) {
      const { requests } = await sent(kafkarest, { address: ADDRESS, version }, [notice])
      expect(requests[0]).toMatchObject({ method: 'POST', url: ADDRESS, headers })
      const [[mine = ''], [theirs = '']] = [valuesOf(requests[0]?.body), valuesOf(body)]
      // what is in base64 has the uuid of its time
      expect(exact(mine)).toEqual({ ...(exact(whole(theirs, notice)) as object), uuid: UUID })
    }
  })

  it('sends many records by one request, in order, also the report of a response', async () => {
    const { requests } = await sent(kafkarest, { address: ADDRESS }, [...many(499), aNotice({ report: aReport() })])
    expect(requests).toHaveLength(1)
    const values = valuesOf(requests[0]?.body).map((value) => JSON.parse(value) as { rule: string; response?: object })
    expect(values.slice(0, 499).map(({ rule }) => rule)).toEqual(Array.from({ length: 499 }, (_, i) => `rule ${i}`))
    expect(values[499]?.response).toMatchObject({ id: '7d0f4a2c9b1e' })
  })

  // "POST /topics/(string: topic_name)", Confluent REST Proxy API v2: error_code 1 does not pass, 2 passes
  it('says which records the proxy could not write', async () => {
    const offsets = [
      { partition: 2, offset: 100 },
      { partition: null, offset: null, error_code: 1, error: 'The record is too large' },
      { partition: 1, offset: 101, error_code: null, error: null },
      { partition: null, offset: null, error_code: 2, error: 'Timed out' },
    ]
    const { error, requests } = await sent(kafkarest, { address: ADDRESS }, many(4), { body: { offsets } })
    expect(requests).toHaveLength(1)
    expect(error).toMatchObject({
      code: 'failed',
      permanent: false,
      failed: [
        { index: 1, permanent: true, reason: 'The record is too large' },
        { index: 3, permanent: false, reason: 'retriable' },
      ],
    })
  })

  it('gives up when no record can be written ever', async () => {
    const offsets = [{ partition: null, offset: null, error_code: 1 }]
    const { error } = await sent(kafkarest, { address: ADDRESS }, many(1), { body: { offsets } })
    expect(error).toMatchObject({ permanent: true, failed: [{ index: 0, permanent: true, reason: 'error 1' }] })
  })

  it.each([{}, { body: 'no JSON' }, { body: 'null' }, { body: { offsets: 'x' } }, { body: { offsets: [null] } }])(
    'takes the answer %j for no error',
    async (answer) => {
      expect((await sent(kafkarest, { address: ADDRESS }, many(1), answer)).error).toBeUndefined()
    },
  )

  it('cuts records that brokers would refuse, and requests that are too large', async () => {
    const event = anEvent({ output_fields: { 'proc.cmdline': 'x'.repeat(3_000_000) } })
    const { requests } = await sent(
      kafkarest,
      { address: ADDRESS },
      Array.from({ length: 5 }, () => aNotice({ event })),
    )
    expect(requests.length).toBeGreaterThan(1)
    for (const { body } of requests) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(4_100_000)
    for (const value of requests.flatMap(({ body }) => valuesOf(body))) {
      expect(Buffer.byteLength(value)).toBeLessThanOrEqual(1_000_000)
      expect(JSON.parse(value)).toMatchObject({ truncated: true })
    }
  })

  it('is a producer, and takes a version that there is', () => {
    expect([kafkarest.kind, kafkarest.batch]).toEqual(['producer', 500])
    expect(() => kafkarest({ address: ADDRESS, version: 3 } as never)).toThrow(/version/)
    expect(() => kafkarest({} as never)).toThrow(/address is required/)
  })
})

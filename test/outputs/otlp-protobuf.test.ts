/** The encoding of Protocol Buffers, and the `.proto` files of opentelemetry-proto. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyValue, attributes } from '../../outputs/_otlp.ts'
import { nanosOf } from '../../outputs/_nanos.ts'
import { protobuf } from '../../outputs/_otlp-protobuf.ts'
import { decoded, REQUESTS } from './_otlp.ts'

describe('protobuf', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((one) => !Object.is(one, -0)),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 4 }),
    ),
  })).value
  type Fields = Parameters<typeof attributes>[0]

  /** Protobuf does not write a list that is empty. */
  const full = (json: unknown): unknown =>
    JSON.parse(JSON.stringify(json), (key, inner: unknown) =>
      (key === 'values' || key === 'attributes') && Array.isArray(inner) && inner.length === 0 ? undefined : inner,
    )

  it('is the same as the JSON, whatever the values are', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value, { maxKeys: 6 }), (fields) => {
        const record = {
          timeUnixNano: '1769860800123456789',
          severityNumber: 17,
          body: anyValue('text'),
          attributes: attributes(fields as Fields),
          traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
          flags: 1,
        }
        const body = { resourceLogs: [{ scopeLogs: [{ scope: { name: 'falco' }, logRecords: [record] }] }] }
        expect(decoded(Buffer.from(protobuf(body)), REQUESTS.logs)).toEqual(full(body))
      }),
    )
  })

  it('has numbers of more than 64 bits as texts, and leaves out what is undefined', () => {
    const big = 2n ** 63n
    const list = attributes({ big, small: -big, less: -big - 1n, nothing: undefined, null: null, deep: [null] })
    expect(list).toEqual([
      { key: 'big', value: { stringValue: '9223372036854775808' } },
      { key: 'small', value: { intValue: '-9223372036854775808' } },
      { key: 'less', value: { stringValue: '-9223372036854775809' } },
      { key: 'deep', value: { arrayValue: { values: [{}] } } },
    ])
    const body = { resourceLogs: [{ resource: { attributes: list }, schemaUrl: undefined, unknown: 1 }] }
    expect(decoded(Buffer.from(protobuf(body)), REQUESTS.logs)).toEqual({
      resourceLogs: [{ resource: { attributes: list } }],
    })
  })

  it('cuts what no store takes, and mends half characters', () => {
    const { stringValue } = anyValue(`\ud800${'x'.repeat(100_000)}`) as { stringValue: string }
    expect(stringValue).toHaveLength(32_768)
    expect(stringValue).toMatch(/^\ufffdx+… \[cut\]$/)
  })
})

describe('nanoseconds', () => {
  it('are those of the time, whatever its offset and its digits', () => {
    const offset = fc.constantFrom('Z', '+00:00', '+02:00', '-11:30')
    const date = fc.date({ min: new Date(0), max: new Date('2262-01-01T00:00:00Z'), noInvalidDate: true })
    fc.assert(
      fc.property(date, fc.stringMatching(/^\d{0,15}$/), offset, (at, digits, zone) => {
        const seconds = at.toISOString().slice(0, 19)
        const time = `${seconds}${digits && `.${digits}`}${zone}`
        const whole = BigInt(Date.parse(`${seconds}${zone}`)) * 1_000_000n
        expect(nanosOf(time)).toBe(whole + BigInt(digits.slice(0, 9).padEnd(9, '0')))
      }),
    )
  })
})

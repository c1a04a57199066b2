import { describe, expect, it } from 'vitest'
import { fromCloudEvent } from '../../inputs/_http-cloudevent.ts'
import { http } from '../../inputs/http.ts'
import { testInputIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'

const envelope = (more: Record<string, unknown> = {}) => ({
  specversion: '1.0',
  id: '1',
  source: 'https://falco.org',
  type: 'falco.rule.output.v1',
  data: alert(),
  ...more,
})
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const OTHER = '00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const post = async (body: string, headers: Record<string, string>) => {
  const io = testInputIo()
  const answer = await http.routes?.(http.config.parse({}), io).request('/', { method: 'POST', body, headers })
  return { io, status: answer?.status, text: await answer?.text() }
}
const STRUCTURED = { 'content-type': 'application/cloudevents+json' }

describe('a CloudEvent in the structured form', () => {
  it('gives its data as it stands there', () => {
    const text = '{ "specversion" : "1.0", "data" : { "a": 1763870000003770413, "b": "}\\"," } , "id":"1"}'
    expect(fromCloudEvent(text)).toEqual({ body: '{ "a": 1763870000003770413, "b": "}\\"," }', headers: {} })
  })

  it.each([
    ['no JSON', '{', 'the CloudEvent is not a JSON object'],
    ['an array', '[]', 'the CloudEvent is not a JSON object'],
    ['something after it', '{"specversion":"1.0","data":{}} x', 'the CloudEvent is not a JSON object'],
    ['a member without a name', '{7:8}', 'the CloudEvent is not a JSON object'],
    ['a name without a value', '{"data"}', 'the CloudEvent is not a JSON object'],
    ['a name that is not valid', String.raw`{"\x":1}`, 'the CloudEvent is not a JSON object'],
    ['a text that is not valid', String.raw`{"specversion":"\x"}`, 'the CloudEvent is not valid JSON'],
    ['another version', JSON.stringify(envelope({ specversion: '0.3' })), 'specversion must be 1.0'],
    ['no version', JSON.stringify(envelope({ specversion: undefined })), 'specversion must be 1.0'],
    ['no data', JSON.stringify(envelope({ data: undefined })), 'the CloudEvent has no data'],
  ])('is refused and kept: %s', async (_what, body, message) => {
    const { io, status, text } = await post(body, STRUCTURED)
    expect([status, JSON.parse(text ?? '')]).toEqual([400, { error: 'invalid', message }])
    expect([io.emitted, io.counted]).toEqual([[], ['rejected invalid']])
    expect(io.lost).toEqual([{ reason: 'invalid', message, body }])
  })

  it('belongs to the trace of its envelope, unless the request names one', async () => {
    const body = JSON.stringify(envelope({ traceparent: TRACE, tracestate: 'a=b' }))
    const alone = await post(body, STRUCTURED)
    expect(alone.io.emitted[0]?.options.headers).toEqual({ traceparent: TRACE, tracestate: 'a=b' })
    const inRequest = await post(body, { ...STRUCTURED, traceparent: OTHER })
    expect(inRequest.io.emitted[0]?.options.headers).toEqual({ traceparent: OTHER })
  })

  it('of a batch that is wrong leaves the others alone', async () => {
    const body = JSON.stringify([envelope(), envelope({ data: undefined }), 7])
    const { io, status, text } = await post(body, { 'content-type': 'application/cloudevents-batch+json' })
    expect([status, JSON.parse(text ?? '')]).toEqual([
      200,
      {
        accepted: 1,
        rejected: [
          { index: 1, code: 'invalid', message: 'the CloudEvent has no data' },
          { index: 2, code: 'invalid', message: 'the CloudEvent is not a JSON object' },
        ],
      },
    ])
    expect(io.lost).toHaveLength(2)
  })

  it('that is to be a batch and is none is left to the gateway to refuse', async () => {
    const { io } = await post('{}', { 'content-type': 'application/cloudevents-batch+json' })
    expect(io.emitted).toMatchObject([{ raw: '{}' }])
  })
})

describe('a CloudEvent in the binary form', () => {
  const body = JSON.stringify(alert())

  it('belongs to the trace of its headers, unless the request names one', async () => {
    const headers = { 'ce-specversion': '1.0', 'ce-traceparent': TRACE, 'ce-tracestate': 'a=b' }
    expect((await post(body, headers)).io.emitted[0]?.options.headers).toMatchObject({
      traceparent: TRACE,
      tracestate: 'a=b',
    })
    const { io } = await post(body, { ...headers, traceparent: OTHER })
    expect(io.emitted[0]?.options.headers).toEqual({ traceparent: OTHER })
  })

  it('of another version is refused', async () => {
    const { status, io } = await post(body, { 'ce-specversion': '2.0' })
    expect([status, io.counted, io.emitted]).toEqual([400, ['rejected invalid'], []])
  })
})

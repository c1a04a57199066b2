import { describe, expect, it } from 'vitest'
import { awsLambda } from '../../outputs/aws-lambda.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { awsRig, BIG, jsonFault, rejection, type Service } from './_fake-aws.ts'

const rig = (config: object = {}, answer?: Service) =>
  awsRig(
    awsLambda,
    { functionName: 'on-alert', region: 'eu-central-1', ...config },
    { name: 'lambda', ...(answer && { answer }) },
  )

const functionError =
  (kind: string, body: object | string): Service =>
  () => ({
    headers: { 'x-amz-function-error': kind },
    body,
  })

describe('aws.lambda', () => {
  // https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
  it('invokes the function with the event', async () => {
    const { io, send } = await rig()
    await send(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }))
    const [{ method, url, headers, body } = expect.fail()] = io.requests
    expect([method, url]).toEqual([
      'POST',
      'https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/on-alert/invocations',
    ])
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'x-amz-invocation-type': 'RequestResponse',
      'x-amz-log-type': 'Tail',
    })
    expect(body).toContain(`"evt.time":${BIG}`)
    expect(io.spans.map(({ name }) => name)).toEqual(['POST /2015-03-31/functions/{name}/invocations'])
  })

  it('hands over the trace as the client context', async () => {
    const { io, send } = await rig()
    await send(aNotice())
    const context = Buffer.from(io.requests[0]?.headers['x-amz-client-context'] ?? '', 'base64').toString()
    expect(JSON.parse(context)).toEqual({
      custom: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
    })
  })

  it('tells of a response', async () => {
    const { io, send } = await rig()
    await send(aNotice({ report: aReport() }))
    expect(JSON.parse(io.requests[0]?.body ?? '')).toMatchObject({ rule: 'Terminal shell in container', response: {} })
  })

  it.each(['RequestResponse', 'Event', 'DryRun'] as const)('invokes as %s', async (invocationType) => {
    const status = { RequestResponse: 200, Event: 202, DryRun: 204 }[invocationType]
    const { io, send } = await rig({ invocationType, logType: 'None' }, () => ({ status }))
    await send(aNotice())
    expect(io.requests[0]?.headers).toMatchObject({ 'x-amz-invocation-type': invocationType, 'x-amz-log-type': 'None' })
  })

  it.each([
    ['arn:aws:lambda:us-west-2:123456789012:function:on-alert:live', 'us-west-2'],
    ['on-alert:$LATEST', 'eu-central-1'],
  ])('knows the region of %s', async (functionName, region) => {
    const { io, send } = await awsRig(
      awsLambda,
      { functionName, ...(functionName.startsWith('arn') ? {} : { region }) },
      { name: 'lambda', region },
    )
    await send(aNotice())
    expect(io.requests[0]?.url).toBe(
      `https://lambda.${region}.amazonaws.com/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`,
    )
  })

  // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB, and 1 MB asynchronously.
  it.each([
    ['RequestResponse', 6_300_000, 6_291_456],
    ['Event', 1_001_000, 1_000_000],
  ])('cuts what is too large for %s', async (invocationType, size, limit) => {
    const { io, send } = await rig({ invocationType })
    await send(aNotice({ event: anEvent({ output: 'x'.repeat(size) }) }))
    const body = io.requests[0]?.body ?? ''
    expect(body.length).toBeLessThanOrEqual(limit)
    expect(body.length).toBeGreaterThan(limit / 2)
    expect(JSON.parse(body)).toMatchObject({ truncated: true })
  })

  it.each([
    ['Unhandled', { errorMessage: 'boom "x"', errorType: 'Error' }, 'function on-alert failed: boom \\"x\\"'],
    ['Handled', 'no JSON', 'function on-alert failed: Handled'],
  ])('does not try again what the function failed on: %s', async (kind, body, message) => {
    const { send } = await rig({}, functionError(kind, body))
    expect(await rejection(send(aNotice()))).toMatchObject({
      code: 'failed',
      permanent: true,
      reason: 'function-error',
      message,
    })
  })

  it.each([
    [jsonFault('TooManyRequestsException', 'Rate Exceeded.', 429), false, '429'],
    [jsonFault('ServiceException', 'oops', 500), false, '500'],
    [jsonFault('ResourceNotReadyException', 'not yet', 502), false, '502'],
    [jsonFault('ResourceNotFoundException', 'Function not found', 404), true, '404'],
    [jsonFault('RequestTooLargeException', 'too large', 413), true, '413'],
    [jsonFault('InvalidRequestContentException'), true, 'invalidrequestcontentexception'],
  ])('is refused with %j: permanent %s', async (answer, permanent, reason) => {
    const { send } = await rig({}, () => answer)
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent, reason })
  })

  it('puts the end of the log of the function into the debug log', async () => {
    const log = Buffer.from('START RequestId\nEND').toString('base64')
    const { io, send } = await rig({}, () => ({ headers: { 'x-amz-log-result': log } }))
    await send(aNotice())
    expect(io.lines).toEqual([
      { level: 'debug', message: 'log of the function', fields: { log: 'START RequestId\nEND' } },
    ])
  })

  it('needs a name', () => expect(() => awsLambda({ functionName: 'a/b' })).toThrow('name or the ARN of a function'))
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { awsCall, awsJson, awsService, refusedItem, regionOf } from '../../outputs/_aws-call.ts'
import { objectGroups, objectOf } from '../../outputs/_objects.ts'
import { aNotice, anEvent, type Answer, type Answers, testIo, type TestIoOptions } from '../../src/testing.ts'
import { jsonFault, KEYS, NEVER, rejection, xmlFault } from './_fake-aws.ts'

const rig = async (answer: Answers = {}, settings: object = {}, options: TestIoOptions = {}) => {
  const io = testIo({ answer, ...options })
  const service = await awsService({ ...KEYS, region: 'eu-central-1', ...settings }, io, 'kinesis')
  const call = () => awsJson(service, { target: 'Kinesis_20131202.PutRecords', version: '1.1', body: {} }, io, NEVER)
  return { io, service, call }
}

const refusalOf = async (answer: Answer) => rejection((await rig(answer)).call().then(() => undefined))

describe('a call of AWS', () => {
  it('gives the members of the answer, and none for no body', async () => {
    expect(await (await rig({ body: { a: 1 } })).call()).toEqual({ a: 1 })
    expect(await (await rig({})).call()).toEqual({})
  })

  it('goes to a path of the service, under a template of its own', async () => {
    const { io, service } = await rig({}, { endpoint: 'https://vpce-1.example.com/base/' })
    await awsCall(service, { path: '/a/b', template: '/a/{name}', body: 'x' }, io, NEVER)
    expect(io.requests[0]).toMatchObject({ method: 'POST', url: 'https://vpce-1.example.com/base/a/b', body: 'x' })
    expect(io.spans[0]?.name).toBe('POST /a/{name}')
  })

  it.each([
    [{}, {}, 'https://kinesis.eu-central-1.amazonaws.com'],
    [{ region: 'cn-north-1' }, {}, 'https://kinesis.cn-north-1.amazonaws.com.cn'],
    [{}, { AWS_ENDPOINT_URL_KINESIS: 'http://fake:1/' }, 'http://fake:1'],
    [{}, { AWS_ENDPOINT_URL: 'http://fake:2' }, 'http://fake:2'],
    [{ endpoint: 'http://fake:3/' }, { AWS_ENDPOINT_URL: 'http://fake:2' }, 'http://fake:3'],
  ])('with %j and %j is at %s', async (settings, env, url) => {
    expect((await rig({}, settings, { env })).service.url).toBe(url)
  })

  // https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html, and those of SQS and SNS.
  it.each([
    ['ThrottlingException', false],
    ['Throttling', false],
    ['RequestThrottled', false],
    ['KmsThrottled', false],
    ['TooManyRequestsException', false],
    ['ProvisionedThroughputExceededException', false],
    ['RequestLimitExceeded', false],
    ['ServiceUnavailable', false],
    ['InternalFailure', false],
    ['RequestTimeout', false],
    ['ExpiredTokenException', false],
    ['RequestExpired', false],
    ['SlowDown', false],
    ['ResourceNotFoundException', true],
    ['AccessDeniedException', true],
    ['UnrecognizedClientException', true],
    ['ValidationException', true],
    ['MissingParameter', true],
  ])('that is refused with %s: permanent %s, in JSON, XML and a header', async (code, permanent) => {
    const header = { status: 400, headers: { 'x-amzn-errortype': `${code}:http://internal.amazon.com/` }, body: {} }
    for (const answer of [jsonFault(code), xmlFault(code), header]) {
      expect(await refusalOf(answer)).toMatchObject({ code: 'failed', permanent })
    }
  })

  it.each(['ValidationException', 'InvalidParameterValue', 'InvalidArgumentException', 'SerializationException'])(
    'that is refused with %j may do for less of a batch',
    async (code) => expect(await refusalOf(jsonFault(code))).toMatchObject({ permanent: true, reason: '400' }),
  )

  it('that is refused without a code may do for less of a batch, and names the code where there is one', async () => {
    expect(await refusalOf({ status: 400, body: 'no' })).toMatchObject({ permanent: true, reason: '400' })
    const code = 'AWS.SimpleQueueService.NonExistentQueue'
    expect(await refusalOf(jsonFault(code))).toMatchObject({ permanent: true, reason: code.toLowerCase() })
  })

  it.each([
    [jsonFault('AccessDeniedException', 'you may not'), 'kinesis answered 400: AccessDeniedException: you may not'],
    [xmlFault('InvalidParameter', 'two\n  lines'), 'kinesis answered 400: InvalidParameter: two lines'],
    [{ status: 400, body: '<html>no</html>' }, 'kinesis answered 400: <html>no</html>'],
    [{ status: 400, body: '' }, 'kinesis answered 400: '],
  ])('tells of %j what it says', async (answer, message) => expect(await refusalOf(answer)).toMatchObject({ message }))

  it('tells no more than the start of a long answer', async () => {
    const error = (await refusalOf(jsonFault('ValidationException', 'x'.repeat(10_000)))) as Error
    expect(error.message.length).toBeLessThan(300)
  })

  it.each([403, 404, 429, 500, 503])('leaves %s to what every request does', async (status) =>
    expect(await refusalOf({ status, body: 'no' })).toMatchObject({ reason: String(status), permanent: status < 429 }),
  )
})

describe('a refused item', () => {
  it.each([
    [refusedItem(3, 'InvalidParameterValue', 'no'), { index: 3, permanent: true, reason: 'InvalidParameterValue: no' }],
    [refusedItem(0, 'InternalError', 'no', false), { index: 0, permanent: false, reason: 'internalerror' }],
    [refusedItem(1, 'ThrottlingException', 'slow'), { index: 1, permanent: false, reason: 'throttlingexception' }],
  ])('is %j', (item, expected) => expect(item).toEqual(expected))
})

describe('the region of an ARN', () => {
  it.each([
    ['arn:aws:sns:eu-central-1:123456789012:falco', 'eu-central-1'],
    ['arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f', 'us-gov-west-1'],
    ['arn:aws:s3:::bucket', undefined],
    ['on-alert', undefined],
  ])('%s is %s', (arn, region) => expect(regionOf(arn)).toBe(region))
})

describe('the objects of a batch', () => {
  const notices = (sizes: readonly number[]) =>
    sizes.map((size, i) => aNotice({ id: `n${i}`, event: anEvent({ uuid: `u${i}`, output: 'x'.repeat(size + 1) }) }))

  it.each(['json', 'ndjson'] as const)('hold every notice once, in order, as %s', (format) =>
    fc.assert(
      fc.property(fc.array(fc.nat(2_000)), (sizes) => {
        const bodies = objectGroups(notices(sizes), format).map((group) => objectOf(group, format).body)
        const lines = bodies.flatMap((body) => body.split('\n').filter(Boolean))
        expect(lines.map((line) => (JSON.parse(line) as { uuid: string }).uuid)).toEqual(sizes.map((_, i) => `u${i}`))
      }),
      { numRuns: 30 },
    ),
  )

  it('have the type of what is in them', () => {
    const [group = []] = objectGroups(notices([1]), 'ndjson')
    expect(objectOf(group, 'ndjson')).toMatchObject({ contentType: 'application/x-ndjson' })
    expect(objectOf(group)).toMatchObject({ contentType: 'application/json' })
    expect(objectOf(group).body.includes('\n')).toBe(false)
  })
})

import { describe, expect, it } from 'vitest'
import { awsKinesis } from '../../outputs/aws-kinesis.ts'
import { yandexDatastreams } from '../../outputs/yandex-datastreams.ts'
import { aNotice, anEvent, aReport, testIo } from '../../src/testing.ts'
import { signatureFault } from '../aws-signature.ts'
import { awsRig, BIG, bodiesOf, jsonFault, KEYS, NEVER, rejection, type Service } from './_fake-aws.ts'

interface Body {
  readonly StreamName: string
  readonly Records: readonly { readonly Data: string; readonly PartitionKey: string }[]
}

const rig = (config: object = {}, answer?: Service) =>
  awsRig(
    awsKinesis,
    { streamName: 'falco', region: 'eu-central-1', ...config },
    { name: 'kinesis', ...(answer && { answer }) },
  )

const text = (data = '') => Buffer.from(data, 'base64').toString()

const about = (pod: string, more: object = {}) =>
  aNotice({ event: anEvent({ output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': pod }, ...more }) })

describe('aws.kinesis', () => {
  // https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
  it('puts events as records, those of one target with one key', async () => {
    const { io, send } = await rig()
    await send(about('a'), about('b'), aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }))
    expect(io.requests[0]).toMatchObject({ method: 'POST', url: 'https://kinesis.eu-central-1.amazonaws.com/' })
    expect(io.requests[0]?.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Kinesis_20131202.PutRecords',
    })
    const [{ StreamName, Records } = expect.fail()] = bodiesOf<Body>(io)
    expect(StreamName).toBe('falco')
    expect(Records.map(({ PartitionKey }) => PartitionKey)).toEqual([
      'pod/shop/a',
      'pod/shop/b',
      '019c13e6-8b3b-7000-8000-000000000001',
    ])
    expect(text(Records[2]?.Data)).toContain(`"evt.time":${BIG}`)
  })

  it('puts a report with what was done', async () => {
    const { io, send } = await rig()
    await send(aNotice({ report: aReport({ outcome: 'failed' }) }))
    expect(JSON.parse(text(bodiesOf<Body>(io)[0]?.Records[0]?.Data))).toMatchObject({ response: { outcome: 'failed' } })
  })

  it('has a key of at most 256 characters', async () => {
    const { io, send } = await rig()
    await send(about('🦉'.repeat(300)))
    const key = bodiesOf<Body>(io)[0]?.Records[0]?.PartitionKey ?? ''
    expect(key.length).toBeLessThanOrEqual(256)
    expect(key.isWellFormed()).toBe(true)
  })

  it('keeps a request below 5 MiB and 500 records', async () => {
    const { io, send } = await rig()
    await send(...Array.from({ length: 7 }, () => about('a', { output: 'x'.repeat(900_000) })))
    expect(bodiesOf<Body>(io).map(({ Records }) => Records.length)).toEqual([5, 2])
    const sent = await rig()
    await sent.send(...Array.from({ length: 501 }, () => about('a')))
    expect(bodiesOf<Body>(sent.io).map(({ Records }) => Records.length)).toEqual([500, 1])
  })

  it('cuts what is over 1 MiB by itself', async () => {
    const { io, send } = await rig()
    await send(about('a', { output: 'x'.repeat(2_000_000) }))
    const data = Buffer.from(bodiesOf<Body>(io)[0]?.Records[0]?.Data ?? '', 'base64')
    expect(data.length).toBeLessThanOrEqual(1_048_576)
    expect(JSON.parse(data.toString())).toMatchObject({ truncated: true })
  })

  it('tells which records were not taken, and that they may be tried again', async () => {
    const Records = [
      { SequenceNumber: '1', ShardId: 'shardId-000000000000' },
      { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded for shard' },
      { ErrorCode: 'InternalFailure', ErrorMessage: 'Internal service failure.' },
    ]
    const { send } = await rig({}, () => ({ body: { FailedRecordCount: 2, Records } }))
    expect(await rejection(send(about('a'), about('b'), about('c')))).toMatchObject({
      permanent: false,
      reason: 'provisionedthroughputexceededexception',
      failed: [
        { index: 1, permanent: false },
        { index: 2, permanent: false },
      ],
    })
  })

  it.each([
    ['ResourceNotFoundException', true, 'resourcenotfoundexception'],
    ['AccessDeniedException', true, 'accessdeniedexception'],
    ['ProvisionedThroughputExceededException', false, 'provisionedthroughputexceededexception'],
    ['KMSThrottlingException', false, 'kmsthrottlingexception'],
    ['ValidationException', true, '400'],
  ])('is refused with %s: permanent %s', async (code, permanent, reason) => {
    const { send } = await rig({}, () => jsonFault(code, 'the reason'))
    expect(await rejection(send(about('a')))).toMatchObject({
      permanent,
      reason,
      message: `kinesis answered 400: ${code}: the reason`,
    })
  })

  it('reads the code of a header too', async () => {
    const { send } = await rig({}, () => ({
      status: 400,
      headers: { 'x-amzn-errortype': 'ThrottlingException:http://internal.amazon.com/coral/' },
      body: {},
    }))
    expect(await rejection(send(about('a')))).toMatchObject({ permanent: false, reason: 'throttlingexception' })
  })

  it('does not take what is no answer of the service for one', async () => {
    const { send } = await rig({}, () => ({ body: '<html>Sign in</html>' }))
    expect(await rejection(send(about('a')))).toMatchObject({
      permanent: false,
      reason: 'bad-answer',
      message: 'https://kinesis.eu-central-1.amazonaws.com does not answer as kinesis does',
    })
  })

  it('takes keys and region of the environment, and a role by them', async () => {
    const env = {
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      AWS_REGION: 'us-west-2',
    }
    const temporary = { accessKeyId: 'ASIATEMPORARY', secretAccessKey: 'temporary' }
    const io = testIo({
      env,
      answer: ({ url }) =>
        url.includes('sts.')
          ? {
              body: `<Credentials><AccessKeyId>${temporary.accessKeyId}</AccessKeyId><SecretAccessKey>temporary</SecretAccessKey><SessionToken>session</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>`,
            }
          : {},
    })
    const place = { service: 'kinesis', region: 'us-west-2' }
    for (const more of [{}, { roleArn: 'arn:aws:iam::123456789012:role/falco' }]) {
      const sender = await awsKinesis.open(awsKinesis.config.parse({ streamName: 'falco', ...more }), io)
      await sender.send([about('a')], NEVER)
    }
    const [plain = expect.fail(), , byRole = expect.fail()] = io.requests
    expect(signatureFault(plain, { ...KEYS, ...place })).toBeUndefined()
    expect(signatureFault(byRole, { ...temporary, ...place })).toBeUndefined()
    expect(byRole.headers['x-amz-security-token']).toBe('session')
  })

  it('says at the start that there is no region', async () => {
    const opened = async () => awsKinesis.open(awsKinesis.config.parse({ streamName: 'falco', ...KEYS }), testIo())
    await expect(opened()).rejects.toMatchObject({ code: 'config', reason: 'no-region' })
  })

  it('goes to another endpoint with the path it has', async () => {
    const { io, send } = await rig({ endpoint: 'http://localstack:4566/' })
    await send(about('a'))
    expect(io.requests[0]?.url).toBe('http://localstack:4566/')
  })
})

describe('yandex.datastreams', () => {
  const config = { streamName: '/ru-central1/b1g/etn/falco', ...KEYS }

  it('speaks the same with its own keys, endpoint and region', async () => {
    const { io, send } = await awsRig(yandexDatastreams, config, { name: 'kinesis', region: 'ru-central1' })
    await send(about('a'), aNotice({ report: aReport() }))
    const [request = expect.fail()] = io.requests
    expect(request.url).toBe('https://yds.serverless.yandexcloud.net/')
    expect(signatureFault(request, { ...KEYS, service: 'kinesis', region: 'ru-central1' })).toBeUndefined()
    expect(bodiesOf<Body>(io)[0]).toMatchObject({
      StreamName: '/ru-central1/b1g/etn/falco',
      Records: [{ PartitionKey: 'pod/shop/a' }, { PartitionKey: 'pod/default/web-1' }],
    })
  })

  it('takes no keys of the environment of AWS', () =>
    expect(() => yandexDatastreams({ streamName: 'falco' } as never)).toThrow('accessKeyId'))
})

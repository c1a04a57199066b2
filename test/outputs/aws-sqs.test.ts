import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fifo, jsonMessage, plainText } from '../../outputs/_aws-messages.ts'
import { awsSqs } from '../../outputs/aws-sqs.ts'
import { toJson } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, testIo, type TestIoOptions } from '../../src/testing.ts'
import { awsRig, BIG, bodiesOf, jsonFault, KEYS, NEVER, rejection, type Service } from './_fake-aws.ts'

const URL_ = 'https://sqs.eu-central-1.amazonaws.com/123456789012/falco'

interface Entry {
  readonly Id: string
  readonly MessageBody: string
  readonly MessageAttributes?: Record<string, { DataType: string; StringValue: string }>
  readonly MessageGroupId?: string
  readonly MessageDeduplicationId?: string
}
interface Body {
  readonly QueueUrl: string
  readonly Entries: readonly Entry[]
}

const rig = (config: object = {}, answer?: Service, options?: TestIoOptions) =>
  awsRig(awsSqs, { url: URL_, ...config }, { name: 'sqs', ...(answer && { answer }) }, options)

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html: what a message may hold. */
const ALLOWED = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u

const many = (count: number, output = 'x') =>
  Array.from({ length: count }, (_, i) => aNotice({ id: `n${i}`, event: anEvent({ output }) }))

describe('aws.sqs', () => {
  // The request as in the examples of the same page, by the JSON protocol.
  it('sends a batch of one as SendMessageBatch', async () => {
    const { io, send } = await rig()
    await send(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }))
    const [request = expect.fail()] = io.requests
    expect(request).toMatchObject({ method: 'POST', url: 'https://sqs.eu-central-1.amazonaws.com/' })
    expect(request.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'AmazonSQS.SendMessageBatch',
    })
    const [{ QueueUrl, Entries } = expect.fail()] = bodiesOf<Body>(io)
    expect(QueueUrl).toBe(URL_)
    expect(Entries[0]?.MessageBody).toContain(`"evt.time":${BIG}`)
    expect(Entries[0]?.MessageAttributes?.traceparent?.DataType).toBe('String')
  })

  it('sends a report with what was done', async () => {
    const { io, send } = await rig()
    await send(aNotice({ report: aReport(), traceUrl: 'https://traces/4bf9' }))
    const [{ Entries } = expect.fail()] = bodiesOf<Body>(io)
    expect(JSON.parse(Entries[0]?.MessageBody ?? '')).toMatchObject({
      response: { id: '7d0f4a2c9b1e', outcome: 'succeeded' },
      trace_url: 'https://traces/4bf9',
    })
  })

  it('has no attribute where nothing is traced', async () => {
    const { io, send } = await rig()
    const { id, event } = aNotice()
    await send({ id, event })
    expect(bodiesOf<Body>(io)[0]?.Entries[0]).not.toHaveProperty('MessageAttributes')
  })

  it('sends ten in one request, each with an id of its own', async () => {
    const { io, send } = await rig()
    await send(...many(10))
    expect(bodiesOf<Body>(io).map(({ Entries }) => Entries.map(({ Id }) => Id))).toEqual([
      ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    ])
  })

  it('keeps a request below 1 MiB', async () => {
    const { io, send } = await rig()
    await send(...many(5, 'x'.repeat(300_000)))
    const sizes = bodiesOf<Body>(io).map(({ Entries }) =>
      Entries.reduce((sum, { MessageBody }) => sum + Buffer.byteLength(MessageBody), 0),
    )
    expect(sizes).toHaveLength(2)
    expect(Math.max(...sizes)).toBeLessThan(1_048_576)
  })

  it('cuts what is over 1 MiB by itself', async () => {
    const { io, send } = await rig()
    await send(...many(1, '🦉'.repeat(400_000)))
    const body = bodiesOf<Body>(io)[0]?.Entries[0]?.MessageBody ?? ''
    expect(Buffer.byteLength(body)).toBeLessThan(1_048_576)
    expect(JSON.parse(body)).toMatchObject({ truncated: true, output: expect.stringMatching(/… \[cut\]$/) as string })
  })

  it('tells those that were refused, and tries only those again that may pass', async () => {
    const Failed = [
      { Id: '1', SenderFault: true, Code: 'InvalidParameterValue', Message: 'One or more parameters are invalid.' },
      { Id: '2', SenderFault: false, Code: 'InternalError' },
      { Id: '3', SenderFault: true, Code: 'RequestThrottled', Message: 'slow down' },
    ]
    const { send } = await rig({}, () => ({ body: { Successful: [{ Id: '0' }], Failed } }))
    expect(await rejection(send(...many(4)))).toMatchObject({
      permanent: false,
      failed: [
        { index: 1, permanent: true, reason: 'InvalidParameterValue: One or more parameters are invalid.' },
        { index: 2, permanent: false, reason: 'internalerror' },
        { index: 3, permanent: false, reason: 'requestthrottled' },
      ],
    })
  })

  it.each([
    ['AWS.SimpleQueueService.NonExistentQueue', true],
    ['QueueDoesNotExist', true],
    ['RequestThrottled', false],
    ['ThrottlingException', false],
    ['KmsThrottled', false],
    ['ExpiredTokenException', false],
  ])('is refused with %s: permanent %s', async (code, permanent) => {
    const { io, send } = await rig({}, () => jsonFault(code))
    expect(await rejection(send(...many(3)))).toMatchObject({ code: 'failed', permanent })
    expect(io.requests).toHaveLength(1)
  })

  it('tries each alone when the batch is refused for what is in one', async () => {
    const { io, send } = await rig({}, ({ body }) =>
      body.includes('poison') ? jsonFault('InvalidMessageContents', 'bad characters') : undefined,
    )
    const [first = expect.fail(), last = expect.fail()] = many(2)
    const error = await rejection(send(first, aNotice({ event: anEvent({ output: 'poison' }) }), last))
    expect(error).toMatchObject({ permanent: true, failed: [{ index: 1, permanent: true }] })
    expect(io.requests).toHaveLength(4)
  })

  it('says that the signature is wrong', async () => {
    const { send } = await rig({ secretAccessKey: 'another' })
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent: true, reason: '403' })
  })

  it.each([
    [URL_, {}, 'https://sqs.eu-central-1.amazonaws.com/'],
    ['https://eu-central-1.queue.amazonaws.com/1/falco', {}, 'https://eu-central-1.queue.amazonaws.com/'],
    ['http://localstack:4566/000000000000/falco', { region: 'eu-central-1' }, 'http://localstack:4566/'],
    [
      URL_,
      { endpoint: 'https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/' },
      'https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/',
    ],
  ])('sends to %s with %j at %s', async (url, config, address) => {
    const { io, send } = await rig({ url, ...config })
    await send(aNotice())
    expect(io.requests[0]?.url).toBe(address)
    expect(bodiesOf<Body>(io)[0]?.QueueUrl).toBe(url)
  })

  it('takes the region of the environment where the address tells none', async () => {
    const { io, send } = await rig({ url: 'http://q/1/falco' }, undefined, {
      env: { AWS_REGION: 'us-west-2' },
      answer: {},
    })
    await send(aNotice())
    expect(io.requests[0]?.headers.authorization).toContain('/us-west-2/sqs/aws4_request')
  })

  it('needs an address without credentials, and both halves of a key', () => {
    expect(() => awsSqs({ url: 'https://user:pass@host/q' })).toThrow('must have no credentials')
    expect(() => awsSqs({ url: URL_, accessKeyId: 'A' })).toThrow('accessKeyId and secretAccessKey together')
  })

  it('does not compress what it signed', async () => {
    const given: unknown[] = []
    const io = testIo()
    const spied = {
      ...io,
      http: (request: Parameters<typeof io.http>[0]) => (given.push(request.compression), io.http(request)),
    }
    await (await awsSqs.open(awsSqs.config.parse({ url: URL_, ...KEYS }), spied)).send([aNotice()], NEVER)
    expect(given).toEqual(['none'])
  })

  it('tells neither keys nor the queue in its spans', async () => {
    const { io, send } = await rig()
    await send(aNotice())
    expect(io.spans.map(({ name }) => name)).toEqual(['POST /'])
    expect(toJson(io.spans)).not.toContain(KEYS.secretAccessKey)
  })
})

describe('a FIFO queue', () => {
  it('has the target as group, and the notice for deduplication', async () => {
    const { io, send } = await rig({ url: `${URL_}.fifo` })
    await send(aNotice(), aNotice({ id: 'another' }))
    expect(bodiesOf<Body>(io)[0]?.Entries).toMatchObject([
      { MessageGroupId: 'pod/default/web-1', MessageDeduplicationId: '019c13e6-8b3b-7000-8000-0000000000aa' },
      { MessageGroupId: 'pod/default/web-1', MessageDeduplicationId: 'another' },
    ])
  })

  it('has a group of its own for what is about nothing known', () => {
    const notice = aNotice({ event: anEvent({ output_fields: {} }) })
    expect(fifo(notice).MessageGroupId).toBe(notice.event.id)
  })

  it('has groups that SQS takes, whatever the event says', () =>
    fc.assert(
      fc.property(
        units.filter((pod) => pod !== ''),
        (pod) => {
          const event = anEvent({ output_fields: { 'k8s.pod.name': pod, 'k8s.ns.name': 'default' } })
          expect(fifo(aNotice({ event })).MessageGroupId).toMatch(/^[!-~]{1,128}$/)
        },
      ),
    ))
})

/** Any UTF-16 units, also lone surrogates. */
const units = fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes))

describe('the characters of a message', () => {
  it('are only those that may be, and the JSON is the same', () =>
    fc.assert(
      fc.property(units, (output) => {
        const text = jsonMessage({ output: `${output}\ufffe\uffff\u0000` }, 4_096)
        expect(text).toMatch(ALLOWED)
        expect((JSON.parse(text) as { output: string }).output).toBe(`${output}\ufffe\uffff\u0000`)
      }),
    ))

  it('are within the limit also where they are escaped', () => {
    const text = jsonMessage({ output: '\ufffe'.repeat(3_000) }, 10_000)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(10_000)
    expect(JSON.parse(text)).toMatchObject({ truncated: true })
  })

  it('are replaced in a plain text', () =>
    fc.assert(fc.property(units, (text) => void expect(plainText(text)).toMatch(ALLOWED))))
})

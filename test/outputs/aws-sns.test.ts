import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attributeName, failedEntries, MAX_BYTES, sizeOf, snsMessage } from '../../outputs/_aws-sns.ts'
import { awsSns } from '../../outputs/aws-sns.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { oddEvents } from '../../src/testing/samples.ts'
import { awsRig, BIG, rejection, type Service, xmlFault } from './_fake-aws.ts'

const ARN = 'arn:aws:sns:eu-central-1:123456789012:falco'

const rig = (config: object = {}, answer?: Service) =>
  awsRig(awsSns, { topicArn: ARN, ...config }, { name: 'sns', ...(answer && { answer }) })

const settings = { topicArn: ARN, rawJson: false }

/** The attributes of a notice as `type:value` by name. */
const attributes = (notice: Notice, more: object = {}) =>
  Object.fromEntries(
    [...snsMessage(notice, { ...settings, ...more }).attributes].map(([name, { type, value }]) => [
      name,
      `${type}:${value}`,
    ]),
  )

const fields = (output_fields: object) => aNotice({ event: anEvent({ output_fields }) })

const formOf = (body: string) => Object.fromEntries(new URLSearchParams(body))

const failed = (...members: string[]) =>
  `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed>${members
    .map((member) => `<member>${member}</member>`)
    .join('')}</Failed><Successful/></PublishBatchResult></PublishBatchResponse>`

describe('aws.sns', () => {
  // The form as in https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
  it('publishes the text of the event with its fields as attributes', async () => {
    const { io, send } = await rig()
    await send(fields({ 'proc.aname[2]': 'sh', 'proc.pid': 4711 }))
    const [request = expect.fail()] = io.requests
    expect(request.url).toBe('https://sns.eu-central-1.amazonaws.com/')
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded; charset=utf-8')
    const entry = 'PublishBatchRequestEntries.member.1'
    const attribute = (n: number, name: string, type: string, value: string) => ({
      [`${entry}.MessageAttributes.entry.${n}.Name`]: name,
      [`${entry}.MessageAttributes.entry.${n}.Value.DataType`]: type,
      [`${entry}.MessageAttributes.entry.${n}.Value.StringValue`]: value,
    })
    expect(formOf(request.body)).toEqual({
      Action: 'PublishBatch',
      Version: '2010-03-31',
      TopicArn: ARN,
      [`${entry}.Id`]: '0',
      [`${entry}.Message`]:
        'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
      ...attribute(1, 'priority', 'String', 'Notice'),
      ...attribute(2, 'rule', 'String', 'Terminal shell in container'),
      ...attribute(3, 'source', 'String', 'syscall'),
      ...attribute(4, 'tags', 'String', 'container,shell,mitre_execution'),
      ...attribute(5, 'hostname', 'String', 'node-1'),
      ...attribute(6, 'proc.aname.2', 'String', 'sh'),
      ...attribute(7, 'proc.pid', 'Number', '4711'),
    })
  })

  it('has every field that is not null or empty, numbers as they came', () => {
    const shown = attributes(
      fields({ a: null, b: '', c: true, d: BIG, e: -1.5, f: 1e-300, g: ['x', 1], h: { i: 'j' }, k: 0 }),
    )
    expect(shown).toMatchObject({
      c: 'String:true',
      d: `Number:${BIG}`,
      e: 'Number:-1.5',
      f: 'String:1e-300',
      g: 'String:["x",1]',
      h: 'String:{"i":"j"}',
      k: 'Number:0',
    })
    expect(Object.keys(shown)).not.toContain('a')
    expect(Object.keys(shown)).not.toContain('b')
  })

  it('keeps a number of more than 38 digits as a text', () =>
    expect(attributes(fields({ x: 10n ** 38n, y: 10n ** 37n }))).toMatchObject({
      x: `String:1${'0'.repeat(38)}`,
      y: `Number:1${'0'.repeat(37)}`,
    }))

  it('lets no field stand in for what the event is', () =>
    expect(attributes(fields({ rule: 'mine', priority: 'Debug', '[rule]': 'x' }))).toMatchObject({
      rule: 'String:Terminal shell in container',
      priority: 'String:Notice',
    }))

  it('leaves tags and hostname out where there are none', () => {
    const shown = attributes(aNotice({ event: anEvent({ tags: [], hostname: null }) }))
    expect(Object.keys(shown).slice(0, 4)).toEqual(['priority', 'rule', 'source', 'container.id'])
  })

  it('tells how many alerts a digest stands for', () => {
    const digest = { count: 7, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:05:00Z' }
    expect(attributes({ ...fields({ alerts: 'mine' }), digest })).toMatchObject({ alerts: 'Number:7' })
    expect(attributes(aNotice())).not.toHaveProperty('alerts')
  })

  it('sends the event as JSON when it is to be raw', () => {
    const { text, attributes } = snsMessage(fields({ big: BIG }), { ...settings, rawJson: true })
    expect(text).toContain(`"big":${BIG}`)
    expect(attributes.size).toBe(0)
  })

  // https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html: 10 with raw message delivery to SQS.
  it('has no more attributes than it may, the first of them', () =>
    expect(Object.keys(attributes(aNotice(), { maxAttributes: 6 }))).toEqual([
      'priority',
      'rule',
      'source',
      'tags',
      'hostname',
      'container.id',
    ]))

  it('tells of a response: what was done, with its outcome as attributes', () => {
    const notice = aNotice({ report: aReport(), traceUrl: 'https://traces/4bf9' })
    expect(snsMessage(notice, settings).text).toBe(
      '[succeeded] Shell in a container\nkubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
    )
    expect(attributes(notice)).toMatchObject({
      priority: 'String:Notice',
      rule: 'String:Shell in a container',
      outcome: 'String:succeeded',
      target: 'String:pod/default/web-1',
      duration: 'String:42 ms',
      trace: 'String:https://traces/4bf9',
    })
  })

  it('has group and deduplication id in a FIFO topic', async () => {
    const { io, send } = await rig({ topicArn: `${ARN}.fifo`, rawJson: true })
    await send(aNotice())
    expect(formOf(io.requests[0]?.body ?? '')).toMatchObject({
      'PublishBatchRequestEntries.member.1.MessageGroupId': 'pod/default/web-1',
      'PublishBatchRequestEntries.member.1.MessageDeduplicationId': '019c13e6-8b3b-7000-8000-0000000000aa',
    })
  })

  it('keeps messages and requests within 256 KiB', async () => {
    const { io, send } = await rig()
    const large = aNotice({ event: anEvent({ output: 'é'.repeat(50_000) }) })
    await send(large, large, large)
    expect(io.requests).toHaveLength(2)
    for (const { event } of oddEvents())
      expect(sizeOf(snsMessage(aNotice({ event }), settings))).toBeLessThan(MAX_BYTES)
  })

  it('tells the entries that were not taken', async () => {
    const { send } = await rig({}, () => ({
      body: failed(
        '<Code>InvalidParameter</Code><Message>Invalid parameter</Message><Id>0</Id><SenderFault>true</SenderFault>',
        '<Id>2</Id><Code>InternalError</Code><SenderFault>false</SenderFault>',
      ),
    }))
    expect(await rejection(send(aNotice(), aNotice(), aNotice()))).toMatchObject({
      permanent: false,
      failed: [
        { index: 0, permanent: true, reason: 'InvalidParameter: Invalid parameter' },
        { index: 2, permanent: false, reason: 'internalerror' },
      ],
    })
  })

  it('does not take what is no answer of the service for one', async () => {
    const { send } = await rig({}, () => ({ body: '<html>Sign in</html>' }))
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent: false, reason: 'bad-answer' })
  })

  it('reads an answer without failures', () => {
    expect(failedEntries('<PublishBatchResult><Failed/><Successful/></PublishBatchResult>')).toEqual([])
    expect(failedEntries('')).toEqual([])
  })

  it.each([
    [xmlFault('Throttling'), false],
    [xmlFault('Throttled', 'slow', 429), false],
    [xmlFault('InternalError', 'oops', 500), false],
    [xmlFault('TopicNotFound'), true],
    [xmlFault('AuthorizationError', 'no', 403), true],
    [xmlFault('InvalidParameter'), true],
  ])('is refused with %j: permanent %s', async (answer, permanent) => {
    const { send } = await rig({}, () => answer)
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent })
  })

  it('takes the region of the ARN, and the domain of China', async () => {
    const topicArn = 'arn:aws-cn:sns:cn-north-1:123456789012:falco'
    const { io, send } = await awsRig(awsSns, { topicArn }, { name: 'sns', region: 'cn-north-1' })
    await send(aNotice())
    expect(io.requests[0]?.url).toBe('https://sns.cn-north-1.amazonaws.com.cn/')
  })

  it('needs the ARN of a topic', () =>
    expect(() => awsSns({ topicArn: 'falco' })).toThrow('must be the ARN of a topic'))
})

describe('the name of an attribute', () => {
  it.each([
    ['proc.aname[2]', 'proc.aname.2'],
    ['fd.name', 'fd.name'],
    ['.a..b.', 'a.b'],
    ['AWS.x', '_AWS.x'],
    ['.amazon.y', '_amazon.y'],
    ['{{ x }}', '___x___'],
    ['', ''],
    ['.', ''],
  ])('%j is %j', (field, name) => expect(attributeName(field)).toBe(name))

  // https://docs.aws.amazon.com/sns/latest/dg/SNSMessageAttributes.html: what a name may be.
  it('is one that SNS takes, whatever the field is called', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('.', '[', ']', 'a', 'aws.', 'Amazon.', '-', 'é', ' ') }),
        (field) => {
          const name = attributeName(field)
          expect(name).toMatch(/^[A-Za-z0-9_.-]{0,256}$/)
          expect(name).not.toMatch(/^\.|\.$|\.\.|^(?:aws|amazon)\./i)
        },
      ),
    ))
})

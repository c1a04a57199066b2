import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logRequests, rejectedEvents } from '../../outputs/_aws-logs.ts'
import { awsCloudwatchlogs } from '../../outputs/aws-cloudwatchlogs.ts'
import type { YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, type RecordedRequest } from '../../src/testing.ts'
import { awsRig, BIG, bodiesOf, jsonFault, rejection, type Service } from './_fake-aws.ts'

interface Body {
  readonly logGroupName: string
  readonly logStreamName: string
  readonly logEvents?: readonly { readonly timestamp: number; readonly message: string }[]
}

const rig = (config: object = {}, answer?: Service) =>
  awsRig(
    awsCloudwatchlogs,
    { logGroup: '/falco/alerts', region: 'eu-central-1', ...config },
    { name: 'logs', ...(answer && { answer }) },
  )

const at = (time: string, more: object = {}) => aNotice({ id: time, event: anEvent({ time, ...more }) })

const operation = ({ headers }: RecordedRequest) => headers['x-amz-target']?.replace('Logs_20140328.', '')

describe('aws.cloudwatchlogs', () => {
  // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
  it('puts events with their time in milliseconds', async () => {
    const { io, send } = await rig()
    await send(at('2026-01-31T12:00:00.123456789Z', { output_fields: { 'evt.time': BIG } }))
    expect(io.requests[0]).toMatchObject({ url: 'https://logs.eu-central-1.amazonaws.com/' })
    expect(io.requests[0]?.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Logs_20140328.PutLogEvents',
    })
    const [body = expect.fail()] = bodiesOf<Body>(io)
    expect(body).toMatchObject({ logGroupName: '/falco/alerts', logStreamName: 'yarak' })
    expect(body.logEvents?.[0]?.timestamp).toBe(1_769_860_800_123)
    expect(body.logEvents?.[0]?.message).toContain(`"evt.time":${BIG}`)
  })

  it('puts a report with the time when the response began', async () => {
    const { io, send } = await rig({ logStream: 'prod/responses' })
    await send(aNotice({ report: aReport() }))
    const [body = expect.fail()] = bodiesOf<Body>(io)
    expect(body.logStreamName).toBe('prod/responses')
    expect(body.logEvents?.[0]?.timestamp).toBe(Date.parse('2026-01-31T12:00:00.200Z'))
    expect(JSON.parse(body.logEvents?.[0]?.message ?? '')).toMatchObject({ response: { outcome: 'succeeded' } })
  })

  it('puts them in order of time', async () => {
    const { io, send } = await rig()
    await send(at('2026-01-31T12:00:02Z'), at('2026-01-31T12:00:00Z'), at('2026-01-31T13:00:01+01:00'))
    const times = bodiesOf<Body>(io).map(({ logEvents = [] }) => logEvents.map(({ timestamp }) => timestamp % 60_000))
    expect(times).toEqual([[0, 1_000, 2_000]])
  })

  it('makes the stream when it is not there, once', async () => {
    let isThere = false
    const { io, send } = await rig({}, (request) => {
      if (operation(request) === 'CreateLogStream') isThere = true
      return isThere ? undefined : jsonFault('ResourceNotFoundException', 'The specified log stream does not exist.')
    })
    await send(at('2026-01-31T12:00:00Z'))
    await send(at('2026-01-31T12:00:00Z'))
    expect(io.requests.map(operation)).toEqual(['PutLogEvents', 'CreateLogStream', 'PutLogEvents', 'PutLogEvents'])
    expect(bodiesOf<Body>(io)[1]).toEqual({ logGroupName: '/falco/alerts', logStreamName: 'yarak' })
  })

  it('goes on where somebody else made the stream meanwhile', async () => {
    let puts = 0
    const { send } = await rig({}, (request) => {
      if (operation(request) === 'CreateLogStream') return jsonFault('ResourceAlreadyExistsException')
      return puts++ === 0 ? jsonFault('ResourceNotFoundException') : undefined
    })
    await send(at('2026-01-31T12:00:00Z'))
    expect(puts).toBe(2)
  })

  it('says that the log group is not there', async () => {
    const { io, send } = await rig({}, () =>
      jsonFault('ResourceNotFoundException', 'The specified log group does not exist.'),
    )
    expect(await rejection(send(at('2026-01-31T12:00:00Z')))).toMatchObject({
      permanent: true,
      reason: 'resourcenotfoundexception',
      message: expect.stringContaining('The specified log group does not exist.') as string,
    })
    expect(io.requests).toHaveLength(2)
  })

  it('may try again when it was too much at once', async () => {
    const { send } = await rig({}, () => jsonFault('ThrottlingException', 'Rate exceeded'))
    expect(await rejection(send(at('2026-01-31T12:00:00Z')))).toMatchObject({ permanent: false })
  })

  it('tells which events were not taken for their time, by their place in the batch', async () => {
    const { send } = await rig({}, () => ({
      body: { rejectedLogEventsInfo: { tooOldLogEventEndIndex: 1, tooNewLogEventStartIndex: 2 } },
    }))
    const error = await rejection(
      send(at('2026-01-31T12:00:02Z'), at('2026-01-31T12:00:00Z'), at('2026-01-31T12:00:01Z')),
    )
    expect(error).toMatchObject({
      permanent: true,
      failed: [
        { index: 1, permanent: true, reason: 'older than 14 days' },
        { index: 0, permanent: true, reason: 'more than 2 hours in the future' },
      ],
    })
  })

  it('tries each alone when the batch is refused for what is in it', async () => {
    const { io, send } = await rig({}, ({ body }) =>
      body.includes('poison') ? jsonFault('InvalidParameterException', 'no') : undefined,
    )
    const error = await rejection(
      send(at('2026-01-31T12:00:02Z'), at('2026-01-31T12:00:00Z', { output: 'poison' }), at('2026-01-31T12:00:01Z')),
    )
    expect((error as YarakError).failed?.map(({ index }) => index)).toEqual([1])
    expect(io.requests).toHaveLength(4)
  })

  it('needs a log group, and a stream without : and *', () => {
    expect(() => awsCloudwatchlogs({ logGroup: 'a b' })).toThrow('name of a log group')
    expect(() => awsCloudwatchlogs({ logGroup: 'a', logStream: 'a:b' })).toThrow('name of a log stream')
  })
})

describe('the requests of a batch', () => {
  it('span less than 24 hours each', () => {
    const notices = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-01T23:59:59.999Z'].map((time) => at(time))
    expect(logRequests(notices).map((some) => some.map(({ index }) => index))).toEqual([[0, 2], [1]])
  })

  it('have at most 1 MiB, with 26 bytes for each event', () => {
    const notices = Array.from({ length: 5 }, (_, i) => at(`2026-01-31T12:00:0${i}Z`, { output: 'é'.repeat(150_000) }))
    expect(logRequests(notices).map((some) => some.length)).toEqual([3, 2])
  })

  it('cut what is too large by itself', () => {
    const [[event] = []] = logRequests([at('2026-01-31T12:00:00Z', { output: 'x'.repeat(2_000_000) })])
    expect(Buffer.byteLength(event?.message ?? '')).toBeLessThanOrEqual(1_048_576 - 26)
    expect(event?.message).toContain('"truncated":true')
  })

  it('hold every event once, in order of time', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400_000_000 })), (offsets) => {
        const start = Date.parse('2026-01-01T00:00:00Z')
        const requests = logRequests(offsets.map((offset) => at(new Date(start + offset).toISOString())))
        const events = requests.flat()
        expect(events.map(({ index }) => index).sort((a, b) => a - b)).toEqual(offsets.map((_, i) => i))
        expect(events.map(({ timestamp }) => timestamp)).toEqual(
          [...offsets].sort((a, b) => a - b).map((one) => one + start),
        )
        for (const some of requests) {
          expect((some.at(-1)?.timestamp ?? 0) - (some[0]?.timestamp ?? 0)).toBeLessThan(86_400_000)
        }
      }),
      { numRuns: 30 },
    ))
})

describe('events rejected for their time', () => {
  it.each([
    [{}, []],
    [
      { expiredLogEventEndIndex: 1, tooOldLogEventEndIndex: 2 },
      ['0 beyond the retention of the log group', '1 older than 14 days'],
    ],
    [{ tooNewLogEventStartIndex: 3 }, ['3 more than 2 hours in the future']],
    [{ tooNewLogEventStartIndex: 0 }, [0, 1, 2, 3].map((i) => `${i} more than 2 hours in the future`)],
  ])('%j', (info, told) =>
    expect(rejectedEvents(info, 4).map(({ index, reason }) => `${index} ${reason}`)).toEqual(told),
  )
})

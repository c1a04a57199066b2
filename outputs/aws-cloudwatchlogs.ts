import { defineOutput, wholeOrEach, YarakError, z } from '../src/plugin.ts'
import { completeKeys } from '../src/resources/aws.ts'
import { awsCallSettings, awsJson, awsService } from './_aws-call.ts'
import { type LogEvent, logRequests, rejectedEvents } from './_aws-logs.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { refused, sendParts } from './_parts.ts'

const config = z
  .strictObject({
    logGroup: z
      .string()
      .regex(/^[A-Za-z0-9_./#-]{1,512}$/, 'must be the name of a log group')
      .describe('The log group. It must be there.'),
    logStream: z
      .string()
      .regex(/^[^:*]{1,512}$/, 'must be the name of a log stream')
      .default('yarak')
      .describe('The log stream; it is made when it is not there. Default yarak.'),
    ...awsCallSettings,
  })
  .refine(...completeKeys())

/**
 * Writes notices into a log stream of AWS CloudWatch Logs, many in one request.
 *
 * Source: the `awscloudwatchlogs` output of Falcosidekick 2.x (`outputs/aws.go`); `PutLogEvents` of the CloudWatch Logs
 * API Reference.
 * @example awsCloudwatchlogs({ logGroup: '/falco/alerts', region: 'eu-central-1' })
 */
export const awsCloudwatchlogs = defineOutput({
  type: 'aws.cloudwatchlogs',
  summary: 'Writes the event into a log stream of AWS CloudWatch Logs.',
  notes: `
The message of a log event is the event as \`webhook\` sends it, its time the event's. The report of a response is a log
event with the member \`response\` and the time when the response began. One of more than 1 MiB is cut, with
\`truncated: true\`. What is older than 14 days or than the group's retention, or more than 2 hours in the future, is not
taken, and becomes a dead letter. The rights that are needed are \`logs:PutLogEvents\` and, for a stream that is not there,
\`logs:CreateLogStream\`.

Differences from Falcosidekick: keys, region and role that are set are used, where it ignores them; a stream that is set
is made too when it is not there; events that were rejected for their time are not counted as delivered; many events are
one request; the default stream is not Falcosidekick's.
`.trim(),
  config,
  http: true,
  batch: 1_000,
  linger: 1_000,
  async open(settings, io) {
    const service = await awsService(settings, io, 'logs')
    const names = { logGroupName: settings.logGroup, logStreamName: settings.logStream }
    const call = (operation: string, body: object, signal: AbortSignal) =>
      awsJson(service, { target: `Logs_20140328.${operation}`, version: '1.1', body }, io, signal)
    const put = async (events: readonly LogEvent[], signal: AbortSignal) => {
      const logEvents = events.map(({ timestamp, message }) => ({ timestamp, message }))
      const write = () => call('PutLogEvents', { ...names, logEvents }, signal)
      const answer = await write().catch(async (error: unknown) => {
        if (!isMissing(error)) throw error
        await call('CreateLogStream', names, signal).catch(unlessThere)
        return write()
      })
      const error = refused(rejectedEvents(answer.rejectedLogEventsInfo ?? {}, events.length), events.length, 'events')
      if (error) throw error
    }
    return {
      async send(notices, signal) {
        const requests = logRequests(notices)
        const places = requests.flat().map(({ index }) => index)
        await sendParts(requests, (part) => wholeOrEach(part, (some) => put(some, signal)), places)
      },
    }
  },
  example: {
    config: {
      logGroup: '/falco/alerts',
      region: 'eu-central-1',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    sends: {
      url: 'https://logs.eu-central-1.amazonaws.com/',
      body: {
        logGroupName: '/falco/alerts',
        logStreamName: 'yarak',
        logEvents: [{ timestamp: Date.parse(EXAMPLE_BODY.time), message: JSON.stringify(EXAMPLE_BODY) }],
      },
    },
  },
})

const isMissing = (error: unknown): boolean =>
  error instanceof YarakError && error.reason === 'resourcenotfoundexception'

/** Somebody else made it meanwhile. */
const unlessThere = (error: unknown): void => {
  if (!(error instanceof YarakError) || error.reason !== 'resourcealreadyexistsexception') throw error
}

import { defineOutput, type Notice, z } from '../src/plugin.ts'
import { completeKeys } from '../src/resources/aws.ts'
import { awsCallSettings, awsJson, awsService } from './_aws-call.ts'
import { fifo, isFifo, jsonMessage, type RefusedEntry, sendMessages } from './_aws-messages.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'

const config = z
  .strictObject({
    url: serverUrl().describe(
      'Address of the queue, e.g. `https://sqs.eu-central-1.amazonaws.com/123456789012/falco`.',
    ),
    ...awsCallSettings,
    endpoint: awsCallSettings.endpoint.describe('Address of the service. Default: scheme and host of `url`.'),
  })
  .refine(...completeKeys())

/** Bytes of one message, and of all of a batch. */
const MAX_BYTES = 1_048_576
/** What is left for the attribute. */
const MAX_BODY = MAX_BYTES - 1_024

const URL_REGION = /^https:\/\/(?:sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|([a-z0-9-]+)\.queue\.amazonaws\.com)\//

interface Message {
  readonly MessageBody: string
  readonly MessageAttributes?: object
}

const messageOf = (notice: Notice, url: string): Message => ({
  MessageBody: jsonMessage(payload(notice), MAX_BODY),
  ...(notice.traceparent && {
    MessageAttributes: { traceparent: { DataType: 'String', StringValue: notice.traceparent } },
  }),
  ...(isFifo(url) && fifo(notice)),
})

const sizeOf = ({ MessageBody }: Message): number => Buffer.byteLength(MessageBody) + 100

/**
 * Sends notices to a queue of AWS SQS, ten in one request.
 *
 * Source: the `awssqs` output of Falcosidekick 2.x (`outputs/aws.go`); `SendMessageBatch` of the SQS API Reference.
 * @example awsSqs({ url: 'https://sqs.eu-central-1.amazonaws.com/123456789012/falco' })
 */
export const awsSqs = defineOutput({
  type: 'aws.sqs',
  summary: 'Sends the event to a queue of AWS SQS.',
  notes: `
The body of a message is the event as \`webhook\` sends it; for the report of a response with the member \`response\`. The
trace goes along as the message attribute \`traceparent\`. The right that is needed is \`sqs:SendMessage\`.

The messages of a FIFO queue (\`.fifo\`) have the event's target as their group, and the notice's id for deduplication;
for order set \`order: target\`. An event of more than 1 MiB is cut, with \`truncated: true\`; where the queue's own
\`MaximumMessageSize\` is less, what is over it is a dead letter.

Differences from Falcosidekick: keys, region and role that are set are used, where it ignores them; up to ten messages
are one request.
`.trim(),
  config,
  http: true,
  batch: 10,
  kind: 'producer',
  async open(settings, io) {
    const { url } = settings
    const region = URL_REGION.exec(url)?.slice(1).find(Boolean)
    const service = await awsService(
      { ...settings, endpoint: settings.endpoint ?? new URL(url).origin },
      io,
      'sqs',
      region,
    )
    return {
      send(notices, signal) {
        const messages = notices.map((notice) => messageOf(notice, url))
        return sendMessages(messages, { bytes: MAX_BYTES, sizeOf }, async (some) => {
          const Entries = some.map((message, i) => ({ Id: String(i), ...message }))
          const call = {
            target: 'AmazonSQS.SendMessageBatch',
            version: '1.0',
            body: { QueueUrl: url, Entries },
          } as const
          const { Failed = [] } = await awsJson(service, call, io, signal)
          return Failed as RefusedEntry[]
        })
      },
    }
  },
  example: {
    config: {
      url: 'https://sqs.eu-central-1.amazonaws.com/123456789012/falco',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    sends: {
      url: 'https://sqs.eu-central-1.amazonaws.com/',
      body: {
        QueueUrl: 'https://sqs.eu-central-1.amazonaws.com/123456789012/falco',
        Entries: [
          {
            Id: '0',
            MessageBody: JSON.stringify(EXAMPLE_BODY),
            MessageAttributes: {
              traceparent: {
                DataType: 'String',
                StringValue: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
              },
            },
          },
        ],
      },
    },
  },
})

import { defineOutput, z } from '../src/plugin.ts'
import { completeKeys } from '../src/resources/aws.ts'
import { awsCall, awsCallSettings, awsService, regionOf, strangeAnswer } from './_aws-call.ts'
import { sendMessages } from './_aws-messages.ts'
import { failedEntries, MAX_BYTES, publishForm, sizeOf, snsMessage } from './_aws-sns.ts'
import { EXAMPLE_BODY } from './_example.ts'

const config = z
  .strictObject({
    topicArn: z
      .string()
      .regex(/^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$/, 'must be the ARN of a topic')
      .describe('ARN of the topic.'),
    rawJson: z
      .boolean()
      .default(false)
      .describe('Sends the event as JSON, in place of its text with its fields as attributes. Default false.'),
    maxAttributes: z
      .int()
      .min(0)
      .optional()
      .describe(
        'The most attributes of a message. Set 10 where a queue has a subscription with raw message delivery: it gets no message with more. Default no limit.',
      ),
    ...awsCallSettings,
  })
  .refine(...completeKeys())

/**
 * Publishes notices to a topic of AWS SNS, ten in one request.
 *
 * Source: the `awssns` output of Falcosidekick 2.x (`outputs/aws.go`); `PublishBatch` of the SNS API Reference; "Amazon
 * SNS message attributes" of its Developer Guide.
 * @example awsSns({ topicArn: 'arn:aws:sns:eu-central-1:123456789012:falco' })
 */
export const awsSns = defineOutput({
  type: 'aws.sns',
  summary: 'Publishes the event to a topic of AWS SNS.',
  notes: `
The message is the text of the event; its attributes are \`priority\`, \`rule\`, \`source\`, \`tags\`, \`hostname\` and the
event's fields, \`proc.aname[2]\` as \`proc.aname.2\`, so that subscriptions can be filtered by them. The message of a
response says what each step did; \`outcome\`, \`target\`, \`response\`, \`trace\`, \`undo\` are attributes of it. A digest has
the number of \`alerts\`. With \`rawJson\` the message is what \`webhook\` sends. The right that is needed is
\`sns:Publish\`.

The messages of a FIFO topic (\`.fifo\`) have the event's target as their group, and the notice's id for deduplication;
for order set \`order: target\`. A message is cut where it is over 256 KiB with its attributes.

Differences from Falcosidekick: keys, region and role that are set are used, where it ignores them; booleans, lists and
maps are attributes too; characters that SNS refuses in a name or a text are replaced, empty values left out, where SNS
would refuse the message; no field replaces \`priority\`, \`rule\`, \`source\`, \`tags\` or \`hostname\`; up to ten messages are
one request.
`.trim(),
  config,
  http: true,
  batch: 10,
  kind: 'producer',
  async open(settings, io) {
    const { topicArn } = settings
    const service = await awsService(settings, io, 'sns', regionOf(topicArn))
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    return {
      send(notices, signal) {
        const messages = notices.map((notice) => snsMessage(notice, settings))
        return sendMessages(messages, { bytes: MAX_BYTES, sizeOf }, async (some) => {
          const { body } = await awsCall(service, { headers, body: publishForm(topicArn, some) }, io, signal)
          if (body && !body.includes('<PublishBatchResponse')) throw strangeAnswer(service)
          return failedEntries(body)
        })
      },
    }
  },
  example: {
    config: {
      topicArn: 'arn:aws:sns:eu-central-1:123456789012:falco',
      rawJson: true,
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    sends: {
      url: 'https://sns.eu-central-1.amazonaws.com/',
      body: String(
        new URLSearchParams({
          Action: 'PublishBatch',
          Version: '2010-03-31',
          TopicArn: 'arn:aws:sns:eu-central-1:123456789012:falco',
          'PublishBatchRequestEntries.member.1.Id': '0',
          'PublishBatchRequestEntries.member.1.Message': JSON.stringify(EXAMPLE_BODY),
        }),
      ),
    },
  },
})

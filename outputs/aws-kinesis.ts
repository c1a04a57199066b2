import { defineOutput, z } from '../src/plugin.ts'
import { completeKeys } from '../src/resources/aws.ts'
import { awsCallSettings, awsService } from './_aws-call.ts'
import { streamSender } from './_aws-kinesis.ts'
import { EXAMPLE_BODY } from './_example.ts'

const config = z
  .strictObject({
    streamName: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,128}$/, 'must be the name of a stream')
      .describe('Name of the stream.'),
    ...awsCallSettings,
  })
  .refine(...completeKeys())

/**
 * Puts notices as records into a stream of AWS Kinesis, up to 500 in one request.
 *
 * Source: the `awskinesis` output of Falcosidekick 2.x (`outputs/aws.go`); `PutRecords` of the Kinesis Data Streams API
 * Reference.
 * @example awsKinesis({ streamName: 'falco', region: 'eu-central-1' })
 */
export const awsKinesis = defineOutput({
  type: 'aws.kinesis',
  summary: 'Puts the event as a record into a stream of AWS Kinesis.',
  notes: `
The data of a record is the event as \`webhook\` sends it; for the report of a response with the member \`response\`. An
event of more than 1 MiB is cut, with \`truncated: true\`. The right that is needed is \`kinesis:PutRecords\`.

Differences from Falcosidekick: keys, region and role that are set are used, where it ignores them; the partition key is
the event's target (\`pod/<namespace>/<name>\`), or the event's id, in place of a random one; many records are one
request, and only those that were not taken are sent again.
`.trim(),
  config,
  http: true,
  batch: 500,
  kind: 'producer',
  open: async (settings, io) => streamSender(await awsService(settings, io, 'kinesis'), settings.streamName, io),
  example: {
    config: {
      streamName: 'falco',
      region: 'eu-central-1',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    sends: {
      url: 'https://kinesis.eu-central-1.amazonaws.com/',
      body: {
        StreamName: 'falco',
        Records: [
          {
            Data: Buffer.from(JSON.stringify(EXAMPLE_BODY)).toString('base64'),
            PartitionKey: 'pod/default/web-1',
          },
        ],
      },
    },
  },
})

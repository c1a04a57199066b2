import { defineOutput, z } from '../src/plugin.ts'
import { createAws } from '../src/resources/aws.ts'
import { streamSender } from './_aws-kinesis.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { serverUrl } from './_settings.ts'
import { yandexSettings } from './_yandex.ts'

/**
 * Puts notices as records into a stream of Yandex Data Streams, up to 500 in one request.
 *
 * Source: the `yandexdatastreams` output of Falcosidekick 2.x (`outputs/yandex.go`); the Kinesis API of Yandex Data Streams.
 * @example yandexDatastreams({ streamName: '/ru-central1/b1g/etn/falco', accessKeyId: '…', secretAccessKey: '…' })
 */
export const yandexDatastreams = defineOutput({
  type: 'yandex.datastreams',
  summary: 'Puts the event as a record into a stream of Yandex Data Streams.',
  notes: `
It speaks the protocol of AWS Kinesis; records are those of \`aws.kinesis\`, with its limits and its differences from
Falcosidekick but the first.
`.trim(),
  config: z.strictObject({
    streamName: z
      .string()
      .regex(/^[A-Za-z0-9_./-]{1,512}$/, 'must be the name of a stream')
      .describe('Name of the stream with its path: `/<region>/<folder>/<database>/<stream>`.'),
    endpoint: serverUrl()
      .default('https://yds.serverless.yandexcloud.net')
      .describe('Address of the service. Default https://yds.serverless.yandexcloud.net.'),
    ...yandexSettings,
  }),
  http: true,
  batch: 500,
  kind: 'producer',
  open({ endpoint, streamName, region, ...keys }, io) {
    const service = {
      aws: createAws(keys, io),
      place: { service: 'kinesis', region },
      url: endpoint.replace(/\/+$/, ''),
    }
    return streamSender(service, streamName, io)
  },
  example: {
    config: {
      streamName: '/ru-central1/b1g1234567890abcdefg/etn1234567890abcdefg/falco',
      accessKeyId: 'YCAJExampleExampleExample',
      secretAccessKey: 'YCNExampleExampleExampleExampleExampleEx',
    },
    sends: {
      url: 'https://yds.serverless.yandexcloud.net/',
      body: {
        StreamName: '/ru-central1/b1g1234567890abcdefg/etn1234567890abcdefg/falco',
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

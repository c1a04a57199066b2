import { defineOutput, z } from '../src/plugin.ts'
import { createAws } from '../src/resources/aws.ts'
import { EXAMPLE_BODY, EXAMPLE_PATH } from './_example.ts'
import { prefixSetting } from './_objects.ts'
import { bucketSender } from './_s3.ts'
import { serverUrl } from './_settings.ts'
import { yandexSettings } from './_yandex.ts'

/**
 * Writes each notice as an object into a bucket of Yandex Object Storage.
 *
 * Source: the `yandexs3` output of Falcosidekick 2.x (`outputs/yandex.go`); the S3 API of Yandex Object Storage.
 * @example yandexS3({ bucket: 'falco', accessKeyId: '…', secretAccessKey: '…' })
 */
export const yandexS3 = defineOutput({
  type: 'yandex.s3',
  summary: 'Writes the event as an object into a bucket of Yandex Object Storage.',
  notes: `
Names and bodies of objects are those of \`aws.s3\`, with the same differences from Falcosidekick's. The bucket is part
of the path. It keeps no files of steps.
`.trim(),
  config: z.strictObject({
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9._-]{3,63}$/, 'must be the name of a bucket')
      .describe('The bucket.'),
    prefix: prefixSetting().prefault('falco').describe('Folders before the names of all objects. Default falco.'),
    endpoint: serverUrl()
      .default('https://storage.yandexcloud.net')
      .describe('Address of the service. Default https://storage.yandexcloud.net.'),
    ...yandexSettings,
  }),
  http: true,
  open({ bucket, prefix, endpoint, region, ...keys }, io) {
    const url = `${endpoint.replace(/\/+$/, '')}/${bucket}`
    const aws = createAws(keys, io)
    const { send } = bucketSender({ url, region, prefix, address: (key) => `${url}/${key}`, headers: {}, aws }, io)
    return { send }
  },
  example: {
    config: {
      bucket: 'falco-events',
      accessKeyId: 'YCAJExampleExampleExample',
      secretAccessKey: 'YCNExampleExampleExampleExampleExampleEx',
    },
    sends: {
      method: 'PUT',
      url: `https://storage.yandexcloud.net/falco-events/falco/${EXAMPLE_PATH}`,
      body: EXAMPLE_BODY,
    },
  },
})

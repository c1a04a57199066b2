import { defineOutput, secret, z } from '../src/plugin.ts'
import { createAws } from '../src/resources/aws.ts'
import { EXAMPLE_BODY, EXAMPLE_PATH } from './_example.ts'
import { prefixSetting } from './_objects.ts'
import { bucketSender } from './_s3.ts'
import { serverUrl } from './_settings.ts'

/**
 * Writes each notice as an object into a bucket of MinIO; as a store, keeps the files of steps there.
 *
 * Source: the `minio:s3` output of Falco Talon (`outputs/minio`).
 * @example minio({ endpoint: 'http://minio:9000', bucket: 'evidence', accessKeyId: 'yarak', secretAccessKey: '…' })
 */
export const minio = defineOutput({
  type: 'minio',
  summary: 'Writes the event as an object into a bucket of MinIO, and keeps the files of steps there.',
  notes: `
For MinIO and other stores that speak S3 and are addressed by path (Ceph, Garage, Versity). Names, parts and checksums
are those of \`aws.s3\`. The bucket must be there.
`.trim(),
  config: z.strictObject({
    endpoint: serverUrl().describe('Address of the server, e.g. `http://minio:9000`.'),
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9._-]{3,63}$/, 'must be the name of a bucket')
      .describe('The bucket.'),
    prefix: prefixSetting().prefault('').describe('Folders before the names of all objects. Default none.'),
    region: z.string().min(1).default('us-east-1').describe('Region that the server is set to. Default us-east-1.'),
    accessKeyId: z.string().min(1).describe('The access key, which is the name of a user.'),
    secretAccessKey: secret().describe('The secret key.'),
  }),
  http: true,
  stores: true,
  open({ endpoint, bucket, prefix, region, accessKeyId, secretAccessKey }, io) {
    const url = `${endpoint.replace(/\/+$/, '')}/${bucket}`
    const aws = createAws({ accessKeyId, secretAccessKey }, io)
    return bucketSender({ url, region, prefix, address: (key) => `${url}/${key}`, headers: {}, aws }, io)
  },
  example: {
    config: {
      endpoint: 'http://minio:9000',
      bucket: 'falco-events',
      accessKeyId: 'yarak',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG',
    },
    sends: {
      method: 'PUT',
      url: `http://minio:9000/falco-events/${EXAMPLE_PATH}`,
      body: EXAMPLE_BODY,
    },
  },
})

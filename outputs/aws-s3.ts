import { defineOutput, z } from '../src/plugin.ts'
import { awsOf, awsSettings, completeKeys } from '../src/resources/aws.ts'
import { EXAMPLE_BODY, EXAMPLE_PATH } from './_example.ts'
import { formatSetting, objectBatching, prefixSetting } from './_objects.ts'
import { bucketSender, bucketUrl } from './_s3.ts'
import { serverUrl } from './_settings.ts'

const CANNED_ACLS = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
] as const

const config = z
  .strictObject({
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9._-]{3,63}$/, 'must be the name of a bucket')
      .describe('The bucket.'),
    prefix: prefixSetting().prefault('falco').describe('Folders before the names of all objects. Default falco.'),
    endpoint: serverUrl().optional().describe('Address of another store that speaks S3. Default: that of AWS.'),
    objectCannedACL: z
      .enum(CANNED_ACLS)
      .default('bucket-owner-full-control')
      .describe('Canned ACL of new objects. Default bucket-owner-full-control.'),
    format: formatSetting(),
    ...awsSettings,
  })
  .refine(...completeKeys())

/**
 * Writes each notice as an object into a bucket of AWS S3; as a store, keeps the files of steps there.
 *
 * Source: the `awss3` output of Falcosidekick 2.x (`outputs/aws.go`).
 * @example awsS3({ bucket: 'evidence', region: 'eu-central-1' }, 'evidence')
 */
export const awsS3 = defineOutput({
  type: 'aws.s3',
  summary: 'Writes the event as an object into a bucket of AWS S3, and keeps the files of steps there.',
  notes: `
An event is the object \`<prefix>/<day>/<time>_<event id>.json\`, as \`webhook\` sends it; times are the event's, in UTC.
The report of a response is an object of its own. With \`format: ndjson\` those that come within 10 seconds, up to
1,000, are one object, \`<prefix>/<day>/<time>_<event id>_<count>.ndjson\`; the setting \`batch\` changes that.

A file of a step is streamed: in parts of 8 MiB when it is larger than one, each with its SHA-256, which S3 checks and
keeps. When the step fails or is cut short, the parts are thrown away and no object appears. Rule, response and trace
are metadata of the object.

Differences from Falcosidekick: its names lack the id, so that events of one moment replace each other, and have the
time of sending in the sender's time zone; without a prefix they begin with a slash; keys, region and role that are set
are used, where it ignores them; the checksum is SHA-256.

Keys come from \`resources: aws\` unless they are set here; they need \`s3:PutObject\`, \`s3:PutObjectAcl\` and
\`s3:AbortMultipartUpload\`. A bucket with ACLs disabled takes no \`objectCannedACL\` but the default.
`.trim(),
  config,
  http: true,
  batching: objectBatching,
  stores: true,
  async open(settings, io) {
    const aws = await awsOf(settings, io)
    const region = aws.region(settings.region)
    const { bucket, prefix, objectCannedACL, format } = settings
    return bucketSender(
      {
        url: bucketUrl(bucket, settings.endpoint, aws.endpoint({ service: 's3', region })),
        region,
        prefix,
        address: (key) => `s3://${bucket}/${key}`,
        headers: { 'x-amz-acl': objectCannedACL },
        aws,
        format,
      },
      io,
    )
  },
  example: {
    config: {
      bucket: 'falco-events',
      region: 'eu-central-1',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    sends: {
      method: 'PUT',
      url: `https://falco-events.s3.eu-central-1.amazonaws.com/falco/${EXAMPLE_PATH}`,
      body: EXAMPLE_BODY,
    },
  },
})

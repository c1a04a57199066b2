import { defineOutput, z } from '../src/plugin.ts'
import { googleOf, googleSettings } from '../src/resources/google.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { gcsSender } from './_gcs.ts'
import { formatSetting, objectBatching, prefixSetting } from './_objects.ts'
import { serverUrl } from './_settings.ts'

/**
 * Writes each notice as an object into a bucket of Google Cloud Storage; as a store, keeps the files of steps there.
 *
 * Source: the `gcpstorage` output of Falcosidekick 2.x (`outputs/gcp.go`).
 * @example gcpStorage({ bucket: 'evidence' }, 'evidence')
 */
export const gcpStorage = defineOutput({
  type: 'gcp.storage',
  summary: 'Writes the event as an object into a bucket of Google Cloud Storage, and keeps the files of steps there.',
  notes: `
Names, and \`format: ndjson\`, are those of \`aws.s3\`. A file of a step is streamed by a resumable upload in pieces of 8 MiB; a piece that was
interrupted goes on where the store says. When the step fails or is cut short, the upload is cancelled and no object
appears. The store's MD5 of the whole is compared with ours. Rule, response and trace are metadata of the object.

Differences from Falcosidekick: names as for \`aws.s3\`; it needs no key that is set, but takes what the environment
offers.

Credentials come from \`resources: google\` unless they are set here; they need \`storage.objects.create\` and, to
replace an object, \`storage.objects.delete\`.
`.trim(),
  config: z.strictObject({
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, 'must be the name of a bucket')
      .describe('The bucket.'),
    prefix: prefixSetting().prefault('').describe('Folders before the names of all objects. Default none.'),
    endpoint: serverUrl()
      .default('https://storage.googleapis.com')
      .describe('Address of the service. Default https://storage.googleapis.com.'),
    format: formatSetting(),
    ...googleSettings,
  }),
  http: true,
  batching: objectBatching,
  stores: true,
  async open(settings, io) {
    const google = await googleOf(settings, io)
    const { bucket, prefix, endpoint, format } = settings
    return gcsSender({ bucket, prefix, endpoint: endpoint.replace(/\/+$/, ''), google, format }, io)
  },
  example: {
    config: { bucket: 'falco-events', prefix: 'falco' },
    sends: {
      url: 'https://storage.googleapis.com/upload/storage/v1/b/falco-events/o?uploadType=media&name=falco%2F2026-01-31%2F2026-01-31T12%3A00%3A00.123456789Z_019c13e6-8b3b-7000-8000-000000000001.json',
      body: EXAMPLE_BODY,
    },
  },
})

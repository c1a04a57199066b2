import { createHash } from 'node:crypto'
import { defineOutput, duration, inChunks, type Notice, z } from '../src/plugin.ts'
import { awsOf, awsRegion, awsSettings, completeKeys } from '../src/resources/aws.ts'
import { finding } from './_aws-ocsf.ts'
import { noticeBody, prefixSetting } from './_objects.ts'
import { parquetOf } from './_parquet-findings.ts'
import { sendParts } from './_parts.ts'
import { bucketUrl, objectWriter } from './_s3.ts'
import { serverUrl } from './_settings.ts'

const MINUTE = 60_000

const config = z
  .strictObject({
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9._-]{3,63}$/, 'must be the name of a bucket')
      .describe('The bucket of the lake.'),
    prefix: prefixSetting()
      .refine((text) => text !== '', 'must not be empty')
      .describe('Folder of the custom source, e.g. `ext/falco`.'),
    accountId: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the id of an account')
      .describe('Id of the AWS account that the events are of.'),
    interval: duration()
      .refine((time) => time >= 5 * MINUTE && time <= 60 * MINUTE, 'must be from 5m to 60m')
      .prefault('5m')
      .describe('How long events are collected for a file, from 5m to 60m. Default 5m.'),
    batchSize: z.int().min(1).max(100_000).default(1_000).describe('The most events of a file. Default 1000.'),
    endpoint: serverUrl().optional().describe('Address of another store that speaks S3. Default: that of AWS.'),
    ...awsSettings,
    region: awsRegion().describe('Region of the lake.'),
  })
  .refine(...completeKeys())

/** A file is made in memory: of no more text than this, where the events are large. */
const FILE = { count: Infinity, size: 32 * 1024 * 1024 }

/** Of the event, in UTC, e.g. `20260131`. */
const dayOf = ({ event }: Notice): string => new Date(event.time).toISOString().slice(0, 10).replaceAll('-', '')

/** The same notices, sent again, take the same place. */
const nameOf = (notices: readonly Notice[]): string =>
  createHash('sha256')
    .update(notices.map(({ id }) => id).join('\n'))
    .digest('hex')
    .slice(0, 32)

/**
 * Writes batches of notices as Apache Parquet files of OCSF Security Findings into the bucket of a Security Lake.
 *
 * Source: the `awssecuritylake` output of Falcosidekick 2.x (`outputs/awssecuritylake.go`); OCSF 0.1.0, class 2001;
 * "Collecting data from custom sources" of the Security Lake User Guide.
 * @example awsSecuritylake({ bucket: 'aws-security-data-lake-…', prefix: 'ext/falco', region: 'eu-central-1', accountId: '123456789012' })
 */
export const awsSecuritylake = defineOutput({
  type: 'aws.securitylake',
  summary: 'Writes events as OCSF Security Findings in Parquet files into AWS Security Lake.',
  notes: `
A file is \`<prefix>/region=<region>/accountId=<account>/eventDay=<day>/<name>.parquet\`, of up to \`batchSize\` events of
one day in UTC that came within \`interval\`; of events of more than 32 MiB in all there are several. An event is a finding
of the class 2001 with the state \`New\`; the report of a response is the same finding (\`finding.uid\`) with the activity
\`Update\` and the state \`Resolved\`, where it was enforced and succeeded, else \`In Progress\`. \`raw_data\` is the event as
\`webhook\` sends it. It needs the package \`hyparquet-writer\`, and the rights \`s3:PutObject\` and \`s3:PutObjectAcl\`.

Differences from Falcosidekick: the first event after a start is not lost, and more than \`batchSize\` events do not wait
for the next interval; the key has no slash at its start; the day is the event's; the name is made of the notices in the
file, so that a file that is sent again replaces itself; all fields that are not null are observables, in the order of
their names; lists have the three levels of Parquet's own description; \`raw_data\` keeps every digit; keys and role that
are set are used.
`.trim(),
  config,
  http: true,
  batching: ({ batchSize, interval }) => ({ batch: batchSize, linger: interval }),
  async open(settings, io) {
    const aws = await awsOf(settings, io)
    const { bucket, prefix, accountId, endpoint, region } = settings
    const url = bucketUrl(bucket, endpoint, aws.endpoint({ service: 's3', region }))
    const headers = { 'x-amz-acl': 'bucket-owner-full-control' }
    const write = objectWriter({ url, region, prefix, headers, aws }, io)
    const put = async (notices: readonly Notice[], signal: AbortSignal) => {
      const day = notices.slice(0, 1).map(dayOf).join('')
      const name = `region=${region}/accountId=${accountId}/eventDay=${day}/${nameOf(notices)}.parquet`
      const body = await parquetOf(notices.map(finding))
      await write({ name, contentType: 'Apache Parquet', body }, signal)
    }
    return {
      async send(notices, signal) {
        const days = [...Map.groupBy(notices.entries(), ([, notice]) => dayOf(notice)).values()]
        const files = days.flatMap((day) => inChunks(day, FILE, ([, notice]) => noticeBody(notice).length))
        const places = files.flat().map(([place]) => place)
        const parts = files.map((file) => file.map(([, notice]) => notice))
        await sendParts(parts, (part) => put(part, signal), places)
      },
    }
  },
  example: {
    config: {
      bucket: 'aws-security-data-lake-eu-central-1-abcdefgh',
      prefix: 'ext/falco',
      region: 'eu-central-1',
      accountId: '123456789012',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
  },
})

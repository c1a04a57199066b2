/** The settings of a connection to Kafka. */
import { secret, z } from '../plugin.ts'

const BROKERS = /^\s*[^\s,:/]+:\d{1,5}\s*(,\s*[^\s,:/]+:\d{1,5}\s*)*$/

const TOPIC = /^[a-zA-Z0-9._-]{1,249}$/

/** The name of a topic, as brokers allow it. */
export const topicName = () => z.string().regex(TOPIC, 'must be a topic name: up to 249 letters, digits, dots, _ and -')

/** The name of a topic, or a regular expression between slashes, e.g. `/^falco-.+$/`. */
export const topicPattern = () =>
  z
    .string()
    .refine(
      (text) => TOPIC.test(text) || patternOf(text) !== undefined,
      'must be a topic name or a regular expression between slashes, e.g. /^falco-.+$/',
    )

/** The expression of a topic pattern; undefined for a plain name. */
export const patternOf = (text: string): RegExp | undefined => {
  if (text.length < 3 || !text.startsWith('/') || !text.endsWith('/')) return undefined
  try {
    return new RegExp(text.slice(1, -1))
  } catch {
    return undefined
  }
}

const password = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How the password is proved.'),
  username: z.string().min(1).describe('User name.'),
  password: secret().describe('Password.'),
})

const oauth = z
  .strictObject({
    mechanism: z.literal('oauthbearer').describe('An OAuth 2.0 access token (RFC 7628).'),
    tokenUrl: z.url().optional().describe('Token endpoint for the client credentials grant (RFC 6749, 4.4).'),
    clientId: z.string().min(1).optional().describe('Client id for `tokenUrl`.'),
    clientSecret: secret().optional().describe('Client secret for `tokenUrl`.'),
    scope: z.string().min(1).optional().describe('Scopes to ask `tokenUrl` for, separated by spaces.'),
    tokenFile: z.string().min(1).optional().describe('File with the token, read again for every connection.'),
  })
  .refine(
    ({ tokenUrl, clientId, clientSecret, tokenFile }) =>
      tokenFile === undefined ? tokenUrl && clientId && clientSecret : !tokenUrl,
    'needs either tokenUrl with clientId and clientSecret, or tokenFile',
  )

const mskIam = z.strictObject({
  mechanism: z.literal('aws-msk-iam').describe('An IAM role or user of AWS, for Amazon MSK.'),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region, e.g. eu-central-1')
    .describe('AWS region of the cluster.'),
})

/** The settings of a connection, to be spread into the settings of an input or an output. */
export const connectionSettings = {
  brokers: z
    .array(z.string().regex(BROKERS, 'must be host:port'))
    .min(1)
    .transform((entries) => entries.flatMap((entry) => entry.split(',').map((broker) => broker.trim())))
    .describe('Brokers to start from, each `host:port`; one entry may hold several, separated by commas.'),
  clientId: z.string().min(1).default('yarak').describe('Name of this client in the logs and quotas of the brokers.'),
  tls: z
    .strictObject({
      caFile: z.string().optional().describe("PEM file of the authorities to trust. Default: the system's."),
      certFile: z.string().optional().describe('PEM file of our own certificate, for mutual TLS.'),
      keyFile: z.string().optional().describe('PEM file of the key of `certFile`.'),
      verify: z.boolean().default(true).describe("Check the brokers' certificates."),
    })
    .optional()
    .describe("TLS to the brokers; `{}` turns it on with the system's authorities. Absent: no TLS."),
  sasl: z
    .discriminatedUnion('mechanism', [password, oauth, mskIam], {
      error: 'must be plain, scram-sha-256, scram-sha-512, oauthbearer or aws-msk-iam',
    })
    .optional()
    .describe('How we prove to the brokers who we are; `aws-msk-iam` always speaks TLS. Absent: not at all.'),
}

/** Where the brokers are, and how we prove who we are. */
export type KafkaConnection = z.output<z.ZodObject<typeof connectionSettings>>

export type Sasl = NonNullable<KafkaConnection['sasl']>
export type OauthSettings = z.output<typeof oauth>

/** Amazon Web Services, and whatever speaks its protocols: who asks, where, and how a request is signed. */
import { defineResource, secret, YarakError, z } from '../plugin.ts'
import { createAwsCredentials, renewedCredentials } from './_aws-credentials.ts'
import type { AwsCredentials, AwsIo } from './_aws-keys.ts'
import { type AwsPlace, type AwsRequest, signed } from './_aws-sign.ts'
import { domainOf, withRole } from './_aws-sts.ts'
import type { HttpRequest } from '../plugin.ts'

export { createInstanceMetadata } from './_aws-metadata.ts'
export type { AwsPlace, AwsRequest } from './_aws-sign.ts'

/** An account, as somebody in it. */
export interface Aws {
  /** @throws YarakError `config` when none is set anywhere */
  region(wanted?: string): string
  /** Address of a service: `AWS_ENDPOINT_URL_<SERVICE>`, else `AWS_ENDPOINT_URL`, else AWS's own. */
  endpoint(place: AwsPlace): string
  /** The request with its signature; send it at once, it holds for minutes. */
  sign(request: AwsRequest, place: AwsPlace): Promise<HttpRequest>
}

const REGION = /^[a-z0-9-]{1,63}$/

/** The name of a region, e.g. `eu-central-1`. */
export const awsRegion = () => z.string().regex(REGION, 'must be an AWS region, e.g. eu-central-1')

/** Who asks, and where: to be spread into the settings of a resource or an output. */
export const awsSettings = {
  region: awsRegion().optional().describe('Region. Default: AWS_REGION, else AWS_DEFAULT_REGION.'),
  accessKeyId: z
    .string()
    .min(1)
    .optional()
    .describe('Id of a static access key. Default: what the environment offers.'),
  secretAccessKey: secret().optional().describe('The secret of `accessKeyId`.'),
  sessionToken: secret().optional().describe('The session token that belongs to a temporary `accessKeyId`.'),
  roleArn: z.string().startsWith('arn:').optional().describe('Role to assume with these credentials. Default none.'),
  externalId: z.string().min(2).optional().describe('External id that the trust policy of `roleArn` asks for.'),
}

type Settings = z.output<z.ZodObject<typeof awsSettings>>

/** Arguments for the `.refine` of a map that holds {@link awsSettings}. */
export const completeKeys = () =>
  [
    ({ accessKeyId, secretAccessKey }: Pick<Settings, 'accessKeyId' | 'secretAccessKey'>) =>
      (accessKeyId === undefined) === (secretAccessKey === undefined),
    'needs accessKeyId and secretAccessKey together',
  ] as const

/** The AWS account that actions and outputs work in. */
export const aws = defineResource({
  type: 'aws',
  summary: 'The AWS account that actions and outputs work in.',
  notes: [
    'Without keys they come from the environment, in this order: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; IAM roles for service accounts; `~/.aws/credentials` (`AWS_PROFILE`, `AWS_SHARED_CREDENTIALS_FILE`), keys only; EKS Pod Identity or ECS; the instance profile, by IMDSv2.',
    'Temporary keys are renewed five minutes before they end.',
  ].join('\n'),
  config: z.strictObject(awsSettings).refine(...completeKeys()),
  open: async (settings, io) => createAws(settings, io),
})

/** @example const { sign } = createAws({ region: 'eu-central-1' }, io) */
export const createAws = (settings: Settings, io: AwsIo): Aws => {
  const { env } = io
  const region = (wanted?: string): string => {
    const found = wanted ?? settings.region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION)
    if (found && REGION.test(found)) return found
    throw new YarakError('config', 'no AWS region: set `region`, or AWS_REGION', {
      permanent: true,
      reason: 'no-region',
    })
  }
  const byRegion = new Map<string, () => Promise<AwsCredentials>>()
  const credentials = (place: AwsPlace): Promise<AwsCredentials> => {
    const made = byRegion.get(place.region) ?? credentialsFrom(settings, io, place.region)
    byRegion.set(place.region, made)
    return made()
  }
  return {
    region,
    endpoint: ({ service, region }) =>
      (
        env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ||
        env.AWS_ENDPOINT_URL ||
        `https://${service}.${region}.${domainOf(region)}`
      ).replace(/\/+$/, ''),
    sign: async (request, place) => signed(request, place, await credentials(place)),
  }
}

const credentialsFrom = (settings: Settings, io: AwsIo, region: string): (() => Promise<AwsCredentials>) => {
  const { accessKeyId, secretAccessKey, sessionToken, roleArn, externalId } = settings
  const own =
    accessKeyId === undefined || secretAccessKey === undefined
      ? createAwsCredentials(io, region)
      : () => Promise.resolve({ accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) })
  if (roleArn === undefined) return own
  return renewedCredentials(async () => withRole(io, region, { roleArn, externalId }, await own()))
}

/** The account of a use: its own, when its settings name a key or a role, else the shared one. */
export const awsOf = async (
  settings: Settings,
  io: AwsIo & { use(resource: typeof aws): Promise<Aws> },
): Promise<Aws> =>
  settings.accessKeyId === undefined && settings.roleArn === undefined ? io.use(aws) : createAws(settings, io)

/** AWS credentials of this process, from where AWS's own clients take them; cached and renewed. */
import { readFile } from 'node:fs/promises'
import { messageOf, YarakError } from '../plugin.ts'
import { type AwsAnswer, type AwsCredentials, type AwsIo, checkedCredentials } from './_aws-keys.ts'
import { createInstanceMetadata } from './_aws-metadata.ts'
import { fromSharedFile } from './_aws-shared-file.ts'
import { withWebIdentity } from './_aws-sts.ts'
import { renewed } from './_renewed.ts'

export type { AwsCredentials, AwsIo } from './_aws-keys.ts'

/** Milliseconds before their end when credentials are renewed, as AWS's clients do. */
const EARLY = 5 * 60_000

/** A function that gives the credentials that `make` made, and makes them anew in time. */
export const renewedCredentials = (make: () => Promise<AwsCredentials>): (() => Promise<AwsCredentials>) =>
  renewed(async () => {
    const credentials = await make()
    return { value: credentials, until: (credentials.expiresAt ?? Infinity) - EARLY }
  })

/**
 * A function that gives valid credentials. The first source that is set up wins:
 *
 * 1. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`
 * 2. a web identity (IAM roles for service accounts): `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE`, exchanged at STS,
 *    whose address `AWS_ENDPOINT_URL_STS` may replace
 * 3. the profile `AWS_PROFILE`, by default `default`, of `AWS_SHARED_CREDENTIALS_FILE`, by default `~/.aws/credentials`:
 *    static keys only
 * 4. the container's agent (EKS Pod Identity, ECS): `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `..._RELATIVE_URI`, with the
 *    token of `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or `AWS_CONTAINER_AUTHORIZATION_TOKEN`
 * 5. the role of the EC2 instance, by IMDSv2, unless `AWS_EC2_METADATA_DISABLED` is `true`
 *
 * Source: the standardized credential providers of the AWS SDKs and Tools Reference Guide.
 * @throws YarakError `config` when there is no source; what the source answers
 * @example const credentials = createAwsCredentials(io, 'eu-central-1'); (await credentials()).accessKeyId
 */
export const createAwsCredentials = (io: AwsIo, region: string): (() => Promise<AwsCredentials>) =>
  renewedCredentials(() => sourceOf(io, region))

const sourceOf = async (io: AwsIo, region: string): Promise<AwsCredentials> => {
  const { env } = io
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, ...(token && { sessionToken: token }) }
  const { AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: file } = env
  if (role && file) return withWebIdentity(io, region, { role, token: await readToken(file) })
  const shared = await fromSharedFile(env)
  if (shared) return shared
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: full, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative } = env
  if (full || relative) return fromContainer(io, full ?? `http://169.254.170.2${relative}`)
  return env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true' ? none() : fromInstance(io)
}

const none = (cause?: unknown): never => {
  throw new YarakError(
    'config',
    'no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, keep them in ~/.aws/credentials, or run with a role (IAM roles for service accounts, EKS Pod Identity, an instance profile)',
    { cause },
  )
}

const fromContainer = async ({ env, http }: AwsIo, url: string): Promise<AwsCredentials> => {
  const { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = env
  const authorization = file ? await readToken(file) : token
  const answer = await http({ method: 'GET', url, headers: { authorization } })
  return checkedCredentials(parsed(answer.body))
}

const ROLES = 'meta-data/iam/security-credentials/'

const fromInstance = async (io: AwsIo): Promise<AwsCredentials> => {
  const read = createInstanceMetadata(io)
  const roles = await read(ROLES).catch(none)
  const role = roles?.split('\n')[0]?.trim()
  if (!role) return none()
  return checkedCredentials(parsed((await read(`${ROLES}${encodeURIComponent(role)}`, `${ROLES}{role}`)) ?? ''))
}

const readToken = async (file: string): Promise<string> => {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new YarakError('unavailable', `AWS credentials: ${messageOf(cause)}`, { cause })
  }
}

const parsed = (json: string): AwsAnswer => {
  try {
    return JSON.parse(json) as AwsAnswer
  } catch {
    return {}
  }
}

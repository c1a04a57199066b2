/** AWS credentials of this process, from where AWS's own clients take them in a container; cached and renewed. */
import { readFile } from 'node:fs/promises'
import { type Io, messageOf, YarakError } from '../plugin.ts'
import { renewed } from './_renewed.ts'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Milliseconds since the epoch. Absent: they do not end. */
  readonly expiresAt?: number
}

export type AwsIo = Pick<Io, 'env' | 'http'>

/** Milliseconds before their end when credentials are renewed, as AWS's clients do. */
const EARLY = 5 * 60_000

/**
 * A function that gives valid credentials. The first source that is set up wins:
 *
 * 1. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`
 * 2. a web identity (IAM roles for service accounts): `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE`, exchanged at STS,
 *    whose address `AWS_ENDPOINT_URL_STS` may replace
 * 3. the container's agent (EKS Pod Identity, ECS): `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `..._RELATIVE_URI`, with the
 *    token of `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or `AWS_CONTAINER_AUTHORIZATION_TOKEN`
 *
 * Source: the standardized credential providers of the AWS SDKs and Tools Reference Guide.
 * @throws YarakError `config` when no source is set up; what the source answers
 * @example const credentials = createAwsCredentials(io, 'eu-central-1'); (await credentials()).accessKeyId
 */
export const createAwsCredentials = (io: AwsIo, region: string): (() => Promise<AwsCredentials>) =>
  renewed(async () => {
    const credentials = await sourceOf(io, region)
    return { value: credentials, until: (credentials.expiresAt ?? Infinity) - EARLY }
  })

const sourceOf = (io: AwsIo, region: string): Promise<AwsCredentials> => {
  const { env } = io
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env
  if (accessKeyId && secretAccessKey) {
    return Promise.resolve({ accessKeyId, secretAccessKey, ...(token && { sessionToken: token }) })
  }
  const { AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: file } = env
  if (role && file) return fromWebIdentity(io, region, { role, file })
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: full, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative } = env
  if (full || relative) return fromContainer(io, full ?? `http://169.254.170.2${relative}`)
  return Promise.reject(
    new YarakError(
      'config',
      'no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role (IAM roles for service accounts, EKS Pod Identity)',
    ),
  )
}

/** `AssumeRoleWithWebIdentity` of STS, the one call of AWS that is not signed. */
const fromWebIdentity = async (
  { env, http }: AwsIo,
  region: string,
  { role, file }: { role: string; file: string },
): Promise<AwsCredentials> => {
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: env.AWS_ROLE_SESSION_NAME || 'yarak',
    WebIdentityToken: await readToken(file),
  })
  const { body: xml } = await http({
    url: env.AWS_ENDPOINT_URL_STS || `https://sts.${region}.${domainOf(region)}`,
    template: '/',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: String(body),
  })
  const [AccessKeyId, SecretAccessKey, Token, Expiration] = [
    'AccessKeyId',
    'SecretAccessKey',
    'SessionToken',
    'Expiration',
  ].map((name) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1])
  return checked({ AccessKeyId, SecretAccessKey, Token, Expiration })
}

const fromContainer = async ({ env, http }: AwsIo, url: string): Promise<AwsCredentials> => {
  const { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = env
  const authorization = file ? await readToken(file) : token
  const answer = await http({ method: 'GET', url, headers: { authorization } })
  return checked(parsed(answer.body))
}

/** The parts of AWS that have a domain of their own. */
const domainOf = (region: string): string => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')

const readToken = async (file: string): Promise<string> => {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new YarakError('unavailable', `AWS credentials: ${messageOf(cause)}`, { cause })
  }
}

interface Answer {
  readonly AccessKeyId?: unknown
  readonly SecretAccessKey?: unknown
  readonly Token?: unknown
  readonly Expiration?: unknown
}

const parsed = (json: string): Answer => {
  try {
    return JSON.parse(json) as Answer
  } catch {
    return {}
  }
}

const checked = ({ AccessKeyId, SecretAccessKey, Token, Expiration }: Answer): AwsCredentials => {
  const expiresAt = typeof Expiration === 'string' ? Date.parse(Expiration) : NaN
  if (typeof AccessKeyId !== 'string' || typeof SecretAccessKey !== 'string' || Number.isNaN(expiresAt)) {
    throw new YarakError('unavailable', 'AWS credentials: the answer holds none', { reason: 'aws-credentials' })
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(typeof Token === 'string' && { sessionToken: Token }),
    expiresAt,
  }
}

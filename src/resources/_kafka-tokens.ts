/** Bearer tokens for SASL OAUTHBEARER: by client credentials, from a file, or an IAM signature for Amazon MSK. */
import { readFile } from 'node:fs/promises'
import { messageOf, YarakError } from '../plugin.ts'
import { type AwsIo, createAwsCredentials } from './_aws-credentials.ts'
import type { OauthSettings } from './_kafka-settings.ts'
import { type Dated, renewed } from './_renewed.ts'

/** Gives a token that is valid now. */
export type Token = () => Promise<string>

/** @throws YarakError `unavailable` when there is no token */
export const createOauthToken = (settings: OauthSettings, io: AwsIo): Token => {
  const { tokenFile } = settings
  return tokenFile === undefined ? renewed(() => askFor(settings, io)) : () => readToken(tokenFile)
}

const readToken = async (file: string): Promise<string> => {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new YarakError('unavailable', `sasl.tokenFile: ${messageOf(cause)}`, { cause })
  }
}

/** How much of a token's life it is used for: the connection that shows it lives on for a while. */
const USED = 0.8

/** The client credentials grant, with the client's secret as Basic authentication (RFC 6749, 2.3.1 and 4.4). */
const askFor = async (
  { tokenUrl = '', clientId = '', clientSecret = '', scope }: OauthSettings,
  { http }: AwsIo,
): Promise<Dated<string>> => {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  const answer = await http({
    url: tokenUrl,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
    },
    body: String(new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) })),
  })
  const { access_token: token, expires_in: seconds } = parsed(answer.body)
  if (typeof token !== 'string') throw new YarakError('unavailable', 'sasl.tokenUrl: the answer holds no access_token')
  return { value: token, until: Date.now() + Number(seconds ?? 60) * 1_000 * USED }
}

const parsed = (json: string): { access_token?: unknown; expires_in?: unknown } => {
  try {
    return JSON.parse(json) as object
  } catch {
    return {}
  }
}

/** Seconds that a signature for MSK holds; the brokers take no more. */
const MSK_EXPIRES = '900'

/**
 * A presigned request `kafka-cluster:Connect`, as the brokers of MSK take it for a token.
 * Source: github.com/aws/aws-msk-iam-sasl-signer-js.
 */
export const createMskToken = (region: string, io: AwsIo): Token => {
  const credentials = createAwsCredentials(io, region)
  return async () => {
    const [{ AwsV4Signer }, keys] = await Promise.all([import('aws4fetch'), credentials()])
    const url = new URL(`https://kafka.${region}.amazonaws.com/`)
    url.searchParams.set('Action', 'kafka-cluster:Connect')
    url.searchParams.set('X-Amz-Expires', MSK_EXPIRES)
    const signer = new AwsV4Signer({
      ...keys,
      url: url.href,
      method: 'GET',
      service: 'kafka-cluster',
      region,
      signQuery: true,
    })
    const signed = (await signer.sign()).url
    signed.searchParams.set('User-Agent', 'yarak')
    return Buffer.from(signed.href).toString('base64url')
  }
}

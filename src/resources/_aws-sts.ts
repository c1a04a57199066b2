/** AWS's Security Token Service: keys of a role for a while. */
import { type AwsCredentials, type AwsIo, checkedCredentials } from './_aws-keys.ts'
import { signed } from './_aws-sign.ts'

/** The parts of AWS that have a domain of their own. */
export const domainOf = (region: string): string => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')

const request = ({ env }: Pick<AwsIo, 'env'>, region: string, members: Readonly<Record<string, string>>) => ({
  url: env.AWS_ENDPOINT_URL_STS || `https://sts.${region}.${domainOf(region)}`,
  template: '/',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: String(
    new URLSearchParams({
      Version: '2011-06-15',
      RoleSessionName: env.AWS_ROLE_SESSION_NAME || 'yarak',
      ...members,
    }),
  ),
})

/** `AssumeRoleWithWebIdentity`, the one call of AWS that is not signed: the token says who asks. */
export const withWebIdentity = async (
  io: AwsIo,
  region: string,
  { role, token }: { readonly role: string; readonly token: string },
): Promise<AwsCredentials> => {
  const members = { Action: 'AssumeRoleWithWebIdentity', RoleArn: role, WebIdentityToken: token }
  return credentialsIn((await io.http(request(io, region, members))).body)
}

/** `AssumeRole`: the keys of another role, e.g. of another account, for whoever has these. */
export const withRole = async (
  io: AwsIo,
  region: string,
  { roleArn, externalId }: { readonly roleArn: string; readonly externalId?: string | undefined },
  keys: AwsCredentials,
): Promise<AwsCredentials> => {
  const members = { Action: 'AssumeRole', RoleArn: roleArn, ...(externalId && { ExternalId: externalId }) }
  const asked = await signed(request(io, region, members), { service: 'sts', region }, keys)
  return credentialsIn((await io.http(asked)).body)
}

const credentialsIn = (xml: string): AwsCredentials => {
  const [AccessKeyId, SecretAccessKey, Token, Expiration] = [
    'AccessKeyId',
    'SecretAccessKey',
    'SessionToken',
    'Expiration',
  ].map((name) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1])
  return checkedCredentials({ AccessKeyId, SecretAccessKey, Token, Expiration })
}

/** AWS keys, and how the services that hand them out write them. */
import { type Io, YarakError } from '../plugin.ts'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Milliseconds since the epoch. Absent: they do not end. */
  readonly expiresAt?: number
}

/** What it takes to find keys. */
export type AwsIo = Pick<Io, 'env' | 'http'>

/** As the container's agent and the metadata service write them; of STS it is made. */
export interface AwsAnswer {
  readonly AccessKeyId?: unknown
  readonly SecretAccessKey?: unknown
  readonly Token?: unknown
  readonly Expiration?: unknown
}

/** @throws YarakError `unavailable` when something is missing in what a source answered */
export const checkedCredentials = ({ AccessKeyId, SecretAccessKey, Token, Expiration }: AwsAnswer): AwsCredentials => {
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

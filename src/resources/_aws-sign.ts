/** Signature Version 4: how AWS, and every store that speaks S3, is told who asks. */
import { createHash } from 'node:crypto'
import type { HttpRequest } from '../plugin.ts'
import type { AwsCredentials } from './_aws-keys.ts'

/** A request that can be signed: its body is all there. */
export interface AwsRequest extends Omit<HttpRequest, 'body'> {
  readonly body?: string | Uint8Array
}

/** Which of AWS's services, where. */
export interface AwsPlace {
  /** As it is called in a signature, e.g. `s3`, `lambda`. */
  readonly service: string
  readonly region: string
}

/**
 * The request with the headers of its signature. What the body is, is signed too.
 * @example await io.http(await signed({ url, body }, { service: 'lambda', region: 'eu-central-1' }, keys), signal)
 */
export const signed = async (request: AwsRequest, place: AwsPlace, keys: AwsCredentials): Promise<HttpRequest> => {
  const { AwsV4Signer } = await import('aws4fetch')
  const { method = 'POST', url, headers = {}, body = '' } = request
  const sha256 = createHash('sha256').update(body).digest('hex')
  const own = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  const { accessKeyId, secretAccessKey, sessionToken } = keys
  const signer = new AwsV4Signer({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    ...place,
    method,
    url,
    headers: Object.fromEntries([...own, ['x-amz-content-sha256', sha256]]),
  })
  const made = await signer.sign()
  return { ...request, url: made.url.href, headers: Object.fromEntries(made.headers) }
}

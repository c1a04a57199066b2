/** Signature Version 4, computed anew from AWS's description of it: the check of a server. */
import { createHash, createHmac } from 'node:crypto'
import type { RecordedRequest } from '../src/testing.ts'

export interface SignatureParts {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly service: string
  readonly region: string
}

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** RFC 3986: all but the unreserved characters, byte by byte. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** S3 encodes a path once; every other service encodes once more what is in the request line. */
const canonicalPath = (path: string, service: string): string =>
  path
    .split('/')
    .map((part) => encoded(service === 's3' ? decodeURIComponent(part) : part))
    .join('/')

const canonicalQuery = (url: URL): string =>
  [...url.searchParams]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&')

/**
 * What is wrong with the signature of a request; undefined: nothing.
 * @example expect(signatureFault(io.requests[0], { accessKeyId, secretAccessKey, service: 's3', region })).toBeUndefined()
 */
export const signatureFault = (request: RecordedRequest, parts: SignatureParts): string | undefined => {
  const { accessKeyId, secretAccessKey, service, region } = parts
  const url = new URL(request.url)
  const headers: Record<string, string> = { ...request.headers, host: url.host }
  const time = headers['x-amz-date'] ?? ''
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
  const shown =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? []
  const [, credential, names = '', signature] = shown
  if (credential !== `${accessKeyId}/${scope}`) return `credential ${credential}`
  const missing = Object.keys(headers).filter((name) => name.startsWith('x-amz-') && !names.split(';').includes(name))
  if (!names.split(';').includes('host') || missing.length > 0) return `not signed: host, ${missing.join(', ')}`
  const hash = sha256(request.body)
  if (headers['x-amz-content-sha256'] !== hash) return 'the hash of the body'
  const lines = names.split(';').map((name) => `${name}:${headers[name]?.trim().replaceAll(/ +/g, ' ')}\n`)
  const canonical = [
    request.method,
    canonicalPath(url.pathname, service),
    canonicalQuery(url),
    lines.join(''),
    names,
    hash,
  ].join('\n')
  const key = [time.slice(0, 8), region, service, 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${secretAccessKey}`,
  )
  const expected = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex')
  return signature === expected ? undefined : `the signature of\n${canonical}`
}

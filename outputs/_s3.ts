/** A bucket by the protocol of S3: whole objects, and objects in parts. */
import { createHash } from 'node:crypto'
import { type HttpResponse, type Io, type Sender, type StoredFile, YarakError } from '../src/plugin.ts'
import type { Aws } from '../src/resources/aws.ts'
import { blocksOf, retried } from './_blocks.ts'
import { inFolder, objectGroups, objectOf, pathOf } from './_objects.ts'
import { sendParts } from './_parts.ts'

export interface Bucket {
  /** Address of the bucket, without a slash at the end. */
  readonly url: string
  readonly region: string
  readonly prefix: string
  /** How an object is named in an artifact. */
  address(key: string): string
  /** Headers of every new object. */
  readonly headers: Readonly<Record<string, string>>
  readonly aws: Pick<Aws, 'sign'>
  /** Default `json`. */
  readonly format?: 'json' | 'ndjson'
}

/**
 * Address of a bucket. It is part of the host's name, where the host is AWS's and its certificate covers the name.
 * @param usual AWS's own, for the region
 */
export const bucketUrl = (bucket: string, endpoint: string | undefined, usual: string): string => {
  const url = new URL(endpoint ?? usual)
  const isAws = endpoint === undefined && /\.amazonaws\.com(\.cn)?$/.test(url.hostname)
  if (isAws && !bucket.includes('.')) return `https://${bucket}.${url.host}`
  return `${url.href.replace(/\/+$/, '')}/${bucket}`
}

/** The least that is sent in parts, and the size of a part: S3 takes 10,000 of them, which is 78 GiB. */
const PART = 8 * 1024 * 1024

/** Milliseconds for telling the store that an upload is given up. */
const GIVE_UP = 5_000

interface Call {
  readonly method: 'PUT' | 'POST' | 'DELETE'
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

type Send = (call: Call, signal: AbortSignal) => Promise<HttpResponse>

/** A bucket whose objects nobody is told of. */
type Place = Omit<Bucket, 'address' | 'format'>

/** Calls of a bucket; what is sent is not compressed, since it is signed. */
const callsOf =
  (bucket: Place, io: Io): Send =>
  async ({ method, key, query, headers, body }, signal) => {
    const url = `${bucket.url}/${pathOf(key)}${query ? `?${String(new URLSearchParams(query))}` : ''}`
    const request = { method, url, template: templateOf(query), ...(headers && { headers }), ...(body && { body }) }
    const signed = await bucket.aws.sign(request, { service: 's3', region: bucket.region })
    return io.http({ ...signed, compression: 'none' }, signal)
  }

interface WholeObject {
  readonly name: string
  readonly contentType: string
  readonly body: string | Uint8Array
}

/** A function that writes an object at once. */
export const objectWriter = (bucket: Place, io: Io) => {
  const send = callsOf(bucket, io)
  return ({ name, contentType, body }: WholeObject, signal: AbortSignal): Promise<HttpResponse> => {
    const headers = { ...bucket.headers, ...checksum(Buffer.from(body)), 'content-type': contentType }
    return send({ method: 'PUT', key: inFolder(bucket.prefix, name), headers, body }, signal)
  }
}

/** The sender of an output that writes into a bucket. */
export const bucketSender = (bucket: Bucket, io: Io): Sender => {
  const send = callsOf(bucket, io)
  const write = objectWriter(bucket, io)
  return {
    send: (notices, signal) =>
      sendParts(objectGroups(notices, bucket.format), (group) => write(objectOf(group, bucket.format), signal)),
    store: (file, chunks, signal) => store(bucket, send, file, chunks, signal),
  }
}

const templateOf = (query: Readonly<Record<string, string>> = {}): string => {
  const names = Object.keys(query)
  return `/{key}${names.length > 0 ? `?${names.join('&')}` : ''}`
}

/** The store computes it too, refuses what came in otherwise, and keeps it with the object. */
const checksum = (bytes: Uint8Array): Readonly<Record<string, string>> => ({ 'x-amz-checksum-sha256': sha256(bytes) })

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64')

const headersOf = (bucket: Bucket, { contentType, metadata }: StoredFile): Record<string, string> => ({
  ...bucket.headers,
  'content-type': contentType ?? 'application/octet-stream',
  ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value])),
})

const store = async (
  bucket: Bucket,
  send: Send,
  file: StoredFile,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ url: string }> => {
  const key = inFolder(bucket.prefix, file.name)
  const headers = headersOf(bucket, file)
  let upload: Upload | undefined
  try {
    for await (const { bytes, last } of blocksOf(chunks, PART)) {
      if (last && !upload) {
        const whole = { method: 'PUT', key, headers: { ...headers, ...checksum(bytes) }, body: bytes } as const
        await retried(signal, () => send(whole, signal))
      } else {
        upload ??= await begin(send, key, headers, signal)
        await upload.add(bytes, signal)
      }
    }
    await upload?.complete(signal)
    return { url: bucket.address(key) }
  } catch (error) {
    await upload?.abort().catch(() => {})
    throw error
  }
}

interface Upload {
  add(bytes: Uint8Array, signal: AbortSignal): Promise<void>
  complete(signal: AbortSignal): Promise<void>
  /** What was sent is thrown away; else it would be kept, and paid for, unseen. */
  abort(): Promise<unknown>
}

interface Part {
  readonly etag: string
  readonly sha256: string
}

const begin = async (
  send: Send,
  key: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Upload> => {
  const first = { ...headers, 'x-amz-checksum-algorithm': 'SHA256' }
  const answer = await retried(signal, () =>
    send({ method: 'POST', key, query: { uploads: '' }, headers: first }, signal),
  )
  const uploadId = answered('UploadId', answer.body)
  const parts: Part[] = []
  return {
    async add(bytes, signal) {
      const query = { partNumber: String(parts.length + 1), uploadId }
      const part = { method: 'PUT', key, query, headers: checksum(bytes), body: bytes } as const
      const { headers } = await retried(signal, () => send(part, signal))
      if (typeof headers.etag !== 'string') throw strange('ETag')
      parts.push({ etag: headers.etag, sha256: sha256(bytes) })
    },
    async complete(signal) {
      const body = partsXml(parts)
      const { body: xml } = await retried(signal, async () =>
        checkedEnd(await send({ method: 'POST', key, query: { uploadId }, headers: XML, body }, signal)),
      )
      answered('CompleteMultipartUploadResult', xml)
    },
    abort: () => send({ method: 'DELETE', key, query: { uploadId } }, AbortSignal.timeout(GIVE_UP)),
  }
}

const XML = { 'content-type': 'application/xml' }

const partsXml = (parts: readonly Part[]): string => {
  const each = parts.map(
    ({ etag, sha256 }, i) =>
      `<Part><ChecksumSHA256>${sha256}</ChecksumSHA256><ETag>${escaped(etag)}</ETag><PartNumber>${i + 1}</PartNumber></Part>`,
  )
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${each.join('')}</CompleteMultipartUpload>`
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** Errors of S3 that are its own, and pass. */
const PASSING = new Set(['InternalError', 'ServiceUnavailable', 'SlowDown'])

/** S3 answers 200 before it puts the parts together, and tells in the body that it could not. */
const checkedEnd = (answer: HttpResponse): HttpResponse => {
  const code = /<Error>[\s\S]*?<Code>([^<]+)<\/Code>/.exec(answer.body)?.[1]
  if (code === undefined) return answer
  throw new YarakError('failed', `the parts of the file were not put together: ${code}`, {
    permanent: !PASSING.has(code),
    reason: code.toLowerCase(),
  })
}

/** What an element of an answer holds. */
const answered = (element: string, xml: string): string => {
  const found = new RegExp(`<${element}[^>]*>([\\s\\S]*?)</${element}>`).exec(xml)?.[1]
  if (found === undefined) throw strange(element)
  return found.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

const strange = (what: string): YarakError =>
  new YarakError('failed', `the store's answer holds no ${what}: does it speak S3?`, { reason: 'bad-answer' })

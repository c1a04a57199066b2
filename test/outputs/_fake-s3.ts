/** A store that speaks S3, as its API reference has it: signatures and checksums are checked, parts are put together. */
import { createHash } from 'node:crypto'
import type { Answer, RecordedRequest } from '../../src/testing.ts'
import { signatureFault, type SignatureParts } from '../aws-signature.ts'

interface Stored {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

interface Upload {
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly parts: Map<number, Stored>
}

const MIB = 1024 * 1024

const digest = (body: string): string => createHash('sha256').update(body).digest('base64')

const fault = (status: number, code: string, message = code): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
})

const xml = (body: string): Answer => ({ body: `<?xml version="1.0" encoding="UTF-8"?>${body}` })

export const createFakeS3 = (parts: Omit<SignatureParts, 'service'>) => {
  const objects = new Map<string, Stored>()
  const uploads = new Map<string, Upload>()
  /** Looked at first: what it gives is the answer. */
  let override: ((request: RecordedRequest) => Answer | 'hang' | Error | undefined) | undefined

  const answer = (request: RecordedRequest): Answer | 'hang' | Error => {
    const given = override?.(request)
    if (given !== undefined) return given
    const wrong = signatureFault(request, { ...parts, service: 's3' })
    if (wrong !== undefined) return fault(403, 'SignatureDoesNotMatch', wrong)
    const { pathname, searchParams } = new URL(request.url)
    const key = decodeURIComponent(pathname.slice(1))
    const id = searchParams.get('uploadId')
    if (request.method === 'POST' && searchParams.has('uploads')) return begin(key, request)
    if (id === null) return put(request, (stored) => void objects.set(key, stored))
    const upload = uploads.get(id)
    if (upload?.key !== key) return fault(404, 'NoSuchUpload')
    if (request.method === 'DELETE') {
      uploads.delete(id)
      return { status: 204 }
    }
    if (request.method === 'POST') return complete(id, upload, request.body)
    return put(request, (stored) => void upload.parts.set(Number(searchParams.get('partNumber')), stored))
  }

  const put = ({ method, body, headers }: RecordedRequest, keep: (stored: Stored) => void): Answer => {
    if (method !== 'PUT') return fault(405, 'MethodNotAllowed')
    if (headers['x-amz-checksum-sha256'] !== digest(body)) return fault(400, 'BadDigest')
    keep({ body, headers })
    return { headers: { etag: `"${createHash('md5').update(body).digest('hex')}"` } }
  }

  const begin = (key: string, { headers }: RecordedRequest): Answer => {
    if (headers['x-amz-checksum-algorithm'] !== 'SHA256') return fault(400, 'InvalidRequest')
    const id = `upload-${uploads.size + 1}/&`
    uploads.set(id, { key, headers, parts: new Map() })
    return xml(
      `<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><Key>${key}</Key>` +
        `<UploadId>${id.replace('&', '&amp;')}</UploadId></InitiateMultipartUploadResult>`,
    )
  }

  const complete = (id: string, { key, headers, parts }: Upload, body: string): Answer => {
    const listed = [
      ...body.matchAll(
        /<Part><ChecksumSHA256>([^<]+)<\/ChecksumSHA256><ETag>([^<]+)<\/ETag><PartNumber>(\d+)<\/PartNumber><\/Part>/g,
      ),
    ]
    const bodies: string[] = []
    for (const [i, [, checksum, etag, number]] of listed.entries()) {
      const part = parts.get(Number(number))
      const md5 = `"${createHash('md5')
        .update(part?.body ?? '')
        .digest('hex')}"`
      if (Number(number) !== i + 1) return fault(400, 'InvalidPartOrder')
      if (!part || digest(part.body) !== checksum || etag !== md5.replaceAll('"', '&quot;')) {
        return fault(400, 'InvalidPart')
      }
      if (i < listed.length - 1 && part.body.length < 5 * MIB) return fault(400, 'EntityTooSmall')
      bodies.push(part.body)
    }
    if (bodies.length !== parts.size) return fault(400, 'InvalidPart')
    uploads.delete(id)
    objects.set(key, { body: bodies.join(''), headers })
    return xml(`<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`)
  }

  return {
    objects,
    uploads,
    answer,
    set override(fn: typeof override) {
      override = fn
    },
  }
}

export { fault as s3Fault }

/** A bucket of Google Cloud Storage by its JSON API: small objects at once, files by resumable uploads. */
import { createHash } from 'node:crypto'
import { type HttpResponse, type Io, type Sender, type StoredFile, YarakError } from '../src/plugin.ts'
import type { Google } from '../src/resources/google.ts'
import { type Block, blocksOf, retried } from './_blocks.ts'
import { inFolder, objectGroups, objectOf } from './_objects.ts'
import { sendParts } from './_parts.ts'

export interface GcsBucket {
  readonly bucket: string
  readonly prefix: string
  /** Without a slash at the end. */
  readonly endpoint: string
  readonly google: Pick<Google, 'authorization'>
  readonly format: 'json' | 'ndjson'
}

/** The pieces of an upload must be multiples of 256 KiB. */
const PIECE = 8 * 1024 * 1024

/** Milliseconds for telling the store that an upload is given up. */
const GIVE_UP = 5_000

const TEMPLATE = '/upload/storage/v1/b/{bucket}/o'

/** The sender of an output that writes into a bucket. */
export const gcsSender = (bucket: GcsBucket, io: Io): Sender => {
  const post = async (
    query: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
    body: string | object,
    signal: AbortSignal,
  ): Promise<HttpResponse> => {
    const url = `${bucket.endpoint}/upload/storage/v1/b/${bucket.bucket}/o?${String(new URLSearchParams(query))}`
    const authorization = await bucket.google.authorization()
    return io.http(
      { url, template: TEMPLATE, headers: { ...headers, authorization }, body, compression: 'none' },
      signal,
    )
  }
  return {
    send: (notices, signal) =>
      sendParts(objectGroups(notices, bucket.format), (group) => {
        const { name, contentType, body } = objectOf(group, bucket.format)
        const query = { uploadType: 'media', name: inFolder(bucket.prefix, name) }
        return post(query, { 'content-type': contentType }, body, signal)
      }),
    async store({ name: short, contentType, metadata }, chunks, signal) {
      const name = inFolder(bucket.prefix, short)
      const about: About = { contentType: contentType ?? 'application/octet-stream', metadata }
      const { headers } = await retried(signal, () => post({ uploadType: 'resumable', name }, {}, about, signal))
      if (typeof headers.location !== 'string') throw strange('no address of the upload')
      await upload(headers.location, chunks, io, signal)
      return { url: `gs://${bucket.bucket}/${name}` }
    },
  }
}

type About = { readonly contentType: string } & Pick<StoredFile, 'metadata'>

const strange = (what: string): YarakError =>
  new YarakError('failed', `the store's answer holds ${what}`, { reason: 'bad-answer' })

/** @param url of the upload: whoever knows it may write, so it is told nowhere */
const upload = async (url: string, chunks: AsyncIterable<Uint8Array>, io: Io, signal: AbortSignal): Promise<void> => {
  const hash = createHash('md5')
  try {
    let done = 0
    for await (const block of blocksOf(chunks, PIECE)) {
      hash.update(block.bytes)
      const md5 = block.last ? hash.digest('base64') : undefined
      const answer = await sendBlock(url, { ...block, start: done, md5 }, io, signal)
      done += block.bytes.length
      if (md5) checkWhole(answer, done, md5)
    }
  } catch (error) {
    await io.http({ method: 'DELETE', url, expect: [204, 499] }, AbortSignal.timeout(GIVE_UP)).catch(() => {})
    throw error
  }
}

interface Progress extends Block {
  /** Bytes of the file before the block. */
  readonly start: number
  /** Of all that was sent, with the last block. */
  readonly md5: string | undefined
}

/** Puts a block; where a try was interrupted, or not all was taken, it goes on where the store is. */
const sendBlock = async (
  url: string,
  { bytes, last, start, md5 }: Progress,
  io: Io,
  signal: AbortSignal,
): Promise<HttpResponse> => {
  const end = start + bytes.length
  const total = last ? String(end) : '*'
  let at = start
  const put = (range: string, body?: Uint8Array): Promise<HttpResponse> => {
    const headers = { 'content-range': `bytes ${range}/${total}`, ...(md5 && { 'x-goog-hash': `md5=${md5}` }) }
    return io.http({ method: 'PUT', url, headers, ...(body && { body }), expect: [200, 201, 308] }, signal)
  }
  const putRest = async (attempt: number): Promise<HttpResponse> => {
    const known = attempt > 1 ? await put('*') : undefined
    if (known) at = takenUpTo(known, start, end)
    if (known && at === end) return known
    return bytes.length === 0 ? put('*') : put(`${at}-${end - 1}`, bytes.subarray(at - start))
  }
  for (;;) {
    const answer = await retried(signal, putRest)
    const taken = takenUpTo(answer, start, end)
    if (taken === end && last === (answer.status !== 308)) return answer
    if (taken <= at) throw strange('no progress of the upload')
    at = taken
  }
}

/** How much of the file the store has. With 308 it has no end yet, and `Range` tells the last byte, if there is one. */
const takenUpTo = ({ status, headers }: HttpResponse, start: number, end: number): number => {
  if (status !== 308) return end
  const to = /^bytes=0-(\d+)$/.exec(String(headers.range ?? ''))?.[1]
  const taken = to === undefined ? 0 : Number(to) + 1
  if (taken < start || taken > end) throw strange('a range that was not sent')
  return taken
}

const checkWhole = ({ body }: HttpResponse, size: number, md5: string): void => {
  const { size: kept, md5Hash } = parsed(body)
  if (kept !== undefined && Number(kept) !== size) throw strange(`${kept} bytes in place of ${size}`)
  if (md5Hash !== undefined && md5Hash !== md5) throw strange('another checksum than that of what was sent')
}

const parsed = (json: string): { size?: string; md5Hash?: string } => {
  try {
    return JSON.parse(json) as object
  } catch {
    return {}
  }
}

/** A container of Azure Blob Storage by its REST API: blobs at once, and blobs in blocks. */
import { createHash, createHmac } from 'node:crypto'
import { type HttpResponse, type Io, type Sender, type StoredFile } from '../src/plugin.ts'
import type { Azure } from '../src/resources/azure.ts'
import { blocksOf, retried } from './_blocks.ts'
import { inFolder, noticeBody, noticeName, pathOf } from './_objects.ts'

export interface BlobContainer {
  readonly account: string
  /** Address of the account's blobs, without a slash at the end. */
  readonly endpoint: string
  readonly container: string
  readonly prefix: string
  /** How it proves who it is. The first that is there. */
  readonly accountKey?: string | undefined
  readonly sasToken?: string | undefined
  readonly azure?: Pick<Azure, 'authorization'> | undefined
}

/** A blob has at most 50,000 blocks, which is 390 GiB. */
const BLOCK = 8 * 1024 * 1024

/** The version of the API, which all requests name. */
const VERSION = '2021-12-02'

const AUDIENCE = 'https://storage.azure.com'

interface Call {
  readonly blob: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

type Put = (call: Call, signal: AbortSignal) => Promise<HttpResponse>

/** The sender of an output that writes into a container. */
export const blobSender = (container: BlobContainer, io: Io): Sender => {
  const put: Put = async ({ blob, query = {}, headers, body }, signal) => {
    const url = new URL(addressOf(container, blob))
    for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value)
    const all = { ...headers, 'x-ms-version': VERSION, 'x-ms-date': new Date().toUTCString(), 'content-md5': md5(body) }
    const authorization = await authorizationFor(container, { url, headers: all, size: body.length })
    for (const [name, value] of new URLSearchParams(container.sasToken)) url.searchParams.append(name, value)
    const template = `/{container}/{blob}${query.comp ? `?comp=${query.comp}` : ''}`
    const request = { method: 'PUT', url: url.href, template, headers: { ...all, authorization }, body }
    return io.http({ ...request, compression: 'none' }, signal)
  }
  return {
    async send(notices, signal) {
      for (const notice of notices) {
        const blob = inFolder(container.prefix, noticeName(notice))
        const headers = { 'content-type': 'application/json', 'x-ms-blob-type': 'BlockBlob' }
        await put({ blob, headers, body: Buffer.from(noticeBody(notice)) }, signal)
      }
    },
    store: (file, chunks, signal) => store(container, put, file, chunks, signal),
  }
}

const addressOf = ({ endpoint, container }: BlobContainer, blob: string): string =>
  `${endpoint}/${container}/${pathOf(blob)}`

/** The service computes it too, and refuses what came in otherwise. */
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('base64')

/** Blocks that are never listed are thrown away by the service after a week: there is nothing to call for it. */
const store = async (
  container: BlobContainer,
  put: Put,
  { name, contentType = 'application/octet-stream', metadata }: StoredFile,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ url: string }> => {
  const blob = inFolder(container.prefix, name)
  const sha256 = createHash('sha256')
  const about = () => metadataHeaders({ ...metadata, sha256: sha256.digest('hex') })
  const ids: string[] = []
  for await (const { bytes, last } of blocksOf(chunks, BLOCK)) {
    sha256.update(bytes)
    if (last && ids.length === 0) {
      const headers = { ...about(), 'content-type': contentType, 'x-ms-blob-type': 'BlockBlob' }
      await retried(signal, () => put({ blob, headers, body: bytes }, signal))
      return { url: addressOf(container, blob) }
    }
    ids.push(blockId(ids.length))
    const query = { comp: 'block', blockid: ids.at(-1) ?? '' }
    const headers = { 'content-type': 'application/octet-stream' }
    await retried(signal, () => put({ blob, query, headers, body: bytes }, signal))
  }
  const headers = { ...about(), 'content-type': 'application/xml', 'x-ms-blob-content-type': contentType }
  await retried(signal, () => put({ blob, query: { comp: 'blocklist' }, headers, body: blockList(ids) }, signal))
  return { url: addressOf(container, blob) }
}

/** All ids of a blob must have one length. */
const blockId = (index: number): string => Buffer.from(String(index).padStart(8, '0')).toString('base64')

const blockList = (ids: readonly string[]): Uint8Array =>
  Buffer.from(
    `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`,
  )

const metadataHeaders = (metadata: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-ms-meta-${name}`, value.trim()]))

interface Signable {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly size: number
}

const authorizationFor = async (container: BlobContainer, request: Signable): Promise<string | undefined> => {
  const { account, accountKey, sasToken, azure } = container
  if (accountKey !== undefined) return `SharedKey ${account}:${sharedKeySignature(account, accountKey, request)}`
  return sasToken === undefined ? azure?.authorization(AUDIENCE) : undefined
}

/** Source: "Authorize with Shared Key" of the REST API of Azure Storage, for versions from 2015-02-21 on. */
const sharedKeySignature = (account: string, key: string, { url, headers, size }: Signable): string => {
  const standard = ['', '', size === 0 ? '' : String(size), headers['content-md5'], headers['content-type']]
  const conditions = ['', '', '', '', '', '']
  const own = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${headers[name]}`)
  const query = [...url.searchParams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}:${value}`)
  const text = ['PUT', ...standard, ...conditions, ...own, [`/${account}${url.pathname}`, ...query].join('\n')]
  return createHmac('sha256', Buffer.from(key, 'base64')).update(text.join('\n')).digest('base64')
}

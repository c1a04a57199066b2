/** Sends documents, and does with each what the server says about it. */
import {
  type FailedItem,
  type HttpRequest,
  type HttpResponse,
  inChunks,
  type Io,
  wholeOrEach,
  YarakError,
} from '../src/plugin.ts'
import { bulkLines, type Doc, fieldIn, without } from './_elastic-document.ts'
import type { ElasticSettings } from './_elastic-settings.ts'
import { refused, sendParts } from './_parts.ts'

/** One request to the server, with its credentials; `path` begins with a slash. */
export type Api = (
  request: Omit<HttpRequest, 'url'> & { readonly path: string },
  signal: AbortSignal,
) => Promise<HttpResponse>

/** Far below the least limit of a request, 10 MiB of the smallest hosted clusters, when there are so many of a usual size. */
export const MAX_DOCS = 500

/** A document that lost a field is sent again; so often at most. */
const MAX_FIELDS = 5

interface Answer {
  readonly status: number
  readonly error?: { readonly type?: string; readonly reason?: string }
}

/**
 * Sends all documents, by `_bulk` or one by one.
 * @throws YarakError with `failed`: 429, 5xx and blocked indexes may be tried again, what else is refused may not
 */
export const sendDocs = async (
  docs: readonly Doc[],
  settings: ElasticSettings,
  api: Api,
  log: Io['log'],
  signal: AbortSignal,
): Promise<void> => {
  const { enabled, batchSize } = settings.batching
  const post = (some: readonly Doc[]) => (enabled ? bulk : single)(some, settings, api, signal)
  const limits = enabled ? { count: MAX_DOCS, size: batchSize } : { count: 1, size: Infinity }
  const parts = inChunks(docs, limits, (doc) => Buffer.byteLength(bulkLines(doc)))
  await sendParts(parts, (part) =>
    wholeOrEach(part, async (some) => {
      const items = some.map((doc, index) => ({ doc, index }))
      const error = refused(await settled(items, post, log, MAX_FIELDS), some.length, 'documents')
      if (error) throw error
    }),
  )
}

interface Item {
  readonly doc: Doc
  /** Its place in the part. */
  readonly index: number
}

type Post = (docs: readonly Doc[]) => Promise<readonly Answer[]>

/** Those that failed in the end. */
const settled = async (items: readonly Item[], post: Post, log: Io['log'], left: number): Promise<FailedItem[]> => {
  const answers = await post(items.map(({ doc }) => doc))
  const failed: FailedItem[] = []
  const again: Item[] = []
  for (const [i, item] of items.entries()) {
    const answer = answers[i] ?? { status: 200 }
    if (isDone(answer)) continue
    const field = answer.status === 400 && left > 0 ? fieldIn(answer.error?.reason ?? '') : undefined
    const smaller = field === undefined ? undefined : without(item.doc, field)
    if (smaller) {
      log.warn('a field does not fit the index and is left out', { field, index: item.doc.index })
      again.push({ ...item, doc: smaller })
    } else failed.push(failureOf(item, answer))
  }
  return again.length > 0 ? [...failed, ...(await settled(again, post, log, left - 1))] : failed
}

/** 409: an earlier try had arrived, though its answer did not. */
const isDone = ({ status }: Answer): boolean => (status >= 200 && status < 300) || status === 409

/** An index is blocked when a disk is full, or while it is moved. */
const mayPass = ({ status, error }: Answer): boolean =>
  status === 429 || status >= 500 || error?.type === 'cluster_block_exception'

const failureOf = ({ index }: Item, answer: Answer): FailedItem => {
  const { type = 'refused', reason = '' } = answer.error ?? {}
  return mayPass(answer)
    ? { index, permanent: false, reason: String(answer.status) }
    : { index, permanent: true, reason: `${answer.status} ${type}: ${reason.slice(0, 200)}` }
}

const query = ({ pipeline }: ElasticSettings): string => (pipeline ? `?pipeline=${encodeURIComponent(pipeline)}` : '')

const bulk = async (docs: readonly Doc[], settings: ElasticSettings, api: Api, signal: AbortSignal) => {
  const request = {
    path: `/_bulk${query(settings)}`,
    template: '/_bulk',
    headers: { 'content-type': 'application/x-ndjson' },
    body: docs.map(bulkLines).join(''),
  }
  return answersOf((await api(request, signal)).body, docs.length)
}

interface BulkAnswer {
  readonly errors?: boolean
  readonly items?: readonly { readonly create?: Answer }[]
}

/** Nothing to tell: all were taken. */
const answersOf = (body: string, count: number): readonly Answer[] => {
  const { errors, items } = read<BulkAnswer>(body)
  if (errors === false) return []
  const answers = items?.flatMap(({ create }) => create ?? []) ?? []
  if (answers.length === count) return answers
  throw new YarakError('failed', 'the answer is not that of _bulk', { reason: 'bad-answer' })
}

const single = async (docs: readonly Doc[], settings: ElasticSettings, api: Api, signal: AbortSignal) => {
  const answers: Answer[] = []
  for (const { index, members } of docs) {
    const request = {
      path: `/${encodeURIComponent(index)}/${settings.type}${query(settings)}`,
      template: `/{index}/${settings.type}`,
      body: members,
      expect: [200, 201, 400],
    }
    const { status, body } = await api(request, signal)
    answers.push({ ...read<Answer>(body), status })
  }
  return answers
}

const read = <T extends object>(body: string): Partial<T> => {
  try {
    return (JSON.parse(body) as Partial<T> | null) ?? {}
  } catch {
    return {}
  }
}

/**
 * A stand-in for Elasticsearch, as strict as it is about what it is sent: the lines of `_bulk`, the names of indexes, the
 * types of fields, documents that exist. Answers as documented for 8.x.
 */
import type { Answer, RecordedRequest } from '../../src/testing.ts'

export interface FakeElastic {
  answer(request: RecordedRequest): Answer
  /** What is indexed, by `<index>/<id>`. */
  readonly docs: Map<string, Record<string, unknown>>
  readonly templates: Map<string, unknown>
}

export interface FakeElasticOptions {
  /** Fields that are mapped as a number already. */
  readonly numbers?: readonly string[]
  /** The statuses of items, first to last; what is not told goes its way. */
  readonly statuses?: readonly (number | undefined)[]
  /** The words of a mapping failure. Default those of 8.x. */
  readonly reason?: (field: string, id: string) => string
  readonly type?: string
}

const reasonOf = (field: string, id: string): string =>
  `[1:218] failed to parse field [output_fields.${field}] of type [long] in document with id '${id}'. ` +
  `Preview of field's value: 'x'`

export const fakeElastic = (options: FakeElasticOptions = {}): FakeElastic => {
  const { numbers = [], reason = reasonOf, type = 'document_parsing_exception' } = options
  const docs = new Map<string, Record<string, unknown>>()
  const templates = new Map<string, unknown>()
  const statuses = [...(options.statuses ?? [])]
  let made = 0

  const index = (name: string, id: string, doc: Record<string, unknown>) => {
    const forced = statuses.shift()
    if (forced) return { status: forced, error: { type: typeOf(forced), reason: `status ${forced}` } }
    const fields = doc.output_fields as Record<string, unknown>
    const bad = numbers.find((field) => field in fields && Number.isNaN(Number(fields[field])))
    if (bad) return { status: 400, error: { type, reason: reason(bad, id) } }
    const key = `${name}/${id}`
    if (docs.has(key)) return { status: 409, error: { type: 'version_conflict_engine_exception', reason: key } }
    docs.set(key, doc)
    return { status: 201 }
  }

  const bulk = (body: string): Answer => {
    if (!body.endsWith('\n')) return { status: 400, body: { error: { reason: 'must be terminated by a newline' } } }
    const lines = body.slice(0, -1).split('\n')
    const items = Array.from({ length: lines.length / 2 }, (_, i) => {
      const { create } = JSON.parse(lines[2 * i] ?? '') as { create: { _index: string; _id: string } }
      if (!/^[a-z][a-z0-9.-]*$/.test(create._index)) throw new Error(`index ${create._index}`)
      return { create: index(create._index, create._id, JSON.parse(lines[2 * i + 1] ?? '') as never) }
    })
    return { body: { took: 1, errors: items.some(({ create }) => create.status >= 300), items } }
  }

  return {
    docs,
    templates,
    answer({ method, url, body }) {
      const [first, second = ''] = new URL(url).pathname.slice(1).split('/')
      if (first === '_bulk') return bulk(body)
      if (first === '_index_template') {
        if (method === 'GET') return { status: templates.has(second) ? 200 : 404 }
        templates.set(second, JSON.parse(body))
        return {}
      }
      const { status, error } = index(first ?? '', `auto${made++}`, JSON.parse(body) as never)
      return { status, body: error ? { error, status } : { result: 'created' } }
    },
  }
}

const typeOf = (status: number): string =>
  status === 403 ? 'cluster_block_exception' : 'es_rejected_execution_exception'

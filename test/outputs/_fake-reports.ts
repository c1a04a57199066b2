/** A cluster that keeps objects by their path, as strict about versions as the real one. */
import { apiError } from '../../src/resources/_kube-errors.ts'
import { parseApiPath } from '../../src/resources/_kube-path.ts'
import type { RawRequest } from '../../src/resources/kubernetes.ts'
import { testIo } from '../../src/testing.ts'

type Kept = Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string }
}

const REASONS: Readonly<Record<number, string>> = { 404: 'NotFound', 409: 'Conflict', 403: 'Forbidden', 503: 'Busy' }

export interface FakeReports {
  readonly objects: Map<string, Kept>
  readonly requests: RawRequest[]
  /** Statuses to answer with before any other; a function may change what is kept meanwhile. */
  before: ((request: RawRequest) => number | undefined) | undefined
  readonly io: ReturnType<typeof testIo>
}

/** @param namespaces those that there are */
export const fakeReports = (...namespaces: readonly string[]): FakeReports => {
  const objects = new Map<string, Kept>()
  const requests: RawRequest[] = []
  let version = 0

  const refuse = ({ method, path }: RawRequest, status: number, reason = REASONS[status], message = 'no'): never => {
    const details = { name: 'x' }
    throw apiError({
      ...{ method, status, path: parseApiPath(path) },
      body: JSON.stringify({ kind: 'Status', reason, message, details }),
    })
  }
  const keep = (path: string, body: unknown): Kept => {
    const given = structuredClone(body) as Kept
    const kept = { ...given, metadata: { ...given.metadata, resourceVersion: String(++version) } }
    objects.set(path, kept)
    return kept
  }
  const create = (request: RawRequest): Kept => {
    const { namespace } = parseApiPath(request.path)
    if (namespace !== undefined && !namespaces.includes(namespace)) refuse(request, 404)
    const path = `${request.path}/${(request.body as Kept).metadata.name}`
    return objects.has(path) ? refuse(request, 409, 'AlreadyExists') : keep(path, request.body)
  }
  const replace = (request: RawRequest): Kept => {
    const there = objects.get(request.path) ?? refuse(request, 404)
    const given = (request.body as Kept).metadata.resourceVersion
    return given === there.metadata.resourceVersion ? keep(request.path, request.body) : refuse(request, 409)
  }
  const fake: FakeReports = { objects, requests, before: undefined, io: undefined as never }
  const send = async (request: RawRequest): Promise<Kept> => {
    requests.push(request)
    const status = fake.before?.(request)
    if (status) return refuse(request, status, undefined, status === 403 ? 'it is being terminated' : 'no')
    if (request.method === 'POST') return create(request)
    if (request.method === 'PUT') return replace(request)
    const there = objects.get(request.path) ?? refuse(request, 404)
    if (request.method === 'GET') return structuredClone(there)
    return keep(request.path, { ...there, ...(request.body as object) })
  }
  const io = testIo({ resources: { kubernetes: { namespace: 'yarak', as: () => ({ send }) } } })
  return Object.assign(fake, { io })
}

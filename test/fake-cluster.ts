/**
 * An API server of Kubernetes in this process: the few routes that the actions use, over real HTTP, as strict about the
 * documented wire format as the real one where a client can be wrong without noticing.
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { kubeconfigFor, TOKEN } from './fake-kubeconfig.ts'
import { ephemeralOf, isSelected, merged, withEphemeral } from './fake-cluster-pods.ts'
import { checkEvent, discovery, jsonPatched, replaced, scaled } from './fake-cluster-kinds.ts'

export { kubeconfigFor, TOKEN }

/** What of an object the tests and the routes look at. */
export interface KubeObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly ownerReferences?: readonly unknown[]
    readonly managedFields?: readonly { readonly manager: string; readonly operation: string }[]
  }
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

/** A body as sent: an object, a part of one, or the options of a delete. */
export type Body = Partial<KubeObject> & {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun?: readonly string[]
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: string
  readonly deleteOptions?: Omit<Body, 'deleteOptions'>
}

/** One request as it came. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Body | undefined
}

/** An answer instead of the usual one; undefined: the usual one. */
export type Override = (
  request: Seen,
) => { status: number; body: unknown; headers?: Record<string, string> } | 'hang' | 'cut' | undefined

export interface FakeCluster {
  readonly url: string
  /** Path of a kubeconfig file for it. */
  readonly kubeconfig: string
  readonly requests: Seen[]
  /** How many connections were made so far. */
  readonly connections: number
  add(kind: Kind, object: KubeObject): KubeObject
  get(kind: Kind, namespace: string, name: string): KubeObject | undefined
  /** Set to answer otherwise. */
  override: Override | undefined
  /** Set to take over connections, e.g. for exec. */
  upgrade: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | undefined
  close(): Promise<void>
}

const KINDS = {
  Pod: { root: '/api/v1', plural: 'pods', group: '' },
  Node: { root: '/api/v1', plural: 'nodes', group: '' },
  ReplicaSet: { root: '/apis/apps/v1', plural: 'replicasets', group: 'apps' },
  StatefulSet: { root: '/apis/apps/v1', plural: 'statefulsets', group: 'apps' },
  DaemonSet: { root: '/apis/apps/v1', plural: 'daemonsets', group: 'apps' },
  Job: { root: '/apis/batch/v1', plural: 'jobs', group: 'batch' },
  Deployment: { root: '/apis/apps/v1', plural: 'deployments', group: 'apps' },
  Namespace: { root: '/api/v1', plural: 'namespaces', group: '' },
  ConfigMap: { root: '/api/v1', plural: 'configmaps', group: '' },
  Secret: { root: '/api/v1', plural: 'secrets', group: '' },
  ClusterRole: {
    root: '/apis/rbac.authorization.k8s.io/v1',
    plural: 'clusterroles',
    group: 'rbac.authorization.k8s.io',
  },
  Event: { root: '/apis/events.k8s.io/v1', plural: 'events', group: 'events.k8s.io' },
  Capture: { root: '/apis/retina.sh/v1alpha1', plural: 'captures', group: 'retina.sh' },
  Lease: { root: '/apis/coordination.k8s.io/v1', plural: 'leases', group: 'coordination.k8s.io' },
  NetworkPolicy: { root: '/apis/networking.k8s.io/v1', plural: 'networkpolicies', group: 'networking.k8s.io' },
  Service: { root: '/api/v1', plural: 'services', group: '' },
  ServiceAccount: { root: '/api/v1', plural: 'serviceaccounts', group: '' },
  CalicoPolicy: { root: '/apis/projectcalico.org/v3', plural: 'networkpolicies', group: 'projectcalico.org' },
  CiliumNetworkPolicy: { root: '/apis/cilium.io/v2', plural: 'ciliumnetworkpolicies', group: 'cilium.io' },
} as const

export type Kind = keyof typeof KINDS

/** A `Status` with everything the real server fills in. */
export const status = (code: number, reason: string, message: string, details?: object) => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code },
})

type Answer = { status: number; body: unknown; headers?: Record<string, string> }

class ApiError extends Error {
  readonly answer: Answer
  constructor(answer: Answer) {
    super(JSON.stringify(answer.body))
    this.answer = answer
  }
}

const refuse = (...args: Parameters<typeof status>): never => {
  throw new ApiError(status(...args))
}

/** Starts one on a free port of the loopback. `basePath`: below which it serves, as a gateway to many clusters does. */
export const fakeCluster = async ({ basePath = '' } = {}): Promise<FakeCluster> => {
  const store = versioned()
  const requests: Seen[] = []
  const server = createServer((request, response) => void serve(request, response))
  let connections = 0
  server.on('connection', () => connections++)
  server.on('upgrade', (request, socket, head) => {
    if (cluster.upgrade) cluster.upgrade(request, socket, head)
    else socket.destroy()
  })
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const seen = await read(request, basePath)
    requests.push(seen)
    const given = cluster.override?.(seen)
    if (given === 'hang') return
    if (given === 'cut') return void response.destroy()
    const answer = given ?? answerTo(seen, store)
    const isJson = typeof answer.body !== 'string'
    response.writeHead(answer.status, { 'content-type': isJson ? 'application/json' : 'text/plain', ...answer.headers })
    response.end(isJson ? JSON.stringify(answer.body) : (answer.body as string))
  }
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${basePath}`
  const dir = await mkdtemp(join(tmpdir(), 'yarak-cluster-'))
  const kubeconfig = join(dir, 'config')
  await writeFile(kubeconfig, kubeconfigFor(url))
  const cluster: FakeCluster = {
    url,
    kubeconfig,
    requests,
    get connections() {
      return connections
    },
    override: undefined,
    upgrade: undefined,
    add(kind, object) {
      store.set(keyOf(kind, object.metadata.namespace ?? '', object.metadata.name), { kind, ...object })
      return object
    },
    get: (kind, namespace, name) => store.get(keyOf(kind, namespace, name)),
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      await rm(dir, { recursive: true })
    },
  }
  return cluster
}

/** A map of objects in which every write gives the object another version. */
const versioned = (): Map<string, KubeObject> => {
  const store = new Map<string, KubeObject>()
  const set = store.set.bind(store)
  let last = 0
  store.set = (key, { metadata, ...object }) =>
    set(key, { ...object, metadata: { ...metadata, resourceVersion: String(++last) } })
  return store
}

/** A write that names a version is of that one only. */
const checkVersion = (given: string | undefined, before: KubeObject | undefined, { kind, name }: At): void => {
  if (given === undefined || given === before?.metadata.resourceVersion) return
  const why = 'the object has been modified; please apply your changes to the latest version and try again'
  const { plural } = KINDS[kind]
  refuse(409, 'Conflict', `Operation cannot be fulfilled on ${plural} "${name}": ${why}`, { name, kind: plural })
}

const keyOf = (kind: Kind, namespace: string, name: string): string => `${kind}/${namespace}/${name}`

const read = async (request: IncomingMessage, basePath: string): Promise<Seen> => {
  const url = new URL(request.url ?? '/', 'http://fake')
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return {
    method: request.method ?? '',
    path: url.pathname.startsWith(basePath) ? url.pathname.slice(basePath.length) : url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: request.headers as Record<string, string>,
    body: text ? (JSON.parse(text) as Body) : undefined,
  }
}

const answerTo = (seen: Seen, store: Map<string, KubeObject>): Answer => {
  try {
    if (seen.headers.authorization !== `Bearer ${TOKEN}`) refuse(401, 'Unauthorized', 'Unauthorized')
    checkQuery(seen)
    return { status: 200, body: route(seen, store) }
  } catch (error) {
    if (error instanceof ApiError) return error.answer
    throw error
  }
}

const checkQuery = ({ query }: Seen): void => {
  if (query.dryRun !== undefined && query.dryRun !== 'All') {
    refuse(422, 'Invalid', `dryRun: Unsupported value: "${query.dryRun}": supported values: "All"`)
  }
}

const route = (seen: Seen, store: Map<string, KubeObject>): unknown => {
  const eviction = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/eviction$/.exec(seen.path)
  if (eviction && seen.method === 'POST') {
    return evict(seen, store, { kind: 'Pod', namespace: eviction[1] ?? '', name: eviction[2] ?? '' })
  }
  const pod = ephemeralOf(seen)
  if (pod) return addEphemeral(seen, store, pod)
  const served = seen.method === 'GET' ? discovery(seen.path, KINDS) : undefined
  if (served) return served
  for (const [kind, { root, plural }] of Object.entries(KINDS)) {
    if (!seen.path.startsWith(`${root}/`)) continue
    const rest = seen.path.slice(root.length)
    const match = new RegExp(`^(?:/namespaces/([^/]+))?/${plural}(?:/([^/]+)(/scale)?)?$`).exec(rest)
    if (!match) continue
    const [, namespace = '', name, subresource] = match
    const at = { kind: kind as Kind, namespace: decodeURIComponent(namespace), name: decodeURIComponent(name ?? '') }
    if (subresource) return scale(seen, store, at)
    if (seen.method === 'POST') return create(seen, store, at)
    if (seen.method === 'GET') return at.name ? found(store, at) : list(seen, store, at)
    if (seen.method === 'PATCH') return patch(seen, store, at)
    if (seen.method === 'PUT') return replace(seen, store, at)
    if (seen.method === 'DELETE') return remove(seen, store, at)
  }
  return refuse(404, 'NotFound', 'the server could not find the requested resource', {})
}

interface At {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
}

const found = (store: Map<string, KubeObject>, { kind, namespace, name }: At): KubeObject => {
  const { plural, group } = KINDS[kind]
  return (
    store.get(keyOf(kind, namespace, name)) ??
    refuse(404, 'NotFound', `${plural}${group && `.${group}`} "${name}" not found`, { name, group, kind: plural })
  )
}

/** The fields that the real server selects by, of those that are asked for. */
const FIELDS: Readonly<Record<string, (one: KubeObject) => unknown>> = {
  'Pod spec.nodeName': ({ spec }) => spec?.nodeName,
  'Pod spec.serviceAccountName': ({ spec }) => spec?.serviceAccountName ?? 'default',
  'Secret type': (one) => (one as { type?: string }).type,
}

const list = ({ query }: Seen, store: Map<string, KubeObject>, { kind, namespace }: At): unknown => {
  const [, field = '', wanted] = /^([\w.]+)=(.+)$/.exec(query.fieldSelector ?? '') ?? []
  const fieldOf = FIELDS[`${kind} ${field}`]
  if (query.fieldSelector && !fieldOf) refuse(400, 'BadRequest', `field label not supported: ${query.fieldSelector}`)
  const all = [...store.values()]
    .filter((one) => one.kind === kind && (!namespace || one.metadata.namespace === namespace))
    .filter((one) => !fieldOf || fieldOf(one) === wanted)
    .filter((one) => isSelected(one, query.labelSelector))
  const start = Number(query.continue ?? 0)
  const end = start + Number(query.limit ?? all.length)
  return {
    kind: `${kind}List`,
    apiVersion: 'v1',
    metadata: { resourceVersion: '1', ...(end < all.length && { continue: String(end) }) },
    // As the real server: the items of a list carry neither kind nor apiVersion.
    items: all.slice(start, end).map(({ kind: _kind, apiVersion: _version, ...item }) => item),
  }
}

const scale = (seen: Seen, store: Map<string, KubeObject>, at: At): unknown => {
  const { scale, after } = scaled(seen, found(store, at), refuse)
  store.set(keyOf(at.kind, at.namespace, at.name), after)
  return scale
}

const create = ({ query, body }: Seen, store: Map<string, KubeObject>, at: At): KubeObject => {
  const { plural, group } = KINDS[at.kind]
  const name = body?.metadata?.name ?? refuse(422, 'Invalid', 'metadata.name: Required value')
  if (at.kind === 'Event') checkEvent(body as Record<string, unknown>, at.namespace, refuse)
  const key = keyOf(at.kind, at.namespace, name)
  if (store.has(key)) {
    refuse(409, 'AlreadyExists', `${plural}.${group} "${name}" already exists`, { name, group, kind: plural })
  }
  const made = { ...body, metadata: { ...body?.metadata, name, namespace: at.namespace, uid: key } }
  if (query.dryRun === undefined) store.set(key, made)
  return store.get(key) ?? made
}

const replace = (seen: Seen, store: Map<string, KubeObject>, at: At): KubeObject => {
  const before = found(store, at)
  const after = replaced(seen, before, refuse)
  if (seen.query.dryRun !== undefined) return after
  store.set(keyOf(at.kind, at.namespace, at.name), after)
  return found(store, at)
}

const addEphemeral = (seen: Seen, store: Map<string, KubeObject>, at: { namespace: string; name: string }) => {
  const after = withEphemeral(seen, found(store, { kind: 'Pod', ...at }), refuse)
  if (seen.query.dryRun === undefined) store.set(keyOf('Pod', at.namespace, at.name), after)
  return after
}

const MERGES = new Set(['application/merge-patch+json', 'application/strategic-merge-patch+json'])

const patch = (seen: Seen, store: Map<string, KubeObject>, at: At): KubeObject => {
  const type = seen.headers['content-type'] ?? ''
  if (type === 'application/apply-patch+yaml') return apply(seen, store, at)
  const isJson = type === 'application/json-patch+json'
  // The server knows no schema of a custom resource that a strategic patch could go by.
  const isKnown = isJson || (MERGES.has(type) && !(at.kind === 'Capture' && type.includes('strategic')))
  if (!isKnown) return refuse(415, 'UnsupportedMediaType', `the body of the request was in an unknown format`)
  const before = found(store, at)
  checkVersion(seen.body?.metadata?.resourceVersion, before, at)
  const after = isJson ? jsonPatched(before, seen.body, refuse) : (merged(before, seen.body) as KubeObject)
  const { uid } = after.metadata
  if (uid !== before.metadata.uid) {
    const message = `metadata.uid: Invalid value: "${uid}": field is immutable`
    refuse(422, 'Invalid', message, {
      name: at.name,
      causes: [{ reason: 'FieldValueInvalid', message, field: 'metadata.uid' }],
    })
  }
  if (seen.query.dryRun === undefined) store.set(keyOf(at.kind, at.namespace, at.name), after)
  return after
}

/** Server-side apply, with one manager per object: another's object is a conflict unless forced. */
const apply = ({ query, body }: Seen, store: Map<string, KubeObject>, at: At): KubeObject => {
  const manager = query.fieldManager
  if (!manager) return refuse(422, 'Invalid', 'fieldManager: Required value: is required for apply patch')
  if (!body?.apiVersion || body.kind !== at.kind || body.metadata?.name !== at.name) {
    return refuse(400, 'BadRequest', 'the body must name apiVersion, kind and the name in the URL')
  }
  if (body.metadata.managedFields) refuse(400, 'BadRequest', 'metadata.managedFields must be nil')
  const before = store.get(keyOf(at.kind, at.namespace, at.name))
  const owner = before?.metadata.managedFields?.[0]?.manager
  if (before && owner !== manager && query.force !== 'true') {
    const message = `Apply failed with 1 conflict: conflict with "${owner ?? 'unknown'}": .spec.egress`
    refuse(409, 'Conflict', message, { causes: [{ reason: 'FieldManagerConflict', message, field: '.spec.egress' }] })
  }
  checkVersion(body.metadata.resourceVersion, before, at)
  const managedFields = [{ manager, operation: 'Apply' }]
  const uid = before?.metadata.uid ?? keyOf(at.kind, at.namespace, at.name)
  const after = { ...body, metadata: { ...body.metadata, namespace: at.namespace, uid, managedFields } }
  if (query.dryRun === undefined) store.set(keyOf(at.kind, at.namespace, at.name), after)
  return after
}

/** The body must be an Eviction of the pod in the URL; the pod is then deleted under its `deleteOptions`. */
const evict = (seen: Seen, store: Map<string, KubeObject>, at: At): unknown => {
  const { body, query } = seen
  if (body?.apiVersion !== 'policy/v1' || body.kind !== 'Eviction') refuse(400, 'BadRequest', 'not an Eviction')
  if (body?.metadata?.name !== at.name) refuse(400, 'BadRequest', 'name in URL does not match name in Eviction object')
  const options = { ...body?.deleteOptions, ...(query.dryRun && { dryRun: [query.dryRun] }) }
  remove({ ...seen, query: {}, body: options }, store, at)
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }
}

/** Options are read from the body when there is one, and only then not from the query: so the real server does. */
const remove = ({ query, body }: Seen, store: Map<string, KubeObject>, at: At): KubeObject => {
  const before = found(store, at)
  const options: Body = body ?? { ...(query.dryRun && { dryRun: [query.dryRun] }) }
  const uid = options.preconditions?.uid
  if (uid !== undefined && uid !== before.metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${before.metadata.uid}). The object might have been deleted and then recreated`
    refuse(409, 'Conflict', `Operation cannot be fulfilled on ${KINDS[at.kind].plural} "${at.name}": ${why}`, {
      name: at.name,
      kind: KINDS[at.kind].plural,
    })
  }
  checkVersion(options.preconditions?.resourceVersion, before, at)
  if (!options.dryRun?.includes('All')) store.delete(keyOf(at.kind, at.namespace, at.name))
  return before
}

/** Parts of the in-process API server that stand alone: discovery, the scale subresource, Events, JSON Patch. */
import type { Body, KubeObject, Seen, status } from './fake-cluster.ts'

type Refuse = (...args: Parameters<typeof status>) => never

interface Described {
  readonly root: string
  readonly plural: string
}

const OF_THE_CLUSTER = new Set(['Node', 'Namespace', 'ClusterRole'])

/** What a group and version serves; undefined when the path is of none. */
export const discovery = (path: string, kinds: Readonly<Record<string, Described>>): unknown => {
  const resources = Object.entries(kinds)
    .filter(([, { root }]) => root === path)
    .flatMap(([kind, { plural }]) => [
      { name: `${plural}/status`, kind, namespaced: !OF_THE_CLUSTER.has(kind) },
      { name: plural, kind, namespaced: !OF_THE_CLUSTER.has(kind) },
    ])
  return resources.length > 0 ? { kind: 'APIResourceList', groupVersion: path.slice(1), resources } : undefined
}

/** The scale of a workload; a uid in the body that is not the workload's is a conflict, as with the real one. */
export const scaled = (seen: Seen, workload: KubeObject, refuse: Refuse): { scale: unknown; after: KubeObject } => {
  const { name, namespace, uid } = workload.metadata
  const scaleOf = (replicas: unknown) => ({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name, namespace, uid },
    spec: { replicas },
  })
  if (seen.method === 'GET') return { scale: scaleOf(workload.spec?.replicas), after: workload }
  if (seen.headers['content-type'] !== 'application/merge-patch+json') refuse(415, 'UnsupportedMediaType', 'unknown')
  const wanted = seen.body?.metadata?.uid
  if (wanted !== undefined && wanted !== uid) {
    const why = `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${uid}`
    refuse(409, 'Conflict', `Operation cannot be fulfilled on ${workload.kind} "${name}": ${why}`, { name })
  }
  const { replicas } = seen.body?.spec ?? {}
  if (seen.query.dryRun !== undefined) return { scale: scaleOf(replicas), after: workload }
  return { scale: scaleOf(replicas), after: { ...workload, spec: { ...workload.spec, replicas } } }
}

/** An object instead of the one that is there: under its uid, and the version of it that was read. */
export const replaced = ({ body }: Seen, before: KubeObject, refuse: Refuse): KubeObject => {
  const { name, uid, resourceVersion } = before.metadata as KubeObject['metadata'] & { resourceVersion?: string }
  const given = (body?.metadata ?? {}) as Partial<KubeObject['metadata']> & { resourceVersion?: string }
  if (given.name !== name) refuse(400, 'BadRequest', 'the name of the object does not match the name on the URL')
  if (given.resourceVersion !== resourceVersion || (given.uid !== undefined && given.uid !== uid)) {
    refuse(409, 'Conflict', `Operation cannot be fulfilled on "${name}": the object has been modified`, { name })
  }
  return { ...body, metadata: { ...given, name, uid } }
}

/** What `events.k8s.io/v1` asks of a new Event. */
export const checkEvent = (event: Record<string, unknown>, namespace: string, refuse: Refuse): void => {
  const invalid = (field: string): never => refuse(422, 'Invalid', `${field}: Invalid value`, { causes: [{ field }] })
  const short = (field: string): boolean => {
    const text = event[field]
    return typeof text === 'string' && text.length > 0 && text.length <= 128
  }
  for (const field of ['reason', 'action', 'reportingInstance']) if (!short(field)) invalid(field)
  if (!/^[a-z0-9.-]+\/[A-Za-z0-9_.-]+$/.test(String(event.reportingController))) invalid('reportingController')
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(event.eventTime))) invalid('eventTime')
  if (!['Normal', 'Warning'].includes(String(event.type))) invalid('type')
  if (Buffer.byteLength(String(event.note)) > 1024) invalid('note')
  if ((event.regarding as { namespace?: string } | undefined)?.namespace !== namespace)
    invalid('involvedObject.namespace')
}

interface Operation {
  readonly op: string
  readonly path: string
  readonly value?: unknown
}

/** JSON Patch, RFC 6902: `add`, `replace`, `remove`, `test`. */
export const jsonPatched = (target: KubeObject, body: Body | undefined, refuse: Refuse): KubeObject => {
  if (!Array.isArray(body)) refuse(400, 'BadRequest', 'cannot unmarshal object into Go value of type jsonpatch.Patch')
  const result = structuredClone(target)
  for (const { op, path, value } of body as unknown as readonly Operation[]) {
    const keys = path
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = keys.pop() ?? ''
    const parent = keys.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], result)
    if (typeof parent !== 'object' || parent === null) refuse(422, 'Invalid', 'the server rejected our request')
    const members = parent as Record<string, unknown>
    if (op !== 'add' && members[last] === undefined) refuse(422, 'Invalid', 'the server rejected our request')
    if (op === 'test' && members[last] !== value) refuse(422, 'Invalid', 'testing value failed')
    if (op === 'remove') delete members[last]
    if (op === 'add' || op === 'replace') members[last] = value
  }
  return result
}

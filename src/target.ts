/** What an event is about, read from its fields and their variants. Pure: the live thing is looked up by an action. */
import type { FalcoEvent } from './event.ts'

/** The target of an event, as far as its fields tell. Names are what the event claims, not yet verified. */
export interface Target {
  /**
   * Serialises responses: `pod/<namespace>/<name>`, `container/<id>`, `node/<name>`, of the audit log also
   * `<resource>[/<namespace>]/<name>`; undefined: about nothing known.
   */
  readonly key: string | undefined
  readonly namespace?: string
  readonly pod?: string
  readonly podUid?: string
  /** The first 12 characters, without the runtime's prefix. `host` is never a container. */
  readonly container?: string
  /** The event is about a process of the node itself. */
  readonly host?: boolean
  /** `hostname` of the event; a node's name only if such a node exists. */
  readonly node?: string
  /** What an event of the Kubernetes audit log is about: the plural of its resource, pods too, e.g. `secrets`. */
  readonly resource?: string
  /** Its name. */
  readonly name?: string
  /** Its API group, `core` for that without a name, where the event tells it by the path of the request. */
  readonly group?: string
  /** Fields that should tell the same and do not, e.g. `k8s.pod.uid and k8smeta.pod.uid`: nothing is to be destroyed. */
  readonly disagreement?: string
}

/** The fields that name a thing, most trusted first. */
const FIELDS = {
  podUid: ['k8s.pod.uid', 'k8smeta.pod.uid', 'k8s.pod.id'],
  pod: ['k8s.pod.name', 'k8smeta.pod.name'],
  namespace: ['k8s.ns.name', 'k8smeta.ns.name'],
  container: ['container.id', 'container.full_id'],
  node: ['k8s.node.name', 'k8smeta.node.name'],
  auditResource: ['ka.target.resource'],
} as const

/** `<NA>` and `N/A` are Falco's ways to say that a field has no value. */
const ABSENT = new Set(['', '<NA>', 'N/A', 'null'])

const text = (event: FalcoEvent, names: readonly string[]): string | undefined => {
  for (const name of names) {
    const value = event.field(name)
    if (typeof value === 'string' && !ABSENT.has(value)) return value
  }
  return undefined
}

/** Pairs of fields that tell the same thing, each of another source; and how to compare them. */
const TWICE: readonly (readonly [string, string, (value: string) => string])[] = [
  ['k8s.pod.uid', 'k8smeta.pod.uid', String],
  ['k8s.pod.name', 'k8smeta.pod.name', String],
  ['k8s.ns.name', 'k8smeta.ns.name', String],
  ['container.id', 'container.full_id', (id) => shortId(id)],
]

const disagreementIn = (event: FalcoEvent): string | undefined => {
  for (const [one, other, same] of TWICE) {
    const second = text(event, [other])
    const first = second === undefined ? undefined : text(event, [one])
    if (second !== undefined && first !== undefined && same(first) !== same(second)) return `${one} and ${other}`
  }
  return undefined
}

/** The first 12 characters of a container's id. */
const shortId = (id: string): string => id.replace(/^[a-z-]+:\/\//, '').slice(0, 12)

/**
 * The target of an event.
 * @example targetOf(event).key // 'pod/default/web-1'
 */
export const targetOf = (event: FalcoEvent): Target => {
  const resource = text(event, FIELDS.auditResource)
  // Also a subresource such as `exec` is about the pod.
  const audit = resource === 'pods'
  const pod = text(event, audit ? [...FIELDS.pod, 'ka.target.pod.name', 'ka.target.name', 'ka.resp.name'] : FIELDS.pod)
  const namespace = text(event, audit ? [...FIELDS.namespace, 'ka.target.namespace'] : FIELDS.namespace)
  const podUid = text(event, FIELDS.podUid)
  const claimed = text(event, FIELDS.container)
  const host = claimed === 'host'
  const container = claimed && !host ? shortId(claimed) : undefined
  const node = text(event, FIELDS.node) ?? event.hostname
  const target: Draft = {
    key: keyOf({ pod, namespace, container, host, node }),
  }
  if (namespace) target.namespace = namespace
  if (pod) target.pod = pod
  if (podUid) target.podUid = podUid
  if (container) target.container = container
  if (host) target.host = host
  if (node) target.node = node
  if (resource) addAudited(target, resource, event)
  const disagreement = disagreementIn(event)
  if (disagreement) target.disagreement = disagreement
  return Object.freeze(target)
}

type Draft = { -readonly [name in keyof Target]: Target[name] }

const addAudited = (target: Draft, resource: string, event: FalcoEvent): void => {
  const name = text(event, ['ka.target.name', 'ka.resp.name'])
  const namespace = target.namespace ?? text(event, ['ka.target.namespace'])
  const [path, group = 'core'] = /^\/(?:api|apis\/([^/?]+))\//.exec(text(event, ['ka.uri']) ?? '') ?? []
  target.resource = resource
  if (name) target.name = name
  if (namespace) target.namespace = namespace
  if (path) target.group = group
  if (name) target.key ??= resource === 'nodes' ? `node/${name}` : [resource, namespace, name].filter(Boolean).join('/')
}

const keyOf = (parts: Record<'pod' | 'namespace' | 'container' | 'node', string | undefined> & { host: boolean }) => {
  if (parts.pod && parts.namespace) return `pod/${parts.namespace}/${parts.pod}`
  if (parts.container) return `container/${parts.container}`
  return parts.host && parts.node ? `node/${parts.node}` : undefined
}

/** Parts of the in-process API server about pods: selection by labels, ephemeral containers. */
import type { KubeObject, Seen, status } from './fake-cluster.ts'

type Refuse = (...args: Parameters<typeof status>) => never

/** Selectors of the form `key=value`. */
export const isSelected = ({ metadata }: KubeObject, selector = ''): boolean =>
  selector
    .split(',')
    .filter(Boolean)
    .every((one) => {
      const [key = '', value] = one.split('=')
      const found = metadata.labels?.[key]
      return value === undefined ? found !== undefined : found === value
    })

/** The pod whose ephemeral containers a request is about. */
export const ephemeralOf = ({ path }: Seen): { namespace: string; name: string } | undefined => {
  const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/ephemeralcontainers$/.exec(path) ?? []
  return namespace && name ? { namespace, name } : undefined
}

interface Container {
  readonly name: string
  readonly image?: string
}

const containersOf = (pod: Pick<KubeObject, 'spec'> | undefined): readonly Container[] =>
  (pod?.spec?.ephemeralContainers as readonly Container[] | undefined) ?? []

/**
 * The pod with the containers of a strategic merge patch, and with them running, as a kubelet has them; an image that
 * has `never` in its name cannot be had, and one that has `ends` ends with the code in its tag.
 */
export const withEphemeral = (seen: Seen, pod: KubeObject, refuse: Refuse): KubeObject => {
  if (seen.method !== 'PATCH') return refuse(405, 'MethodNotAllowed', 'only patch is played')
  if (seen.headers['content-type'] !== 'application/strategic-merge-patch+json') {
    return refuse(415, 'UnsupportedMediaType', 'the body of the request was in an unknown format')
  }
  const { uid } = seen.body?.metadata ?? {}
  if (uid !== undefined && uid !== pod.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`
    refuse(409, 'Conflict', `Operation cannot be fulfilled on pods "${pod.metadata.name}": ${why}`)
  }
  const fresh = containersOf(seen.body)
  const before = containersOf(pod)
  if (fresh.some(({ name }) => before.some((one) => one.name === name))) {
    refuse(422, 'Invalid', 'existing ephemeral containers may not be changed')
  }
  const statuses = (pod.status?.ephemeralContainerStatuses as readonly unknown[] | undefined) ?? []
  return {
    ...pod,
    spec: { ...pod.spec, ephemeralContainers: [...before, ...fresh] },
    status: { ...pod.status, ephemeralContainerStatuses: [...statuses, ...fresh.map(played)] },
  }
}

const played = ({ name, image = '' }: Container) => {
  const [, code] = /ends:(\d+)/.exec(image) ?? []
  if (code !== undefined) return { name, state: { terminated: { exitCode: Number(code), reason: 'Completed' } } }
  if (image.includes('never')) return { name, state: { waiting: { reason: 'ImagePullBackOff', message: 'no such' } } }
  return { name, state: { running: { startedAt: '2026-01-31T12:00:00Z' } } }
}

/** JSON Merge Patch, RFC 7396. */
export const merged = (target: unknown, change: unknown): unknown => {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return change
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}

/** The workload that keeps a pod running, as the thing that is acted on: its kind, name, uid and path. */
import { type PolicyRule, YarakError } from '../../plugin.ts'
import { apiPath, type Clients } from '../../resources/kubernetes.ts'
import type { PodSubject } from './resolve.ts'

/** Kinds of the group `apps`. */
const PLURALS = {
  Deployment: 'deployments',
  ReplicaSet: 'replicasets',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
} as const

export type ControllerKind = keyof typeof PLURALS

export interface Controller {
  readonly kind: ControllerKind
  readonly name: string
  readonly uid: string
  /** Of the object in the API. */
  readonly path: string
  /** For summaries: `deployment shop/web`. */
  readonly id: string
}

/** What {@link controllerOf} reads; the other kinds are named in the pod itself. */
export const controllerPermissions: readonly PolicyRule[] = [
  { apiGroups: ['apps'], resources: ['replicasets'], verbs: ['get'] },
]

/** The resources of some kinds, for permissions. */
export const resourcesOf = (kinds: readonly ControllerKind[], subresource = ''): string[] =>
  kinds.map((kind) => `${PLURALS[kind]}${subresource && `/${subresource}`}`)

/**
 * The workload of a pod, if it is one of `kinds`: of a ReplicaSet that a Deployment made, the Deployment.
 * @throws YarakError `refused` with the reason `no-workload` or `owner-gone`
 */
export const controllerOf = async (
  { apps }: Clients,
  pod: PodSubject,
  kinds: readonly ControllerKind[],
): Promise<Controller> => {
  const { namespace } = pod
  const owner = pod.owners?.[0]
  const set =
    owner?.kind === 'ReplicaSet'
      ? await unlessOwnerGone(apps.readNamespacedReplicaSet({ namespace, name: owner.name }))
      : undefined
  const above = set?.metadata?.ownerReferences?.find(({ controller }) => controller)
  const { kind, name, uid } = above ?? owner ?? { kind: 'none', name: '' }
  if (!isOneOf(kinds, kind) || !uid) {
    const what = owner ? `its workload is a ${kind}` : 'no workload keeps it running'
    throw refused('no-workload', `pod ${namespace}/${pod.name}: ${what}, not a ${kinds.join(', ')}`)
  }
  const path = apiPath('apps/v1', 'namespaces', namespace, PLURALS[kind], name)
  return { kind, name, uid, path, id: `${kind.toLowerCase()} ${namespace}/${name}` }
}

const isOneOf = (kinds: readonly ControllerKind[], kind: string): kind is ControllerKind =>
  (kinds as readonly string[]).includes(kind)

const refused = (reason: string, message: string): YarakError =>
  new YarakError('refused', message, { permanent: true, reason })

/** A workload that is gone while its pod lives must not pass for a pod that is gone, which is a success. */
export const unlessOwnerGone = async <T>(answer: Promise<T>): Promise<T> => {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof YarakError) || error.code !== 'gone') throw error
    throw refused('owner-gone', `${error.message}: the workload of the pod is not there any more`)
  }
}

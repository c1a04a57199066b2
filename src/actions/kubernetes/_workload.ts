/** The workload that a pod belongs to: how many of it are ready, and which labels select it. */
import type { V1LabelSelector } from '@kubernetes/client-node'
import { type PolicyRule, YarakError } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import type { PodSubject } from './resolve.ts'

/** What is asked of a workload. */
export interface Workload {
  readonly kind: string
  readonly name: string
  /** Undefined when the kind has none of its own. */
  readonly selector?: V1LabelSelector | undefined
  /** Undefined when the kind does not count. */
  readonly replicas?: { readonly desired: number; readonly ready: number }
}

export const workloadPermissions: readonly PolicyRule[] = [
  { apiGroups: ['apps'], resources: ['replicasets', 'statefulsets', 'daemonsets'], verbs: ['get'] },
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get'] },
]

type Place = { readonly namespace: string; readonly name: string }
type Read = (clients: Clients, place: Place) => Promise<Workload>

const READ: Readonly<Record<string, Read>> = {
  async ReplicaSet({ apps }, place) {
    const { metadata, spec, status } = await apps.readNamespacedReplicaSet(place)
    const deployment = metadata?.ownerReferences?.find(({ controller, kind }) => controller && kind === 'Deployment')
    return {
      kind: deployment ? 'Deployment' : 'ReplicaSet',
      name: deployment?.name ?? place.name,
      selector: spec?.selector,
      replicas: { desired: spec?.replicas ?? 1, ready: status?.readyReplicas ?? 0 },
    }
  },
  async StatefulSet({ apps }, place) {
    const { spec, status } = await apps.readNamespacedStatefulSet(place)
    const replicas = { desired: spec?.replicas ?? 1, ready: status?.readyReplicas ?? 0 }
    return { kind: 'StatefulSet', name: place.name, selector: spec?.selector, replicas }
  },
  async DaemonSet({ apps }, place) {
    const { spec } = await apps.readNamespacedDaemonSet(place)
    return { kind: 'DaemonSet', name: place.name, selector: spec?.selector }
  },
  async Job({ batch }, place) {
    const { spec } = await batch.readNamespacedJob(place)
    return { kind: 'Job', name: place.name, selector: spec?.selector }
  },
}

/** The kind of a pod's controller; undefined for a pod of its own. A static pod's is `Node`. */
export const controllerKind = ({ owners }: PodSubject): string | undefined => owners?.[0]?.kind

/**
 * The workload of a pod: of a ReplicaSet that a Deployment made, the Deployment, whose name outlives a rollout. A pod of
 * its own, or of a kind not known here, is its own workload.
 * @throws YarakError `refused` with the reason `owner-gone` when the owner does not exist any more
 */
export const workloadOf = async (clients: Clients, pod: PodSubject): Promise<Workload> => {
  const owner = pod.owners?.[0]
  const read = owner && READ[owner.kind]
  if (!owner || !read) return { kind: 'Pod', name: pod.name }
  try {
    return await read(clients, { namespace: pod.namespace, name: owner.name })
  } catch (error) {
    if (!(error instanceof YarakError) || error.code !== 'gone') throw error
    // `gone` would say that the pod is gone, and pass for a success.
    throw new YarakError(
      'refused',
      `${owner.kind} ${pod.namespace}/${owner.name}, which owns the pod, does not exist`,
      {
        permanent: true,
        reason: 'owner-gone',
      },
    )
  }
}

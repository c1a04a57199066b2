/** Which pods an action that ends them leaves alone: the parameters that Falco Talon has for it. */
import { type PolicyRule, YarakError, z } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import type { PodSubject } from './resolve.ts'
import { controllerKind, type Workload, workloadOf } from './_workload.ts'

/** Seconds a pod has to stop. */
export const gracePeriod = z
  .int()
  .nonnegative()
  .optional()
  .describe('Seconds the pod has to stop by itself; 0 kills it at once. Default: what the pod itself declares.')

export const sparing = {
  ignore_daemonsets: z.boolean().default(false).describe('Leave pods of DaemonSets alone. Default false.'),
  ignore_statefulsets: z.boolean().default(false).describe('Leave pods of StatefulSets alone. Default false.'),
  ignore_standalone_pods: z
    .boolean()
    .default(false)
    .describe('Leave pods that no controller would replace alone. Default false.'),
  min_healthy_replicas: z
    .union([
      z.int().nonnegative(),
      z.string().regex(/^(\d+|(\d{1,2}|100)%)$/, 'must be a number of pods such as 2, or a share such as 33%'),
    ])
    .optional()
    .describe(
      'How many replicas of the ReplicaSet or StatefulSet must be ready, the pod included: a number, or a share of those wanted such as `33%`. Default: not asked.',
    ),
}

export interface Sparing {
  readonly ignore_daemonsets: boolean
  readonly ignore_statefulsets: boolean
  readonly ignore_standalone_pods: boolean
  readonly min_healthy_replicas?: string | number | undefined
}

export const sparingPermissions = ({ min_healthy_replicas }: Sparing): readonly PolicyRule[] =>
  min_healthy_replicas === undefined
    ? []
    : [{ apiGroups: ['apps'], resources: ['replicasets', 'statefulsets'], verbs: ['get'] }]

/** Why a pod is left alone. */
export interface Spared {
  readonly reason: string
  readonly message: string
}

/**
 * @throws YarakError `refused` with the reason `static-pod`, `daemonset`, `statefulset`, `standalone` or
 * `min-healthy-replicas` when the pod is to be left alone
 */
export const checkSpared = async (settings: Sparing, pod: PodSubject, clients: Clients): Promise<void> => {
  const spared = sparedByKind(settings, pod) ?? (await sparedByHealth(settings, pod, clients))
  if (spared) throw new YarakError('refused', spared.message, { permanent: true, reason: spared.reason })
}

export const sparedByKind = (settings: Sparing, pod: PodSubject): Spared | undefined => {
  const kind = controllerKind(pod)
  const id = `pod ${pod.namespace}/${pod.name}`
  if (kind === 'Node') return { reason: 'static-pod', message: `${id} is a static pod: only its node can stop it` }
  if (kind === 'DaemonSet' && settings.ignore_daemonsets) {
    return { reason: 'daemonset', message: `${id} is of a DaemonSet, which ignore_daemonsets leaves alone` }
  }
  if (kind === 'StatefulSet' && settings.ignore_statefulsets) {
    return { reason: 'statefulset', message: `${id} is of a StatefulSet, which ignore_statefulsets leaves alone` }
  }
  if (kind === undefined && settings.ignore_standalone_pods) {
    return {
      reason: 'standalone',
      message: `${id} has no controller, and ignore_standalone_pods leaves such pods alone`,
    }
  }
  return undefined
}

/** Of these, `min_healthy_replicas` is asked. */
export const countsReplicas = (pod: PodSubject): boolean =>
  ['ReplicaSet', 'StatefulSet'].includes(controllerKind(pod) ?? '')

const sparedByHealth = async (
  { min_healthy_replicas: wanted }: Sparing,
  pod: PodSubject,
  clients: Clients,
): Promise<Spared | undefined> =>
  wanted === undefined || !countsReplicas(pod) ? undefined : tooFewReady(wanted, await workloadOf(clients, pod))

/** Undefined when enough replicas are ready, or the workload does not count them. */
export const tooFewReady = (
  wanted: string | number,
  { kind, name, replicas }: Pick<Workload, 'kind' | 'name' | 'replicas'>,
): Spared | undefined => {
  if (!replicas) return undefined
  const needed = neededReplicas(wanted, replicas.desired)
  if (replicas.ready >= needed) return undefined
  return {
    reason: 'min-healthy-replicas',
    message: `${kind} ${name} has ${replicas.ready} of ${replicas.desired} replicas ready; min_healthy_replicas ${wanted} asks for ${needed}`,
  }
}

/** How many replicas a number or a share asks for; a share is of the replicas wanted and is rounded up. */
export const neededReplicas = (wanted: string | number, desired: number): number => {
  const text = String(wanted)
  return text.endsWith('%') ? Math.ceil((desired * Number(text.slice(0, -1))) / 100) : Number(text)
}

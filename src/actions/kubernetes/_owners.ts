/** The workloads above a pod: its controller, the controller of that, and so on as far as they are known here. */
import { type PolicyRule, type Subject, YarakError } from '../../plugin.ts'
import { apiPath, type Clients } from '../../resources/kubernetes.ts'
import { type Metadata, type Owner, ownerOf } from './_subject.ts'

type Place = { readonly namespace: string; readonly name: string }

/** The kinds that are read, each with where and how. */
const KNOWN = {
  ReplicaSet: { version: 'apps/v1', plural: 'replicasets', read: ({ apps }, at) => apps.readNamespacedReplicaSet(at) },
  Deployment: { version: 'apps/v1', plural: 'deployments', read: ({ apps }, at) => apps.readNamespacedDeployment(at) },
  StatefulSet: {
    ...{ version: 'apps/v1', plural: 'statefulsets' },
    read: ({ apps }, at) => apps.readNamespacedStatefulSet(at),
  },
  DaemonSet: { version: 'apps/v1', plural: 'daemonsets', read: ({ apps }, at) => apps.readNamespacedDaemonSet(at) },
  Job: { version: 'batch/v1', plural: 'jobs', read: ({ batch }, at) => batch.readNamespacedJob(at) },
} as const satisfies Readonly<
  Record<string, { version: string; plural: string; read(clients: Clients, at: Place): Promise<Live> }>
>

/** What looking at the workloads above a pod needs. Without it a pod's owners are what the pod itself says. */
export const ownerPermissions: readonly PolicyRule[] = [
  { apiGroups: ['apps'], resources: ['replicasets', 'deployments', 'statefulsets', 'daemonsets'], verbs: ['get'] },
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get'] },
]

/** What is looked at of a workload. */
export interface Live {
  readonly metadata?: Metadata
  readonly spec?: object
  readonly status?: object
}

export type WorkloadKind = keyof typeof KNOWN

const isKnown = (kind: string): kind is WorkloadKind => Object.hasOwn(KNOWN, kind)

/** Its resource, e.g. `deployments`. */
export const pluralOf = (kind: WorkloadKind): string => KNOWN[kind].plural

/** Where a workload is in the API. */
export const pathOf = (kind: WorkloadKind, namespace: string, name: string): string =>
  apiPath(KNOWN[kind].version, 'namespaces', namespace, pluralOf(kind), name)

/**
 * A workload as it is now; undefined for a kind that is not known here.
 * @throws YarakError `gone` also when it was replaced by another of the same name
 */
export const readOwner = async (clients: Clients, namespace: string, owner: Owner): Promise<Live | undefined> => {
  const { kind, name, uid } = owner
  if (!isKnown(kind)) return undefined
  const live: Live = await KNOWN[kind].read(clients, { namespace, name })
  if (live.metadata?.uid === uid) return live
  throw new YarakError('gone', `${kind} ${namespace}/${name} was replaced`, { reason: 'changed' })
}

/** The one that manages an object. */
export const controllerIn = ({ metadata }: Live): Owner | undefined =>
  metadata?.ownerReferences?.find(({ controller }) => controller)

const COUNTING = ['Deployment', 'ReplicaSet', 'StatefulSet']

/** How many there are of a workload; undefined for a kind that does not count. */
export const replicasOf = (kind: string, { spec, status }: Live): Subject['replicas'] => {
  const { replicas = 1 } = (spec ?? {}) as { replicas?: number }
  const { readyReplicas = 0 } = (status ?? {}) as { readyReplicas?: number }
  return COUNTING.includes(kind) ? { desired: replicas, ready: readyReplicas } : undefined
}

/** Adds to a pod the owners above its controller, and how many replicas of its workload there are. */
export type Climb = (pod: Subject) => Promise<Subject>

/** A loop of owners has no top. */
const HIGHEST = 5

/**
 * Climbs from pods to the workloads above them, each of which it reads once. Where the account may not read one it says
 * so in `incomplete`; one that is gone has none above it. The replicas are those of the highest that counts them.
 */
export const climber = (clients: Clients): Climb => {
  const known = new Map<string, ReturnType<typeof orUnreadable>>()
  const look = (namespace: string, owner: Owner) => {
    const key = [owner.kind, namespace, owner.name, owner.uid].join('/')
    const found = known.get(key) ?? orUnreadable(readOwner(clients, namespace, owner))
    known.set(key, found)
    return found
  }
  return async (pod) => {
    const { namespace, owners: [first, ...others] = [] } = pod
    if (namespace === undefined || first === undefined) return pod
    const owners: Owner[] = []
    const more: { replicas?: NonNullable<Subject['replicas']>; incomplete?: string } = {}
    for (let next: Owner | undefined = first; next && owners.length < HIGHEST;) {
      owners.push(ownerOf(next))
      const live: Live | string | undefined = await look(namespace, next)
      if (typeof live === 'string') more.incomplete = live
      const replicas = typeof live === 'object' && replicasOf(next.kind, live)
      if (replicas) more.replicas = replicas
      next = typeof live === 'object' ? controllerIn(live) : undefined
    }
    return { ...pod, owners: [...owners, ...others], ...more }
  }
}

/** Why it may not be read; undefined when it is gone. */
const orUnreadable = async (answer: Promise<Live | undefined>): Promise<Live | string | undefined> => {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof YarakError)) throw error
    if (error.code === 'gone') return undefined
    if (error.reason === 'forbidden') return error.message
    throw error
  }
}

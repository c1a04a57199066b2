/** The workload that keeps a pod running, as the thing that is acted on: as it is now, and its path. */
import { type Subject, YarakError } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import { refused } from './_identity.ts'
import { controllerIn, type Live, pathOf, pluralOf, readOwner, replicasOf, type WorkloadKind } from './_owners.ts'
import type { PodSubject } from './resolve.ts'
import { type Owner, subjectFrom } from './_subject.ts'

export type ControllerKind = Exclude<WorkloadKind, 'Job'>

export interface Controller {
  readonly kind: ControllerKind
  readonly name: string
  readonly uid: string
  /** Of the object in the API. */
  readonly path: string
  /** For summaries: `deployment shop/web`. */
  readonly id: string
  /** For the guard to judge. */
  readonly subject: Subject
}

/** The resources of some kinds, for permissions. */
export const resourcesOf = (kinds: readonly ControllerKind[], subresource = ''): string[] =>
  kinds.map((kind) => `${pluralOf(kind)}${subresource && `/${subresource}`}`)

/**
 * The workload of a pod, if it is one of `kinds`: of a ReplicaSet that a Deployment made, the Deployment.
 * @throws YarakError `refused` with the reason `no-workload` or `owner-gone`
 */
export const controllerOf = async (
  clients: Clients,
  pod: PodSubject,
  kinds: readonly ControllerKind[],
): Promise<Controller> => {
  const { namespace } = pod
  const first = pod.owners?.[0]
  const read = (owner: Owner) => unlessOwnerGone(readOwner(clients, namespace, owner))
  const set = first?.kind === 'ReplicaSet' ? await read(first) : undefined
  const owner = (set && controllerIn(set)) ?? first
  if (!owner || !isOneOf(kinds, owner.kind)) {
    const what = owner ? `its workload is a ${owner.kind}` : 'no workload keeps it running'
    throw refused('no-workload', `pod ${namespace}/${pod.name}: ${what}, not a ${kinds.join(', ')}`)
  }
  const { name } = owner
  const kind: ControllerKind = owner.kind
  const live = (owner === first ? set : undefined) ?? (await read(owner)) ?? {}
  const path = pathOf(kind, namespace, name)
  const id = `${kind.toLowerCase()} ${namespace}/${name}`
  return { kind, name, uid: live.metadata?.uid ?? '', path, id, subject: subjectOfWorkload(kind, live) }
}

const subjectOfWorkload = (kind: ControllerKind, live: Live): Subject => {
  const replicas = replicasOf(kind, live)
  return { ...subjectFrom(kind, live.metadata ?? {}), ...(replicas && { replicas }) }
}

/** For what takes no replica away. */
export const withoutReplicas = ({ replicas: _, ...subject }: Subject): Subject => subject

const isOneOf = (kinds: readonly ControllerKind[], kind: string): kind is ControllerKind =>
  (kinds as readonly string[]).includes(kind)

/** A workload that is gone while its pod lives must not pass for a pod that is gone, which is a success. */
export const unlessOwnerGone = async <T>(answer: Promise<T>): Promise<T> => {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof YarakError) || error.code !== 'gone') throw error
    throw refused('owner-gone', `${error.message}: the workload of the pod is not there any more`)
  }
}

/** Whether a live pod is the one that an event is about. */
import type { V1Pod } from '@kubernetes/client-node'
import { type FalcoEvent, type Target, YarakError } from '../../plugin.ts'
import { isName } from './_names.ts'

export const refused = (reason: string, message: string): YarakError =>
  new YarakError('refused', message, { permanent: true, reason })

/** The first 12 characters of the id of a container, as container runtimes of Kubernetes give them. */
export const isContainerId = (id: string): boolean => /^[0-9a-f]{12}$/.test(id)

/**
 * Of a static pod the runtime knows the uid that the kubelet has made of its manifest; its mirror in the API has another,
 * and that one as an annotation.
 * @see https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-hash
 */
export const isUid = ({ metadata }: V1Pod, uid: string): boolean =>
  metadata?.uid === uid || metadata?.annotations?.['kubernetes.io/config.hash'] === uid

/**
 * Also a container's previous run counts: a process that was killed for its deed is still of this pod. The API does not
 * tell the id of a pod's sandbox; Calico notes it on the pod.
 */
export const hasContainer = ({ metadata, status }: V1Pod, id: string): boolean =>
  [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ]
    .flatMap(({ containerID, state, lastState }) => [
      containerID,
      state?.terminated?.containerID,
      lastState?.terminated?.containerID,
    ])
    .concat(metadata?.annotations?.['cni.projectcalico.org/containerID'])
    .some((full) => full?.replace(/^[^:]*:\/\//, '').startsWith(id))

interface Claim {
  readonly target: Target
  readonly event: FalcoEvent | undefined
  podsOn(node: string): Promise<readonly V1Pod[]>
}

/**
 * @throws YarakError `refused` with the reason `changed` when something that the event tells is not so of the pod, or
 * `no-uid`
 */
export const unlessOther = async (pod: V1Pod, claim: Claim): Promise<void> => {
  const { namespace, pod: name, podUid, container } = claim.target
  const { metadata = {} } = pod
  const id = `pod ${metadata.namespace}/${metadata.name}`
  if (!metadata.uid) throw refused('no-uid', 'the API server gives the pod no uid, so it cannot be told from another')
  if (podUid !== undefined && !isUid(pod, podUid)) {
    throw refused('changed', `${id} is not the one of the event: its uid is another`)
  }
  if ((namespace ?? metadata.namespace) !== metadata.namespace || (name ?? metadata.name) !== metadata.name) {
    throw refused('changed', `${id} has the uid or the container of the event, which names another pod`)
  }
  if (container === undefined || !isContainerId(container) || hasContainer(pod, container)) return
  await unlessContainerOfOther(pod, container, claim)
}

/**
 * A pod does not list its sandbox, the runs before the last, nor what has just begun. So a container that it does not
 * list is its own if no pod of its node, or of the node of the event, lists it; and, where no uid proves the pod, if the
 * pod was there before the event.
 */
const unlessContainerOfOther = async (pod: V1Pod, container: string, { target, event, podsOn }: Claim) => {
  const { metadata = {}, spec } = pod
  const id = `pod ${metadata.namespace}/${metadata.name}`
  const { creationTimestamp: created } = metadata
  if (target.podUid === undefined && event && created && created.getTime() > Date.parse(event.time)) {
    throw refused('changed', `${id} was made after the event, and does not have its container`)
  }
  for (const node of new Set([spec?.nodeName, target.node])) {
    if (node === undefined || !isName(node)) continue
    const owner = (await podsOn(node)).find((one) => hasContainer(one, container))
    if (!owner) continue
    throw refused('changed', `the container of the event is not of ${id} but of another pod`)
  }
}

/** The pod of a step, looked at once more: many requests carry no uid. */
import type { V1Pod } from '@kubernetes/client-node'
import { YarakError } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import type { PodSubject } from './resolve.ts'

/**
 * The pod as it is now.
 * @throws YarakError `gone` when it is not there, or another has its name
 */
export const readPod = async ({ core }: Clients, { namespace, name, uid }: PodSubject): Promise<V1Pod> => {
  const pod = await core.readNamespacedPod({ namespace, name })
  if (pod.metadata?.uid === uid) return pod
  throw new YarakError('gone', `pod ${namespace}/${name} is not the one that it was`, { reason: 'changed' })
}

/** @throws YarakError `failed` with the reason `not-scheduled` */
export const nodeNameOf = ({ metadata, spec }: V1Pod): string => {
  if (spec?.nodeName) return spec.nodeName
  throw new YarakError('failed', `pod ${metadata?.namespace}/${metadata?.name} has no node yet`, {
    reason: 'not-scheduled',
  })
}

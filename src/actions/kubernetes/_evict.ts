/** The Eviction API: a deletion that disruption budgets may refuse. */
import type { PolicyRule, Step } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import type { PodSubject } from './resolve.ts'

export const evictPermissions: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] },
]

/**
 * Asks for the eviction of exactly this pod: the uid goes along.
 * @throws YarakError with the reason `too-many-requests`, to be tried again, while a disruption budget forbids it
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
export const evictPod = async (
  { core }: Clients,
  { namespace, name, uid }: PodSubject,
  { dryRun, grace }: Pick<Step, 'dryRun'> & { readonly grace: number | undefined },
): Promise<void> => {
  await core.createNamespacedPodEviction({
    ...{ namespace, name },
    ...(dryRun && { dryRun: 'All' }),
    body: {
      ...{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } },
      deleteOptions: { preconditions: { uid }, ...(grace !== undefined && { gracePeriodSeconds: grace }) },
    },
  })
}

import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { evictPermissions, evictPod } from './_evict.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'
import { checkSpared, gracePeriod, sparing, sparingPermissions } from './_sparing.ts'

/**
 * Evicts the pod of the event: deletes it unless a PodDisruptionBudget forbids it. A pod that is gone already is a
 * success. Takes the parameters of `kubernetes:terminate`.
 * @example evict({ ignore_statefulsets: true })
 */
export const evict = defineAction({
  type: 'kubernetes:evict',
  summary: 'Deletes the pod of the event as far as disruption budgets allow it.',
  notes: [
    'While a PodDisruptionBudget forbids it the step fails and may be tried again: give it `retries`.',
    'The eviction carries the uid of the pod that was looked up: a pod that has taken its name is not touched.',
  ].join('\n'),
  config: z.strictObject({ grace_period_seconds: gracePeriod, ...sparing }),
  changes: 'destructive',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: (settings) => [...podPermissions, ...evictPermissions, ...sparingPermissions(settings)],
  example: { ignore_statefulsets: true, min_healthy_replicas: '33%' },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    await checkSpared(settings, pod, clients)
    await evictPod(clients, pod, { dryRun: step.dryRun, grace: settings.grace_period_seconds })
    const { namespace, name } = pod
    return {
      summary: `${step.dryRun ? 'would evict' : 'evicted'} pod ${namespace}/${name}`,
      objects: { pod: name, namespace },
    }
  },
})

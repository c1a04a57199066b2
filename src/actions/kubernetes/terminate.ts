import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'
import { checkSpared, gracePeriod, sparing, sparingPermissions } from './_sparing.ts'

const params = z.strictObject({ grace_period_seconds: gracePeriod, ...sparing })

/**
 * Deletes the pod of the event. A pod that is gone already is a success; one that only has the same name is not touched.
 * Parameters are named as Falco Talon names them.
 * @example terminate({ grace_period_seconds: 5, ignore_daemonsets: true })
 */
export const terminate = defineAction({
  type: 'kubernetes:terminate',
  summary: 'Deletes the pod of the event; a controller then starts a fresh one.',
  notes: [
    'The deletion carries the uid of the pod that was looked up: a pod that has taken its name is not touched.',
    'The pod is found by its uid, its namespace and name, or a container id; what the event tells besides must agree with the live pod, else the step is refused as `changed`. A pod that was made after the event, and does not have its container, is another one.',
    'The API does not list the ids of sandboxes: an event that names only that of a sandbox finds its pod where Calico has noted it (`cni.projectcalico.org/containerID`).',
    'A static pod cannot be terminated by the API and is refused: its node starts it again unchanged.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: (settings) => [
    ...podPermissions,
    { apiGroups: [''], resources: ['pods'], verbs: ['delete'] },
    ...sparingPermissions(settings),
  ],
  example: { grace_period_seconds: 5, ignore_daemonsets: true, min_healthy_replicas: '33%' },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    await checkSpared(settings, pod, clients)
    const { namespace, name, uid } = pod
    await clients.core.deleteNamespacedPod({
      namespace,
      name,
      // The API server ignores the query, a dryRun there too, when a delete has a body.
      body: {
        preconditions: { uid },
        gracePeriodSeconds: settings.grace_period_seconds,
        ...(step.dryRun && { dryRun: ['All'] }),
      },
    })
    return {
      summary: `${step.dryRun ? 'would terminate' : 'terminated'} pod ${namespace}/${name}`,
      objects: { pod: name, namespace },
    }
  },
})

import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import {
  controllerOf,
  controllerPermissions,
  type ControllerKind,
  resourcesOf,
  unlessOwnerGone,
} from './_controller.ts'
import { sendPatch } from './_patch.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'

const KINDS: readonly ControllerKind[] = ['Deployment', 'StatefulSet', 'ReplicaSet']

const params = z.strictObject({
  replicas: z.int().nonnegative().describe('How many pods the workload is to have; 0 takes it out of service.'),
})

/** What is looked at of an `autoscaling/v1 Scale`. */
interface Scale {
  readonly spec?: { readonly replicas?: number }
}

/**
 * Sets the number of replicas of the workload of the pod of the event.
 * @example scale({ replicas: 0 })
 */
export const scale = defineAction({
  type: 'kubernetes:scale',
  summary: 'Sets the number of replicas of the workload that the pod of the event belongs to.',
  notes: [
    'The workload is the Deployment, the StatefulSet, or a ReplicaSet of its own; for other kinds the step is refused.',
    'The summary says how many replicas there were. The scale is changed only on the workload with the uid that the pod names as its owner.',
    'A HorizontalPodAutoscaler changes the number back, except from 0, at which it rests.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: [
    ...podPermissions,
    ...controllerPermissions,
    { apiGroups: ['apps'], resources: resourcesOf(KINDS, 'scale'), verbs: ['get', 'patch'] },
  ],
  example: { replicas: 0 },
  async run({ replicas }, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const { path: ofWorkload, id, uid, kind, name } = await controllerOf(clients, pod, KINDS)
    const path = `${ofWorkload}/scale`
    const before = (await unlessOwnerGone(clients.send({ method: 'GET', path }))) as Scale
    const body = { metadata: { uid }, spec: { replicas } }
    await unlessOwnerGone(sendPatch(clients, step, { path, type: 'merge', body }))
    return {
      summary: `${step.dryRun ? 'would scale' : 'scaled'} ${id} from ${before.spec?.replicas ?? 0} to ${replicas}`,
      objects: { pod: pod.name, namespace: pod.namespace, [kind.toLowerCase()]: name },
    }
  },
})

import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { controllerOf, type ControllerKind, resourcesOf, unlessOwnerGone, withoutReplicas } from './_controller.ts'
import { sendPatch } from './_patch.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'
import { type Lens, setNoted, ttl, undoValues } from './_undo.ts'

const KINDS: readonly ControllerKind[] = ['Deployment', 'StatefulSet', 'ReplicaSet']

const params = z.strictObject({
  replicas: z.int().nonnegative().describe('How many pods the workload is to have; 0 takes it out of service.'),
  ttl,
})

/** How many replicas a workload has. */
const LENS: Lens = {
  read: ({ spec }) => ({ replicas: (spec as Scale['spec'])?.replicas ?? 1 }),
  patch: ({ replicas }) => ({ spec: { replicas } }),
}

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
    'The guard judges the pod and the workload. To it, fewer replicas than now are the loss of all of them.',
    'The summary says how many replicas there were. The scale is changed only on the workload with the uid that the pod names as its owner.',
    'With `ttl` it can be undone: the number of before is noted on the workload itself, which takes the permission to patch it and not just its scale. A number that somebody else has set meanwhile is then left alone.',
    'A HorizontalPodAutoscaler changes the number back, except from 0, at which it rests.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: ({ ttl: time }) => [
    ...podPermissions,
    ...(time === undefined ? [] : [{ apiGroups: ['apps'], resources: resourcesOf(KINDS), verbs: ['get', 'patch'] }]),
    {
      apiGroups: ['apps'],
      resources: resourcesOf(KINDS, 'scale'),
      verbs: time === undefined ? ['get', 'patch'] : ['get'],
    },
  ],
  undo: {
    in: kubernetes,
    on: resourcesOf(KINDS).map((resource) => ({ apiVersion: 'apps/v1', resource })),
    run: undoValues(() => LENS),
  },
  example: { replicas: 0 },
  async run({ replicas, ttl: time }, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const { path: ofWorkload, id, uid, kind, name, subject } = await controllerOf(clients, pod, KINDS)
    const path = `${ofWorkload}/scale`
    const before = (await unlessOwnerGone(clients.send({ method: 'GET', path }))) as Scale
    await step.judge(replicas < (before.spec?.replicas ?? 0) ? subject : withoutReplicas(subject))
    const body = { metadata: { uid }, spec: { replicas } }
    const change = { action: 'kubernetes:scale', path: ofWorkload, uid, lens: LENS, values: { replicas }, ttl: time }
    await unlessOwnerGone<unknown>(
      time === undefined ? sendPatch(clients, step, { path, type: 'merge', body }) : setNoted(clients, step, change),
    )
    return {
      summary: `${step.dryRun ? 'would scale' : 'scaled'} ${id} from ${before.spec?.replicas ?? 0} to ${replicas}`,
      objects: { pod: pod.name, namespace: pod.namespace, [kind.toLowerCase()]: name },
    }
  },
})

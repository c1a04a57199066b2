import { defineAction, type Result, YarakError, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'
import { controllerKind, type Workload, workloadOf } from './_workload.ts'

const params = z.strictObject({
  grace_period_seconds: z
    .int()
    .nonnegative()
    .optional()
    .describe('Seconds the pod has to stop by itself; 0 kills it at once. Default: what the pod itself declares.'),
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
})

type Params = z.output<typeof params>

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
    'A static pod cannot be terminated by the API and is refused: its node starts it again unchanged.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: ({ min_healthy_replicas }) => [
    ...podPermissions,
    { apiGroups: [''], resources: ['pods'], verbs: ['delete'] },
    ...(min_healthy_replicas === undefined
      ? []
      : [{ apiGroups: ['apps'], resources: ['replicasets', 'statefulsets'], verbs: ['get'] }]),
  ],
  example: { grace_period_seconds: 5, ignore_daemonsets: true, min_healthy_replicas: '33%' },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    checkKind(settings, pod)
    const clients = (await step.use(kubernetes)).as(step)
    if (countsReplicas(pod) && settings.min_healthy_replicas !== undefined) {
      checkHealthy(settings.min_healthy_replicas, await workloadOf(clients, pod))
    }
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

const leftAlone = (reason: string, message: string): YarakError =>
  new YarakError('refused', message, { permanent: true, reason })

const checkKind = (settings: Params, pod: PodSubject): void => {
  const kind = controllerKind(pod)
  const id = `pod ${pod.namespace}/${pod.name}`
  if (kind === 'Node') throw leftAlone('static-pod', `${id} is a static pod: only its node can stop it`)
  if (kind === 'DaemonSet' && settings.ignore_daemonsets) {
    throw leftAlone('daemonset', `${id} is of a DaemonSet, which ignore_daemonsets leaves alone`)
  }
  if (kind === 'StatefulSet' && settings.ignore_statefulsets) {
    throw leftAlone('statefulset', `${id} is of a StatefulSet, which ignore_statefulsets leaves alone`)
  }
  if (kind === undefined && settings.ignore_standalone_pods) {
    throw leftAlone('standalone', `${id} has no controller, and ignore_standalone_pods leaves such pods alone`)
  }
}

const countsReplicas = (pod: PodSubject): boolean => ['ReplicaSet', 'StatefulSet'].includes(controllerKind(pod) ?? '')

const checkHealthy = (wanted: string | number, { kind, name, replicas }: Workload): void => {
  if (!replicas) return
  const needed = neededReplicas(wanted, replicas.desired)
  if (replicas.ready >= needed) return
  throw leftAlone(
    'min-healthy-replicas',
    `${kind} ${name} has ${replicas.ready} of ${replicas.desired} replicas ready; min_healthy_replicas ${wanted} asks for ${needed}`,
  )
}

/** How many replicas a number or a share asks for; a share is of the replicas wanted and is rounded up. */
export const neededReplicas = (wanted: string | number, desired: number): number => {
  const text = String(wanted)
  return text.endsWith('%') ? Math.ceil((desired * Number(text.slice(0, -1))) / 100) : Number(text)
}

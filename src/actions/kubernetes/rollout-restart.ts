import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { controllerOf, type ControllerKind, resourcesOf, unlessOwnerGone, withoutReplicas } from './_controller.ts'
import { sendPatch } from './_patch.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'

const KINDS: readonly ControllerKind[] = ['Deployment', 'StatefulSet', 'DaemonSet']

/** What is looked at of the workload. */
interface Workload {
  readonly spec?: {
    readonly paused?: boolean
    readonly updateStrategy?: { readonly type?: string }
  }
}

/**
 * Replaces all pods of the workload of the pod of the event, step by step, as `kubectl rollout restart` does.
 * @example rolloutRestart({})
 */
export const rolloutRestart = defineAction({
  type: 'kubernetes:rollout-restart',
  summary: 'Replaces all pods of the workload that the pod of the event belongs to, as its own rollout strategy says.',
  notes: [
    'The workload is the Deployment, StatefulSet or DaemonSet; for other kinds the step is refused.',
    'The guard judges the pod and the workload, but not how many replicas are left: that is for the strategy to keep.',
    'The annotation `yarak.dev/restarted-by` of its pod template is set to the id of the response: the same response restarts it once, however often the step is tried.',
    'It does not wait for the rollout. A paused Deployment and the strategy `OnDelete` hold it back, which the summary says.',
  ].join('\n'),
  config: z.strictObject({}),
  changes: 'destructive',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: [...podPermissions, { apiGroups: ['apps'], resources: resourcesOf(KINDS), verbs: ['patch'] }],
  example: {},
  async run(_settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const { path, id, uid, kind, name, subject } = await controllerOf(clients, pod, KINDS)
    await step.judge(withoutReplicas(subject))
    const annotations = { 'yarak.dev/restarted-by': step.response.id }
    const body = { metadata: { uid }, spec: { template: { metadata: { annotations } } } }
    const after = (await unlessOwnerGone(sendPatch(clients, step, { path, type: 'merge', body }))) as Workload
    return {
      summary: `${step.dryRun ? 'would restart' : 'restarted'} ${id}${heldBack(after)}`,
      objects: { pod: pod.name, namespace: pod.namespace, [kind.toLowerCase()]: name },
    }
  },
})

const heldBack = ({ spec }: Workload): string => {
  if (spec?.paused) return ', which is paused: its pods are replaced when it is resumed'
  return spec?.updateStrategy?.type === 'OnDelete' ? ', which replaces a pod only when it is deleted' : ''
}

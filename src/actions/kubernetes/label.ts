import { defineAction, type Result, YarakError, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { isLabelKey, isLabelValue } from './_names.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'

const value = z
  .union([z.string(), z.number(), z.boolean(), z.null()])
  .transform((one) => (one === null || one === '' ? null : String(one)))
  .refine((one) => one === null || isLabelValue(one), 'must be at most 63 letters, digits, -, _ and . (see `| slug`)')

const params = z.strictObject({
  labels: z
    .record(z.string().refine(isLabelKey, 'must be a label key such as suspicious or example.com/alert'), value)
    .refine((labels) => Object.keys(labels).length > 0, 'must name at least one label')
    .describe('Labels to set; an empty value or null removes the label.'),
  level: z
    .enum(['pod', 'node'])
    .default('pod')
    .describe('What is labelled: the pod, or the node it runs on. Default pod.'),
})

/**
 * Sets or removes labels of the pod of the event, or of its node. Parameters are named as Falco Talon names them.
 * @example label({ labels: { suspicious: 'true', alert: '{{ rule | slug }}' } })
 */
export const label = defineAction({
  type: 'kubernetes:label',
  summary: 'Sets or removes labels of the pod of the event, or of its node.',
  notes:
    'A label that a Service or a controller selects by detaches the pod from it: traffic stops, a new pod is started.',
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: ({ level }) => [
    ...podPermissions,
    { apiGroups: [''], resources: [level === 'node' ? 'nodes' : 'pods'], verbs: ['patch'] },
  ],
  example: { labels: { suspicious: 'true', 'example.com/checked': '' } },
  async run({ labels, level }, step): Promise<Result> {
    const { namespace, name, uid, node } = podOf(step)
    const { core, patchAs } = (await step.use(kubernetes)).as(step)
    const options = { fieldManager: 'yarak', ...(step.dryRun && { dryRun: 'All' }) }
    const verb = step.dryRun ? 'would label' : 'labelled'
    if (level === 'node') {
      if (!node) throw new YarakError('failed', `pod ${namespace}/${name} has no node yet`, { reason: 'not-scheduled' })
      await core.patchNode({ name: node, body: { metadata: { labels } }, ...options }, patchAs('MergePatch'))
      return { summary: `${verb} node ${node}`, objects: { node } }
    }
    // A patch that would change the uid is refused: a pod that has taken the name is not labelled.
    const body = { metadata: { uid, labels } }
    await core.patchNamespacedPod({ namespace, name, body, ...options }, patchAs('MergePatch'))
    return { summary: `${verb} pod ${namespace}/${name}`, objects: { pod: name, namespace } }
  },
})

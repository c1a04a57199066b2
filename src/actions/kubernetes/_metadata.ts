/** Labels and annotations of the pod of the event, or of its node. */
import { type PolicyRule, type Result, type Step, YarakError, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { pastConflicts } from './_conflict.ts'
import { podOf, podPermissions } from './resolve.ts'

/** What is written to, as Falco Talon names it. */
export const level = z.enum(['pod', 'node']).default('pod')

export type Level = z.output<typeof level>

export const metadataPermissions = (of: Level): readonly PolicyRule[] => [
  ...podPermissions,
  { apiGroups: [''], resources: [of === 'node' ? 'nodes' : 'pods'], verbs: ['patch'] },
]

/** A value as written in a file: numbers and truths are text; null and '' remove. */
export const removable = z
  .union([z.string(), z.number(), z.boolean(), z.null()])
  .transform((one) => (one === null || one === '' ? null : String(one)))

interface Change {
  readonly what: 'labels' | 'annotations'
  readonly values: Readonly<Record<string, string | null>>
  readonly level: Level
}

/** Sets what has a value and removes what is null, in one merge patch. */
export const setMetadata = async ({ what, values, level }: Change, step: Step): Promise<Result> => {
  const { namespace, name, uid, node } = podOf(step)
  const { core, patchAs } = (await step.use(kubernetes)).as(step)
  const options = { fieldManager: 'yarak', ...(step.dryRun && { dryRun: 'All' }) }
  const verb = VERBS[what][step.dryRun ? 'would' : 'did']
  if (level === 'node') {
    if (!node) throw new YarakError('failed', `pod ${namespace}/${name} has no node yet`, { reason: 'not-scheduled' })
    const body = { metadata: { [what]: values } }
    await pastConflicts(() => core.patchNode({ name: node, body, ...options }, patchAs('MergePatch')))
    return { summary: `${verb} node ${node}`, objects: { node } }
  }
  // A patch that would change the uid is refused: a pod that has taken the name is not touched.
  const body = { metadata: { uid, [what]: values } }
  await pastConflicts(() => core.patchNamespacedPod({ namespace, name, body, ...options }, patchAs('MergePatch')))
  return { summary: `${verb} pod ${namespace}/${name}`, objects: { pod: name, namespace } }
}

const VERBS = {
  labels: { did: 'labelled', would: 'would label' },
  annotations: { did: 'annotated', would: 'would annotate' },
}

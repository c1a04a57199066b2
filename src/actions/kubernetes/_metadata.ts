/** Labels and annotations of the pod of the event, or of its node. */
import { type PolicyRule, type Result, type Step, type Undo, type UndoKind, YarakError, z } from '../../plugin.ts'
import { apiPath, kubernetes } from '../../resources/kubernetes.ts'
import { podOf, podPermissions } from './resolve.ts'
import { subjectFrom } from './_subject.ts'
import { type Lens, NODES, PODS, setNoted, undoValues } from './_undo.ts'

/** What is written to, as Falco Talon names it. */
export const level = z.enum(['pod', 'node']).default('pod')

export type Level = z.output<typeof level>

export const metadataPermissions = (of: Level): readonly PolicyRule[] => [
  ...podPermissions,
  { apiGroups: [''], resources: [of === 'node' ? 'nodes' : 'pods'], verbs: ['get', 'patch'] },
]

/** A value as written in a file: numbers and truths are text; null and '' remove. */
export const removable = z
  .union([z.string(), z.number(), z.boolean(), z.null()])
  .transform((one) => (one === null || one === '' ? null : String(one)))

type What = 'labels' | 'annotations'

interface Change {
  readonly action: string
  readonly what: What
  readonly values: Readonly<Record<string, string | null>>
  readonly level: Level
  readonly ttl?: number | undefined
}

/** Sets what has a value and removes what is null, in one merge patch. */
export const setMetadata = async ({ action, what, values, level, ttl }: Change, step: Step): Promise<Result> => {
  const { namespace, name, uid, node } = podOf(step)
  const clients = (await step.use(kubernetes)).as(step)
  const verb = VERBS[what][step.dryRun ? 'would' : 'did']
  if (level === 'node') {
    if (!node) throw new YarakError('failed', `pod ${namespace}/${name} has no node yet`, { reason: 'not-scheduled' })
    // the guard has judged the pod, and this is another thing
    await step.judge(subjectFrom('Node', (await clients.core.readNode({ name: node })).metadata ?? {}))
    const path = apiPath('v1', 'nodes', node)
    await setNoted(clients, step, { action, path, lens: lensOf(what, NODES), values, ttl })
    return { summary: `${verb} node ${node}`, objects: { node } }
  }
  const path = apiPath('v1', 'namespaces', namespace, 'pods', name)
  await setNoted(clients, step, { action, path, uid, lens: lensOf(what, PODS), values, ttl })
  return { summary: `${verb} pod ${namespace}/${name}`, objects: { pod: name, namespace } }
}

const VERBS = {
  labels: { did: 'labelled', would: 'would label' },
  annotations: { did: 'annotated', would: 'would annotate' },
}

/**
 * Labels of Kubernetes itself on a node are never noted and never put back: a node may write its own annotations, and so
 * a note, but not those labels.
 */
const lensOf = (what: What, { resource }: UndoKind): Lens => ({
  read: ({ metadata }, names) =>
    Object.fromEntries(
      names
        .filter((name) => !(what === 'labels' && resource === 'nodes' && OF_KUBERNETES.test(name)))
        .map((name) => [name, metadata[what]?.[name] ?? null]),
    ),
  patch: (values) => ({ metadata: { [what]: values } }),
})

/** @see https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction */
const OF_KUBERNETES = /^(?:[^/]*\.)?(?:kubernetes|k8s)\.io\//

/** Takes labels or annotations back. */
export const undoMetadata = (what: What): Undo => ({
  in: kubernetes,
  on: [PODS, NODES],
  run: undoValues((kind) => lensOf(what, kind)),
})

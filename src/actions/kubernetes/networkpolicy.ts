import { createHash } from 'node:crypto'
import type { V1LabelSelector, V1NetworkPolicy, V1NetworkPolicyPeer } from '@kubernetes/client-node'
import { defineAction, type Result, type Step, YarakError, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { isLabelValue, isNamespace } from './_names.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'
import { type Workload, workloadOf, workloadPermissions } from './_workload.ts'

const NOT_CIDR = 'must be a CIDR such as 10.0.0.0/8 or fd00::/8'

const params = z.strictObject({
  allow_cidr: z
    .array(z.union([z.cidrv4(NOT_CIDR), z.cidrv6(NOT_CIDR)]))
    .default([])
    .describe('Address ranges that may still be reached. Default none.'),
  allow_namespaces: z
    .array(z.string().refine(isNamespace, 'must be the name of a namespace'))
    .default([])
    .describe('Namespaces whose pods may still be reached. Default none.'),
})

type Params = z.output<typeof params>

/**
 * Cuts the workload of the event's pod off: nothing may be reached but what is allowed here. Ingress stays as it is.
 * Parameters are named as Falco Talon names them.
 * @example networkpolicy({ allow_namespaces: ['kube-system'] })
 */
export const networkpolicy = defineAction({
  type: 'kubernetes:networkpolicy',
  summary: 'Denies egress of all pods of the workload by a NetworkPolicy, but for what is allowed.',
  notes: [
    'The policy is named `yarak-<kind>-<name>` after the workload (the Deployment, not its ReplicaSet), so that a second response renews it.',
    'Name resolution is cut too; allow the namespace `kube-system` to keep it.',
    'It has an effect only where the network plugin of the cluster enforces NetworkPolicies, and adds to what other policies allow.',
    'It is applied without force: a policy of the same name whose fields somebody else manages is left alone.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: [
    ...podPermissions,
    ...workloadPermissions,
    { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['create', 'patch'] },
  ],
  example: { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['kube-system'] },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const workload = await workloadOf(clients, pod)
    const body = policyFor(pod, workload, settings, step)
    const { namespace } = pod
    const name = policyName(workload)
    await clients.networking.patchNamespacedNetworkPolicy(
      { namespace, name, body, fieldManager: 'yarak', ...(step.dryRun && { dryRun: 'All' }) },
      clients.patchAs('ServerSideApply'),
    )
    return {
      summary: `${step.dryRun ? 'would apply' : 'applied'} networkpolicy ${namespace}/${name} to ${workload.kind} ${workload.name}`,
      objects: { pod: pod.name, namespace, networkpolicy: name },
    }
  },
})

const MAX_NAME = 253

/** Kinds share names: a Deployment and a StatefulSet may both be `web`, and each needs a policy of its own. */
export const policyName = ({ kind, name }: Pick<Workload, 'kind' | 'name'>): string => {
  const full = `yarak-${kind.toLowerCase()}-${name}`
  if (full.length <= MAX_NAME) return full
  const hash = createHash('sha256').update(full).digest('hex').slice(0, 12)
  return `${full.slice(0, MAX_NAME - 13).replace(/[^a-z0-9]+$/, '')}-${hash}`
}

/** The object as it is applied. The workload's labels are not copied: tools that prune by label would adopt the policy. */
export const policyFor = (
  pod: PodSubject,
  workload: Workload,
  settings: Params,
  { response }: Pick<Step, 'response'>,
): V1NetworkPolicy => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: {
    name: policyName(workload),
    namespace: pod.namespace,
    labels: {
      'app.kubernetes.io/managed-by': 'yarak',
      ...(isLabelValue(response.id) && { 'yarak.dev/response': response.id }),
    },
    annotations: {
      'yarak.dev/rule': response.rule,
      ...(response.traceparent !== undefined && { 'yarak.dev/traceparent': response.traceparent }),
    },
  },
  spec: { podSelector: selectorOf(pod, workload), policyTypes: ['Egress'], egress: egressOf(settings) },
})

/** Labels that name one revision, and so would let the next rollout go free. */
const OF_REVISION = new Set(['pod-template-hash', 'pod-template-generation', 'controller-revision-hash'])

/** An empty selector selects every pod of the namespace: never that. */
const selectorOf = (pod: PodSubject, { selector }: Workload): V1LabelSelector => {
  const found = withoutRevision(selector ?? { matchLabels: { ...pod.labels } })
  if (Object.keys(found.matchLabels ?? {}).length > 0 || (found.matchExpressions ?? []).length > 0) return found
  throw new YarakError('refused', `pod ${pod.namespace}/${pod.name} has no labels that a policy could select it by`, {
    permanent: true,
    reason: 'no-labels',
  })
}

const withoutRevision = ({ matchLabels = {}, matchExpressions }: V1LabelSelector): V1LabelSelector => ({
  matchLabels: Object.fromEntries(Object.entries(matchLabels).filter(([key]) => !OF_REVISION.has(key))),
  ...(matchExpressions && { matchExpressions: matchExpressions.filter(({ key }) => !OF_REVISION.has(key)) }),
})

const egressOf = ({ allow_cidr, allow_namespaces }: Params): { to: V1NetworkPolicyPeer[] }[] => {
  const to = [
    ...allow_cidr.map((cidr) => ({ ipBlock: { cidr } })),
    ...allow_namespaces.map((name) => ({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    })),
  ]
  return to.length > 0 ? [{ to }] : []
}

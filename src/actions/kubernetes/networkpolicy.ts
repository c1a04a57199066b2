import type { V1LabelSelector, V1NetworkPolicy, V1NetworkPolicyPeer } from '@kubernetes/client-node'
import { defineAction, type Result, type Step, z } from '../../plugin.ts'
import { apiPath, kubernetes } from '../../resources/kubernetes.ts'
import { isLabelValue } from './_names.ts'
import { allowed, policyName, selectionOf } from './_policy.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'
import { applyNoted, ttl, undoCreated } from './_undo.ts'
import { type Workload, workloadOf, workloadPermissions } from './_workload.ts'

const params = z.strictObject({ ...allowed, ttl })

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
    'It is deleted after `ttl`, or by `yarak responses undo`, unless somebody has changed it meanwhile.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: [
    ...podPermissions,
    ...workloadPermissions,
    { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['get', 'create', 'patch'] },
  ],
  example: { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['kube-system'], ttl: '1h' },
  undo: {
    in: kubernetes,
    on: [{ apiVersion: 'networking.k8s.io/v1', resource: 'networkpolicies' }],
    permissions: [
      { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['get', 'patch', 'delete'] },
    ],
    run: undoCreated,
  },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const workload = await workloadOf(clients, pod)
    const body = policyFor(pod, workload, settings, step)
    const { namespace } = pod
    const name = policyName(workload)
    const path = apiPath('networking.k8s.io/v1', 'namespaces', namespace, 'networkpolicies', name)
    await applyNoted(clients, step, { action: 'kubernetes:networkpolicy', path, body, ttl: settings.ttl })
    return {
      summary: `${step.dryRun ? 'would apply' : 'applied'} networkpolicy ${namespace}/${name} to ${workload.kind} ${workload.name}`,
      objects: { pod: pod.name, namespace, networkpolicy: name },
    }
  },
})

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

/** No list of expressions where there are none: what is applied is what is written. */
const selectorOf = (pod: PodSubject, workload: Workload): V1LabelSelector => {
  const { matchLabels, matchExpressions } = selectionOf(pod, workload)
  return {
    matchLabels: { ...matchLabels },
    ...(matchExpressions.length > 0 && { matchExpressions: [...matchExpressions] }),
  }
}

const egressOf = ({ allow_cidr, allow_namespaces }: Params): { to: V1NetworkPolicyPeer[] }[] => {
  const to = [
    ...allow_cidr.map((cidr) => ({ ipBlock: { cidr } })),
    ...allow_namespaces.map((name) => ({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    })),
  ]
  return to.length > 0 ? [{ to }] : []
}

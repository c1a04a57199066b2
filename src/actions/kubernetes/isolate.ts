import { defineAction, type PolicyRule, type Result, z } from '../../plugin.ts'
import { apiPath, kubernetes } from '../../resources/kubernetes.ts'
import {
  changesFor,
  ISOLATE,
  LENS,
  markOf,
  ownedBy,
  type Plan,
  planFor,
  podToIsolate,
  policyOf,
  resultOf,
} from './_isolate.ts'
import { ISOLATED, RULES } from './_isolate-rules.ts'
import { undoIsolation } from './_isolate-undo.ts'
import { POLICIES, policyPermissions, putPolicy } from './_policy.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'
import { PODS, setNoted, ttl } from './_undo.ts'
import { workloadPermissions } from './_workload.ts'

const params = z.strictObject({
  dns: z.boolean().default(false).describe('Let the pod ask the name server of the cluster. Default false.'),
  enforcer: z
    .enum(['kubernetes', 'calico', 'cilium'])
    .default('kubernetes')
    .describe(
      'Whose policy it is. Those of `calico` and `cilium` can deny, which wins over what others allow; those of `kubernetes` cannot. Default kubernetes.',
    ),
  strategy: z
    .enum(['relabel', 'policy-only'])
    .default('relabel')
    .describe(
      'Where other policies of Kubernetes still let traffic through: take the pod out of the labels that they, Services and its workload select by, or leave it there and tell their names. Default relabel.',
    ),
  ttl,
})

type Params = z.output<typeof params>

const SERVICES: PolicyRule = { apiGroups: [''], resources: ['services'], verbs: ['list'] }
const WHOLE: Plan = { lost: [], open: [] }

const relabels = ({ enforcer, strategy }: Params): boolean => enforcer === 'kubernetes' && strategy === 'relabel'

/**
 * Cuts exactly one pod off from the network, both ways, and leaves it running.
 * @example isolate({ ttl: '30m', dns: true })
 */
export const isolate = defineAction({
  type: ISOLATE,
  summary: 'Cuts the pod of the event off from the network, both ways, and leaves it running.',
  notes: [
    'The pod gets the label `yarak.dev/isolated`, and the namespace a policy that selects it by that and goes when the pod goes.',
    'Policies of Kubernetes only ever allow. Where others let traffic through, a pod that is relabelled gets no traffic of its Services any more and its workload starts another in its place (a StatefulSet cannot, while the pod has its name). When it is undone the workload has one too many and ends one.',
    'The step succeeds also in part: then `objects.isolation` is `partial` and `objects.open` names the policies that still let traffic through, such as one that selects all pods of the namespace.',
    'Only policies of Kubernetes are looked at. With `calico`, an earlier tier still comes first. With `cilium`, its agent on the node is let in by default.',
    'Connections that are open already may survive. Nothing is enforced where the network plugin does not know the kind of policy. The name server is taken to be the pods `k8s-app=kube-dns` of `kube-system`; names can carry data out.',
    'A pod in the network of its node (`hostNetwork`) is refused.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: (settings) => [
    ...podPermissions,
    { apiGroups: [''], resources: ['pods'], verbs: ['patch'] },
    // To be undone, too.
    policyPermissions(POLICIES[settings.enforcer], ['get', 'create', 'update', 'delete']),
    ...(settings.enforcer === 'kubernetes' ? [policyPermissions(POLICIES.kubernetes, ['list'])] : []),
    ...(relabels(settings) ? [SERVICES, ...workloadPermissions] : []),
  ],
  example: { ttl: '30m', dns: true },
  async run(settings, step): Promise<Result> {
    const { enforcer, dns } = settings
    const subject = podOf(step)
    const { namespace, name, uid } = subject
    const clients = (await step.use(kubernetes)).as(step)
    const pod = await podToIsolate(clients, subject)
    const plan = enforcer === 'kubernetes' ? await planFor(clients, subject, pod, settings.strategy) : WHOLE
    const at = { namespace, name: policyOf(uid) }
    // The policy first: the pod is to lose those that it has only when this one holds.
    const policy = await putPolicy({ clients, step, of: POLICIES[enforcer], at }, (before) => {
      const mark = markOf(pod, before, step)
      return { labels: { [ISOLATED]: mark }, ownerReferences: [ownedBy(pod)], spec: RULES[enforcer]({ mark, dns }) }
    })
    const values = changesFor(pod, plan, { mark: policy.metadata.labels?.[ISOLATED] ?? '', enforcer })
    const path = apiPath(PODS.apiVersion, 'namespaces', namespace, PODS.resource, name)
    await setNoted(clients, step, { action: ISOLATE, path, uid, lens: LENS, values, ttl: settings.ttl })
    return resultOf(subject, at.name, plan, step)
  },
  undo: { in: kubernetes, on: [PODS], run: undoIsolation },
})

import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import {
  allowed,
  notedPolicy,
  POLICIES,
  policyName,
  policyPermissions,
  policyUndo,
  putPolicy,
  type Selection,
  selectionOf,
} from '../kubernetes/_policy.ts'
import { denying, onlyNet, remoteIp } from '../kubernetes/_remote.ts'
import { podOf, podPermissions, podSubject } from '../kubernetes/resolve.ts'
import { ttl } from '../kubernetes/_undo.ts'
import { workloadOf, workloadPermissions } from '../kubernetes/_workload.ts'
import { listOf, rulesFor, selectorText } from './_calico.ts'

const TYPE = 'calico:networkpolicy'

const params = z.strictObject({
  ...allowed,
  order: z.number().default(0).describe('Policies of a lower order are asked first. Default 0.'),
  ttl,
})

type Params = z.output<typeof params>

/**
 * Denies the workload of the event's pod the address that it was connected with. Parameters are named as Falco Talon
 * names them.
 * @example calicoNetworkpolicy({ allow_namespaces: ['kube-system'] })
 */
export const calicoNetworkpolicy = defineAction({
  type: TYPE,
  summary: 'Denies the workload of the pod the remote address of the event, by a NetworkPolicy of Calico.',
  notes: [
    'The address is `fd.rip`, else `fd.sip`. Those that were denied before stay denied, each once, the newest 1000.',
    'With `allow_cidr` or `allow_namespaces`, nothing else may be reached; without both, all but the denied addresses.',
    'The policy is named `yarak-<kind>-<name>` after the workload. Policies of earlier tiers come before it.',
    'Where Calico checks tiers, the account also needs `get` on the tier `default`, and the same verbs on `tier.networkpolicies` of the name `default.*`, in the group `projectcalico.org`.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: [...podPermissions, ...workloadPermissions, policyPermissions(POLICIES.calico)],
  example: { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['kube-system'], order: 10 },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const net = onlyNet(remoteIp(step.event))
    const clients = (await step.use(kubernetes)).as(step)
    const workload = await workloadOf(clients, pod)
    const selection = selectionOf(pod, workload)
    const at = { namespace: pod.namespace, name: policyName(workload) }
    await putPolicy({ clients, step, of: POLICIES.calico, at }, (before) => {
      const spec = specFor(selection, settings, denying(deniedBy(before?.spec), net))
      return { ...notedPolicy(step, TYPE, settings.ttl, spec, before), spec }
    })
    const verb = step.dryRun ? 'would deny' : 'denied'
    return {
      summary: `${verb} ${net} to ${workload.kind} ${pod.namespace}/${workload.name} by a networkpolicy of Calico`,
      objects: { pod: pod.name, namespace: pod.namespace, networkpolicy: at.name, denied: net },
    }
  },
  undo: policyUndo(POLICIES.calico),
})

interface Spec {
  readonly egress?: readonly {
    readonly action?: string
    readonly destination?: { readonly nets?: readonly string[] }
  }[]
}

const deniedBy = (spec: unknown): string[] =>
  ((spec as Spec | undefined)?.egress ?? [])
    .filter(({ action }) => action === 'Deny')
    .flatMap(({ destination }) => destination?.nets ?? [])

const specFor = (selection: Selection, { allow_cidr, allow_namespaces, order }: Params, denied: readonly string[]) => {
  const everything = allow_cidr.length + allow_namespaces.length === 0
  const namespaceSelector = `kubernetes.io/metadata.name in ${listOf(allow_namespaces)}`
  return {
    // What the server would fill in: the note of the policy tells whether somebody has changed it.
    tier: 'default',
    order,
    selector: selectorText(selection),
    types: ['Egress'],
    egress: [
      ...rulesFor('Deny', denied),
      ...rulesFor('Allow', allow_cidr),
      ...(allow_namespaces.length > 0 ? [{ action: 'Allow', destination: { namespaceSelector } }] : []),
      ...(everything ? [{ action: 'Allow' }] : []),
    ],
  }
}

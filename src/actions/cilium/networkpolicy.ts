import { defineAction, z } from '../../plugin.ts'
import { denialBy, denyRemote } from '../kubernetes/_deny-remote.ts'
import { allowed, POLICIES, type Selection } from '../kubernetes/_policy.ts'
import { ttl } from '../kubernetes/_undo.ts'
import { endpointsOf } from './_cilium.ts'

const TYPE = 'cilium:networkpolicy'

const params = z.strictObject({ ...allowed, ttl })

type Params = z.output<typeof params>

/**
 * Denies the workload of the event's pod the address that it was connected with. Parameters are named as Falco Talon
 * names them.
 * @example ciliumNetworkpolicy({ allow_namespaces: ['kube-system'] })
 */
export const ciliumNetworkpolicy = defineAction({
  type: TYPE,
  summary: 'Denies the workload of the pod the remote address of the event, by a CiliumNetworkPolicy.',
  notes: [
    'The address is `fd.rip`, else `fd.sip`. Those that were denied before stay denied, each once, the newest 1000.',
    'With `allow_cidr` or `allow_namespaces`, nothing else may be reached; without both, all but the denied addresses.',
    'The policy is named `yarak-<kind>-<name>` after the workload. A denial of Cilium wins over what any policy allows.',
    'Cilium knows pods by their labels: the address of a pod of the cluster is not denied by an address range.',
  ].join('\n'),
  config: params,
  ...denialBy(POLICIES.cilium),
  example: { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['kube-system'] },
  run: (settings, step) =>
    denyRemote(step, {
      ...{ type: TYPE, of: POLICIES.cilium, by: 'a policy of Cilium', ttl: settings.ttl, deniedBy },
      specFor: (selection, denied) => specFor(selection, settings, denied),
    }),
})

interface Spec {
  readonly egressDeny?: readonly { readonly toCIDR?: readonly string[] }[]
}

const deniedBy = (spec: unknown): string[] =>
  ((spec as Spec | undefined)?.egressDeny ?? []).flatMap(({ toCIDR = [] }) => toCIDR)

/** A rule names its peers in one way only, so each way has a rule. */
const specFor = (selection: Selection, { allow_cidr, allow_namespaces }: Params, denied: readonly string[]) => {
  const namespaces = allow_namespaces.map((name) => ({ matchLabels: { 'k8s:io.kubernetes.pod.namespace': name } }))
  const egress = [
    ...(allow_cidr.length > 0 ? [{ toCIDR: allow_cidr }] : []),
    ...(namespaces.length > 0 ? [{ toEndpoints: namespaces }] : []),
  ]
  return {
    description: 'Made by Yarak in response to an event',
    endpointSelector: endpointsOf(selection),
    egress: egress.length > 0 ? egress : [{ toEntities: ['all'] }],
    egressDeny: [{ toCIDR: denied }],
  }
}

import { defineAction, z } from '../../plugin.ts'
import { denialBy, denyRemote } from '../kubernetes/_deny-remote.ts'
import { allowed, POLICIES, type Selection } from '../kubernetes/_policy.ts'
import { ttl } from '../kubernetes/_undo.ts'
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
  ...denialBy(POLICIES.calico),
  example: { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['kube-system'], order: 10 },
  run: (settings, step) =>
    denyRemote(step, {
      ...{ type: TYPE, of: POLICIES.calico, by: 'a networkpolicy of Calico', ttl: settings.ttl, deniedBy },
      specFor: (selection, denied) => specFor(selection, settings, denied),
    }),
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

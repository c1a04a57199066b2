/** The policy that cuts one pod off, in the words of each that enforces policies. Pure. */
import type { V1NetworkPolicySpec } from '@kubernetes/client-node'

/** The label by which the policy selects the pod. */
export const ISOLATED = 'yarak.dev/isolated'

const DNS_NAMESPACE = 'kube-system'
const DNS_APP = { 'k8s-app': 'kube-dns' }

interface Cut {
  /** The value of the label {@link ISOLATED}. */
  readonly mark: string
  /** The name server of the cluster may be asked. */
  readonly dns: boolean
}

const inKubernetes = ({ mark, dns }: Cut): V1NetworkPolicySpec => ({
  podSelector: { matchLabels: { [ISOLATED]: mark } },
  policyTypes: ['Ingress', 'Egress'],
  ingress: [],
  egress: dns
    ? [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': DNS_NAMESPACE } },
              podSelector: { matchLabels: DNS_APP },
            },
          ],
          ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })),
        },
      ]
    : [],
})

/** Asked before every policy that has no order of its own or one of 0 and more, those of Kubernetes too. */
const FIRST = -1000

const inCalico = ({ mark, dns }: Cut): object => ({
  order: FIRST,
  tier: 'default',
  selector: `${ISOLATED} == '${mark}'`,
  types: ['Ingress', 'Egress'],
  ingress: [{ action: 'Deny' }],
  egress: [
    ...(dns
      ? ['UDP', 'TCP'].map((protocol) => ({
          action: 'Allow',
          protocol,
          destination: {
            namespaceSelector: `kubernetes.io/metadata.name == '${DNS_NAMESPACE}'`,
            selector: `k8s-app == '${DNS_APP['k8s-app']}'`,
            ports: [53],
          },
        }))
      : []),
    { action: 'Deny' },
  ],
})

const NAMESPACE_KEY = 'k8s:io.kubernetes.pod.namespace'
const APP_KEY = 'k8s:k8s-app'

/** A denial wins over everything that is allowed, so with `dns` everything but the name server is denied. */
const inCilium = ({ mark, dns }: Cut): object => ({
  description: 'Made by Yarak in response to an event',
  endpointSelector: { matchLabels: { [`k8s:${ISOLATED}`]: mark } },
  ingressDeny: [{ fromEntities: ['all'] }],
  ...(dns
    ? {
        egress: [
          {
            toEndpoints: [{ matchLabels: { [NAMESPACE_KEY]: DNS_NAMESPACE, [APP_KEY]: DNS_APP['k8s-app'] } }],
            toPorts: [{ ports: [{ port: '53', protocol: 'ANY' }] }],
          },
        ],
        egressDeny: [
          { toEntities: ['world', 'host', 'remote-node'] },
          {
            toEndpoints: [
              { matchExpressions: [{ key: NAMESPACE_KEY, operator: 'NotIn', values: [DNS_NAMESPACE] }] },
              {
                matchLabels: { [NAMESPACE_KEY]: DNS_NAMESPACE },
                matchExpressions: [{ key: APP_KEY, operator: 'NotIn', values: [DNS_APP['k8s-app']] }],
              },
            ],
          },
        ],
      }
    : { egressDeny: [{ toEntities: ['all'] }] }),
})

/** What goes into the policy. */
export const RULES = { kubernetes: inKubernetes, calico: inCalico, cilium: inCilium } as const

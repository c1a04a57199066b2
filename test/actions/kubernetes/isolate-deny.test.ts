import { describe, expect, it } from 'vitest'
import { isolate } from '../../../src/actions/kubernetes/isolate.ts'
import { allowing, labelsOf, type Params, policy, run, undo, withPod } from './isolated.ts'

const ofCalico = (egress: readonly object[]) => ({
  order: -1000,
  tier: 'default',
  selector: "yarak.dev/isolated == 'abc123'",
  types: ['Ingress', 'Egress'],
  ingress: [{ action: 'Deny' }],
  egress,
})

const ofCilium = (rules: object) => ({
  description: 'Made by Yarak in response to an event',
  endpointSelector: { matchLabels: { 'k8s:yarak.dev/isolated': 'abc123' } },
  ingressDeny: [{ fromEntities: ['all'] }],
  ...rules,
})

const NAME_SERVER = {
  namespaceSelector: "kubernetes.io/metadata.name == 'kube-system'",
  selector: "k8s-app == 'kube-dns'",
  ports: [53],
}

const DENYING = {
  calico: {
    all: ofCalico([{ action: 'Deny' }]),
    allButDns: ofCalico([
      { action: 'Allow', protocol: 'UDP', destination: NAME_SERVER },
      { action: 'Allow', protocol: 'TCP', destination: NAME_SERVER },
      { action: 'Deny' },
    ]),
  },
  cilium: {
    all: ofCilium({ egressDeny: [{ toEntities: ['all'] }] }),
    allButDns: ofCilium({
      egress: [
        {
          toEndpoints: [
            { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'kube-system', 'k8s:k8s-app': 'kube-dns' } },
          ],
          toPorts: [{ ports: [{ port: '53', protocol: 'ANY' }] }],
        },
      ],
      egressDeny: [
        { toEntities: ['world', 'host', 'remote-node'] },
        {
          toEndpoints: [
            {
              matchExpressions: [
                { key: 'k8s:io.kubernetes.pod.namespace', operator: 'NotIn', values: ['kube-system'] },
              ],
            },
            {
              matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'kube-system' },
              matchExpressions: [{ key: 'k8s:k8s-app', operator: 'NotIn', values: ['kube-dns'] }],
            },
          ],
        },
      ],
    }),
  },
}

describe('those who can deny', () => {
  it.each([
    ['calico', 'CalicoPolicy'],
    ['cilium', 'CiliumNetworkPolicy'],
  ] as const)('%s: the labels stay, whatever other policies allow', async (enforcer, kind) => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('everybody', {}))
    expect((await run(cluster, { enforcer })).objects).toMatchObject({ isolation: 'whole' })
    expect(labelsOf(cluster)).toMatchObject({ app: 'web', 'yarak.dev/isolated': 'abc123' })
    expect(policy(cluster, kind)?.spec).toEqual(DENYING[enforcer].all)
    await run(cluster, { enforcer, dns: true })
    expect(policy(cluster, kind)?.spec).toEqual(DENYING[enforcer].allButDns)
    await undo(cluster)
    expect([policy(cluster, kind), labelsOf(cluster)]).toEqual([undefined, { app: 'web', 'pod-template-hash': 'abc' }])
  })

  it('are told apart in what they need to be allowed', () => {
    const groups = (enforcer: 'kubernetes' | 'calico' | 'cilium') =>
      rules({ enforcer }).flatMap(({ apiGroups }) => apiGroups.filter((one) => /networking|calico|cilium/.test(one)))
    expect(new Set(groups('kubernetes'))).toEqual(new Set(['networking.k8s.io']))
    expect(groups('calico')).toEqual(['projectcalico.org'])
    expect(groups('cilium')).toEqual(['cilium.io'])
    const mayListServices = (params: Params) => rules(params).some(({ resources }) => resources.includes('services'))
    expect([mayListServices({}), mayListServices({ strategy: 'policy-only' })]).toEqual([true, false])
  })

  const rules = (params: Params) => {
    const { permissions } = isolate
    return typeof permissions === 'function' ? permissions(isolate.config.parse(params)) : []
  }
})

import { describe, expect, it } from 'vitest'
import { ciliumNetworkpolicy } from '../../../src/actions/cilium/networkpolicy.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { undoFirst } from '../kubernetes/undoing.ts'
import { aPod, aPodStep, aWorkload, POD_FIELDS, rejection, withCluster } from '../kubernetes/world.ts'

const NAME = 'yarak-statefulset-web'

type Params = Parameters<typeof perform<typeof ciliumNetworkpolicy.config>>[1]

interface Options extends StepOptions {
  readonly params?: Params
}

const run = async (cluster: FakeCluster, ip = '203.0.113.7', { params = {}, ...options }: Options = {}) =>
  perform(ciliumNetworkpolicy, params, await aPodStep(cluster, { fields: { ...POD_FIELDS, 'fd.rip': ip }, ...options }))

const withWorkload = async (selector?: object): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod({ owner: ['StatefulSet', 'web'] }))
  const set = aWorkload('web')
  cluster.add('StatefulSet', selector ? { ...set, spec: { ...set.spec, selector } } : set)
  return cluster
}

const policy = (cluster: FakeCluster) => cluster.get('CiliumNetworkPolicy', 'shop', NAME)

describe('cilium:networkpolicy', () => {
  it('denies the workload the remote address, and nothing else', async () => {
    const cluster = await withWorkload()
    expect(await run(cluster)).toEqual({
      summary: 'denied 203.0.113.7/32 to StatefulSet shop/web by a policy of Cilium',
      objects: { pod: 'web-1', namespace: 'shop', ciliumnetworkpolicy: NAME, denied: '203.0.113.7/32' },
    })
    expect(policy(cluster)).toMatchObject({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy' })
    expect(policy(cluster)?.spec).toEqual({
      description: 'Made by Yarak in response to an event',
      endpointSelector: { matchLabels: { 'k8s:app': 'web' } },
      egress: [{ toEntities: ['all'] }],
      egressDeny: [{ toCIDR: ['203.0.113.7/32'] }],
    })
  })

  it('allows only what is said besides, each way of naming peers in a rule of its own', async () => {
    const cluster = await withWorkload()
    await run(cluster, undefined, { params: { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['kube-system', 'db'] } })
    expect(policy(cluster)?.spec?.egress).toEqual([
      { toCIDR: ['10.0.0.0/8'] },
      {
        toEndpoints: [
          { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'kube-system' } },
          { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'db' } },
        ],
      },
    ])
  })

  it('selects by labels of Kubernetes, with dots and expressions too', async () => {
    const matchExpressions = [{ key: 'tier', operator: 'In', values: ['a'] }]
    const cluster = await withWorkload({ matchLabels: { 'app.kubernetes.io/name': 'web' }, matchExpressions })
    await run(cluster)
    expect(policy(cluster)?.spec?.endpointSelector).toEqual({
      matchLabels: { 'k8s:app.kubernetes.io/name': 'web' },
      matchExpressions: [{ key: 'k8s:tier', operator: 'In', values: ['a'] }],
    })
  })

  it('keeps what was denied before, each once, and grows by nothing else', async () => {
    const cluster = await withWorkload()
    const params = { allow_cidr: ['10.0.0.0/8'] }
    for (const ip of ['203.0.113.7', '2001:db8::1', '203.0.113.7']) await run(cluster, ip, { params })
    expect(policy(cluster)?.spec).toMatchObject({
      egress: [{ toCIDR: ['10.0.0.0/8'] }],
      egressDeny: [{ toCIDR: ['2001:db8::1/128', '203.0.113.7/32'] }],
    })
    await run(cluster, undefined, { params: { allow_namespaces: ['db'] } })
    expect(policy(cluster)?.spec?.egress).toHaveLength(1)
  })

  it('is refused without an address, which Falco Talon does not check', async () => {
    const cluster = await withWorkload()
    expect(await rejection(run(cluster, 'evil.example'))).toMatchObject({ code: 'refused', reason: 'no-remote-ip' })
    expect(policy(cluster)).toBeUndefined()
  })

  it('changes nothing in a dry run', async () => {
    const cluster = await withWorkload()
    expect((await run(cluster, undefined, { dryRun: true })).summary).toMatch(/^would deny/)
    expect(policy(cluster)).toBeUndefined()
  })

  it('goes on after a conflict, and says what may be tried again', async () => {
    const cluster = await withWorkload()
    let left = 1
    cluster.override = ({ method }) =>
      method === 'POST' && left-- > 0
        ? { status: 409, body: { kind: 'Status', reason: 'AlreadyExists', message: 'it is there' } }
        : undefined
    await run(cluster)
    expect(policy(cluster)).toBeDefined()
    cluster.override = ({ method }) => (method === 'PUT' ? { status: 429, body: '' } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ reason: 'too-many-requests', permanent: false })
  })

  it('is undone by deleting the policy', async () => {
    const cluster = await withWorkload()
    await run(cluster, undefined, { params: { ttl: '10m' } })
    await undoFirst(cluster, ciliumNetworkpolicy, { kind: 'CiliumNetworkPolicy', name: NAME })
    expect(policy(cluster)).toBeUndefined()
  })
})

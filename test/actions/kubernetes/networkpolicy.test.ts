import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isName } from '../../../src/actions/kubernetes/_names.ts'
import { policyName } from '../../../src/actions/kubernetes/_policy.ts'
import { networkpolicy } from '../../../src/actions/kubernetes/networkpolicy.ts'
import type { FakeCluster, Kind } from '../../fake-cluster.ts'
import { perform } from '../step.ts'
import { aPod, aPodStep, aWorkload, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof networkpolicy.config>>[1]

const run = async (cluster: FakeCluster, params: Params = {}, options: { dryRun?: boolean } = {}) =>
  perform(networkpolicy, params, await aPodStep(cluster, options))

/** The spec of the policy that the step has applied. */
const specOf = async (cluster: FakeCluster, params?: Params) => {
  const { objects } = await run(cluster, params)
  return cluster.get('NetworkPolicy', 'shop', objects?.networkpolicy ?? '')?.spec
}

const withDeployment = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod({ owner: ['ReplicaSet', 'web-abc'] }))
  const set = aWorkload('web')
  const ownerReferences = [{ kind: 'Deployment', name: 'web', uid: 'd', controller: true }]
  cluster.add('ReplicaSet', { ...set, metadata: { ...set.metadata, name: 'web-abc', ownerReferences } })
  return cluster
}

describe('kubernetes:networkpolicy', () => {
  it('applies a policy that denies all egress of the Deployment, whatever its next ReplicaSet', async () => {
    const cluster = await withDeployment()
    expect(await run(cluster)).toEqual({
      summary: 'applied networkpolicy shop/yarak-deployment-web to Deployment web',
      objects: { pod: 'web-1', namespace: 'shop', networkpolicy: 'yarak-deployment-web' },
    })
    expect(cluster.get('NetworkPolicy', 'shop', 'yarak-deployment-web')).toMatchObject({
      apiVersion: 'networking.k8s.io/v1',
      metadata: {
        labels: { 'app.kubernetes.io/managed-by': 'yarak', 'yarak.dev/response': 'abc123' },
        annotations: {
          'yarak.dev/rule': 'React',
          'yarak.dev/traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        },
        managedFields: [{ manager: 'yarak', operation: 'Apply' }],
      },
      spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Egress'], egress: [] },
    })
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'PATCH',
      path: '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/yarak-deployment-web',
      query: { fieldManager: 'yarak' },
      headers: { 'content-type': 'application/apply-patch+yaml' },
    })
    expect(cluster.requests.at(-1)?.query).not.toHaveProperty('force')
  })

  it('lets through what is allowed, namespaces by the label that every namespace has', async () => {
    const spec = await specOf(await withDeployment(), {
      allow_cidr: ['10.0.0.0/8', 'fd00::/8'],
      allow_namespaces: ['kube-system'],
    })
    expect(spec?.egress).toEqual([
      {
        to: [
          { ipBlock: { cidr: '10.0.0.0/8' } },
          { ipBlock: { cidr: 'fd00::/8' } },
          { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } },
        ],
      },
    ])
  })

  it('renews its own policy', async () => {
    const cluster = await withDeployment()
    await run(cluster)
    expect((await specOf(cluster, { allow_cidr: ['10.0.0.0/8'] }))?.egress).toHaveLength(1)
  })

  it('overwrites nothing that somebody else manages under the name', async () => {
    const cluster = await withDeployment()
    const theirs = {
      metadata: {
        name: 'yarak-deployment-web',
        namespace: 'shop',
        managedFields: [{ manager: 'kubectl', operation: 'Update' }],
      },
      spec: { egress: ['theirs'] },
    }
    cluster.add('NetworkPolicy', theirs)
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: 'conflict', permanent: true })
    expect(cluster.get('NetworkPolicy', 'shop', 'yarak-deployment-web')?.spec).toEqual({ egress: ['theirs'] })
  })

  it('applies nothing in a dry run', async () => {
    const cluster = await withDeployment()
    const { summary } = await run(cluster, {}, { dryRun: true })
    expect(summary).toMatch(/^would apply networkpolicy/)
    expect(cluster.requests.at(-1)?.query).toEqual({ dryRun: 'All', fieldManager: 'yarak' })
    expect(cluster.get('NetworkPolicy', 'shop', 'yarak-deployment-web')).toBeUndefined()
  })
})

describe('the workload', () => {
  it.each(['ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job'] as const)('can be a %s', async (kind) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: [kind, 'web'] }))
    cluster.add(kind, aWorkload('web'))
    const { objects } = await run(cluster)
    expect(objects?.networkpolicy).toBe(`yarak-${kind.toLowerCase()}-web`)
    const policy = cluster.get('NetworkPolicy', 'shop', objects?.networkpolicy ?? '')
    expect(policy?.spec?.podSelector).toEqual({ matchLabels: { app: 'web' } })
  })

  it.each([undefined, ['CloneSet', 'web'] as const, ['Node', 'node-1'] as const])(
    'of a pod with the owner %j is the pod itself, by its own labels',
    async (owner) => {
      const cluster = await withCluster()
      cluster.add('Pod', aPod(owner && { owner }))
      expect(await specOf(cluster)).toMatchObject({ podSelector: { matchLabels: { app: 'web' } } })
      expect(cluster.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'PATCH'])
      expect(cluster.get('NetworkPolicy', 'shop', 'yarak-pod-web-1')).toBeDefined()
    },
  )

  it('keeps the expressions of its selector', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['StatefulSet', 'db'] }))
    const matchExpressions = [
      { key: 'tier', operator: 'In', values: ['db'] },
      { key: 'controller-revision-hash', operator: 'Exists' },
    ]
    cluster.add('StatefulSet', { ...aWorkload('db'), spec: { selector: { matchExpressions } } })
    expect((await specOf(cluster))?.podSelector).toEqual({ matchLabels: {}, matchExpressions: [matchExpressions[0]] })
  })

  it.each<Record<string, string>>([{}, { 'pod-template-hash': 'abc' }])(
    'is refused when only %j is left to select by: an empty selector would cut off the whole namespace',
    async (labels) => {
      const cluster = await withCluster()
      cluster.add('Pod', aPod({ labels }))
      expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'no-labels', permanent: true })
      expect(cluster.requests.map(({ method }) => method)).toEqual(['GET'])
    },
  )

  it('is refused when it is not there, which must not pass for a pod that is gone', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['Job', 'batch'] }))
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'owner-gone' })
  })

  it('that cannot be read is an error as it came', async () => {
    const cluster = await withDeployment()
    cluster.override = ({ path }) => (path.includes('replicasets') ? { status: 500, body: 'oops' } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: '500', permanent: false })
  })

  it('has a policy of its own even where another kind has the same name', async () => {
    const cluster = await withCluster()
    const kinds: Kind[] = ['StatefulSet', 'DaemonSet']
    for (const kind of kinds) {
      cluster.add('Pod', aPod({ owner: [kind, 'web'] }))
      cluster.add(kind, aWorkload('web'))
      await run(cluster)
    }
    expect(kinds.map((kind) => cluster.get('NetworkPolicy', 'shop', `yarak-${kind.toLowerCase()}-web`))).toEqual([
      expect.anything(),
      expect.anything(),
    ])
  })
})

describe('the name of the policy', () => {
  it('is a valid name for any workload, and tells workloads apart', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,250}$/)
    const kind = fc.constantFrom('Deployment', 'Job', 'Pod')
    fc.assert(
      fc.property(kind, name, name, (of, a, b) => {
        expect(isName(policyName({ kind: of, name: a }))).toBe(true)
        expect(policyName({ kind: of, name: a }) === policyName({ kind: of, name: b })).toBe(a === b)
      }),
    )
    const [x, y] = ['x', 'y'].map((end) => policyName({ kind: 'Pod', name: 'a'.repeat(251) + end }))
    expect(isName(x!)).toBe(true)
    expect(x).not.toBe(y)
  })
})

describe('the settings of kubernetes:networkpolicy', () => {
  it.each(['10.0.0.1', '10.0.0.0/33', 'x', '0.0.0.0/0 '])('refuse the CIDR %j', (cidr) => {
    expect(() => networkpolicy({ allow_cidr: [cidr] })).toThrow('allow_cidr[0]: must be a CIDR such as')
  })

  it('refuse what is no namespace', () => {
    expect(() => networkpolicy({ allow_namespaces: ['Kube'] })).toThrow('allow_namespaces[0]')
  })
})

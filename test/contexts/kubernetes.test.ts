import { describe, expect, it } from 'vitest'
import { k8snode } from '../../src/contexts/k8snode.ts'
import { pod } from '../../src/contexts/pod.ts'
import type { Context } from '../../src/plugin.ts'
import { aPod, aPodStep, POD_FIELDS, rejection, withCluster } from '../actions/kubernetes/world.ts'
import type { StepOptions } from '../actions/step.ts'
import type { FakeCluster } from '../fake-cluster.ts'

const lookup = async (context: Context, cluster: FakeCluster, options: StepOptions = {}) => {
  const { step } = await aPodStep(cluster, options)
  const { event, target, signal } = step
  return context.lookup({}, { event, target, signal }, step)
}

const full = () => {
  const { metadata, ...rest } = aPod({ owner: ['ReplicaSet', 'web-5d9f'], status: { podIP: '10.0.0.7' } })
  return {
    ...rest,
    metadata: { ...metadata, annotations: { 'example.com/team': 'shop' } },
    spec: {
      nodeName: 'node-1',
      serviceAccountName: 'web',
      containers: [
        { name: 'web', image: 'web:1' },
        { name: 'side', image: 'side:2' },
      ],
    },
  }
}

const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'node-1',
    labels: {
      'kubernetes.io/hostname': 'host-1',
      'node.kubernetes.io/instance-type': 't3.large',
      'node-role.kubernetes.io/worker': '',
      'topology.kubernetes.io/region': 'eu-central-1',
      'topology.kubernetes.io/zone': 'eu-central-1b',
    },
  },
  spec: { providerID: 'aws:///eu-central-1b/i-1' },
  status: {
    addresses: [
      { type: 'Hostname', address: 'host-1' },
      { type: 'InternalIP', address: '10.1.0.1' },
    ],
  },
}

describe('the context pod', () => {
  it('tells what the cluster knows of the pod', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', full())
    expect(await lookup(pod, cluster)).toEqual({
      name: 'web-1',
      namespace: 'shop',
      uid: 'uid-1',
      labels: { app: 'web', 'pod-template-hash': 'abc' },
      annotations: { 'example.com/team': 'shop' },
      owner: { kind: 'ReplicaSet', name: 'web-5d9f', uid: 'o' },
      serviceAccount: 'web',
      node: 'node-1',
      ip: '10.0.0.7',
      images: ['web:1', 'side:2'],
    })
    expect(cluster.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/namespaces/shop/pods/web-1',
    ])
  })

  it('of a pod of its own has no owner, and labels and annotations are never absent', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', { ...aPod(), metadata: { name: 'web-1', namespace: 'shop', uid: 'uid-1' } })
    const known = await lookup(pod, cluster)
    expect(known).toMatchObject({ labels: {}, annotations: {}, images: [] })
    expect(known['owner']).toBeUndefined()
  })

  it('is that of the pod of the event, and of no other', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ uid: 'uid-2' }))
    const fields = { ...POD_FIELDS, 'k8s.pod.uid': 'uid-1' }
    expect(await rejection(lookup(pod, cluster, { fields }))).toMatchObject({ code: 'refused', reason: 'changed' })
  })

  it.each<[string, Record<string, unknown>, object]>([
    ['names no pod', { 'proc.name': 'sh' }, { code: 'refused', reason: 'no-target' }],
    ['is about the host', { ...POD_FIELDS, 'container.id': 'host' }, { code: 'refused' }],
    ['names what is no pod', { ...POD_FIELDS, 'k8s.pod.name': '../secrets/x' }, { reason: 'bad-name' }],
    ['names a pod that is gone', { ...POD_FIELDS, 'k8s.pod.name': 'web-2' }, { code: 'gone' }],
  ])('fails for an event that %s', async (_what, fields, error) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    expect(await rejection(lookup(pod, cluster, { fields }))).toMatchObject(error)
  })
})

describe('the context k8snode', () => {
  it('tells of the node of the pod, as Falco Talon names it', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', full())
    cluster.add('Node', NODE)
    expect(await lookup(k8snode, cluster)).toEqual({
      name: 'node-1',
      hostname: 'host-1',
      instancetype: 't3.large',
      role: 'worker',
      topology: { region: 'eu-central-1', zone: 'eu-central-1b' },
      spec: { providerid: 'aws:///eu-central-1b/i-1' },
      internal_ip: '10.1.0.1',
      external_ip: undefined,
      labels: NODE.metadata.labels,
    })
  })

  it('of an event of the host is that of its hostname', async () => {
    const cluster = await withCluster()
    cluster.add('Node', NODE)
    const about = { fields: { 'container.id': 'host' }, event: { hostname: 'node-1' } }
    expect(await lookup(k8snode, cluster, about)).toMatchObject({ name: 'node-1' })
    const elsewhere = { ...about, event: { hostname: '../pods' } }
    expect(await rejection(lookup(k8snode, cluster, elsewhere))).toMatchObject({ code: 'refused' })
    expect(cluster.requests).toHaveLength(1)
  })

  it('fails for a pod without a node, and for an event that names neither', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', { ...aPod(), spec: { containers: [] } })
    expect(await rejection(lookup(k8snode, cluster))).toMatchObject({ reason: 'no-target' })
    const nothing = { fields: { 'proc.name': 'sh' } }
    expect(await rejection(lookup(k8snode, cluster, nothing))).toMatchObject({ reason: 'no-target' })
  })
})

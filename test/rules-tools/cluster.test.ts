import { describe, expect, it } from 'vitest'
import { YarakError } from '../../src/errors.ts'
import type { Clients } from '../../src/resources/kubernetes.ts'
import { clusterSettings, simulatedCluster } from '../../src/rules-tools/cluster.ts'

const clientsOf = (settings: object): Clients =>
  simulatedCluster(clusterSettings.parse(settings)).as(undefined as never)

const { core, apps, networking, objects, send } = clientsOf({
  pods: [
    {
      name: 'web-1',
      namespace: 'shop',
      labels: { app: 'web' },
      owners: [{ kind: 'ReplicaSet', name: 'web' }],
      node: 'n1',
    },
    {
      name: 'web-2',
      namespace: 'shop',
      labels: { app: 'web' },
      owners: [{ kind: 'ReplicaSet', name: 'web' }],
      node: 'n2',
    },
    { name: 'alone', uid: 'u-7', containers: ['abc'] },
  ],
  nodes: [{ name: 'n1', labels: { pool: 'a' } }],
})

describe('a simulated cluster', () => {
  it('answers for pods with what a test gave them', async () => {
    expect(await core.readNamespacedPod({ namespace: 'default', name: 'alone' })).toMatchObject({
      metadata: { uid: 'u-7', namespace: 'default', labels: {} },
      status: { containerStatuses: [{ containerID: 'containerd://abc' }] },
    })
    expect(await core.readNamespacedPod({ namespace: 'shop', name: 'web-1' })).toMatchObject({
      metadata: { uid: 'uid-shop-web-1', ownerReferences: [{ kind: 'ReplicaSet', name: 'web', controller: true }] },
      spec: { nodeName: 'n1' },
    })
  })

  it('answers raw requests in the same way', async () => {
    const get = (path: string) => send({ method: 'GET', path })
    expect(await get('/api/v1/namespaces/shop/pods/web-1')).toMatchObject({ metadata: { uid: 'uid-shop-web-1' } })
    expect(await get('/apis/apps/v1/namespaces/shop/replicasets/web/scale')).toMatchObject({ spec: { replicas: 2 } })
    expect(await get('/api/v1/nodes/n1')).toMatchObject({ metadata: { labels: { pool: 'a' } } })
    expect(await get('/api/v1/namespaces/shop/pods')).toMatchObject({ items: [{}, {}] })
    expect(await get('/apis/apps/v1')).toMatchObject({
      resources: expect.arrayContaining([{ kind: 'ReplicaSet', name: 'replicasets', namespaced: true }]) as unknown,
    })
    const policies = '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies'
    const body = { metadata: { name: 'p' } }
    expect(await send({ method: 'POST', path: policies, body })).toEqual(body)
    for (const path of [`${policies}/p`, '/api/v1/namespaces/shop/pods/none']) {
      await expect(get(path)).rejects.toMatchObject({ code: 'gone' })
    }
  })

  it('lists by namespace, node and label', async () => {
    const names = async (asked: object, all = true) => {
      const list = all ? core.listPodForAllNamespaces(asked) : core.listNamespacedPod(asked as { namespace: string })
      return (await list).items.map(({ metadata }) => metadata?.name)
    }
    expect(await names({})).toEqual(['web-1', 'web-2', 'alone'])
    expect(await names({ fieldSelector: 'spec.nodeName=n2' })).toEqual(['web-2'])
    expect(await names({ labelSelector: 'app=web' })).toEqual(['web-1', 'web-2'])
    expect(await names({ namespace: 'default' }, false)).toEqual(['alone'])
  })

  it('has what its pods name: owners with their replicas, namespaces, nodes', async () => {
    expect(await apps.readNamespacedReplicaSet({ namespace: 'shop', name: 'web' })).toMatchObject({
      spec: { replicas: 2, selector: { matchLabels: { app: 'web' } } },
      status: { readyReplicas: 2 },
    })
    expect(await core.readNode({ name: 'n1' })).toMatchObject({ metadata: { labels: { pool: 'a' } } })
    expect(await core.readNode({ name: 'n2' })).toMatchObject({ metadata: { name: 'n2' } })
    expect(await core.readNamespace({ name: 'shop' })).toMatchObject({ kind: 'Namespace' })
  })

  it('has nothing else: that is gone', async () => {
    const error: unknown = await core
      .readNamespacedPod({ namespace: 'shop', name: 'web-9' })
      .catch((one: unknown) => one)
    expect(error).toBeInstanceOf(YarakError)
    expect(error).toMatchObject({ code: 'gone', reason: 'not-found', permanent: true })
    await expect(core.deleteNamespacedPod({ namespace: 'other', name: 'web-1' })).rejects.toMatchObject({
      code: 'gone',
    })
  })

  it('takes whatever is applied, and does not change', async () => {
    const body = { kind: 'NetworkPolicy', metadata: { name: 'p' } }
    const asked = { namespace: 'shop', name: 'p', body }
    expect(await networking.patchNamespacedNetworkPolicy(asked)).toBe(body)
    expect(await objects.create(body as never)).toBe(body)
    await core.deleteNamespacedPod({ namespace: 'shop', name: 'web-1' })
    expect((await core.listNamespacedPod({ namespace: 'shop' })).items).toHaveLength(2)
  })
})

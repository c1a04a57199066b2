import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLabelKey, isLabelValue, isName, isNamespace } from '../../../src/actions/kubernetes/_names.ts'
import { podOf, podSubject } from '../../../src/actions/kubernetes/resolve.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { aPod, aPodStep, CONTAINER, POD_FIELDS, rejection, withCluster } from './world.ts'

const resolve = async (cluster: FakeCluster, fields: Record<string, unknown>, event: Record<string, unknown> = {}) => {
  const { step } = await aPodStep(cluster, { fields, event })
  return podSubject(step.target, step)
}

describe('a pod by its name', () => {
  it('is the live one, with uid, labels, owners and node', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['ReplicaSet', 'web-abc'] }))
    expect(await resolve(cluster, POD_FIELDS)).toEqual({
      kind: 'Pod',
      key: 'pod/shop/web-1',
      namespace: 'shop',
      name: 'web-1',
      uid: 'uid-1',
      labels: { app: 'web', 'pod-template-hash': 'abc' },
      owners: [{ kind: 'ReplicaSet', name: 'web-abc', uid: 'o' }],
      node: 'node-1',
    })
    expect(cluster.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/namespaces/shop/pods/web-1',
      'GET /apis/apps/v1/namespaces/shop/replicasets/web-abc',
    ])
  })

  it('has its controller as the first owner', async () => {
    const cluster = await withCluster()
    const pod = aPod()
    const plain = { kind: 'Set', name: 'plain', uid: 'p' }
    const owners = [plain, { ...plain, name: 'controller', controller: true }]
    cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, ownerReferences: owners } })
    expect((await resolve(cluster, POD_FIELDS))?.owners?.map(({ name }) => name)).toEqual(['controller', 'plain'])
  })

  it('is gone when there is none', async () => {
    const cluster = await withCluster()
    expect(await rejection(resolve(cluster, POD_FIELDS))).toMatchObject({ code: 'gone', reason: 'not-found' })
  })

  it('is refused as changed when the event knows another uid', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ uid: 'uid-2' }))
    const error = await rejection(resolve(cluster, { ...POD_FIELDS, 'k8s.pod.uid': 'uid-1' }))
    expect(error).toMatchObject({ code: 'refused', reason: 'changed', permanent: true })
    expect(await resolve(cluster, { ...POD_FIELDS, 'k8s.pod.uid': 'uid-2' })).toMatchObject({ uid: 'uid-2' })
  })

  it('is refused when the server gives no uid', async () => {
    const cluster = await withCluster()
    const pod = aPod()
    cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, uid: '' } })
    expect(await rejection(resolve(cluster, POD_FIELDS))).toMatchObject({ code: 'refused', reason: 'no-uid' })
  })

  it.each([
    { 'k8s.ns.name': 'shop', 'k8s.pod.name': '..' },
    { 'k8s.ns.name': '..', 'k8s.pod.name': 'web-1' },
    { 'k8s.ns.name': 'shop', 'k8s.pod.name': '.' },
    { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1/eviction' },
    { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1?dryRun=' },
    { 'k8s.ns.name': 'Shop', 'k8s.pod.name': 'web-1' },
  ])('never asks for a name that would lead elsewhere: %j', async (fields) => {
    const cluster = await withCluster()
    expect(await rejection(resolve(cluster, fields))).toMatchObject({ code: 'refused', reason: 'bad-name' })
    expect(cluster.requests).toEqual([])
  })
})

describe('a pod by its container', () => {
  const byContainer = { 'container.id': CONTAINER }
  const ID = `cri-o://${CONTAINER}${'d'.repeat(52)}`

  it('is looked for on the node of the event', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ name: 'other', uid: 'uid-9', status: {} }))
    cluster.add('Pod', aPod())
    expect(await resolve(cluster, byContainer, { hostname: 'node-1' })).toMatchObject({ name: 'web-1' })
    expect(cluster.requests).toHaveLength(1)
    expect(cluster.requests[0]).toMatchObject({
      path: '/api/v1/pods',
      query: { fieldSelector: 'spec.nodeName=node-1', limit: '500' },
    })
  })

  it.each([
    ['an init container', { initContainerStatuses: [{ containerID: ID }] }],
    ['an ephemeral container', { ephemeralContainerStatuses: [{ containerID: ID }] }],
    ['the previous run of a container', { containerStatuses: [{ lastState: { terminated: { containerID: ID } } }] }],
  ])('is found by %s', async (_, status) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ status }))
    expect(await resolve(cluster, byContainer, { hostname: 'node-1' })).toMatchObject({ uid: 'uid-1' })
  })

  it.each(['falco-x7k2p', 'no,metadata.namespace=kube-system', undefined])(
    'is looked for everywhere when %j is no node with pods',
    async (hostname) => {
      const cluster = await withCluster()
      cluster.add('Pod', aPod())
      expect(await resolve(cluster, byContainer, { hostname })).toMatchObject({ name: 'web-1' })
      expect(cluster.requests.at(-1)?.query.fieldSelector).toBeUndefined()
      expect(cluster.requests.every(({ query }) => !query.fieldSelector?.includes(','))).toBe(true)
    },
  )

  it('is looked for page by page', async () => {
    const cluster = await withCluster()
    for (let i = 0; i < 1_001; i++) cluster.add('Pod', aPod({ name: `p-${i}`, uid: `u-${i}`, status: {} }))
    cluster.add('Pod', aPod())
    expect(await resolve(cluster, byContainer)).toMatchObject({ name: 'web-1' })
    expect(cluster.requests.map(({ query }) => query.continue)).toEqual([undefined, '500', '1000'])
  })

  it('is given up where there are too many pods to look through', async () => {
    const cluster = await withCluster()
    cluster.override = () => ({ status: 200, body: { metadata: { continue: 'more' }, items: [] } })
    expect(await rejection(resolve(cluster, byContainer))).toMatchObject({ code: 'refused', reason: 'too-many-pods' })
    expect(cluster.requests).toHaveLength(20)
  })

  it('is gone when no pod has the container', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ status: {} }))
    const error = await rejection(resolve(cluster, byContainer, { hostname: 'node-1' }))
    expect(error).toMatchObject({ code: 'gone', reason: 'not-found' })
  })

  it('is refused when two pods claim it', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Pod', aPod({ name: 'web-2', uid: 'uid-2' }))
    expect(await rejection(resolve(cluster, byContainer))).toMatchObject({ code: 'refused', reason: 'ambiguous' })
  })

  it.each(['a', 'xyz', '../..', '0123456789a'])('is not looked for by %j, which could mean many', async (id) => {
    const cluster = await withCluster()
    const error = await rejection(resolve(cluster, { 'container.id': id }))
    expect(error).toMatchObject({ code: 'refused', reason: 'bad-name' })
    expect(cluster.requests).toEqual([])
  })
})

describe('no pod', () => {
  it('is refused for a process of the node', async () => {
    const cluster = await withCluster()
    const error = await rejection(resolve(cluster, { ...POD_FIELDS, 'container.id': 'host' }))
    expect(error).toMatchObject({ code: 'refused', reason: 'host-process', permanent: true })
  })

  it('is undefined when the event names nothing, and asks nobody', async () => {
    const cluster = await withCluster()
    expect(await resolve(cluster, { 'proc.name': 'sh' }, { hostname: 'node-1' })).toBeUndefined()
    expect(await resolve(cluster, { 'k8s.pod.name': 'web-1' })).toBeUndefined()
    expect(cluster.requests).toEqual([])
  })

  it('is refused by an action that needs one', () => {
    expect(() => podOf({ subject: undefined })).toThrow('names no pod')
    expect(() => podOf({ subject: { kind: 'Node', key: 'node/x', name: 'x' } })).toThrow('names no pod')
  })
})

describe('a name', () => {
  it('that is taken is one segment of a path', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z.%/]{1,8}$/)), (text) => {
        if (!isName(text)) return
        const url = new URL(`http://x/pods/${encodeURIComponent(text)}`)
        expect(url.pathname).toBe(`/pods/${text}`)
      }),
    )
  })

  it.each(['web-1', 'a.b-c.d', '0'])('%j is one', (text) => expect(isName(text)).toBe(true))
  it.each(['', '..', 'a..b', '-a', 'a-', 'A', 'a_b', 'a/b', 'a\n', 'x'.repeat(254)])('%j is none', (text) =>
    expect(isName(text)).toBe(false),
  )
  it('of a namespace has no dots', () => {
    expect(isNamespace('kube-system')).toBe(true)
    expect(isNamespace('a.b')).toBe(false)
    expect(isNamespace('x'.repeat(64))).toBe(false)
  })
  it.each(['app', 'example.com/app', 'A_b.c', 'x'.repeat(63)])('%j is a label key', (text) =>
    expect(isLabelKey(text)).toBe(true),
  )
  it.each(['', '/', 'a/', '/a', 'a/b/c', 'a b', 'x'.repeat(64), 'A/b'])('%j is no label key', (text) =>
    expect(isLabelKey(text)).toBe(false),
  )
  it('of a label may be empty as a value', () => {
    expect([isLabelValue(''), isLabelValue('a.b_c-d'), isLabelValue('a b'), isLabelValue('-a')]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})

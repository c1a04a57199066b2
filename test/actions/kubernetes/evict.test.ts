import { describe, expect, it } from 'vitest'
import { evict } from '../../../src/actions/kubernetes/evict.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform } from '../step.ts'
import { aPod, aPodStep, aWorkload, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof evict.config>>[1]

const run = async (cluster: FakeCluster, params: Params = {}, options: { dryRun?: boolean } = {}) =>
  perform(evict, params, await aPodStep(cluster, options))

const gone = (cluster: FakeCluster): boolean => cluster.get('Pod', 'shop', 'web-1') === undefined

const BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."

describe('kubernetes:evict', () => {
  it('evicts the pod under its uid', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    expect(await run(cluster)).toEqual({
      summary: 'evicted pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop' },
    })
    expect(gone(cluster)).toBe(true)
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'POST',
      path: '/api/v1/namespaces/shop/pods/web-1/eviction',
      body: {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: 'web-1', namespace: 'shop' },
        deleteOptions: { preconditions: { uid: 'uid-1' } },
      },
    })
    expect(cluster.requests.at(-1)?.body?.deleteOptions).not.toHaveProperty('gracePeriodSeconds')
  })

  it.each([0, 5])('gives the pod %i seconds', async (grace_period_seconds) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    await run(cluster, { grace_period_seconds })
    expect(cluster.requests.at(-1)?.body?.deleteOptions).toMatchObject({ gracePeriodSeconds: grace_period_seconds })
  })

  it('evicts nothing in a dry run', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    expect(await run(cluster, {}, { dryRun: true })).toMatchObject({ summary: 'would evict pod shop/web-1' })
    expect(cluster.requests.at(-1)?.query).toEqual({ dryRun: 'All' })
    expect(gone(cluster)).toBe(false)
  })

  it('fails, to be tried again, while a disruption budget forbids it', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) =>
      method === 'POST' ? { ...status(429, 'TooManyRequests', BUDGET), headers: { 'retry-after': '10' } } : undefined
    const error = await rejection(run(cluster))
    expect(error).toMatchObject({ reason: 'too-many-requests', permanent: false, retryAfter: 10_000 })
    expect(error.message).toContain('disruption budget')
    expect(gone(cluster)).toBe(false)
  })

  it('is gone, a success, when the pod has just gone, also when another has its name', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) => {
      if (method === 'POST') cluster.add('Pod', aPod({ uid: 'uid-2' }))
      return undefined
    }
    expect(await rejection(run(cluster))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(gone(cluster)).toBe(false)
    cluster.override = ({ method }) =>
      method === 'POST' ? status(404, 'NotFound', 'pods "web-1" not found', { name: 'web-1' }) : undefined
    expect(await rejection(run(cluster))).toMatchObject({ code: 'gone', reason: 'not-found' })
  })

  it('tells which permission is missing', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    const message = 'pods "web-1" is forbidden: User "y" cannot create resource "pods/eviction" in API group ""'
    cluster.override = ({ method }) => (method === 'POST' ? status(403, 'Forbidden', message) : undefined)
    const error = await rejection(run(cluster))
    expect(error).toMatchObject({ code: 'refused', reason: 'forbidden' })
    expect(error.message).toContain('{"apiGroups":[""],"resources":["pods/eviction"],"verbs":["create"]}')
  })
})

describe('a pod that is not evicted', () => {
  it.each([
    [['DaemonSet', 'agent'], { ignore_daemonsets: true }, 'daemonset'],
    [['StatefulSet', 'db'], { ignore_statefulsets: true }, 'statefulset'],
    [undefined, { ignore_standalone_pods: true }, 'standalone'],
    [['Node', 'node-1'], {}, 'static-pod'],
    [['ReplicaSet', 'web'], { min_healthy_replicas: '70%' }, 'min-healthy-replicas'],
  ] as const)('owner %j with %j', async (owner, params, reason) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod(owner && { owner }))
    cluster.add('ReplicaSet', aWorkload('web', { desired: 3, ready: 2 }))
    expect(await rejection(run(cluster, params))).toMatchObject({ code: 'refused', reason, permanent: true })
    expect(cluster.requests.every(({ method }) => method === 'GET')).toBe(true)
  })
})

it('kubernetes:evict asks for no more permissions than needed', () => {
  const { permissions } = evict
  const of = (params: Params) =>
    typeof permissions === 'function' ? permissions(evict.config.parse(params)) : (permissions ?? [])
  const words = of({ min_healthy_replicas: 1 }).flatMap(({ resources, verbs }) => `${verbs.join()} ${resources.join()}`)
  expect(words).toEqual([
    'get,list pods',
    ...['get replicasets,deployments,statefulsets,daemonsets', 'get jobs'],
    'create pods/eviction',
    'get replicasets,statefulsets',
  ])
  expect(of({})).toHaveLength(4)
  expect(evict.changes).toBe('destructive')
})

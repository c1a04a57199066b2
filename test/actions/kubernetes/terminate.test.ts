import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { neededReplicas } from '../../../src/actions/kubernetes/_sparing.ts'
import { terminate } from '../../../src/actions/kubernetes/terminate.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform } from '../step.ts'
import { aPod, aPodStep, aWorkload, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof terminate.config>>[1]

const run = async (cluster: FakeCluster, params: Params = {}, options: { dryRun?: boolean } = {}) => {
  const recorded = await aPodStep(cluster, options)
  return perform(terminate, params, recorded)
}

const gone = (cluster: FakeCluster): boolean => cluster.get('Pod', 'shop', 'web-1') === undefined

describe('kubernetes:terminate', () => {
  it('deletes the pod that was looked up, with its own grace period', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['ReplicaSet', 'web-abc'] }))
    expect(await run(cluster)).toEqual({
      summary: 'terminated pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop' },
    })
    expect(gone(cluster)).toBe(true)
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'DELETE',
      path: '/api/v1/namespaces/shop/pods/web-1',
      body: { preconditions: { uid: 'uid-1' } },
    })
    expect(cluster.requests.at(-1)?.body).not.toHaveProperty('gracePeriodSeconds')
  })

  it.each([0, 5])('gives %i seconds of grace when told to', async (grace_period_seconds) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    await run(cluster, { grace_period_seconds })
    expect(cluster.requests.at(-1)?.body).toMatchObject({ gracePeriodSeconds: grace_period_seconds })
  })

  it('deletes nothing in a dry run, which is asked for in the body since the query is then not read', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    expect(await run(cluster, {}, { dryRun: true })).toMatchObject({ summary: 'would terminate pod shop/web-1' })
    expect(gone(cluster)).toBe(false)
    expect(cluster.requests.at(-1)?.body).toMatchObject({ dryRun: ['All'], preconditions: { uid: 'uid-1' } })
  })

  it('is gone, a success, when the pod has just been deleted', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) =>
      method === 'DELETE' ? status(404, 'NotFound', 'pods "web-1" not found', { name: 'web-1' }) : undefined
    expect(await rejection(run(cluster))).toMatchObject({ code: 'gone' })
  })

  it('leaves a pod alone that has taken the name meanwhile', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) => {
      if (method === 'DELETE') cluster.add('Pod', aPod({ uid: 'uid-2' }))
      return undefined
    }
    expect(await rejection(run(cluster))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(gone(cluster)).toBe(false)
  })

  it('tells which permission is missing', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) =>
      method === 'DELETE'
        ? status(403, 'Forbidden', 'pods "web-1" is forbidden: User "y" cannot delete resource "pods" in API group ""')
        : undefined
    const error = await rejection(run(cluster))
    expect(error).toMatchObject({ code: 'refused', reason: 'forbidden', permanent: true })
    expect(error.message).toContain('"verbs":["delete"]')
  })

  it('has a client span for the lookup and one for the deletion', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    const recorded = await aPodStep(cluster)
    await perform(terminate, {}, recorded)
    expect(recorded.spans.map(({ name }) => name)).toEqual([
      'GET /api/v1/namespaces/{namespace}/pods/{name}',
      'DELETE /api/v1/namespaces/{namespace}/pods/{name}',
    ])
  })
})

describe('a pod that is left alone', () => {
  const attempt = async (owner: readonly [string, string] | undefined, params: Params) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod(owner && { owner }))
    const result = await run(cluster, params).then(
      () => 'terminated',
      (error: { code: string; reason: string }) => `${error.code} ${error.reason}`,
    )
    expect(gone(cluster)).toBe(result === 'terminated')
    return result
  }

  it.each([
    [['DaemonSet', 'agent'], { ignore_daemonsets: true }, 'refused daemonset'],
    [['DaemonSet', 'agent'], { ignore_statefulsets: true, ignore_standalone_pods: true }, 'terminated'],
    [['StatefulSet', 'db'], { ignore_statefulsets: true }, 'refused statefulset'],
    [['StatefulSet', 'db'], { ignore_daemonsets: true, ignore_standalone_pods: true }, 'terminated'],
    [undefined, { ignore_standalone_pods: true }, 'refused standalone'],
    [undefined, { ignore_daemonsets: true, ignore_statefulsets: true }, 'terminated'],
    [['ReplicaSet', 'web'], { ignore_daemonsets: true, ignore_standalone_pods: true }, 'terminated'],
    [['Node', 'node-1'], {}, 'refused static-pod'],
  ] as const)('owner %j with %j is %s', async (owner, params, result) => {
    expect(await attempt(owner, params)).toBe(result)
  })
})

describe('min_healthy_replicas', () => {
  const attempt = async (
    kind: 'ReplicaSet' | 'StatefulSet',
    counts: { desired: number; ready: number },
    wanted: string | number,
  ) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: [kind, 'web'] }))
    cluster.add(kind, aWorkload('web', counts))
    return run(cluster, { min_healthy_replicas: wanted }).then(
      () => 'terminated',
      (error: { reason: string; message: string }) => error.reason,
    )
  }

  it.each([
    [{ desired: 3, ready: 3 }, 2, 'terminated'],
    [{ desired: 3, ready: 1 }, 2, 'min-healthy-replicas'],
    [{ desired: 3, ready: 2 }, '2', 'terminated'],
    [{ desired: 3, ready: 1 }, '33%', 'terminated'],
    [{ desired: 10, ready: 3 }, '33%', 'min-healthy-replicas'],
    [{ desired: 10, ready: 4 }, '33%', 'terminated'],
    [{ desired: 100, ready: 40 }, '33%', 'terminated'],
    [{ desired: 3, ready: 0 }, '0%', 'terminated'],
    [{ desired: 3, ready: 2 }, '100%', 'min-healthy-replicas'],
  ])('of %j with %j is %s', async (counts, wanted, result) => {
    expect(await attempt('ReplicaSet', counts, wanted)).toBe(result)
    expect(await attempt('StatefulSet', counts, wanted)).toBe(result)
  })

  it('says the numbers', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['ReplicaSet', 'web'] }))
    cluster.add('ReplicaSet', aWorkload('web', { desired: 4, ready: 1 }))
    const error = await rejection(run(cluster, { min_healthy_replicas: '50%' }))
    expect(error.message).toBe('ReplicaSet web has 1 of 4 replicas ready; min_healthy_replicas 50% asks for 2')
  })

  it('fails closed when the owner is not there: that must not pass for a pod that is gone', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['ReplicaSet', 'web'] }))
    const error = await rejection(run(cluster, { min_healthy_replicas: 1 }))
    expect(error).toMatchObject({ code: 'refused', reason: 'owner-gone' })
    expect(gone(cluster)).toBe(false)
  })

  it('is not asked of a pod that has no replicas', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['DaemonSet', 'agent'] }))
    await run(cluster, { min_healthy_replicas: 5 })
    expect(cluster.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'DELETE'])
  })

  it('as a share never asks for more than all, nor for less than a larger share', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(100), fc.nat(100), (desired, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((share) => neededReplicas(`${share}%`, desired))
        expect(low).toBeLessThanOrEqual(high!)
        expect(high).toBeLessThanOrEqual(desired)
        expect(neededReplicas('100%', desired)).toBe(desired)
      }),
    )
  })
})

describe('the settings of kubernetes:terminate', () => {
  it.each(['101%', '-1', 'two', '', '%', -1, 1.5])('refuse min_healthy_replicas %j', (min_healthy_replicas) => {
    expect(() => terminate({ min_healthy_replicas })).toThrow('min_healthy_replicas')
  })

  it('refuse unknown keys and other spellings', () => {
    expect(() => terminate({ gracePeriodSeconds: 5 } as never)).toThrow('gracePeriodSeconds is not a known setting')
  })

  it('ask for no more permissions than needed', () => {
    const of = (params: Params) => {
      const { permissions } = terminate
      return typeof permissions === 'function' ? permissions(terminate.config.parse(params)) : permissions
    }
    expect(of({})?.flatMap(({ resources, verbs }) => verbs.map((verb) => `${verb} ${resources.join()}`))).toEqual([
      'get pods',
      'list pods',
      ...['get replicasets,deployments,statefulsets,daemonsets', 'get jobs'],
      'delete pods',
    ])
    expect(of({ min_healthy_replicas: 1 })).toHaveLength(5)
    expect(terminate.changes).toBe('destructive')
  })
})

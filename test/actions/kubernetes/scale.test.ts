import { describe, expect, it } from 'vitest'
import { scale } from '../../../src/actions/kubernetes/scale.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform } from '../step.ts'
import { expectSound, withWorkload, writes } from './workload.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

const run = async (cluster: FakeCluster, replicas = 0, options: { dryRun?: boolean } = {}) =>
  perform(scale, { replicas }, await aPodStep(cluster, options))

const replicasOf = (cluster: FakeCluster, kind: 'Deployment' | 'StatefulSet' | 'ReplicaSet' = 'Deployment') =>
  cluster.get(kind, 'shop', 'web')?.spec?.replicas

describe('kubernetes:scale', () => {
  it('scales the Deployment above the ReplicaSet, under its uid, and says what there was', async () => {
    const cluster = await withWorkload('Deployment')
    expect(await run(cluster)).toEqual({
      summary: 'scaled deployment shop/web from 3 to 0',
      objects: { pod: 'web-1', namespace: 'shop', deployment: 'web' },
    })
    expect(replicasOf(cluster)).toBe(0)
    expect(writes(cluster)).toMatchObject([
      {
        path: '/apis/apps/v1/namespaces/shop/deployments/web/scale',
        query: { fieldManager: 'yarak' },
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { metadata: { uid: 'uid-web' }, spec: { replicas: 0 } },
      },
    ])
  })

  it.each(['StatefulSet', 'ReplicaSet'] as const)('scales a %s', async (kind) => {
    const cluster = await withWorkload(kind)
    expect(await run(cluster, 5)).toMatchObject({ objects: { [kind.toLowerCase()]: 'web' } })
    expect(replicasOf(cluster, kind)).toBe(5)
  })

  it('scales nothing in a dry run', async () => {
    const cluster = await withWorkload('Deployment')
    expect(await run(cluster, 0, { dryRun: true })).toMatchObject({
      summary: 'would scale deployment shop/web from 3 to 0',
    })
    expect(writes(cluster)[0]?.query).toEqual({ fieldManager: 'yarak', dryRun: 'All' })
    expect(replicasOf(cluster)).toBe(3)
  })

  it('is refused for a pod that a DaemonSet keeps, or nobody', async () => {
    const cluster = await withWorkload('DaemonSet')
    const error = await rejection(run(cluster))
    expect(error).toMatchObject({ code: 'refused', reason: 'no-workload', permanent: true })
    expect(error.message).toBe('pod shop/web-1: its workload is a DaemonSet, not a Deployment, StatefulSet, ReplicaSet')
    cluster.add('Pod', aPod())
    expect((await rejection(run(cluster))).message).toContain('no workload keeps it running')
    expect(writes(cluster)).toEqual([])
  })

  it('leaves a ReplicaSet alone that something unknown keeps', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['ReplicaSet', 'web'] }))
    const ownerReferences = [{ apiVersion: 'x.io/v1', kind: 'Rollout', name: 'web', uid: 'r', controller: true }]
    cluster.add('ReplicaSet', { metadata: { name: 'web', namespace: 'shop', uid: 'o', ownerReferences } })
    expect((await rejection(run(cluster))).message).toContain('its workload is a Rollout')
  })

  it('leaves a workload alone that has taken the name', async () => {
    const cluster = await withWorkload('Deployment')
    cluster.add('Deployment', { metadata: { name: 'web', namespace: 'shop', uid: 'other' }, spec: { replicas: 3 } })
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'owner-gone' })
    expect(replicasOf(cluster)).toBe(3)
  })

  it('does not pass for a success when the workload is gone and the pod is not', async () => {
    const cluster = await withWorkload('Deployment')
    cluster.override = ({ path }) =>
      path.includes('/deployments/')
        ? status(404, 'NotFound', 'deployments.apps "web" not found', { name: 'web' })
        : undefined
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'owner-gone' })
  })

  it('is gone, a success, when the pod is', async () => {
    expect(await rejection(run(await withCluster()))).toMatchObject({ code: 'gone' })
  })

  it('tells refusals from trouble', async () => {
    const cluster = await withWorkload('Deployment')
    await expectSound(cluster, () => run(cluster))
    expect(replicasOf(cluster)).toBe(0)
  })
})

describe('the settings of kubernetes:scale', () => {
  it('take a number of pods or a template', () => {
    expect(scale({ replicas: '{{ steps.a.output }}' }).config).toEqual({ replicas: '{{ steps.a.output }}' })
    expect(() => scale({ replicas: -1 })).toThrow('replicas')
    expect(() => scale({ replicas: 1.5 })).toThrow('replicas')
    expect(() => scale({} as never)).toThrow('replicas is required')
  })

  it('ask for the scale and nothing else of the workloads', () => {
    expect(scale.permissions).toContainEqual({
      apiGroups: ['apps'],
      resources: ['deployments/scale', 'statefulsets/scale', 'replicasets/scale'],
      verbs: ['get', 'patch'],
    })
    expect([scale.changes, scale.done]).toEqual(['destructive', 'repeatable'])
  })
})

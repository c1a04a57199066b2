import { describe, expect, it } from 'vitest'
import { scale } from '../../../src/actions/kubernetes/scale.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform } from '../step.ts'
import { notesOf, undoFirst } from './_notes.ts'
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

  it('ask for the scale and nothing else of the workloads, unless it is to be undone', () => {
    const { permissions } = scale
    const of = (ttl?: number) => (typeof permissions === 'function' ? permissions({ replicas: 0, ttl }) : [])
    const scales = ['deployments/scale', 'statefulsets/scale', 'replicasets/scale']
    expect(of()).toContainEqual({ apiGroups: ['apps'], resources: scales, verbs: ['get', 'patch'] })
    expect(of().flatMap(({ resources, verbs }) => (verbs.includes('patch') ? resources : []))).toEqual(scales)
    expect(of(1_000)).toContainEqual({ apiGroups: ['apps'], resources: scales, verbs: ['get'] })
    expect(of(1_000)).toContainEqual({
      apiGroups: ['apps'],
      resources: ['deployments', 'statefulsets', 'replicasets'],
      verbs: ['get', 'patch'],
    })
    expect([scale.changes, scale.done]).toEqual(['destructive', 'repeatable'])
  })
})

describe('kubernetes:scale with a ttl', () => {
  const withNote = async (replicas = 0) => {
    const cluster = await withWorkload('Deployment')
    const result = await perform(scale, { replicas, ttl: '1h' }, await aPodStep(cluster))
    return { cluster, result }
  }

  it('notes what there was in the request that changes it, and is undone', async () => {
    const { cluster, result } = await withNote()
    expect(result.summary).toBe('scaled deployment shop/web from 3 to 0')
    expect(replicasOf(cluster)).toBe(0)
    expect(writes(cluster).map(({ path }) => path)).toEqual(['/apis/apps/v1/namespaces/shop/deployments/web'])
    expect(notesOf(cluster.get('Deployment', 'shop', 'web'))).toMatchObject([
      { prior: { replicas: 3 }, made: { replicas: 0 }, expires: expect.any(String) as string },
    ])
    expect(await undoFirst(cluster, scale)).toBe('put back on deployment shop/web: replicas')
    expect(replicasOf(cluster)).toBe(3)
  })

  it('leaves alone what somebody else has scaled meanwhile', async () => {
    const { cluster } = await withNote()
    const found = cluster.get('Deployment', 'shop', 'web')
    if (found) cluster.add('Deployment', { ...found, spec: { ...found.spec, replicas: 7 } })
    expect(await undoFirst(cluster, scale)).toContain('left alone')
    expect(replicasOf(cluster)).toBe(7)
  })
})

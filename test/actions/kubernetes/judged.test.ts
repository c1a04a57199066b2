/** What an action changes besides the target of the event is put to the guard first, as it is in the cluster. */
import { describe, expect, it } from 'vitest'
import { apply } from '../../../src/actions/kubernetes/apply.ts'
import { drain } from '../../../src/actions/kubernetes/drain.ts'
import { deleteResource } from '../../../src/actions/kubernetes/delete.ts'
import { patch } from '../../../src/actions/kubernetes/patch.ts'
import { rolloutRestart } from '../../../src/actions/kubernetes/rollout-restart.ts'
import { scale } from '../../../src/actions/kubernetes/scale.ts'
import { type Action, type Subject, YarakError } from '../../../src/plugin.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { withWorkload, writes } from './workload.ts'
import { aPod, aPodStep, aWorkload, rejection, withCluster } from './world.ts'

/** Runs it with a guard that remembers what it was asked about, and refuses what the test says. */
const run = async (cluster: FakeCluster, action: Action, params: object, refuses?: (subject: Subject) => boolean) => {
  const asked: Subject[] = []
  const judge = async (subject: Subject): Promise<void> => {
    expect(writes(cluster).filter(({ path }) => path.includes(`/${subject.name}`))).toEqual([])
    asked.push(subject)
    if (refuses?.(subject)) {
      throw new YarakError('refused', 'it is protected', { permanent: true, reason: 'protected-label' })
    }
  }
  const result = perform(action, params, await aPodStep(cluster, { judge } satisfies StepOptions))
  return { asked, result: await result.catch((error: unknown) => error) }
}

const settings = { apiVersion: 'v1', kind: 'ConfigMap', name: 'settings' }
const anObject = { kind: 'ConfigMap', key: 'configmap/shop/settings', namespace: 'shop', name: 'settings' }
const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { a: '1' } }

const withSettings = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod())
  const managedFields = [{ manager: 'yarak', operation: 'Apply' }]
  const metadata = { name: 'settings', namespace: 'shop', uid: 'c-1', labels: { keep: 'yes' }, managedFields }
  cluster.add('ConfigMap', { metadata })
  return cluster
}

const REFUSED = { code: 'refused', reason: 'protected-label' }

describe('an object that the settings name', () => {
  it.each<[string, Action, object]>([
    ['patch', patch, { object: settings, type: 'merge', patch: { data: { a: '1' } } }],
    ['apply', apply, { manifest }],
  ])('is judged by kubernetes:%s as it is, and left alone when the guard says so', async (_what, action, params) => {
    const cluster = await withSettings()
    const { asked, result } = await run(cluster, action, params, ({ labels }) => labels?.['keep'] === 'yes')
    expect(asked).toEqual([{ ...anObject, uid: 'c-1', labels: { keep: 'yes' }, owners: [] }])
    expect(result).toMatchObject(REFUSED)
    expect(writes(cluster)).toEqual([])
    expect((await run(cluster, action, params)).result).toMatchObject({ summary: expect.any(String) as string })
    expect(writes(cluster)).toHaveLength(1)
  })

  it('is patched under the uid that was judged', async () => {
    const cluster = await withSettings()
    cluster.override = ({ method }) => {
      if (method === 'PATCH')
        cluster.add('ConfigMap', { metadata: { name: 'settings', namespace: 'shop', uid: 'c-2' } })
      return undefined
    }
    const { result } = await run(cluster, patch, { object: settings, type: 'merge', patch: { data: {} } })
    expect(result).toMatchObject({ code: 'failed', reason: 'changed' })
  })

  it('is judged by its place before kubernetes:apply makes it', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    const { asked } = await run(cluster, apply, { manifest })
    expect(asked).toEqual([{ ...anObject, labels: {}, owners: [] }])
    const { asked: others, result } = await run(
      cluster,
      apply,
      { manifest: { ...manifest, metadata: { name: 'x', namespace: 'vault' } } },
      ({ namespace }) => namespace === 'vault',
    )
    expect([others[0]?.namespace, result]).toMatchObject(['vault', REFUSED])
  })

  it.each([patch, apply] as unknown as Action[])('is not touched while it cannot be read: $type', async (action) => {
    const cluster = await withSettings()
    cluster.override = ({ path }) =>
      path.endsWith('/configmaps/settings') ? status(500, 'InternalError', 'not now') : undefined
    const params = { object: settings, patch: { data: {} }, manifest }
    const { object: _o, patch: _p, ...ofApply } = params
    const { manifest: _m, ...ofPatch } = params
    const { asked, result } = await run(cluster, action, action === (apply as unknown) ? ofApply : ofPatch)
    expect([asked, result]).toMatchObject([[], { permanent: false }])
    expect(writes(cluster)).toEqual([])
  })

  it('is not the pod of the event, which the engine has judged', async () => {
    const cluster = await withSettings()
    expect((await run(cluster, patch as never, { patch: { metadata: { labels: { a: 'b' } } } })).asked).toEqual([])
  })
})

describe('the workload of the pod', () => {
  it.each<[string, Action, object, object | undefined]>([
    ['scale to fewer', scale, { replicas: 1 }, { desired: 3, ready: 2 }],
    ['scale to more', scale, { replicas: 5 }, undefined],
    ['scale to as many', scale, { replicas: 3 }, undefined],
    ['rollout-restart', rolloutRestart, {}, undefined],
  ])('is judged, with its replicas where it loses some: %s', async (_what, action, params, replicas) => {
    const cluster = await withWorkload('Deployment')
    const labels = { keep: 'yes' }
    const metadata = { name: 'web', namespace: 'shop', uid: 'uid-web', labels }
    cluster.add('Deployment', { ...aWorkload('web', { desired: 3, ready: 2 }), metadata })
    const { asked, result } = await run(cluster, action, params, ({ kind }) => kind === 'Deployment')
    const { replicas: told, ...subject } = asked[0] as Subject
    expect(told).toEqual(replicas)
    expect(subject).toEqual({
      ...{ kind: 'Deployment', key: 'deployment/shop/web', namespace: 'shop', name: 'web', uid: 'uid-web' },
      ...{ labels, owners: [] },
    })
    expect(result).toMatchObject(REFUSED)
    expect(writes(cluster)).toEqual([])
  })
})

describe('each pod of a drain', () => {
  const withNode = async (): Promise<FakeCluster> => {
    const cluster = await withWorkload('Deployment')
    cluster.add('Node', { metadata: { name: 'node-1', uid: 'n-1' } })
    const pod = cluster.get('Pod', 'shop', 'web-1')!
    cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, name: 'web-2', uid: 'uid-2' } })
    cluster.add('Pod', aPod({ name: 'alone', uid: 'uid-3' }))
    return cluster
  }

  it('is judged by all its owners, and skipped when the guard says so', async () => {
    const cluster = await withNode()
    const { asked, result } = await run(cluster, drain, { max_wait_period: 0 }, ({ owners }) =>
      Boolean(owners?.some(({ kind }) => kind === 'Deployment')),
    )
    expect(asked.map(({ name, owners }) => [name, owners?.length])).toEqual([
      ['web-1', 2],
      ['web-2', 2],
      ['alone', 0],
    ])
    expect(result).toMatchObject({
      summary: 'drained node node-1: 1 evicted, 2 skipped, 0 left',
      output: 'skipped shop/web-1: protected-label\nskipped shop/web-2: protected-label\nevicted shop/alone',
    })
    expect(cluster.requests.filter(({ path }) => path.includes('/replicasets/'))).toHaveLength(1)
  })

  it('is judged once, however often it is asked to go', async () => {
    const cluster = await withNode()
    let left = 1
    cluster.override = ({ path }) =>
      path.endsWith('/alone/eviction') && left-- > 0 ? status(429, 'TooManyRequests', 'a budget') : undefined
    const { asked } = await run(cluster, drain, { max_wait_period: 60 })
    expect(asked.map(({ name }) => name)).toEqual(['web-1', 'web-2', 'alone'])
  })
})

describe('an object of the audit log', () => {
  const find = async (cluster: FakeCluster, resource: string, name: string) => {
    const fields = { 'ka.target.resource': resource, 'ka.target.namespace': 'shop', 'ka.target.name': name }
    const { step } = await aPodStep(cluster, { fields })
    return deleteResource.target?.(step.target, step, step.event)
  }

  it('has the replicas that go with it', async () => {
    const cluster = await withCluster()
    cluster.add('Deployment', aWorkload('web', { desired: 3, ready: 2 }))
    expect(await find(cluster, 'deployments', 'web')).toMatchObject({
      ...{ kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'o', replicas: { desired: 3, ready: 2 } },
    })
  })

  it('is found as any pod is when it is one', async () => {
    const cluster = await withWorkload('Deployment')
    const pod = await find(cluster, 'pods', 'web-1')
    expect(pod?.owners?.map(({ kind }) => kind)).toEqual(['ReplicaSet', 'Deployment'])
    expect(await rejection(find(cluster, 'pods', 'web-9') as Promise<unknown>)).toMatchObject({ code: 'gone' })
  })
})

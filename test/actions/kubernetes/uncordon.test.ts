import { describe, expect, it } from 'vitest'
import { uncordon } from '../../../src/actions/kubernetes/uncordon.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { notesOf, undoFirst } from './_notes.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

const withNode = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod())
  cluster.add('Node', {
    metadata: { name: 'node-1', uid: 'n-1', labels: { zone: 'a' } },
    spec: { unschedulable: true },
  })
  return cluster
}

const run = async (cluster: FakeCluster, options: StepOptions = {}) =>
  perform(uncordon, {}, await aPodStep(cluster, options))

const specOf = (cluster: FakeCluster) => cluster.get('Node', '', 'node-1')?.spec

describe('kubernetes:uncordon', () => {
  it('patches the node that the pod runs on, under its uid', async () => {
    const cluster = await withNode()
    expect(await run(cluster)).toEqual({ summary: 'uncordoned node node-1', objects: { node: 'node-1' } })
    expect(specOf(cluster)).toEqual({})
    expect(cluster.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/namespaces/shop/pods/web-1',
      'GET /api/v1/nodes/node-1',
      'GET /api/v1/nodes/node-1',
      'PATCH /api/v1/nodes/node-1',
    ])
    expect(cluster.requests.at(-1)).toMatchObject({
      query: { fieldManager: 'yarak' },
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { uid: 'n-1' }, spec: { unschedulable: null } },
    })
  })

  it('changes nothing when it is so already', async () => {
    const cluster = await withNode()
    await run(cluster)
    await run(cluster)
    expect(specOf(cluster)).toEqual({})
  })

  it('changes nothing in a dry run', async () => {
    const cluster = await withNode()
    expect(await run(cluster, { dryRun: true })).toMatchObject({ summary: 'would uncordon node node-1' })
    expect(cluster.requests.at(-1)?.query).toMatchObject({ dryRun: 'All' })
    expect(specOf(cluster)).toEqual({ unschedulable: true })
  })

  it('leaves a node alone that has taken the name meanwhile', async () => {
    const cluster = await withNode()
    cluster.override = ({ method }) => {
      if (method === 'PATCH')
        cluster.add('Node', { metadata: { name: 'node-1', uid: 'n-2' }, spec: { unschedulable: true } })
      return undefined
    }
    expect(await rejection(run(cluster))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(specOf(cluster)).toEqual({ unschedulable: true })
  })

  it('is made on the fresh object when another writer came between', async () => {
    const cluster = await withNode()
    let left = 1
    cluster.override = ({ method }) =>
      method === 'PATCH' && left-- > 0 ? status(409, 'Conflict', 'the object has been modified') : undefined
    await run(cluster)
    expect(specOf(cluster)).toEqual({})
  })

  it('is undone: put back as it was, unless somebody has changed it meanwhile', async () => {
    const cluster = await withNode()
    await perform(uncordon, { ttl: '1h' }, await aPodStep(cluster))
    expect(notesOf(cluster.get('Node', '', 'node-1'))).toMatchObject([{ expires: expect.any(String) as string }])
    await run(cluster)
    expect(await undoFirst(cluster, uncordon)).toBe('put back on node node-1: unschedulable')
    expect(specOf(cluster)).toEqual({ unschedulable: true })
    await run(cluster)
    const found = cluster.get('Node', '', 'node-1')
    if (found) cluster.add('Node', { ...found, spec: { unschedulable: true } })
    await undoFirst(cluster, uncordon)
    expect(specOf(cluster)).toEqual({ unschedulable: true })
    expect(cluster.get('Node', '', 'node-1')?.metadata).toMatchObject({ labels: { zone: 'a' }, annotations: {} })
  })

  it('asks for no more than it needs', () => {
    expect(uncordon.permissions).toEqual([
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
      { apiGroups: [''], resources: ['nodes'], verbs: ['patch'] },
    ])
    expect(uncordon.changes).toBe('reversible')
    expect(() => uncordon({ nonsense: 1 } as never)).toThrow('nonsense is not a known setting')
  })
})

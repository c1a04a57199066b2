import { describe, expect, it } from 'vitest'
import { cordon } from '../../../src/actions/kubernetes/cordon.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { notesOf, undoFirst } from './_notes.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

const withNode = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod())
  cluster.add('Node', { metadata: { name: 'node-1', uid: 'n-1', labels: { zone: 'a' } }, spec: {} })
  return cluster
}

const run = async (cluster: FakeCluster, options: StepOptions = {}) =>
  perform(cordon, {}, await aPodStep(cluster, options))

const specOf = (cluster: FakeCluster) => cluster.get('Node', '', 'node-1')?.spec

describe('kubernetes:cordon', () => {
  it('patches the node that the pod runs on, under its uid', async () => {
    const cluster = await withNode()
    expect(await run(cluster)).toEqual({ summary: 'cordoned node node-1', objects: { node: 'node-1' } })
    expect(specOf(cluster)).toEqual({ unschedulable: true })
    expect(cluster.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/namespaces/shop/pods/web-1',
      'GET /api/v1/nodes/node-1',
      'GET /api/v1/nodes/node-1',
      'PATCH /api/v1/nodes/node-1',
    ])
    expect(cluster.requests.at(-1)).toMatchObject({
      query: { fieldManager: 'yarak' },
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { uid: 'n-1' }, spec: { unschedulable: true } },
    })
  })

  it('changes nothing when it is so already', async () => {
    const cluster = await withNode()
    await run(cluster)
    await run(cluster)
    expect(specOf(cluster)).toEqual({ unschedulable: true })
  })

  it('changes nothing in a dry run', async () => {
    const cluster = await withNode()
    expect(await run(cluster, { dryRun: true })).toMatchObject({ summary: 'would cordon node node-1' })
    expect(cluster.requests.at(-1)?.query).toMatchObject({ dryRun: 'All' })
    expect(specOf(cluster)).toEqual({})
  })

  it('leaves a node alone that has taken the name meanwhile', async () => {
    const cluster = await withNode()
    cluster.override = ({ method }) => {
      if (method === 'PATCH') cluster.add('Node', { metadata: { name: 'node-1', uid: 'n-2' }, spec: {} })
      return undefined
    }
    expect(await rejection(run(cluster))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(specOf(cluster)).toEqual({})
  })

  it('is made on the fresh object when another writer came between', async () => {
    const cluster = await withNode()
    let left = 1
    cluster.override = ({ method }) =>
      method === 'PATCH' && left-- > 0 ? status(409, 'Conflict', 'the object has been modified') : undefined
    await run(cluster)
    expect(specOf(cluster)).toEqual({ unschedulable: true })
  })

  it('is undone: put back as it was, unless somebody has changed it meanwhile', async () => {
    const cluster = await withNode()
    await perform(cordon, { ttl: '1h' }, await aPodStep(cluster))
    expect(notesOf(cluster.get('Node', '', 'node-1'))).toMatchObject([{ expires: expect.any(String) as string }])
    await run(cluster)
    expect(await undoFirst(cluster, cordon)).toBe('put back on node node-1: unschedulable')
    expect(specOf(cluster)).toEqual({})
    await run(cluster)
    const found = cluster.get('Node', '', 'node-1')
    if (found) cluster.add('Node', { ...found, spec: {} })
    await undoFirst(cluster, cordon)
    expect(specOf(cluster)).toEqual({})
    expect(cluster.get('Node', '', 'node-1')?.metadata).toMatchObject({ labels: { zone: 'a' }, annotations: {} })
  })

  it('asks for no more than it needs', () => {
    expect(cordon.permissions).toEqual([
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
      { apiGroups: [''], resources: ['nodes'], verbs: ['patch'] },
    ])
    expect(cordon.changes).toBe('reversible')
    expect(() => cordon({ nonsense: 1 } as never)).toThrow('nonsense is not a known setting')
  })
})

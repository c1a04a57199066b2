import { describe, expect, it } from 'vitest'
import { annotation } from '../../../src/actions/kubernetes/annotation.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform } from '../step.ts'
import { unnoted } from './_notes.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof annotation.config>>[1]

const run = async (cluster: FakeCluster, params: Params, options: { dryRun?: boolean } = {}) =>
  perform(annotation, params, await aPodStep(cluster, options))

const annotationsOf = (cluster: FakeCluster) => unnoted(cluster.get('Pod', 'shop', 'web-1')?.metadata.annotations)

const annotated = (annotations: Record<string, string>) => {
  const pod = aPod()
  return { ...pod, metadata: { ...pod.metadata, annotations } }
}

describe('kubernetes:annotation', () => {
  it('sets and removes annotations of the pod in one merge patch that names its uid', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', annotated({ kept: 'k', old: 'x', older: 'y' }))
    const annotations = { 'example.com/alert': 'a "shell"\n$(reboot)', old: '', older: null, count: 3, seen: true }
    expect(await run(cluster, { annotations })).toEqual({
      summary: 'annotated pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop' },
    })
    expect(annotationsOf(cluster)).toEqual({
      kept: 'k',
      'example.com/alert': 'a "shell"\n$(reboot)',
      count: '3',
      seen: 'true',
    })
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'PATCH',
      query: { fieldManager: 'yarak' },
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { uid: 'uid-1', annotations: { old: null, older: null } } },
    })
  })

  it('annotates the node that the pod runs on, and not the pod', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Node', { metadata: { name: 'node-1', uid: 'n' } })
    expect(await run(cluster, { annotations: { seen: 'yes' }, level: 'node' })).toEqual({
      summary: 'annotated node node-1',
      objects: { node: 'node-1' },
    })
    expect(unnoted(cluster.get('Node', '', 'node-1')?.metadata.annotations)).toEqual({ seen: 'yes' })
    expect(annotationsOf(cluster)).toEqual({})
  })

  it.each(['pod', 'node'] as const)('changes no %s in a dry run', async (level) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Node', { metadata: { name: 'node-1' } })
    const { summary } = await run(cluster, { annotations: { a: 'b' }, level }, { dryRun: true })
    expect(summary).toMatch(/^would annotate (pod|node) /)
    expect(cluster.requests.at(-1)?.query).toEqual({ dryRun: 'All', fieldManager: 'yarak' })
    expect(cluster.get('Pod', 'shop', 'web-1')?.metadata.annotations).toBeUndefined()
    expect(cluster.get('Node', '', 'node-1')?.metadata.annotations).toBeUndefined()
  })

  it('leaves a pod alone that has taken the name meanwhile', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) => {
      if (method === 'PATCH') cluster.add('Pod', aPod({ uid: 'uid-2' }))
      return undefined
    }
    expect(await rejection(run(cluster, { annotations: { a: 'b' } }))).toMatchObject({ code: 'gone' })
    expect(annotationsOf(cluster)).toEqual({})
  })
})

describe('an annotation that another writer comes before', () => {
  const conflicts = async (times: number) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    let left = times
    cluster.override = ({ method }) =>
      method === 'PATCH' && left-- > 0 ? status(409, 'Conflict', 'the object has been modified') : undefined
    const patches = () => cluster.requests.filter(({ method }) => method === 'PATCH').length
    return { cluster, patches }
  }

  it('is made on the fresh object', async () => {
    const { cluster, patches } = await conflicts(2)
    await run(cluster, { annotations: { a: 'b' } })
    expect([annotationsOf(cluster), patches()]).toEqual([{ a: 'b' }, 3])
  })

  it('fails, to be tried again later, when that goes on', async () => {
    const { cluster, patches } = await conflicts(9)
    const error = await rejection(run(cluster, { annotations: { a: 'b' } }))
    expect(error).toMatchObject({ code: 'failed', reason: 'conflict', permanent: false })
    expect(patches()).toBe(3)
  })

  it.each([
    [429, 'TooManyRequests', { code: 'failed', reason: 'too-many-requests', retryAfter: 7_000 }],
    [500, 'InternalError', { code: 'failed', reason: '500' }],
  ])('fails on %i, to be tried again later', async (code, reason, expected) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) =>
      method === 'PATCH' ? { ...status(code, reason, 'not now'), headers: { 'retry-after': '7' } } : undefined
    const error = await rejection(run(cluster, { annotations: { a: 'b' } }))
    expect(error).toMatchObject({ permanent: false, ...expected })
    expect(cluster.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(1)
  })
})

describe('the settings of kubernetes:annotation', () => {
  it.each([
    [{}, 'at least one annotation'],
    [{ 'a b': 'c' }, 'annotations.a b'],
    [{ 'x/y/z': 'c' }, 'annotations.x/y/z'],
    [{ a: ['b'] as never }, 'annotations.a'],
  ])('refuse %j', (annotations, message) => {
    expect(() => annotation({ annotations })).toThrow(message)
  })

  it('ask for the permission of the level', () => {
    const { permissions } = annotation
    const of = (level: 'pod' | 'node') =>
      typeof permissions === 'function' ? permissions({ annotations: { a: 'b' }, level }).at(-1) : undefined
    expect(of('pod')).toEqual({ apiGroups: [''], resources: ['pods'], verbs: ['get', 'patch'] })
    expect(of('node')).toEqual({ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'patch'] })
    expect(annotation.changes).toBe('reversible')
  })
})

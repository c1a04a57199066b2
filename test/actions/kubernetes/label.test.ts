import { describe, expect, it } from 'vitest'
import { label } from '../../../src/actions/kubernetes/label.ts'
import { YarakError } from '../../../src/errors.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { unnoted } from './_notes.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof label.config>>[1]

const run = async (cluster: FakeCluster, params: Params, options: StepOptions = {}) =>
  perform(label, params, await aPodStep(cluster, options))

const labelsOf = (cluster: FakeCluster) => unnoted(cluster.get('Pod', 'shop', 'web-1')?.metadata.labels)

describe('kubernetes:label', () => {
  it('sets and removes labels of the pod in one merge patch that names its uid', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ labels: { app: 'web', old: 'x', older: 'y' } }))
    const labels = { suspicious: 'true', old: '', older: null, never: '', count: 3, 'example.com/seen': true }
    expect(await run(cluster, { labels })).toEqual({
      summary: 'labelled pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop' },
    })
    expect(labelsOf(cluster)).toEqual({ app: 'web', suspicious: 'true', count: '3', 'example.com/seen': 'true' })
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'PATCH',
      path: '/api/v1/namespaces/shop/pods/web-1',
      query: { fieldManager: 'yarak' },
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { uid: 'uid-1', labels: { suspicious: 'true', old: null, older: null } } },
    })
  })

  it('labels a pod that has no labels yet', async () => {
    const cluster = await withCluster()
    const { labels: _none, ...metadata } = aPod().metadata
    cluster.add('Pod', { ...aPod(), metadata })
    await run(cluster, { labels: { a: 'b' } })
    expect(labelsOf(cluster)).toEqual({ a: 'b' })
  })

  it('asks the guard about the node, and leaves it as it is when that is refused', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Node', { metadata: { name: 'node-1', uid: 'n', labels: { role: 'master' } } })
    const judged: unknown[] = []
    const judge = async (subject: object) => {
      judged.push(subject)
      throw new YarakError('refused', 'protected', { reason: 'protected-node' })
    }
    const labelled = run(cluster, { labels: { a: 'b' }, level: 'node' }, { judge })
    expect(await rejection(labelled)).toMatchObject({ reason: 'protected-node' })
    expect(judged).toMatchObject([{ kind: 'Node', name: 'node-1', labels: { role: 'master' } }])
    expect(cluster.get('Node', '', 'node-1')?.metadata.labels).toEqual({ role: 'master' })
  })

  it('labels the node that the pod runs on', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Node', { metadata: { name: 'node-1', uid: 'n', labels: { zone: 'a' } } })
    expect(await run(cluster, { labels: { suspicious: 'true' }, level: 'node' })).toEqual({
      summary: 'labelled node node-1',
      objects: { node: 'node-1' },
    })
    expect(unnoted(cluster.get('Node', '', 'node-1')?.metadata.labels)).toEqual({ zone: 'a', suspicious: 'true' })
    expect(labelsOf(cluster)).not.toHaveProperty('suspicious')
  })

  it('fails, to be tried again, while the pod has no node', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ node: '' }))
    const error = await rejection(run(cluster, { labels: { a: 'b' }, level: 'node' }))
    expect(error).toMatchObject({ code: 'failed', reason: 'not-scheduled', permanent: false })
  })

  it.each(['pod', 'node'] as const)('changes no %s in a dry run', async (level) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Node', { metadata: { name: 'node-1', labels: {} } })
    const result = await run(cluster, { labels: { a: 'b' }, level }, { dryRun: true })
    expect(result.summary).toMatch(/^would label/)
    expect(cluster.requests.at(-1)?.query).toEqual({ dryRun: 'All', fieldManager: 'yarak' })
    expect(labelsOf(cluster)).not.toHaveProperty('a')
    expect(cluster.get('Node', '', 'node-1')?.metadata.labels).toEqual({})
  })

  it('leaves a pod alone that has taken the name meanwhile', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method }) => {
      if (method === 'PATCH') cluster.add('Pod', aPod({ uid: 'uid-2' }))
      return undefined
    }
    expect(await rejection(run(cluster, { labels: { a: 'b' } }))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(labelsOf(cluster)).not.toHaveProperty('a')
  })
})

describe('the settings of kubernetes:label', () => {
  it.each([
    [{}, 'at least one label'],
    [{ 'a b': 'c' }, 'labels.a b'],
    [{ '/x': 'c' }, 'labels./x'],
    [{ a: 'b c' }, 'labels.a'],
    [{ a: 'x'.repeat(64) }, 'labels.a'],
  ])('refuse %j', (labels, message) => {
    expect(() => label({ labels })).toThrow(message)
  })

  it('take a template, and refuse what it gives when that is no label value', async () => {
    expect(label({ labels: { alert: '{{ rule }}' } }).config).toEqual({ labels: { alert: '{{ rule }}' } })
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    await expect(run(cluster, { labels: { alert: 'Terminal shell in container' } })).rejects.toThrow('| slug')
  })

  it('ask for the permission of the level', () => {
    const { permissions } = label
    const of = (level: 'pod' | 'node') =>
      typeof permissions === 'function' ? permissions({ labels: { a: 'b' }, level }).at(-1) : undefined
    expect(of('pod')).toEqual({ apiGroups: [''], resources: ['pods'], verbs: ['get', 'patch'] })
    expect(of('node')).toEqual({ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'patch'] })
    expect(label.changes).toBe('reversible')
  })
})

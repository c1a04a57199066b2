import { describe, expect, it } from 'vitest'
import { apply } from '../../../src/actions/kubernetes/apply.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { expectSound, writes } from './workload.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof apply.config>>[1]

const run = async (cluster: FakeCluster, params: Params, options: StepOptions = {}) =>
  perform(apply, params, await aPodStep(cluster, options))

const withPod = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod())
  return cluster
}

const MANIFEST = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'alert' }, data: { rule: 'A' } }
const MARKS = {
  labels: { 'yarak.dev/response': 'abc123' },
  annotations: {
    'yarak.dev/rule': 'React',
    'yarak.dev/traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  },
}

describe('kubernetes:apply', () => {
  it('applies the object as it is, marked, in the namespace of the pod and in our name', async () => {
    const cluster = await withPod()
    expect(await run(cluster, { manifest: MANIFEST })).toEqual({
      summary: 'applied configmap shop/alert',
      objects: { pod: 'web-1', namespace: 'shop', configmap: 'alert' },
    })
    expect(cluster.get('ConfigMap', 'shop', 'alert')).toMatchObject({ data: { rule: 'A' }, metadata: MARKS })
    expect(writes(cluster)).toMatchObject([
      {
        path: '/api/v1/namespaces/shop/configmaps/alert',
        query: { fieldManager: 'yarak', force: 'false', fieldValidation: 'Strict' },
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: { ...MANIFEST, metadata: { name: 'alert', ...MARKS } },
      },
    ])
  })

  it('keeps the labels and annotations of the object, and makes them text', async () => {
    const cluster = await withPod()
    const metadata = { name: 'alert', labels: { count: 3 }, annotations: { seen: true }, finalizers: ['x.io/y'] }
    await run(cluster, { manifest: { ...MANIFEST, metadata } })
    expect(writes(cluster)[0]?.body?.metadata).toEqual({
      name: 'alert',
      finalizers: ['x.io/y'],
      labels: { count: '3', ...MARKS.labels },
      annotations: { seen: 'true', ...MARKS.annotations },
    })
  })

  it('applies a second time what it has applied', async () => {
    const cluster = await withPod()
    await run(cluster, { manifest: MANIFEST })
    await run(cluster, { manifest: { ...MANIFEST, data: { rule: 'B' } } })
    expect(cluster.get('ConfigMap', 'shop', 'alert')).toMatchObject({ data: { rule: 'B' } })
  })

  it('applies a custom resource, and in a namespace that is named', async () => {
    const cluster = await withPod()
    const metadata = { name: 'evidence', namespace: 'captures' }
    const manifest = { apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', metadata, spec: { a: [1] } }
    const { objects } = await run(cluster, { manifest })
    expect(objects).toEqual({ pod: 'web-1', namespace: 'captures', capture: 'evidence' })
    expect(cluster.get('Capture', 'captures', 'evidence')).toMatchObject({ spec: { a: [1] } })
  })

  it('leaves what somebody else manages, unless it is told to take it over', async () => {
    const cluster = await withPod()
    const managedFields = [{ manager: 'helm', operation: 'Apply' }]
    cluster.add('ConfigMap', { metadata: { name: 'alert', namespace: 'shop', managedFields } })
    const error = await rejection(run(cluster, { manifest: MANIFEST }))
    expect(error).toMatchObject({ code: 'failed', reason: 'conflict', permanent: true })
    expect(error.message).toContain('conflict with "helm"')
    expect(cluster.get('ConfigMap', 'shop', 'alert')).not.toHaveProperty('data')
    await run(cluster, { manifest: MANIFEST, force: true })
    expect(cluster.get('ConfigMap', 'shop', 'alert')).toMatchObject({ data: { rule: 'A' } })
  })

  it('applies nothing in a dry run', async () => {
    const cluster = await withPod()
    const { summary } = await run(cluster, { manifest: MANIFEST }, { dryRun: true })
    expect(summary).toBe('would apply configmap shop/alert')
    expect(writes(cluster)[0]?.query).toMatchObject({ dryRun: 'All' })
    expect(cluster.get('ConfigMap', 'shop', 'alert')).toBeUndefined()
  })

  it('is a failure, not gone, when the namespace is not there', async () => {
    const cluster = await withPod()
    cluster.override = ({ method }) =>
      method === 'PATCH' ? status(404, 'NotFound', 'namespaces "shop" not found', { name: 'shop' }) : undefined
    expect(await rejection(run(cluster, { manifest: MANIFEST }))).toMatchObject({ code: 'failed', permanent: true })
  })

  it('is gone, a success, when the pod is', async () => {
    expect(await rejection(run(await withCluster(), { manifest: MANIFEST }))).toMatchObject({ code: 'gone' })
  })

  it('tells refusals from trouble', async () => {
    const cluster = await withPod()
    await expectSound(cluster, () => run(cluster, { manifest: MANIFEST }))
  })
})

describe('the settings of kubernetes:apply', () => {
  const refused = (change: object) => () => apply({ manifest: { ...MANIFEST, ...change } })

  it.each<[object, string]>([
    [{ apiVersion: undefined }, 'manifest.apiVersion is required'],
    [{ kind: 'configmap' }, 'manifest.kind'],
    [{ metadata: {} }, 'manifest.metadata.name is required'],
    [{ metadata: { name: '../x' } }, 'manifest.metadata.name'],
    [{ metadata: { name: 'a', namespace: 'A' } }, 'manifest.metadata.namespace'],
    [{ metadata: { name: 'a', labels: { a: [] } } }, 'manifest.metadata.labels.a'],
    [{ apiVersion: '{{ a }}' }, 'manifest.apiVersion must be fixed text'],
    [{ kind: '{{ ka.target.resource }}' }, 'manifest.kind must be fixed text'],
    [{ metadata: '{{ a }}' }, 'manifest.metadata.namespace must be fixed text'],
    [{ metadata: { name: 'a', namespace: '{{ k8s.ns.name }}' } }, 'manifest.metadata.namespace must be fixed text'],
  ])('refuse %j', (change, message) => {
    expect(refused(change)).toThrow(message)
  })

  it('take templates for the name and for values', () => {
    const manifest = { ...MANIFEST, metadata: { name: '{{ rule | slug }}' }, data: { rule: '{{ rule }}' } }
    expect(apply({ manifest }).config).toMatchObject({ manifest })
  })

  it('refuse a name that a template gave and that leads elsewhere', async () => {
    const cluster = await withPod()
    const attempt = (name: string) => run(cluster, { manifest: { ...MANIFEST, metadata: { name } } })
    for (const name of ['../../nodes/node-1', '..', 'a%2fb', '']) {
      await expect(attempt(name)).rejects.toThrow()
    }
    expect(writes(cluster)).toEqual([])
  })

  it('ask for get, create and patch on the kind', () => {
    const { permissions } = apply
    const rules = typeof permissions === 'function' ? permissions({ manifest: MANIFEST, force: false }) : []
    expect(rules.at(-1)).toEqual({ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create', 'patch'] })
  })
})

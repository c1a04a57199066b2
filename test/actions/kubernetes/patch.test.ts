import { describe, expect, it } from 'vitest'
import { patch } from '../../../src/actions/kubernetes/patch.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { expectSound, writes } from './workload.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof patch.config>>[1]

const run = async (cluster: FakeCluster, params: Params, options: StepOptions = {}) =>
  perform(patch, params, await aPodStep(cluster, options))

const withPod = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod({ labels: { app: 'web' } }))
  return cluster
}

const labelsOf = (cluster: FakeCluster) => cluster.get('Pod', 'shop', 'web-1')?.metadata.labels
const LABEL = { metadata: { labels: { seen: 'true' } } }
const SETTINGS = { apiVersion: 'v1', kind: 'ConfigMap', name: 'settings' }

describe('kubernetes:patch on the pod', () => {
  it.each([
    ['strategic', 'application/strategic-merge-patch+json'],
    ['merge', 'application/merge-patch+json'],
  ] as const)('is %s', async (type, content) => {
    const cluster = await withPod()
    expect(await run(cluster, { type, patch: LABEL })).toEqual({
      summary: 'patched pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop' },
    })
    expect(labelsOf(cluster)).toEqual({ app: 'web', seen: 'true' })
    expect(writes(cluster)).toMatchObject([
      {
        path: '/api/v1/namespaces/shop/pods/web-1',
        query: { fieldManager: 'yarak', fieldValidation: 'Strict' },
        headers: { 'content-type': content },
        body: { metadata: { uid: 'uid-1', labels: { seen: 'true' } } },
      },
    ])
  })

  it('is strategic by default', async () => {
    const cluster = await withPod()
    await run(cluster, { patch: LABEL })
    expect(writes(cluster)[0]?.headers['content-type']).toContain('strategic')
  })

  it('is a JSON patch, with a pointer that is escaped', async () => {
    const cluster = await withPod()
    const operation = { op: 'add', path: '/metadata/labels/example.com~1seen', value: 'true' } as const
    await run(cluster, { type: 'json', patch: [operation] })
    expect(labelsOf(cluster)).toEqual({ app: 'web', 'example.com/seen': 'true' })
    expect(writes(cluster)[0]?.body).toEqual([operation, { op: 'replace', path: '/metadata/uid', value: 'uid-1' }])
  })

  it('changes nothing in a dry run', async () => {
    const cluster = await withPod()
    expect(await run(cluster, { patch: LABEL }, { dryRun: true })).toMatchObject({
      summary: 'would patch pod shop/web-1',
    })
    expect(labelsOf(cluster)).toEqual({ app: 'web' })
  })

  it.each([
    { type: 'merge', patch: LABEL },
    { type: 'merge', patch: { metadata: { ...LABEL.metadata, uid: 'uid-2' } } },
    { type: 'json', patch: [{ op: 'add', path: '/metadata/labels/seen', value: 'true' }] },
  ] as const)('leaves a pod alone that has taken the name: %j', async (params) => {
    const cluster = await withPod()
    cluster.override = ({ method }) => {
      if (method === 'PATCH') cluster.add('Pod', aPod({ uid: 'uid-2', labels: { app: 'web' } }))
      return undefined
    }
    expect(await rejection(run(cluster, params as Params))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(labelsOf(cluster)).toEqual({ app: 'web' })
  })

  it('is gone, a success, when the pod is', async () => {
    expect(await rejection(run(await withCluster(), { patch: LABEL }))).toMatchObject({ code: 'gone' })
  })

  it('tells refusals from trouble', async () => {
    const cluster = await withPod()
    await expectSound(cluster, () => run(cluster, { patch: LABEL }))
    expect(labelsOf(cluster)).toEqual({ app: 'web', seen: 'true' })
  })
})

describe('kubernetes:patch on another object', () => {
  it('finds it in the namespace of the pod, or in one that is named', async () => {
    const cluster = await withPod()
    for (const namespace of ['shop', 'other'])
      cluster.add('ConfigMap', { metadata: { name: 'settings', namespace, uid: 'c' } })
    const data = { a: '1' }
    expect(await run(cluster, { object: SETTINGS, type: 'merge', patch: { data } })).toEqual({
      summary: 'patched configmap shop/settings',
      objects: { pod: 'web-1', namespace: 'shop', configmap: 'settings' },
    })
    expect(cluster.get('ConfigMap', 'shop', 'settings')).toMatchObject({ data })
    expect(cluster.get('ConfigMap', 'other', 'settings')).not.toHaveProperty('data')
    await run(cluster, { object: { ...SETTINGS, namespace: 'other' }, type: 'merge', patch: { data } })
    expect(cluster.get('ConfigMap', 'other', 'settings')).toMatchObject({ data })
  })

  it('finds one that lives in no namespace, by a name in capitals and with a colon', async () => {
    const cluster = await withPod()
    cluster.add('ClusterRole', { metadata: { name: 'system:Reader', uid: 'r', labels: {} } })
    const object = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name: 'system:Reader' }
    expect(await run(cluster, { object, patch: LABEL })).toMatchObject({ summary: 'patched clusterrole system:Reader' })
    expect(cluster.get('ClusterRole', '', 'system:Reader')?.metadata.labels).toEqual({ seen: 'true' })
    expect(writes(cluster)[0]?.path).toBe('/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3AReader')
  })

  it('is a failure when it is not there, or its kind is unknown', async () => {
    const cluster = await withPod()
    const attempt = (object: object) => rejection(run(cluster, { object: { ...SETTINGS, ...object }, patch: {} }))
    expect(await attempt({})).toMatchObject({ code: 'failed', reason: 'not-found', permanent: true })
    expect(await attempt({ kind: 'Nothing' })).toMatchObject({ code: 'failed', reason: 'no-such-kind' })
    expect(await attempt({ apiVersion: 'x.io/v1' })).toMatchObject({ code: 'failed', reason: 'no-such-api' })
  })

  it('cannot be strategic for a custom resource', async () => {
    const cluster = await withPod()
    cluster.add('Capture', { metadata: { name: 'c', namespace: 'shop', uid: 'c' } })
    const object = { apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', name: 'c' }
    expect(await rejection(run(cluster, { object, patch: LABEL }))).toMatchObject({ reason: '415', permanent: true })
    await run(cluster, { object, type: 'merge', patch: LABEL })
    expect(cluster.get('Capture', 'shop', 'c')?.metadata.labels).toEqual({ seen: 'true' })
  })
})

describe('the settings of kubernetes:patch', () => {
  const operation = { op: 'remove', path: '/metadata/labels/a' } as const

  it.each<[unknown, string]>([
    [{ type: 'json', patch: {} }, 'must be a list of operations'],
    [{ type: 'merge', patch: [operation] }, 'must be a list of operations'],
    [{ type: 'json', patch: [{ ...operation, path: 'metadata' }] }, 'JSON pointer'],
    [{ type: 'json', patch: [{ ...operation, path: '/{{ proc.name }}' }] }, 'patch[*].path must be fixed text'],
    [{ object: { ...SETTINGS, kind: '{{ ka.target.resource }}' }, patch: {} }, 'object.kind must be fixed text'],
    [{ object: { ...SETTINGS, namespace: '{{ k8s.ns.name }}' }, patch: {} }, 'object.namespace must be fixed text'],
    [{ object: { ...SETTINGS, apiVersion: '../v1' }, patch: {} }, 'must be a version'],
    [{ object: { ...SETTINGS, name: '..' }, patch: {} }, 'must be a name'],
    [{ object: { ...SETTINGS, name: 'a/../b' }, patch: {} }, 'must be a name'],
    [{ patch: {}, force: true }, 'force is not a known setting'],
  ])('refuse %j', (params, message) => {
    expect(() => patch(params as Params)).toThrow(message)
  })

  it('take templates for names and values', () => {
    const params = { object: { ...SETTINGS, name: '{{ k8s.pod.name }}' }, patch: { data: { a: '{{ proc.name }}' } } }
    expect(patch(params).config).toMatchObject(params)
  })

  it.each([
    [undefined, '', 'pods'],
    [{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', name: 'a' }, 'networking.k8s.io', 'networkpolicies'],
    [{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'a' }, 'networking.k8s.io', 'ingresses'],
    [
      { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: 'a' },
      'gateway.networking.k8s.io',
      'gateways',
    ],
    [{ apiVersion: 'v1', kind: 'Endpoints', name: 'a' }, '', 'endpoints'],
  ])('ask for patch on %j, and to read what is not the pod', (object, group, resource) => {
    const { permissions } = patch
    const rules = typeof permissions === 'function' ? permissions(patch.config.parse({ object, patch: {} })) : []
    expect(rules.at(-1)).toEqual({
      apiGroups: [group],
      resources: [resource],
      verbs: object ? ['get', 'patch'] : ['patch'],
    })
  })

  it('let a JSON patch be sent once only', async () => {
    const { done } = patch
    const ask = async (params: Params) =>
      typeof done === 'function' ? done(patch.config.parse(params), {} as never) : 'not a function'
    await expect(ask({ type: 'json', patch: [operation] })).rejects.toMatchObject({ code: 'unknown', permanent: true })
    expect(await ask({ patch: {} })).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { RESOURCE_NAMES } from '../../../src/actions/kubernetes/_resources.ts'
import { deleteResource } from '../../../src/actions/kubernetes/delete.ts'
import { podPermissions } from '../../../src/actions/kubernetes/resolve.ts'
import { type FakeCluster, type Kind, status } from '../../fake-cluster.ts'
import { perform } from '../step.ts'
import { aPod, aPodStep, POD_FIELDS, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof deleteResource.config>>[1]

/** The fields of an event of the audit log. */
const audit = (resource: string, name: string, namespace?: string, uri?: string) => ({
  'ka.target.resource': resource,
  'ka.target.name': name,
  ...(namespace && { 'ka.target.namespace': namespace }),
  ...(uri && { 'ka.uri': uri }),
})

const run = async (
  cluster: FakeCluster,
  fields: Record<string, unknown>,
  params: Params = {},
  options: { dryRun?: boolean } = {},
) => perform(deleteResource, params, await aPodStep(cluster, { fields, ...options }))

const CONFIG = audit('configmaps', 'settings', 'shop')

const withConfig = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('ConfigMap', { metadata: { name: 'settings', namespace: 'shop', uid: 'c-1' } })
  return cluster
}

const isThere = (cluster: FakeCluster): boolean => cluster.get('ConfigMap', 'shop', 'settings') !== undefined

describe('kubernetes:delete', () => {
  it('deletes what the event is about, under its uid, with what it owns', async () => {
    const cluster = await withConfig()
    expect(await run(cluster, CONFIG)).toEqual({
      summary: 'deleted ConfigMap shop/settings',
      objects: { resource: 'configmaps', name: 'settings', namespace: 'shop' },
    })
    expect(isThere(cluster)).toBe(false)
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'DELETE',
      body: { preconditions: { uid: 'c-1' }, propagationPolicy: 'Background' },
    })
  })

  it.each<[Kind, string, Record<string, unknown>]>([
    ['Pod', 'web-1', audit('pods', 'web-1', 'shop', '/api/v1/namespaces/shop/pods/web-1/exec')],
    ['Secret', 'key', audit('secrets', 'key', 'shop')],
    ['Deployment', 'web', audit('deployments', 'web', 'shop', '/apis/apps/v1/namespaces/shop/deployments/web')],
    ['StatefulSet', 'db', audit('statefulsets', 'db', 'shop')],
    ['ReplicaSet', 'rs', audit('replicasets', 'rs', 'shop')],
    ['DaemonSet', 'ds', audit('daemonsets', 'ds', 'shop')],
  ])('deletes a %s', async (kind, name, fields) => {
    const cluster = await withCluster()
    cluster.add(kind, { ...aPod(), metadata: { name, namespace: 'shop', uid: 'u' } })
    expect((await run(cluster, fields)).summary).toBe(`deleted ${kind} shop/${name}`)
    expect(cluster.get(kind, 'shop', name)).toBeUndefined()
  })

  it.each<[Kind, string]>([
    ['Namespace', 'shop'],
    ['ClusterRole', 'Evil:Role'],
  ])('deletes a %s, which is in no namespace, and keeps the case of its name', async (kind, name) => {
    const cluster = await withCluster()
    cluster.add(kind, { metadata: { name, uid: 'u' } })
    const fields = audit(`${kind.toLowerCase()}s`, name, kind === 'Namespace' ? name : undefined)
    const result = await run(cluster, fields)
    expect(result.summary).toBe(`deleted ${kind} ${name}`)
    expect(cluster.get(kind, '', name)).toBeUndefined()
  })

  it('deletes nothing in a dry run, which is asked for in the body', async () => {
    const cluster = await withConfig()
    expect(await run(cluster, CONFIG, {}, { dryRun: true })).toMatchObject({
      summary: 'would delete ConfigMap shop/settings',
    })
    expect(cluster.requests.at(-1)?.body).toMatchObject({ dryRun: ['All'] })
    expect(isThere(cluster)).toBe(true)
  })

  it('is gone, a success, when it is not there, or another has its name', async () => {
    const cluster = await withConfig()
    expect(await rejection(run(cluster, audit('configmaps', 'other', 'shop')))).toMatchObject({ code: 'gone' })
    cluster.override = ({ method }) => {
      if (method === 'DELETE') {
        cluster.add('ConfigMap', { metadata: { name: 'settings', namespace: 'shop', uid: 'c-2' } })
      }
      return undefined
    }
    expect(await rejection(run(cluster, CONFIG))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(isThere(cluster)).toBe(true)
  })

  it('tells which permission is missing', async () => {
    const cluster = await withConfig()
    const message = 'configmaps "settings" is forbidden: User "y" cannot delete resource "configmaps" in API group ""'
    cluster.override = ({ method }) => (method === 'DELETE' ? status(403, 'Forbidden', message) : undefined)
    const error = await rejection(run(cluster, CONFIG))
    expect(error).toMatchObject({ code: 'refused', reason: 'forbidden' })
    expect(error.message).toContain('{"apiGroups":[""],"resources":["configmaps"],"verbs":["delete"]}')
  })

  it('may be tried again when the server is busy', async () => {
    const cluster = await withConfig()
    cluster.override = ({ method }) => (method === 'DELETE' ? status(503, 'ServiceUnavailable', 'busy') : undefined)
    expect(await rejection(run(cluster, CONFIG))).toMatchObject({ code: 'unavailable', permanent: false })
  })
})

describe('what kubernetes:delete leaves alone', () => {
  it.each([
    ['an event that is not of the audit log', POD_FIELDS, {}, 'no-target'],
    ['a resource without a name', { 'ka.target.resource': 'configmaps' }, {}, 'no-target'],
    ['a resource it does not know', audit('nodes', 'node-1'), {}, 'unsupported'],
    ['the name of a member of every object', audit('constructor', 'x', 'shop'), {}, 'unsupported'],
    [
      'a resource of that name in another group',
      audit('configmaps', 'settings', 'shop', '/apis/other.example/v1/namespaces/shop/configmaps/settings'),
      {},
      'unsupported',
    ],
    ['a name that would be another path', audit('configmaps', '../secrets/key', 'shop'), {}, 'bad-name'],
    ['a name that is the parent', audit('clusterroles', '..'), {}, 'bad-name'],
    ['a namespace that is none', audit('configmaps', 'settings', 'shop/x'), {}, 'bad-name'],
    ['an object without its namespace', audit('configmaps', 'settings'), {}, 'bad-name'],
    ['what the settings do not list', CONFIG, { resources: ['secrets'] }, 'not-listed'],
  ] as const)('%s', async (_what, fields, params, reason) => {
    const cluster = await withConfig()
    const error = await rejection(run(cluster, fields, params as Params))
    expect(error).toMatchObject({ code: 'refused', reason, permanent: true })
    expect(cluster.requests.filter(({ method }) => method !== 'GET')).toEqual([])
    expect(isThere(cluster)).toBe(true)
  })

  it('a role that the API server makes itself', async () => {
    const cluster = await withCluster()
    const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }
    cluster.add('ClusterRole', { metadata: { name: 'cluster-admin', uid: 'r', labels } })
    const error = await rejection(run(cluster, audit('clusterroles', 'cluster-admin')))
    expect(error).toMatchObject({ code: 'refused', reason: 'bootstrap' })
    expect(cluster.get('ClusterRole', '', 'cluster-admin')).toBeDefined()
  })
})

describe('the target of kubernetes:delete', () => {
  it('is what guards judge: a namespace as one', async () => {
    const cluster = await withCluster()
    cluster.add('Namespace', { metadata: { name: 'kube-system', uid: 'n' } })
    const { step } = await aPodStep(cluster, { fields: audit('namespaces', 'kube-system', 'kube-system') })
    expect(await deleteResource.target?.(step.target, step)).toEqual({
      ...{ kind: 'Namespace', key: 'namespace/kube-system', name: 'kube-system', uid: 'n' },
      ...{ labels: {}, owners: [] },
    })
  })

  it('asks for no more permissions than what is listed', () => {
    const { permissions } = deleteResource
    const of = (params: Params) =>
      typeof permissions === 'function' ? permissions(deleteResource.config.parse(params)) : (permissions ?? [])
    expect(of({ resources: ['secrets', 'roles', 'configmaps'] })).toEqual([
      { apiGroups: [''], resources: ['secrets', 'configmaps'], verbs: ['get', 'delete'] },
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['get', 'delete'] },
    ])
    expect(of({ resources: ['pods'] })).toEqual([
      ...podPermissions,
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'delete'] },
    ])
    const usual = of({})
      .filter(({ verbs }) => verbs.includes('delete'))
      .flatMap(({ resources }) => resources)
    expect(usual).toHaveLength(12)
    expect(RESOURCE_NAMES.filter((name) => !usual.includes(name))).toEqual([
      ...['rolebindings', 'clusterrolebindings', 'jobs', 'cronjobs'],
    ])
    expect(deleteResource.changes).toBe('destructive')
  })

  it('is of a resource that is known', () => {
    expect(() => deleteResource({ resources: ['nodes'] })).toThrow('resources[0]')
    expect(() => deleteResource({ resources: [] })).toThrow('resources')
  })
})

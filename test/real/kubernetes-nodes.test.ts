/** The actions on nodes, evictions and deletions on a real API server, as an account with exactly the declared rights. */
import * as k8s from '@kubernetes/client-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { annotation } from '../../src/actions/kubernetes/annotation.ts'
import { cordon } from '../../src/actions/kubernetes/cordon.ts'
import { deleteResource } from '../../src/actions/kubernetes/delete.ts'
import { drain } from '../../src/actions/kubernetes/drain.ts'
import { evict } from '../../src/actions/kubernetes/evict.ts'
import { uncordon } from '../../src/actions/kubernetes/uncordon.ts'
import type { Action, PolicyRule, Result } from '../../src/plugin.ts'
import { aStep, perform } from '../actions/step.ts'
import { rejection } from '../actions/kubernetes/world.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const namespace = 'shop'

const permissionsOf = (action: Action, params: unknown): readonly PolicyRule[] =>
  typeof action.permissions === 'function'
    ? action.permissions(action.config.parse(params))
    : (action.permissions ?? [])

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let accounts = 0

  beforeAll(async () => {
    running = await kubernetes.start({ crds: false, nodes: ['node-1', 'node-2'] })
    cluster = running.cluster
    await cluster.namespace(namespace)
  }, 120_000)
  afterAll(() => running?.stop())

  /** Kubeconfig of a fresh account that may do, in all the cluster, what the rules say. */
  const accountWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `account-${++accounts}`
    await cluster.clusterAccount(namespace, name, rules)
    return cluster.kubeconfigFor(namespace, name)
  }

  interface Options {
    readonly fields: Record<string, unknown>
    readonly dryRun?: boolean
    /** Default: what the action declares for these settings. */
    readonly rules?: readonly PolicyRule[]
    readonly hostname?: string
  }

  const act = async (action: Action, params: unknown, options: Options): Promise<Result> => {
    const kubeconfig = await accountWith(options.rules ?? permissionsOf(action, params))
    const recorded = await aStep({
      fields: options.fields,
      ...(options.hostname && { event: { hostname: options.hostname } }),
      dryRun: options.dryRun ?? false,
      resources: { kubernetes: { kubeconfig } },
    })
    return perform(action, params, recorded)
  }

  const podFields = (name: string) => ({ 'k8s.ns.name': namespace, 'k8s.pod.name': name })

  const on = (nodeName: string) => ({ namespace, spec: { nodeName } })

  const exists = async (name: string): Promise<boolean> =>
    cluster.core.readNamespacedPod({ namespace, name }).then(
      ({ metadata }) => metadata?.deletionTimestamp === undefined,
      () => false,
    )

  const unschedulable = async (name: string) => (await cluster.core.readNode({ name })).spec?.unschedulable

  const open = (name: string) =>
    cluster.core.patchNode(
      { name, body: { spec: { unschedulable: null } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    )

  const budget = async (name: string, spec: k8s.V1PodDisruptionBudgetSpec, healthy: number): Promise<void> => {
    const policy = cluster.api(k8s.PolicyV1Api)
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: { metadata: { name }, spec } })
    await until('the budget', async () => {
      const { status } = await policy.readNamespacedPodDisruptionBudget({ namespace, name })
      return status?.currentHealthy === healthy || undefined
    })
  }

  it('annotates a pod and its node with any text, and removes it again', async () => {
    await cluster.pod('annotated', on('node-1'))
    const text = 'a "shell"\n$(reboot) {{ x }} é'
    const fields = podFields('annotated')
    await act(annotation, { annotations: { 'example.com/alert': text } }, { fields, dryRun: true })
    const read = async () =>
      (await cluster.core.readNamespacedPod({ namespace, name: 'annotated' })).metadata?.annotations
    expect((await read())?.['example.com/alert']).toBeUndefined()
    await act(annotation, { annotations: { 'example.com/alert': text } }, { fields })
    expect(await read()).toMatchObject({ 'example.com/alert': text })
    await act(annotation, { annotations: { 'example.com/alert': '' } }, { fields })
    expect((await read())?.['example.com/alert']).toBeUndefined()
    await act(annotation, { annotations: { 'example.com/alert': text }, level: 'node' }, { fields })
    const { metadata } = await cluster.core.readNode({ name: 'node-1' })
    expect(metadata?.annotations).toMatchObject({ 'example.com/alert': text })
    const long = { annotations: { long: 'x'.repeat(300_000) } }
    expect(await rejection(act(annotation, long, { fields }))).toMatchObject({ reason: 'invalid', permanent: true })
  })

  it('cordons the node of a pod and of a host, and uncordons it', async () => {
    await cluster.pod('cordoned', on('node-1'))
    const fields = podFields('cordoned')
    expect((await act(cordon, {}, { fields, dryRun: true })).summary).toBe('would cordon node node-1')
    expect(await unschedulable('node-1')).toBeUndefined()
    expect((await act(cordon, {}, { fields })).summary).toBe('cordoned node node-1')
    expect(await unschedulable('node-1')).toBe(true)
    await act(uncordon, {}, { fields })
    expect(await unschedulable('node-1')).toBeUndefined()
    const host = { 'container.id': 'host' }
    await act(cordon, {}, { fields: host, hostname: 'node-2' })
    expect([await unschedulable('node-1'), await unschedulable('node-2')]).toEqual([undefined, true])
    await act(uncordon, {}, { fields: host, hostname: 'node-2' })
    const error = await rejection(act(cordon, {}, { fields: host, hostname: 'falco-x7k2p' }))
    expect(error).toMatchObject({ code: 'refused', reason: 'unknown-node' })
  })

  it.each<[string, string, Action]>([
    ['pods', cordon.type, cordon],
    ['nodes', cordon.type, cordon],
    ['pods/eviction', evict.type, evict],
    ['pods/eviction', drain.type, drain],
  ])('without rights on %s, %s is refused and changes nothing', async (resource, _type, action) => {
    const name = `denied-${resource.replace('/', '-')}-${action.type.replace(':', '-')}`
    await cluster.pod(name, on('node-1'))
    const params = action.type === 'kubernetes:drain' ? { cordon: false, max_wait_period: 0 } : {}
    const rules = permissionsOf(action, params).filter(({ resources }) => !resources.includes(resource))
    const error = await rejection(act(action, params, { fields: podFields(name), rules }))
    expect(error).toMatchObject({ code: 'refused', reason: 'forbidden' })
    expect(error.message).toContain(`"resources":["${resource}"]`)
    expect([await unschedulable('node-1'), await exists(name)]).toEqual([undefined, true])
  })

  it('evicts a pod, as its disruption budget allows it', async () => {
    const [first] = await cluster.deployment('guarded', { namespace, replicas: 1 })
    const fields = podFields(first?.metadata?.name ?? '')
    expect((await act(evict, {}, { fields, dryRun: true })).summary).toMatch(/^would evict /)
    expect(await exists(fields['k8s.pod.name'])).toBe(true)
    await budget('guarded', { minAvailable: 1, selector: { matchLabels: { app: 'guarded' } } }, 1)
    const refused = await rejection(act(evict, {}, { fields }))
    expect(refused).toMatchObject({ reason: 'too-many-requests', permanent: false })
    expect(await rejection(act(evict, {}, { fields, dryRun: true }))).toMatchObject({ reason: 'too-many-requests' })
    await cluster.api(k8s.PolicyV1Api).deleteNamespacedPodDisruptionBudget({ namespace, name: 'guarded' })
    await until('no budget', async () => (await act(evict, { min_healthy_replicas: '100%' }, { fields })) || undefined)
    await until('the eviction', async () => !(await exists(fields['k8s.pod.name'])) || undefined)
    expect(await rejection(act(evict, {}, { fields: podFields('never-was') }))).toMatchObject({ code: 'gone' })
  })

  it('drains a node: waits for a budget, spares what is excluded, and leaves the node empty and closed', async () => {
    await cluster.node('drained')
    const of = (app: string) => ({ ...on('drained'), labels: { app } })
    await cluster.pod('alone', of('alone'))
    await cluster.pod('budgeted-1', of('budgeted'))
    await cluster.pod('budgeted-2', of('budgeted'))
    await cluster.pod('system', { ...of('system'), namespace: 'kube-system' })
    await budget('budgeted', { minAvailable: 1, selector: { matchLabels: { app: 'budgeted' } } }, 2)
    const fields = podFields('alone')

    const would = await act(drain, { max_wait_period: 0 }, { fields, dryRun: true })
    expect(would.summary).toMatch(/^would drain node drained: /)
    expect([await unschedulable('drained'), await exists('alone')]).toEqual([undefined, true])

    const draining = act(drain, { max_wait_period: 60, grace_period_seconds: 0 }, { fields })
    await until('the eviction of all that the budget allows', async () => {
      const there = await Promise.all(['alone', 'budgeted-1', 'budgeted-2'].map(exists))
      return there.filter(Boolean).length === 1 || undefined
    })
    expect(await unschedulable('drained')).toBe(true)
    await cluster.pod('budgeted-3', { ...on('node-2'), labels: { app: 'budgeted' } })
    const { summary, output } = await draining
    expect(summary).toBe('drained node drained: 3 evicted, 1 skipped, 0 left')
    expect(output?.split('\n').sort()).toEqual([
      'evicted shop/alone',
      'evicted shop/budgeted-1',
      'evicted shop/budgeted-2',
      'skipped kube-system/system: excluded-namespace',
    ])
    const { items } = await cluster.core.listPodForAllNamespaces({ fieldSelector: 'spec.nodeName=drained' })
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['system'])
    await open('drained')
  })

  it('drains no more of a workload than min_healthy_replicas allows', async () => {
    await cluster.node('counted')
    const replicas = await cluster.deployment('counted', {
      ...{ namespace, replicas: 3 },
      spec: { nodeSelector: { 'kubernetes.io/hostname': 'counted' } },
    })
    const fields = podFields(replicas[0]?.metadata?.name ?? '')
    const params = { min_healthy_replicas: '67%', max_wait_period: 0 }
    const { summary } = await act(drain, params, { fields })
    expect(summary).toBe('drained node counted: 1 evicted, 2 skipped, 0 left')
    const there = await Promise.all(replicas.map(({ metadata }) => exists(metadata?.name ?? '')))
    expect(there.filter(Boolean)).toHaveLength(2)
  })

  it('deletes what an event of the audit log is about, of every resource it knows', async () => {
    const metadata = { name: 'doomed' }
    const rbac = cluster.api(k8s.RbacAuthorizationV1Api)
    await cluster.core.createNamespacedConfigMap({ namespace, body: { metadata } })
    await cluster.core.createNamespacedSecret({ namespace, body: { metadata } })
    await cluster.core.createNamespacedService({ namespace, body: { metadata, spec: { ports: [{ port: 80 }] } } })
    await cluster.core.createNamespacedServiceAccount({ namespace, body: { metadata } })
    await cluster.pod('doomed', on('node-1'))
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
    await rbac.createNamespacedRole({ namespace, body: { metadata, rules: [] } })
    await rbac.createNamespacedRoleBinding({ namespace, body: { metadata, roleRef } })
    await rbac.createClusterRole({ body: { metadata: { name: 'Doomed:Role' }, rules: [] } })
    await rbac.createClusterRoleBinding({ body: { metadata, roleRef } })
    const selector = { matchLabels: { app: 'doomed' } }
    const template = { metadata: { labels: { app: 'doomed' } }, spec: { containers: [{ name: 'main', image: 'x' }] } }
    await cluster.apps.createNamespacedDeployment({
      namespace,
      body: { metadata, spec: { replicas: 0, selector, template } },
    })
    await cluster.apps.createNamespacedReplicaSet({
      namespace,
      body: { metadata, spec: { replicas: 0, selector, template } },
    })
    await cluster.apps.createNamespacedStatefulSet({
      namespace,
      body: { metadata, spec: { replicas: 0, serviceName: 'x', selector, template } },
    })
    const nowhere = { ...template, spec: { ...template.spec, nodeSelector: { no: 'where' } } }
    await cluster.apps.createNamespacedDaemonSet({
      namespace,
      body: { metadata, spec: { selector, template: nowhere } },
    })
    const batch = cluster.api(k8s.BatchV1Api)
    const job = { suspend: true, template: { spec: { ...template.spec, restartPolicy: 'Never' } } }
    await batch.createNamespacedJob({ namespace, body: { metadata, spec: job } })
    const cron = { schedule: '0 0 1 1 *', jobTemplate: { spec: job } }
    await batch.createNamespacedCronJob({ namespace, body: { metadata, spec: cron } })
    await cluster.namespace('doomed')

    const wide = ['namespaces', 'clusterroles', 'clusterrolebindings']
    for (const resource of deleteResource.config.shape.resources.unwrap().element.options) {
      const fields = {
        'ka.target.resource': resource,
        'ka.target.name': resource === 'clusterroles' ? 'Doomed:Role' : 'doomed',
        ...(!wide.includes(resource) && { 'ka.target.namespace': namespace }),
      }
      const params = { resources: [resource] }
      expect((await act(deleteResource, params, { fields, dryRun: true })).summary, resource).toMatch(/^would delete /)
      expect((await act(deleteResource, params, { fields })).summary, resource).toMatch(/^deleted .*oomed/)
      await until(`${resource} to go`, async () => {
        const error = await act(deleteResource, params, { fields, dryRun: true }).catch((one: unknown) => one)
        return (error as { code?: string }).code === 'gone' || undefined
      })
    }
  })

  it('deletes no role that the API server makes itself', async () => {
    const fields = { 'ka.target.resource': 'clusterroles', 'ka.target.name': 'view' }
    const error = await rejection(act(deleteResource, { resources: ['clusterroles'] }, { fields }))
    expect(error).toMatchObject({ code: 'refused', reason: 'bootstrap' })
    expect((await cluster.api(k8s.RbacAuthorizationV1Api).readClusterRole({ name: 'view' })).rules).toBeDefined()
  })
})

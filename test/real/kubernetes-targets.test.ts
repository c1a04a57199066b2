/** What every action keeps on a real API server: run by the engine, as an account with exactly the declared rights. */
import { writeFileSync } from 'node:fs'
import * as k8s from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apply } from '../../src/actions/kubernetes/apply.ts'
import { cordon } from '../../src/actions/kubernetes/cordon.ts'
import { deleteResource } from '../../src/actions/kubernetes/delete.ts'
import { drain } from '../../src/actions/kubernetes/drain.ts'
import { event } from '../../src/actions/kubernetes/event.ts'
import { evict } from '../../src/actions/kubernetes/evict.ts'
import { patch } from '../../src/actions/kubernetes/patch.ts'
import { podSubject } from '../../src/actions/kubernetes/resolve.ts'
import { rolloutRestart } from '../../src/actions/kubernetes/rollout-restart.ts'
import { scale } from '../../src/actions/kubernetes/scale.ts'
import { terminate } from '../../src/actions/kubernetes/terminate.ts'
import { uncordon } from '../../src/actions/kubernetes/uncordon.ts'
import { createGateway, type GatewayOptions } from '../../src/index.ts'
import type { Action, PolicyRule, StepReport } from '../../src/plugin.ts'
import { kubernetes as clusterResource } from '../../src/resources/kubernetes.ts'
import { aStep } from '../actions/step.ts'
import { kubeconfigFor, status } from '../fake-cluster.ts'
import { alert } from '../kit.ts'
import { apiProxyTo } from './api-proxy.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { type Case, type Fields, namespace, podCases } from './target-cases.ts'
import { describePart } from './vitest.ts'

const podFields = (pod: string): Fields => ({ 'k8s.ns.name': namespace, 'k8s.pod.name': pod })

const permissionsOf = ({ permissions = [], config }: Action, params: object): readonly PolicyRule[] =>
  typeof permissions === 'function' ? permissions(config.parse(params)) : permissions

const READS = new Set(['get', 'list', 'watch'])

const onlyReading = (rules: readonly PolicyRule[]): PolicyRule[] =>
  rules
    .map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => READS.has(verb)) }))
    .filter(({ verbs }) => verbs.length > 0)

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let made = 0

  beforeAll(async () => {
    running = await kubernetes.start({ crds: false })
    cluster = running.cluster
    await cluster.namespace(namespace)
  }, 120_000)
  afterAll(() => running?.stop())

  const MERGE = () => k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch)
  const KEEP = { metadata: { labels: { keep: 'yes' } } }

  const exists = (name: string): Promise<boolean> =>
    cluster.core.readNamespacedPod({ namespace, name }).then(
      ({ metadata }) => metadata?.deletionTimestamp === undefined,
      () => false,
    )
  const isClosed = async (name: string) => (await cluster.core.readNode({ name })).spec?.unschedulable === true
  const close = (name: string, unschedulable: boolean | null) =>
    cluster.core.patchNode({ name, body: { spec: { unschedulable } } }, MERGE())

  const aPod = async (name: string): Promise<Fields> => {
    await cluster.pod(name, { namespace })
    return podFields(name)
  }
  const aPodOnNode = async (name: string): Promise<Fields> => {
    await cluster.node(name)
    await cluster.pod(name, { namespace, spec: { nodeName: name } })
    return podFields(name)
  }
  const aDeployment = async (name: string): Promise<Fields> => {
    const [pod] = await cluster.deployment(name, { namespace, replicas: 1 })
    return podFields(pod?.metadata?.name ?? '')
  }
  const aConfigMap = async (name: string): Promise<void> => {
    await cluster.core.createNamespacedConfigMap({ namespace, body: { metadata: { name }, data: { a: '1' } } })
  }

  const keepPod = (name: string) => cluster.core.patchNamespacedPod({ namespace, name, body: KEEP }, MERGE())
  const keepNode = (name: string) => cluster.core.patchNode({ name, body: KEEP }, MERGE())
  const keepDeployment = (name: string) =>
    cluster.apps.patchNamespacedDeployment({ namespace, name, body: KEEP }, MERGE())
  const keepConfigMap = (name: string) =>
    cluster.core.patchNamespacedConfigMap({ namespace, name, body: KEEP }, MERGE())

  const deployment = (name: string) => cluster.apps.readNamespacedDeployment({ namespace, name })
  const configMap = async (name: string): Promise<Record<string, string> | undefined> =>
    cluster.core.readNamespacedConfigMap({ namespace, name }).then(
      ({ data }) => data,
      () => undefined,
    )

  const cases: Record<string, Case> = {
    terminate: {
      ...{ action: terminate, params: () => ({ min_healthy_replicas: 1 }), make: aPod, protect: keepPod },
      done: async (name) => !(await exists(name)),
    },
    evict: {
      ...{ action: evict, params: () => ({ min_healthy_replicas: 1 }), make: aPod, protect: keepPod },
      done: async (name) => !(await exists(name)),
    },
    delete: {
      ...{ action: deleteResource, params: () => ({ resources: ['configmaps'] }), protect: keepConfigMap },
      async make(name) {
        await aConfigMap(name)
        return { 'ka.target.resource': 'configmaps', 'ka.target.namespace': namespace, 'ka.target.name': name }
      },
      done: async (name) => (await configMap(name)) === undefined,
      never: { 'ka.target.resource': 'configmaps', 'ka.target.namespace': namespace, 'ka.target.name': 'never-was' },
    },
    cordon: { action: cordon, params: () => ({}), make: aPodOnNode, done: isClosed, protect: keepNode },
    uncordon: {
      ...{ action: uncordon, params: () => ({}), protect: keepNode },
      async make(name) {
        const fields = await aPodOnNode(name)
        await close(name, true)
        return fields
      },
      done: async (name) => !(await isClosed(name)),
    },
    drain: {
      ...{ action: drain, params: () => ({ max_wait_period: 30, min_healthy_replicas: 1 }), make: aPodOnNode },
      done: async (name) => (await isClosed(name)) && !(await exists(name)),
      protect: keepNode,
    },
    scale: {
      ...{ action: scale, params: () => ({ replicas: 0 }), make: aDeployment, protect: keepDeployment },
      done: async (name) => (await deployment(name)).spec?.replicas === 0,
    },
    'rollout-restart': {
      ...{ action: rolloutRestart, params: () => ({}), make: aDeployment, protect: keepDeployment },
      done: async (name) => (await deployment(name)).metadata?.generation === 2,
    },
    'patch of the pod': {
      ...{ action: patch, params: () => ({ patch: { metadata: { labels: { seen: 'true' } } } }) },
      ...{ make: aPod, protect: keepPod },
      done: async (name) =>
        (await cluster.core.readNamespacedPod({ namespace, name })).metadata?.labels?.['seen'] === 'true',
    },
    'patch of an object': {
      action: patch,
      params: (name) => ({
        object: { apiVersion: 'v1', kind: 'ConfigMap', name },
        type: 'merge',
        patch: { data: { a: '2' } },
      }),
      async make(name) {
        await aConfigMap(name)
        return aPod(name)
      },
      done: async (name) => (await configMap(name))?.['a'] === '2',
      protect: keepConfigMap,
    },
    apply: {
      action: apply,
      params: (name) => ({ manifest: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '2' } } }),
      make: aPod,
      done: async (name) => (await configMap(name))?.['a'] === '2',
      async protect(name) {
        await aConfigMap(name)
        return keepConfigMap(name)
      },
    },
    event: {
      ...{ action: event, params: () => ({ reason: 'Seen' }), make: aPod, protect: keepPod },
      done: async (name) =>
        (await cluster.api(k8s.EventsV1Api).listNamespacedEvent({ namespace })).items.some(
          ({ reason, regarding }) => reason === 'Seen' && regarding?.name === name,
        ),
    },
    ...podCases({ cluster: () => cluster, make: aPod, protect: keepPod, aPodOnNode, keepNode }),
  }

  /** Token of a fresh account that may do, in all the cluster, what the rules say; returns once it may. */
  const tokenWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `account-${++made}`
    await cluster.clusterAccount(namespace, name, rules)
    return cluster.token(namespace, name)
  }

  interface Respond {
    readonly rules?: readonly PolicyRule[]
    readonly mode?: 'observe' | 'enforce'
    readonly guards?: GatewayOptions['guards']
    readonly retries?: number
    /** Default: the cluster itself. */
    readonly proxy?: string
  }

  /** One event, answered by one step of the action. */
  const respond = async ({ action, params }: Case, name: string, fields: Fields, how: Respond): Promise<StepReport> => {
    const settings = params(name)
    const token = await tokenWith(how.rules ?? permissionsOf(action, settings))
    const path = `${running.addresses.kubeconfig}-${made}`
    const config = JSON.parse(kubeconfigFor(how.proxy ?? running.addresses.server, { token })) as {
      clusters: { cluster: Record<string, unknown> }[]
    }
    if (!how.proxy) {
      config.clusters[0]!.cluster = { server: running.addresses.server, 'certificate-authority': running.addresses.ca }
    }
    writeFileSync(path, JSON.stringify(config))
    const use = (action as unknown as (settings: object) => never)(settings)
    const gateway = createGateway({
      mode: how.mode ?? 'enforce',
      resources: [clusterResource({ kubeconfig: path })],
      guards: { protectedLabels: ['keep=yes'], ...how.guards },
      rules: [{ name: 'all', join: 0, steps: [{ action: use, retries: how.retries ?? 0, timeout: '60s' }] }],
    })
    try {
      const receipt = await gateway.emit(alert({ output_fields: fields }), { authenticated: 'test' })
      const [report] = await receipt.done
      const [step] = report?.steps ?? []
      if (!step) throw new Error('no step')
      return step
    } finally {
      await gateway.stop()
    }
  }

  describe.each(Object.entries(cases))('%s', (title, one) => {
    const slug = title.replaceAll(' ', '-')

    it('is done, with exactly the rights that are declared, and then the target may be gone', async () => {
      const name = `${slug}-do`
      const fields = await one.make(name)
      expect(await one.done(name)).toBe(false)
      const step = await respond(one, name, fields, {})
      expect(step).toMatchObject({ outcome: 'succeeded' })
      await until('the change', async () => (await one.done(name)) || undefined)
      expect(await respond(one, `${slug}-never`, one.never ?? podFields('never-was'), {})).toMatchObject({
        outcome: 'gone',
      })
    })

    it('changes nothing where it must not: no rights, or the guard says no', async () => {
      const name = `${slug}-no`
      const fields = await one.make(name)
      const reading = onlyReading(permissionsOf(one.action, one.params(name)))
      expect(await respond(one, name, fields, { rules: reading })).toMatchObject({
        outcome: 'refused',
        error: { reason: 'forbidden' },
      })
      expect(await one.done(name)).toBe(false)
      await one.protect(name)
      expect(await respond(one, name, fields, {})).toMatchObject({
        outcome: 'refused',
        error: { reason: 'protected-label' },
      })
      expect(await one.done(name)).toBe(false)
    })

    it('only tells in observe mode, with the rights of an observer too', async () => {
      const name = `${slug}-would`
      const fields = await one.make(name)
      const tried = await respond(one, name, fields, { mode: 'observe' })
      expect(tried).toMatchObject({
        outcome: 'succeeded',
        simulated: true,
        summary: expect.stringMatching(/^would /) as string,
      })
      expect(tried.summary).not.toContain('not verified')
      const reading = onlyReading(permissionsOf(one.action, one.params(name)))
      const told = await respond(one, name, fields, { mode: 'observe', rules: reading })
      expect(told).toMatchObject({ outcome: 'succeeded', simulated: true })
      expect(told.summary).toMatch(/^would run [a-z]+:.*not verified: no (create|patch|delete) [a-z/]+\)$/)
      expect(await one.done(name)).toBe(false)
    })

    it('is tried again by a server in trouble, and done', async () => {
      const name = `${slug}-again`
      const fields = await one.make(name)
      const proxy = await apiProxyTo(running.addresses.server, running.addresses.ca)
      try {
        proxy.troubles.push(
          { ...status(429, 'TooManyRequests', 'too many'), headers: { 'retry-after': '0' } },
          status(409, 'Conflict', 'the object has been modified'),
          status(500, 'InternalError', 'etcdserver: request timed out'),
        )
        expect(await respond(one, name, fields, { retries: 3, proxy: proxy.url })).toMatchObject({
          outcome: 'succeeded',
        })
        expect(proxy.troubles).toEqual([])
        await until('the change', async () => (await one.done(name)) || undefined)
      } finally {
        await proxy.stop()
      }
    })
  })

  const find = async (fields: Fields, rules?: readonly PolicyRule[], members: object = {}) => {
    const token = await tokenWith(rules ?? permissionsOf(terminate, {}))
    const path = `${running.addresses.kubeconfig}-${made}`
    const { server, ca } = running.addresses
    const config = JSON.parse(kubeconfigFor(server, { token })) as { clusters: { cluster: object }[] }
    config.clusters[0]!.cluster = { server, 'certificate-authority': ca }
    writeFileSync(path, JSON.stringify(config))
    const time = new Date().toISOString()
    const { step } = await aStep({
      fields,
      event: { time, ...members },
      resources: { kubernetes: { kubeconfig: path } },
    })
    return podSubject(step.target, step, step.event)
  }

  it('a pod is found by its uid, its name and its container, with the owners above it and the replicas', async () => {
    const [pod] = await cluster.deployment('found', { namespace, replicas: 2 })
    const { name = '', uid } = pod?.metadata ?? {}
    const containerID = `containerd://${'ab'.repeat(32)}`
    const body = { status: { containerStatuses: [{ ...pod?.status?.containerStatuses?.[0], containerID }] } }
    await cluster.core.patchNamespacedPodStatus({ namespace, name, body }, MERGE())
    const expected = {
      uid,
      name,
      owners: [
        { kind: 'ReplicaSet', name: expect.stringMatching(/^found-/) as string },
        { kind: 'Deployment', name: 'found' },
      ],
      replicas: { desired: 2, ready: 2 },
    }
    const byContainer = { 'container.id': 'ab'.repeat(6) }
    expect(await find({ 'k8s.pod.uid': uid })).toMatchObject(expected)
    expect(await find({ 'k8s.pod.uid': uid, 'k8s.ns.name': namespace })).toMatchObject(expected)
    expect(await find(podFields(name))).toMatchObject(expected)
    expect(await find(byContainer, undefined, { hostname: pod?.spec?.nodeName })).toMatchObject(expected)
    expect(await find(byContainer, undefined, { hostname: 'falco-x7k2p' })).toMatchObject(expected)
    expect(await find({ ...podFields(name), ...byContainer })).toMatchObject(expected)
    await cluster.pod('innocent', { namespace })
    for (const other of [
      { ...podFields('innocent'), ...byContainer },
      { ...podFields('innocent'), 'k8s.pod.uid': uid },
    ]) {
      await expect(find(other, undefined, { hostname: pod?.spec?.nodeName })).rejects.toMatchObject({
        code: 'refused',
        reason: 'changed',
      })
    }
    const past = { time: '2020-01-01T00:00:00Z' }
    await expect(
      find({ ...podFields('innocent'), 'container.id': 'cd'.repeat(6) }, undefined, past),
    ).rejects.toMatchObject({
      reason: 'changed',
    })
  })

  it('without the right to read owners the pod is found, and the guard can tell that they may be more', async () => {
    const [pod] = await cluster.deployment('unowned', { namespace })
    const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }]
    const subject = await find(podFields(pod?.metadata?.name ?? ''), rules)
    expect(subject?.owners?.map(({ kind }) => kind)).toEqual(['ReplicaSet'])
    expect(subject?.incomplete).toContain('"resources":["replicasets"],"verbs":["get"]')
    expect(subject).not.toHaveProperty('replicas')
  })
})

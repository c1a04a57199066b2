/** The actions on workloads, on objects of any kind, on Events and on logs, each as an account with exactly its permissions. */
import * as k8s from '@kubernetes/client-node'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { z } from 'zod'
import { apply } from '../../src/actions/kubernetes/apply.ts'
import { event } from '../../src/actions/kubernetes/event.ts'
import { log } from '../../src/actions/kubernetes/log.ts'
import { patch } from '../../src/actions/kubernetes/patch.ts'
import { rolloutRestart } from '../../src/actions/kubernetes/rollout-restart.ts'
import { scale } from '../../src/actions/kubernetes/scale.ts'
import type { Action, PolicyRule, Result } from '../../src/plugin.ts'
import { aStep, perform, type StepOptions } from '../actions/step.ts'
import { rejection } from '../actions/kubernetes/world.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const namespace = 'shop'

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let accounts = 0

  beforeAll(async () => {
    running = await kubernetes.start()
    cluster = running.cluster
    await cluster.namespace(namespace)
  }, 120_000)
  afterAll(() => running?.stop())

  const rulesOf = <S extends z.ZodType>({ permissions = [], config }: Action<S>, params: z.input<S>) =>
    typeof permissions === 'function' ? permissions(config.parse(params)) : permissions

  /** A kubeconfig of an account that may do what the rules say; returns once the rules are in force. */
  const accountWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `account-${++accounts}`
    await cluster.account(namespace, name, structuredClone(rules) as k8s.V1PolicyRule[])
    const path = await cluster.kubeconfigFor(namespace, name)
    const config = new k8s.KubeConfig()
    config.loadFromFile(path)
    const reviews = config.makeApiClient(k8s.AuthorizationV1Api)
    await until('the role', async () => {
      const { status } = await reviews.createSelfSubjectRulesReview({ body: { spec: { namespace } } })
      return rules.every((rule) =>
        status?.resourceRules.some(({ resources }) => rule.resources.every((one) => resources?.includes(one))),
      )
        ? true
        : undefined
    })
    return path
  }

  const run = async <S extends z.ZodType>(
    action: Action<S>,
    params: z.input<S>,
    pod: string,
    { without, ...options }: StepOptions & { without?: (rule: PolicyRule) => boolean } = {},
  ): Promise<Result> => {
    const rules = rulesOf(action, params).filter((rule) => !without?.(rule))
    const kubeconfig = await accountWith(rules)
    const fields = { 'k8s.ns.name': namespace, 'k8s.pod.name': pod }
    return perform(action, params, await aStep({ fields, ...options, resources: { kubernetes: { kubeconfig } } }))
  }

  const changes = ({ verbs }: PolicyRule): boolean => !verbs.includes('list')

  const aDeployment = async (name: string, replicas = 1): Promise<string> => {
    const [pod] = await cluster.deployment(name, { namespace, replicas })
    return pod?.metadata?.name ?? ''
  }

  const deployment = (name: string) => cluster.apps.readNamespacedDeployment({ namespace, name })

  it('scale: a Deployment to none, by way of its ReplicaSet', async () => {
    const pod = await aDeployment('scaled', 2)
    const dry = await run(scale, { replicas: 0 }, pod, { dryRun: true })
    expect(dry.summary).toBe('would scale deployment shop/scaled from 2 to 0')
    expect((await deployment('scaled')).spec?.replicas).toBe(2)
    const refused = await rejection(run(scale, { replicas: 0 }, pod, { without: changes }))
    expect(refused).toMatchObject({ code: 'refused', reason: 'forbidden' })
    expect(await run(scale, { replicas: 0 }, pod)).toEqual({
      summary: 'scaled deployment shop/scaled from 2 to 0',
      objects: { pod, namespace, deployment: 'scaled' },
    })
    await until('no pods', async () => {
      const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector: 'app=scaled' })
      return items.length === 0 || undefined
    })
    expect(await rejection(run(scale, { replicas: 0 }, pod))).toMatchObject({ code: 'gone' })
  })

  it('scale: a StatefulSet of the same name, and not one that has taken it', async () => {
    const name = 'queue'
    const labels = { app: name }
    const template = {
      metadata: { labels },
      spec: { containers: [{ name: 'main', image: 'registry.invalid/main:1' }], terminationGracePeriodSeconds: 0 },
    }
    const body = {
      metadata: { name },
      spec: { serviceName: name, replicas: 1, selector: { matchLabels: labels }, template },
    }
    await cluster.apps.createNamespacedStatefulSet({ namespace, body })
    await until('the pod', () => cluster.running('queue-0', namespace).catch(() => undefined))
    const subject = {
      ...{ kind: 'Pod', key: 'pod/shop/queue-0', namespace, name: 'queue-0', uid: 'u' },
      owners: [{ kind: 'StatefulSet', name, uid: '00000000-0000-4000-8000-000000000000' }],
    }
    expect(await rejection(run(scale, { replicas: 3 }, 'queue-0', { subject }))).toMatchObject({ reason: 'owner-gone' })
    expect((await cluster.apps.readNamespacedStatefulSet({ namespace, name })).spec?.replicas).toBe(1)
    await run(scale, { replicas: 3 }, 'queue-0')
    expect((await cluster.apps.readNamespacedStatefulSet({ namespace, name })).spec?.replicas).toBe(3)
  })

  it('rollout-restart: new pods, once for one response', async () => {
    const pod = await aDeployment('restarted')
    await run(rolloutRestart, {}, pod, { dryRun: true })
    const generation = async () => (await deployment('restarted')).metadata?.generation
    expect(await generation()).toBe(1)
    expect(await run(rolloutRestart, {}, pod)).toMatchObject({ summary: 'restarted deployment shop/restarted' })
    expect(await generation()).toBe(2)
    const other = await until('another pod', async () => {
      const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector: 'app=restarted' })
      return items.length === 1 && items[0]?.metadata?.name !== pod ? items[0]?.metadata?.name : undefined
    })
    await cluster.running(other, namespace)
    await run(rolloutRestart, {}, other)
    expect(await generation()).toBe(2)
  })

  it('rollout-restart: refused for a pod of its own', async () => {
    await cluster.pod('alone', { namespace })
    expect(await rejection(run(rolloutRestart, {}, 'alone'))).toMatchObject({ code: 'refused', reason: 'no-workload' })
  })

  it('patch: the pod in all three ways, under its uid', async () => {
    const { metadata } = await cluster.pod('patched', { namespace, labels: { app: 'patched' } })
    const label = (name: string) => ({ patch: { metadata: { labels: { [name]: 'true' } } } })
    await run(patch, { type: 'strategic', ...label('one') }, 'patched')
    await run(patch, { type: 'merge', ...label('two') }, 'patched')
    const operation = { op: 'add', path: '/metadata/labels/example.com~1three', value: 'true' } as const
    await run(patch, { type: 'json', patch: [operation] }, 'patched')
    await run(patch, { type: 'json', patch: [{ ...operation, path: '/metadata/labels/four' }] }, 'patched', {
      dryRun: true,
    })
    const read = () => cluster.core.readNamespacedPod({ namespace, name: 'patched' })
    const labels = { app: 'patched', one: 'true', two: 'true', 'example.com/three': 'true' }
    expect((await read()).metadata).toMatchObject({ uid: metadata?.uid, labels })
    expect((await read()).metadata?.labels).not.toHaveProperty('four')

    const subject = { kind: 'Pod', key: 'k', namespace, name: 'patched', uid: '00000000-0000-4000-8000-000000000000' }
    for (const params of [
      { type: 'merge' as const, ...label('five') },
      { type: 'strategic' as const, ...label('five') },
    ]) {
      expect(await rejection(run(patch, params, 'patched', { subject }))).toMatchObject({
        code: 'gone',
        reason: 'changed',
      })
    }
    const json = { type: 'json' as const, patch: [{ ...operation, path: '/metadata/labels/five' }] }
    expect(await rejection(run(patch, json, 'patched', { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect((await read()).metadata?.labels).not.toHaveProperty('five')
  })

  it('patch: an object of another kind, no field that its kind does not know, and none that is not there', async () => {
    await cluster.core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: 'settings' }, data: { a: '1' } },
    })
    await cluster.pod('near', { namespace })
    const object = { apiVersion: 'v1', kind: 'ConfigMap', name: 'settings' }
    expect(await run(patch, { object, type: 'merge', patch: { data: { a: null, b: '2' } } }, 'near')).toEqual({
      summary: 'patched configmap shop/settings',
      objects: { pod: 'near', namespace, configmap: 'settings' },
    })
    expect((await cluster.core.readNamespacedConfigMap({ namespace, name: 'settings' })).data).toEqual({ b: '2' })
    const typo = { object, type: 'merge' as const, patch: { dta: { c: '3' } } }
    expect(await rejection(run(patch, typo, 'near'))).toMatchObject({ code: 'failed', permanent: true })
    const absent = { object: { ...object, name: 'none' }, patch: { data: {} } }
    expect(await rejection(run(patch, absent, 'near'))).toMatchObject({ code: 'failed', reason: 'not-found' })
    const unknown = { object: { ...object, kind: 'Nothing' }, patch: {} }
    expect(await rejection(run(patch, unknown, 'near'))).toMatchObject({ reason: 'no-such-kind' })
    const nowhere = { object: { ...object, apiVersion: 'nowhere.example/v1' }, patch: {} }
    expect(await rejection(run(patch, nowhere, 'near'))).toMatchObject({ reason: 'no-such-api' })
    const forbidden = run(patch, { object, type: 'merge', patch: { data: {} } }, 'near', { without: changes })
    expect(await rejection(forbidden)).toMatchObject({ code: 'refused', reason: 'forbidden' })
  })

  it('apply: makes an object, changes it, and leaves what another manages', async () => {
    await cluster.pod('applied', { namespace })
    const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'alert' }, data: { rule: 'A' } }
    const read = () => cluster.core.readNamespacedConfigMap({ namespace, name: 'alert' })
    await run(apply, { manifest }, 'applied', { dryRun: true })
    await expect(read()).rejects.toThrow()
    expect(await run(apply, { manifest }, 'applied')).toEqual({
      summary: 'applied configmap shop/alert',
      objects: { pod: 'applied', namespace, configmap: 'alert' },
    })
    await run(apply, { manifest: { ...manifest, data: { rule: 'B' } } }, 'applied')
    expect(await read()).toMatchObject({
      data: { rule: 'B' },
      metadata: { labels: { 'yarak.dev/response': 'abc123' }, annotations: { 'yarak.dev/rule': 'React' } },
    })
    await cluster.core.patchNamespacedConfigMap(
      { namespace, name: 'alert', body: { data: { rule: 'C' } }, fieldManager: 'somebody' },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    )
    expect(await rejection(run(apply, { manifest }, 'applied'))).toMatchObject({ reason: 'conflict', permanent: true })
    expect((await read()).data).toEqual({ rule: 'C' })
    await run(apply, { manifest, force: true }, 'applied')
    expect((await read()).data).toEqual({ rule: 'A' })
  })

  it('apply: a custom resource, by its schema', async () => {
    await cluster.pod('captured', { namespace })
    const capture = (duration: string) => ({
      ...{ apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', metadata: { name: 'evidence' } },
      spec: {
        captureConfiguration: { captureTarget: { podNames: ['captured'] }, captureOption: { duration } },
        outputConfiguration: { hostPath: 'evidence' },
      },
    })
    expect(await rejection(run(apply, { manifest: capture('soon') }, 'captured'))).toMatchObject({ reason: 'invalid' })
    await run(apply, { manifest: capture('30s') }, 'captured')
    const kind = { group: 'retina.sh', version: 'v1alpha1', namespace, plural: 'captures', name: 'evidence' }
    expect(await cluster.api(k8s.CustomObjectsApi).getNamespacedCustomObject(kind)).toMatchObject({
      spec: { captureConfiguration: { captureOption: { duration: '30s' } } },
    })
    const elsewhere = { ...capture('30s'), metadata: { name: 'x', namespace: 'nowhere' } }
    expect(await rejection(run(apply, { manifest: elsewhere }, 'captured'))).toMatchObject({ code: 'refused' })
  })

  it('event: one about the pod, with the trace, however often it is written', async () => {
    const { metadata } = await cluster.pod('told', { namespace })
    const params = { reason: 'Quarantined', note: 'it had\na shell' }
    await run(event, params, 'told', { dryRun: true })
    const events = cluster.api(k8s.EventsV1Api)
    const about = async () =>
      (await events.listNamespacedEvent({ namespace })).items.filter(({ reason }) => reason === 'Quarantined')
    expect(await about()).toEqual([])
    const { objects } = await run(event, params, 'told')
    expect(await run(event, params, 'told')).toMatchObject({ objects })
    const [one, ...more] = await about()
    expect(more).toEqual([])
    expect(one).toMatchObject({
      metadata: { name: objects?.event, annotations: { 'yarak.dev/rule': 'React' } },
      regarding: { kind: 'Pod', name: 'told', uid: metadata?.uid },
      note: 'it had a shell (trace 0af7651916cd43dd8448eb211c80319c)',
      type: 'Warning',
      reportingController: 'yarak.dev/yarak',
    })
    expect(await rejection(run(event, params, 'told', { without: changes }))).toMatchObject({ reason: 'forbidden' })
  })

  it('log: the last lines of every container, as files', async () => {
    running.pods.write('first line', 'second line', 'third line')
    running.pods.writePrevious('from before')
    const containers = ['main', 'side'].map((name) => ({ name, image: 'registry.invalid/main:1' }))
    await cluster.pod('logged', { namespace, spec: { containers } })
    const { summary, output, artifacts = [] } = await run(log, { tail_lines: 2 }, 'logged', { mode: 'observe' })
    expect(summary).toBe('saved 2 logs of pod shop/logged')
    expect(artifacts.map(({ name }) => name.replace(/^.*_/, ''))).toEqual(['main.log', 'side.log'])
    expect(output).toBe('second line\nthird line\n'.repeat(2))
    const before = await run(log, { container: 'side', previous: true }, 'logged')
    expect(before.output).toBe('from before\n')
    const cut = await run(log, { container: 'side', max_size: 5 }, 'logged')
    expect(cut).toMatchObject({ output: 'first', artifacts: [{ size: 5 }] })
    expect(readFileSync(fileURLToPath(cut.artifacts?.[0]?.url ?? ''), 'utf8')).toBe('first')
    expect(await rejection(run(log, { container: 'none' }, 'logged'))).toMatchObject({ reason: 'bad-request' })
    expect(await rejection(run(log, {}, 'logged', { without: changes }))).toMatchObject({ reason: 'forbidden' })
    expect(await rejection(run(log, {}, 'never-was'))).toMatchObject({ code: 'gone' })
  })
})

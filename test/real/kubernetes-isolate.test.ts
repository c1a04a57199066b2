/** Isolation, the policies of Calico and Cilium, and Retina, each as an account with exactly the declared permissions. */
import * as k8s from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { calicoNetworkpolicy } from '../../src/actions/calico/networkpolicy.ts'
import { ciliumNetworkpolicy } from '../../src/actions/cilium/networkpolicy.ts'
import { isolate } from '../../src/actions/kubernetes/isolate.ts'
import { retinaCapture } from '../../src/actions/retina/capture.ts'
import { retinaObserve } from '../../src/actions/retina/observe.ts'
import { YarakError } from '../../src/errors.ts'
import type { Action, PolicyRule, Result, UndoKind } from '../../src/plugin.ts'
import { type Live, undoablesOf } from '../../src/resources/_kube-note.ts'
import { aStep, perform, type StepOptions } from '../actions/step.ts'
import { rejection } from '../actions/kubernetes/world.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const namespace = 'shop'
const REMOTE = '203.0.113.7'

const CALICO = { group: 'projectcalico.org', version: 'v3', plural: 'networkpolicies' }
const CILIUM = { group: 'cilium.io', version: 'v2', plural: 'ciliumnetworkpolicies' }
const CAPTURES = { group: 'retina.sh', version: 'v1alpha1', plural: 'captures' }

const permissionsOf = ({ permissions = [], config }: Action, params: unknown): readonly PolicyRule[] =>
  typeof permissions === 'function' ? permissions(config.parse(params)) : permissions

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

  /** A kubeconfig of an account that may do, in all the cluster, what the rules say; once they are in force. */
  const accountWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `account-${++accounts}`
    await cluster.clusterAccount(namespace, name, rules)
    return cluster.kubeconfigFor(namespace, name)
  }

  interface Options extends StepOptions {
    /** Of what is declared, the rules that are not given. */
    readonly lacking?: (rule: PolicyRule) => boolean
  }

  const act = async (action: Action, params: object, pod: string, options: Options = {}): Promise<Result> => {
    const { lacking, fields, ...rest } = options
    const rules = permissionsOf(action, params).filter((rule) => !lacking?.(rule))
    const about = { 'k8s.ns.name': namespace, 'k8s.pod.name': pod, 'fd.rip': REMOTE, ...fields }
    const resources = { kubernetes: { kubeconfig: await accountWith(rules) } }
    return perform(action, params, await aStep({ fields: about, ...rest, resources }))
  }

  type Noted = UndoKind & { readonly kind: string }

  /** Undoes what is noted on an object, as an account that may do what the action with its undoing says. */
  const undo = async (action: Action, on: Noted, object: object, params = {}): Promise<Result> => {
    const [change] = undoablesOf(on, object as Live)
    if (!change || !action.undo) throw new Error('nothing is noted')
    const kubeconfig = await accountWith([...permissionsOf(action, params), ...(action.undo.permissions ?? [])])
    const { step } = await aStep({ resources: { kubernetes: { kubeconfig } } })
    return action.undo.run(change, { ...step, traceparent: undefined })
  }

  const POD = { apiVersion: 'v1', resource: 'pods', kind: 'Pod' }
  const pod = (name: string) => cluster.core.readNamespacedPod({ namespace, name })
  const policies = () => cluster.api(k8s.NetworkingV1Api)
  const policy = (name: string) => policies().readNamespacedNetworkPolicy({ namespace, name })
  const custom = (kind: typeof CALICO, name: string): Promise<object> =>
    cluster.api(k8s.CustomObjectsApi).getNamespacedCustomObject({ ...kind, namespace, name }) as Promise<object>
  const missing = expect.objectContaining({ code: 404 }) as unknown
  const writes = ({ verbs }: PolicyRule): boolean => verbs.some((verb) => verb === 'create' || verb === 'patch')

  const allowWeb = (app: string): Promise<unknown> =>
    policies().createNamespacedNetworkPolicy({
      namespace,
      body: {
        metadata: { name: `allow-${app}` },
        spec: { podSelector: { matchLabels: { app } }, policyTypes: ['Ingress'], ingress: [{}] },
      },
    })

  describe('kubernetes:isolate', () => {
    it('takes the pod out of all that selects it, its workload makes another, and undoing puts it back', async () => {
      const [made] = await cluster.deployment('cut', { namespace, replicas: 1 })
      const { name = '', uid = '', labels: before } = made?.metadata ?? {}
      await allowWeb('cut')
      const spec = { selector: { app: 'cut' }, ports: [{ port: 80 }] }
      await cluster.core.createNamespacedService({ namespace, body: { metadata: { name: 'cut' }, spec } })

      const dry = await act(isolate, { ttl: '1h' }, name, { dryRun: true })
      expect(dry.summary).toMatch(/^would isolate pod/)
      expect((await pod(name)).metadata?.labels).toEqual(before)
      await expect(policy(`yarak-isolate-${uid}`)).rejects.toEqual(missing)

      const { objects } = await act(isolate, { ttl: '1h' }, name)
      expect(objects).toMatchObject({ isolation: 'whole', labels: 'app pod-template-hash' })
      const isolated = await pod(name)
      expect(isolated.metadata?.labels).toEqual({ 'yarak.dev/isolated': 'abc123', 'yarak.dev/response': 'abc123' })
      expect(await policy(`yarak-isolate-${uid}`)).toMatchObject({
        metadata: { ownerReferences: [{ kind: 'Pod', name, uid }] },
        spec: { podSelector: { matchLabels: { 'yarak.dev/isolated': 'abc123' } }, policyTypes: ['Ingress', 'Egress'] },
      })
      await until('another pod of the Deployment', async () => {
        const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector: 'app=cut' })
        return (items.length === 1 && items[0]?.metadata?.uid !== uid) || undefined
      })
      expect((await pod(name)).metadata?.ownerReferences ?? []).toEqual([])

      await act(isolate, { dns: true, ttl: '2h' }, name)
      expect((await policy(`yarak-isolate-${uid}`)).spec?.egress).toHaveLength(1)

      await undo(isolate, POD, await pod(name))
      await expect(policy(`yarak-isolate-${uid}`)).rejects.toEqual(missing)
      const { items } = await cluster.core.listNamespacedPod({ namespace })
      const labels = items.find(({ metadata }) => metadata?.uid === uid)?.metadata?.labels
      // Its ReplicaSet has one too many now, and may already have ended this one.
      if (labels) expect(labels).toEqual(before)
    })

    it('tells in part what policies still let through, and the policy goes with the pod', async () => {
      const { metadata } = await cluster.pod('part', { namespace, labels: { app: 'part' } })
      await allowWeb('part')
      const { objects } = await act(isolate, { strategy: 'policy-only' }, 'part')
      expect(objects).toMatchObject({ isolation: 'partial', open: 'allow-part' })
      await cluster.core.deleteNamespacedPod({ namespace, name: 'part' })
      await until('the policy to be collected', async () => {
        const { items } = await policies().listNamespacedNetworkPolicy({ namespace })
        return items.every((one) => one.metadata?.name !== `yarak-isolate-${metadata?.uid}`) || undefined
      })
    })

    it.each([
      ['calico', CALICO],
      ['cilium', CILIUM],
    ] as const)('by a policy of %s, which the server takes as it is', async (enforcer, kind) => {
      const { metadata } = await cluster.pod(`cut-${enforcer}`, { namespace, labels: { app: enforcer } })
      const name = `yarak-isolate-${metadata?.uid}`
      for (const dns of [false, true]) await act(isolate, { enforcer, dns }, `cut-${enforcer}`)
      expect(await custom(kind, name)).toMatchObject({ metadata: { ownerReferences: [{ uid: metadata?.uid }] } })
      await undo(isolate, POD, await pod(`cut-${enforcer}`), { enforcer })
      await expect(custom(kind, name)).rejects.toEqual(missing)
      expect((await pod(`cut-${enforcer}`)).metadata?.labels).toEqual({ app: enforcer })
    })

    it('is refused in the network of the node, by RBAC, and done when the pod is gone', async () => {
      await cluster.pod('host', { namespace, spec: { hostNetwork: true } })
      expect(await rejection(act(isolate, {}, 'host'))).toMatchObject({ code: 'refused', reason: 'host-network' })
      const { metadata } = await cluster.pod('kept', { namespace, labels: { app: 'kept' } })
      const forbidden = await rejection(act(isolate, {}, 'kept', { lacking: writes }))
      expect(forbidden).toMatchObject({ code: 'refused', reason: 'forbidden' })
      expect((await pod('kept')).metadata?.labels).toEqual(metadata?.labels)
      expect(await rejection(act(isolate, {}, 'nobody'))).toMatchObject({ code: 'gone' })
      const subject = { kind: 'Pod', key: 'k', namespace, name: 'kept', uid: '00000000-0000-4000-8000-000000000000' }
      expect(await rejection(act(isolate, {}, 'kept', { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
    })
  })

  describe.each([
    ['calico:networkpolicy', calicoNetworkpolicy as Action, { ...CALICO, kind: 'NetworkPolicy' }],
    ['cilium:networkpolicy', ciliumNetworkpolicy as Action, { ...CILIUM, kind: 'CiliumNetworkPolicy' }],
  ])('%s', (type, action, { kind, ...at }) => {
    const app = type.replace(':', '-')
    const name = `yarak-deployment-${app}`

    it('denies each remote address once, and is undone', async () => {
      const [first] = await cluster.deployment(app, { namespace })
      const of = first?.metadata?.name ?? ''
      await act(action, {}, of, { dryRun: true })
      await expect(custom(at, name)).rejects.toEqual(missing)
      await act(action, { ttl: '1h' }, of)
      await act(action, { ttl: '1h' }, of, { fields: { 'fd.rip': '2001:db8::1' } })
      await act(action, { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['db'] }, of)
      const text = JSON.stringify(await custom(at, name))
      for (const net of [`${REMOTE}/32`, '2001:db8::1/128', '10.0.0.0/8'])
        expect(text.split(`"${net}"`)).toHaveLength(2)
      const on = { apiVersion: `${at.group}/${at.version}`, resource: at.plural, kind }
      expect((await undo(action, on, await custom(at, name))).summary).toMatch(/^deleted/)
      await expect(custom(at, name)).rejects.toEqual(missing)
    })

    it('is refused by RBAC and without an address, and done when the pod is gone', async () => {
      await cluster.pod(`${app}-1`, { namespace, labels: { app } })
      const forbidden = await rejection(act(action, {}, `${app}-1`, { lacking: writes }))
      expect(forbidden).toMatchObject({ code: 'refused', reason: 'forbidden' })
      const nowhere = await rejection(act(action, {}, `${app}-1`, { fields: { 'fd.rip': 'x' } }))
      expect(nowhere).toMatchObject({ code: 'refused', reason: 'no-remote-ip' })
      expect(await rejection(act(action, {}, 'nobody'))).toMatchObject({ code: 'gone' })
    })
  })

  describe('retina:observe', () => {
    const annotation = async (name: string) => (await pod(name)).metadata?.annotations?.['retina.sh']

    it('the pod, at most so many, and is undone', async () => {
      await cluster.pod('seen', { namespace })
      await act(retinaObserve, {}, 'seen', { dryRun: true })
      expect(await annotation('seen')).toBeUndefined()
      const forbidden = await rejection(act(retinaObserve, {}, 'seen', { lacking: writes }))
      expect(forbidden).toMatchObject({ code: 'refused', reason: 'forbidden' })
      await act(retinaObserve, { max: 1 }, 'seen')
      expect(await annotation('seen')).toBe('observe')
      await cluster.pod('unseen', { namespace })
      const full = await rejection(act(retinaObserve, { max: 1 }, 'unseen'))
      expect(full).toMatchObject({ code: 'refused', reason: 'too-many-observed' })
      await undo(retinaObserve, POD, await pod('seen'))
      expect(await annotation('seen')).toBeUndefined()
      expect(await rejection(act(retinaObserve, {}, 'nobody'))).toMatchObject({ code: 'gone' })
    })

    it('the namespace, where the guard lets it', async () => {
      await cluster.pod('any', { namespace })
      const judge = async () => {
        throw new YarakError('refused', 'no', { reason: 'protected-namespace' })
      }
      const level = { level: 'namespace' }
      expect(await rejection(act(retinaObserve, level, 'any', { judge }))).toMatchObject({ code: 'refused' })
      await act(retinaObserve, level, 'any')
      const read = () => cluster.core.readNamespace({ name: namespace })
      expect((await read()).metadata?.annotations).toMatchObject({ 'retina.sh': 'observe' })
      await undo(retinaObserve, { apiVersion: 'v1', resource: 'namespaces', kind: 'Namespace' }, await read(), level)
      expect((await read()).metadata?.annotations ?? {}).not.toHaveProperty('retina.sh')
    })
  })

  describe('retina:capture', () => {
    /** The operator of Retina as far as a Capture shows it: it says how its jobs go. */
    const operate = async (type: 'complete' | 'error', message: string): Promise<void> => {
      const captures = cluster.api(k8s.CustomObjectsApi)
      const name = await until('a Capture', async () => {
        const { items } = (await captures.listNamespacedCustomObject({ ...CAPTURES, namespace })) as {
          items: { metadata: { name: string }; status?: unknown }[]
        }
        return items.find(({ status }) => !status)?.metadata.name
      })
      const at = { lastTransitionTime: new Date().toISOString(), reason: 'JobsEnded', status: 'True' }
      const body = { status: { conditions: [{ type, message, ...at }] } }
      await captures.patchNamespacedCustomObjectStatus(
        { ...CAPTURES, namespace, name, body },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
      )
    }

    const params = { duration: '1.5s', remote: true, output: { hostPath: 'yarak' } }
    const as = (id: string): Options => ({ response: { id, rule: 'React', step: 'act', traceparent: undefined } })

    it('waits until the capture of the pod is complete, or failed', async () => {
      await cluster.pod('heard', { namespace })
      await act(retinaCapture, params, 'heard', { dryRun: true })
      const [{ objects }] = await Promise.all([
        act(retinaCapture, params, 'heard', { fields: { 'fd.rport': 443 } }),
        operate('complete', 'all jobs are completed'),
      ])
      expect(await custom(CAPTURES, objects?.capture ?? '')).toMatchObject({
        spec: {
          captureConfiguration: {
            captureTarget: { podNames: ['heard'] },
            captureOption: { duration: '1.5s', pcapFilter: `host ${REMOTE} and port 443`, maxCaptureSize: 100 },
          },
          outputConfiguration: { hostPath: 'yarak' },
        },
      })
      expect((await act(retinaCapture, params, 'heard')).objects).toEqual(objects)
      const [failure] = await Promise.all([
        rejection(act(retinaCapture, params, 'heard', as('second'))),
        operate('error', 'no such node'),
      ])
      expect(failure).toMatchObject({ code: 'failed', reason: 'capture-failed', permanent: true })
    })

    it('is refused by RBAC, and done when the pod is gone', async () => {
      await cluster.pod('mute', { namespace })
      const forbidden = await rejection(act(retinaCapture, params, 'mute', { ...as('third'), lacking: writes }))
      expect(forbidden).toMatchObject({ code: 'refused', reason: 'forbidden' })
      expect(await rejection(act(retinaCapture, params, 'nobody'))).toMatchObject({ code: 'gone' })
    })
  })
})

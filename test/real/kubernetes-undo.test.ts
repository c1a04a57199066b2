/** What a response changed is taken back by itself on a real cluster, with exactly the declared permissions. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import * as k8s from '@kubernetes/client-node'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { z } from 'zod'
import { annotation } from '../../src/actions/kubernetes/annotation.ts'
import { cordon } from '../../src/actions/kubernetes/cordon.ts'
import { label } from '../../src/actions/kubernetes/label.ts'
import { networkpolicy } from '../../src/actions/kubernetes/networkpolicy.ts'
import { scale } from '../../src/actions/kubernetes/scale.ts'
import { createGateway, type Gateway, type Report } from '../../src/index.ts'
import { neededBy } from '../../src/permissions.ts'
import type { Action, PolicyRule } from '../../src/plugin.ts'
import { kubernetes as resource } from '../../src/resources/kubernetes.ts'
import { alert } from '../kit.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const namespace = 'shop'
const CHILD = join(import.meta.dirname, '_undo-gateway.ts')

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let kubeconfig = ''
  const children = new Set<ChildProcess>()
  const gateways: Gateway[] = []

  beforeAll(async () => {
    running = await kubernetes.start({ crds: false })
    cluster = running.cluster
    await cluster.namespace(namespace)
    kubeconfig = await account(needed())
  }, 120_000)
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL')
    children.clear()
    await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()))
  })
  afterAll(() => running?.stop())

  const rule = { name: 'Shell', steps: [] as { id: string; action: ReturnType<typeof label> }[] }
  const steps = (ttl?: string) => {
    const more = ttl === undefined ? {} : { ttl }
    return [
      { id: 'mark', action: label({ labels: { suspicious: 'true', tier: 'isolated', old: '' }, ...more }) },
      { id: 'note', action: annotation({ annotations: { 'example.com/why': '{{ rule }}' }, ...more }) },
      { id: 'cut', action: networkpolicy(more) },
      { id: 'close', action: cordon(more) },
      { id: 'stop', action: scale({ replicas: 3, ttl: ttl ?? '1h' }) },
    ]
  }

  const needed = (): PolicyRule[] =>
    neededBy({ rules: [{ ...rule, steps: steps('1s') }], mode: 'enforce' }).map((need) => need.rule)

  /** A kubeconfig of an account with these rules in the whole cluster, whose own namespace is the shop. */
  const account = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `undoer-${Math.random().toString(36).slice(2, 8)}`
    await cluster.clusterAccount(namespace, name, rules)
    return cluster.kubeconfigFor(namespace, name)
  }

  const aGateway = async (ttl?: string, sweep = 500): Promise<Gateway> => {
    const resources = [resource({ kubeconfig })]
    const gateway = createGateway({
      ...{ mode: 'enforce', resources, limits: { sweep } },
      rules: [{ name: 'Shell', join: 0, steps: steps(ttl) }],
    })
    gateways.push(gateway)
    await gateway.start()
    return gateway
  }

  const answer = async (gateway: Gateway, pod: string): Promise<Report> => {
    const fields = { 'k8s.ns.name': namespace, 'k8s.pod.name': pod }
    const [report] = await (await gateway.emit(alert({ output_fields: fields }))).done
    if (!report) throw new Error('there is no report')
    return report
  }

  const aPod = async (name: string): Promise<string> => {
    const [pod] = await cluster.deployment(name, { namespace, labels: { old: 'x', tier: 'web' } })
    return pod?.metadata?.name ?? ''
  }

  const podOf = (name: string) => cluster.core.readNamespacedPod({ namespace, name })
  const policies = async () => (await cluster.api(k8s.NetworkingV1Api).listNamespacedNetworkPolicy({ namespace })).items
  const node = () => cluster.core.readNode({ name: 'node-1' })

  /** Nothing of ours is left on it. */
  const isBare = ({ metadata }: { metadata?: k8s.V1ObjectMeta }): boolean =>
    ![...Object.keys(metadata?.labels ?? {}), ...Object.keys(metadata?.annotations ?? {})].some((key) =>
      key.startsWith('yarak.dev/'),
    )

  const untilBare = (name: string) =>
    until('the pod to be as before', async () => {
      const pod = await podOf(name)
      return isBare(pod) ? pod : undefined
    })

  it('after its ttl all is as it was before: labels, annotations, policy, node and scale', async () => {
    const name = await aPod('web')
    const gateway = await aGateway('4s')
    const report = await answer(gateway, name)
    expect(report.steps.map(({ summary, outcome }) => [outcome, outcome === 'succeeded' || summary])).toEqual(
      steps().map(() => ['succeeded', true]),
    )
    const marked = await podOf(name)
    expect(marked.metadata?.labels).toMatchObject({
      suspicious: 'true',
      tier: 'isolated',
      'yarak.dev/response': report.id,
    })
    expect(marked.metadata?.labels).not.toHaveProperty('old')
    expect([(await policies()).length, (await node()).spec?.unschedulable]).toEqual([1, true])
    const after = await untilBare(name)
    expect(after.metadata?.labels).toMatchObject({ tier: 'web', old: 'x' })
    expect(after.metadata?.labels).not.toHaveProperty('suspicious')
    expect(after.metadata?.annotations ?? {}).not.toHaveProperty('example.com/why')
    await until('the policy to be gone', async () => (await policies()).length === 0 || undefined)
    await until('the node to be open', async () => isBare(await node()) || undefined)
    expect((await node()).spec?.unschedulable).toBeUndefined()
    const workload = await until('the workload to be as before', async () => {
      const found = await cluster.apps.readNamespacedDeployment({ namespace, name: 'web' })
      return isBare(found) ? found : undefined
    })
    expect(workload.spec?.replicas).toBe(1)
  })

  it('when asked, also by another gateway than the one that made the change; what was changed meanwhile stays', async () => {
    const name = await aPod('asked')
    const report = await answer(await aGateway(), name)
    const strategy = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch)
    await cluster.core.patchNamespacedPod(
      { namespace, name, body: { metadata: { labels: { tier: 'theirs' } } } },
      strategy,
    )
    const [policy] = await policies()
    await cluster
      .api(k8s.NetworkingV1Api)
      .patchNamespacedNetworkPolicy(
        { namespace, name: policy?.metadata?.name ?? '', body: { spec: { policyTypes: ['Egress', 'Ingress'] } } },
        strategy,
      )
    const undone = await (await aGateway()).undo(report.id)
    expect(undone.map(({ step, outcome }) => [step, outcome]).sort()).toEqual(
      ['close', 'cut', 'mark', 'note', 'stop'].map((step) => [step, 'succeeded']),
    )
    expect((await podOf(name)).metadata?.labels).toMatchObject({ tier: 'theirs', old: 'x' })
    expect(isBare(await podOf(name))).toBe(true)
    expect(undone.find(({ step }) => step === 'cut')?.summary).toContain('left networkpolicy')
    expect(await policies()).toHaveLength(1)
    await cluster
      .api(k8s.NetworkingV1Api)
      .deleteNamespacedNetworkPolicy({ namespace, name: policy?.metadata?.name ?? '' })
  })

  it('a pod that has gone, or has been replaced under its name, needs nothing', async () => {
    await cluster.pod('alone', { namespace, labels: { app: 'alone' } })
    const gateway = await aGateway()
    const report = await answer(gateway, 'alone')
    const [change] = (await gateway.undoable()).filter(
      ({ response, step }) => response === report.id && step === 'mark',
    )
    await gateway.undo(report.id, 'close')
    await cluster.core.deleteNamespacedPod({ namespace, name: 'alone', gracePeriodSeconds: 0 })
    await cluster.pod('alone', { namespace, labels: { app: 'alone', suspicious: 'true' } })
    expect(change?.object.kind).toBe('Pod')
    expect((await gateway.undoable()).filter(({ object }) => object.name === 'alone')).toEqual([])
    await gateway.undo(report.id, 'cut')
    expect((await podOf('alone')).metadata?.labels).toMatchObject({ suspicious: 'true' })
  })

  it('removing any one verb of undoing makes it fail', async () => {
    const undo = [label, networkpolicy] as unknown as Action<z.ZodType>[]
    const name = await aPod('rights')
    const report = await answer(await aGateway(), name)
    for (const missing of ['list', 'patch', 'delete']) {
      const rules = needed().map((one) => ({ ...one, verbs: one.verbs.filter((verb) => verb !== missing) }))
      const config = await account(rules.filter(({ verbs }) => verbs.length > 0))
      const gateway = createGateway({ resources: [resource({ kubeconfig: config })], undoing: undo })
      gateways.push(gateway)
      const outcome = await gateway.undo(report.id, missing === 'patch' ? 'mark' : 'cut').then(
        (undone) => undone.map((one) => one.outcome),
        (error: Error) => error.message,
      )
      expect([missing, outcome]).toEqual([
        missing,
        missing === 'list' ? expect.stringContaining('there is no change') : ['refused'],
      ])
    }
    await (await aGateway()).undo(report.id)
  })

  // ── processes that are killed ─────────────────────────────────────────────────────────────────────────────────────

  /** A gateway as a process; `said` waits for a line of its log. */
  const launch = (ttl: string, pod = '') => {
    const child = spawn(process.execPath, [CHILD, kubeconfig, ttl, pod], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.add(child)
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more))
    const said = (word: string) =>
      until(word, async () => text.split('\n').find((line) => line.includes(`"message":"${word}"`)), 60_000)
    return { child, said, text: () => text }
  }

  const holder = async (): Promise<string | undefined> => {
    const lease = await cluster.api(k8s.CoordinationV1Api).readNamespacedLease({ namespace, name: 'yarak-undo' })
    return lease.spec?.holderIdentity
  }

  it('by another gateway, when the one that made the change was killed while it led', async () => {
    const name = await aPod('killed')
    const first = launch('6s', name)
    await first.said('answered')
    expect((await podOf(name)).metadata?.labels).toMatchObject({ suspicious: 'true' })
    first.child.kill('SIGKILL')
    const second = launch('1h')
    await second.said('a change was undone')
    const after = await untilBare(name)
    expect(after.metadata?.labels).toMatchObject({ tier: 'web' })
    expect(after.metadata?.labels).not.toHaveProperty('suspicious')
    await until('the policy to be gone', async () => (await policies()).length === 0 || undefined)
  })

  it('by one of two, and by the other once that one is killed', async () => {
    const [one, two] = [launch('1h'), launch('1h')]
    await Promise.all([one.said('started'), two.said('started')])
    const leader = await until('a leader', async () => (await holder().catch(() => undefined)) || undefined)
    const first = await answer(await aGateway('1s', 600_000), await aPod('two-a'))
    const undoneBy = () => [one, two].filter(({ text }) => text().includes(first.id))
    await until('the change to be undone', async () => undoneBy().length > 0 || undefined)
    await untilBare(String(first.target?.split('/').at(-1)))
    expect(undoneBy()).toHaveLength(1)
    undoneBy()[0]?.child.kill('SIGKILL')
    await until('another leader', async () => {
      const now = await holder()
      return (now && now !== leader) || undefined
    })
    const second = await answer(await aGateway('1s', 600_000), await aPod('two-b'))
    await untilBare(String(second.target?.split('/').at(-1)))
  })
})

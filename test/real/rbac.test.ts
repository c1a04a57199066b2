/**
 * The roles that are generated are right: with exactly one the actions pass, and without any single verb of it an action
 * notices. And the API server takes what `yarak rbac` prints.
 */
import * as k8s from '@kubernetes/client-node'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { actions } from '../../src/actions/index.ts'
import { k8snode } from '../../src/contexts/k8snode.ts'
import { pod as podContext } from '../../src/contexts/pod.ts'
import { asYarakError } from '../../src/errors.ts'
import { mergePermissions, neededBy, permissionsFor, permissionText } from '../../src/permissions.ts'
import type { Action, PolicyRule, Subject } from '../../src/plugin.ts'
import { roleObjects } from '../../src/resources/_kube-roles.ts'
import { kubernetes as resource } from '../../src/resources/kubernetes.ts'
import { aStep } from '../actions/step.ts'
import { folder, yarak } from '../cli/_kit.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { KINDS, namespace, type Owner, type Trial, TRIALS, type World } from './rbac-trials.ts'
import { describePart } from './vitest.ts'

const needing = (actions as unknown as readonly Action[]).filter(({ permissions }) => permissions !== undefined)

it('every action that needs rights has its trials, or says where it is tried', () => {
  expect(Object.keys(TRIALS).sort()).toEqual(needing.map(({ type }) => type).sort())
})

const files = folder()

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: World
  let count = 0

  beforeAll(async () => {
    running = await kubernetes.start()
    cluster = running.cluster
    await cluster.namespace(namespace)
    await cluster.node('drained')
  }, 120_000)
  afterAll(() => running?.stop())

  /** Makes the objects of a role as they are printed. */
  const grant = async (rules: readonly PolicyRule[], name: string): Promise<void> => {
    const objects = k8s.KubernetesObjectApi.makeApiClient(cluster.config)
    for (const object of roleObjects(rules, { name, namespace })) await objects.create(object)
  }

  /** A kubeconfig of a fresh account with exactly this role; once it is in force. */
  const accountWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `rbac-${++count}`
    await cluster.account(namespace, name)
    await grant(rules, name)
    const path = await cluster.kubeconfigFor(namespace, name)
    const { step } = await aStep({ resources: { kubernetes: { kubeconfig: path } } })
    const value = await step.use(resource)
    await until(`the role of ${name}`, async () => {
      const missing = await resource.missing?.(value, rules, step)
      return missing?.length === 0 || undefined
    })
    return path
  }

  /** A running pod of a fresh workload. */
  const podOf = async (kind: Owner, nodeName?: string): Promise<k8s.V1Pod> => {
    const name = `${kind.toLowerCase()}-${++count}`
    const labels = { app: name }
    const container = { name: 'main', image: 'registry.invalid/main:1' }
    const podSpec = { containers: [container], terminationGracePeriodSeconds: 0, ...(nodeName && { nodeName }) }
    const template = { metadata: { labels }, spec: podSpec }
    const spec = { selector: { matchLabels: labels }, template }
    const metadata = { name }
    const made = {
      Deployment: () =>
        cluster.apps.createNamespacedDeployment({ namespace, body: { metadata, spec: { ...spec, replicas: 2 } } }),
      ReplicaSet: () => cluster.apps.createNamespacedReplicaSet({ namespace, body: { metadata, spec } }),
      StatefulSet: () =>
        cluster.apps.createNamespacedStatefulSet({
          namespace,
          body: { metadata, spec: { ...spec, serviceName: name } },
        }),
      DaemonSet: () => cluster.apps.createNamespacedDaemonSet({ namespace, body: { metadata, spec } }),
      Job: () => {
        const forever = { labels: { ...labels, 'kwok.x-k8s.io/forever': 'true' } }
        const job = { template: { metadata: forever, spec: { ...podSpec, restartPolicy: 'Never' } } }
        return cluster.api(k8s.BatchV1Api).createNamespacedJob({ namespace, body: { metadata, spec: job } })
      },
    }
    await made[kind]()
    return until(`a pod of ${name}`, async () => {
      const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector: `app=${name}` })
      return items.find(({ status }) => status?.phase === 'Running' || status?.phase === 'Succeeded')
    })
  }

  interface Attempt {
    readonly action: Action
    readonly trial: Trial
    readonly kubeconfig: string
    readonly pod: k8s.V1Pod
    /** The event tells the uid alone, so that pods must be searched. */
    readonly byUid: boolean
  }

  /** How it ended: `done`, a reason, or that something could not be looked at. */
  const attempt = async ({ action, trial, kubeconfig, pod, byUid }: Attempt): Promise<string> => {
    const { name, uid } = pod.metadata ?? {}
    const named = byUid ? { 'k8s.pod.uid': uid } : { 'k8s.ns.name': namespace, 'k8s.pod.name': name }
    const fields = trial.fields ?? { ...named, 'fd.rip': '203.0.113.7' }
    const signal = AbortSignal.timeout(trial.patience ?? 30_000)
    const response = { id: `response-${uid}`, rule: 'R', step: 'act', traceparent: undefined }
    const unseen: string[] = []
    const judge = async ({ incomplete }: Subject) => void unseen.push(...(incomplete ? [incomplete] : []))
    const { step, lines } = await aStep({ fields, signal, response, judge, resources: { kubernetes: { kubeconfig } } })
    try {
      const subject = await action.target?.(step.target, step, step.event)
      if (subject?.incomplete) return 'incomplete'
      await action.run(action.config.parse(trial.params), { ...step, subject })
    } catch (error) {
      return unseen.length > 0 ? 'incomplete' : asYarakError(error).reason
    }
    if (unseen.length > 0) return 'incomplete'
    return lines.some((line) => JSON.stringify(line).includes('forbidden')) ? 'warned' : 'done'
  }

  const NOTICED = ['forbidden', 'incomplete', 'warned']

  /** Twice, since what is there already is changed by another verb than what is not. */
  const twice = async (one: Attempt): Promise<string> => {
    const first = await attempt(one)
    return first === 'done' ? ((await attempt(one)) === 'forbidden' ? 'forbidden' : 'done') : first
  }

  const tryWith = async (action: Action, trial: Trial, rules: readonly PolicyRule[], right?: PolicyRule) => {
    const [resourceName = ''] = right?.resources ?? []
    const kubeconfig = await accountWith(rules)
    const pod = await podOf(KINDS[resourceName] ?? 'Deployment', trial.node)
    await trial.before?.(pod, cluster)
    const byUid = resourceName === 'pods' && right?.verbs[0] === 'list'
    const ended = await twice({ action, trial, kubeconfig, pod, byUid })
    await trial.after?.(cluster)
    return ended
  }

  const singles = (rules: readonly PolicyRule[]): PolicyRule[] =>
    rules.flatMap((rule) => rule.verbs.map((verb) => ({ ...rule, verbs: [verb] })))

  const without = (rules: readonly PolicyRule[], right: PolicyRule): PolicyRule[] =>
    singles(rules).filter((one) => permissionText(one) !== permissionText(right))

  const trials = needing.flatMap((action) => {
    const given = TRIALS[action.type] ?? []
    return typeof given === 'string'
      ? []
      : given.map((trial): [string, Action, Trial] => [JSON.stringify(trial.params), action, trial])
  })

  describe.each(trials)('with %s', (_name, action, trial) => {
    it(
      `${action.type} passes with its role, and notices each verb that is taken away`,
      { timeout: 300_000 },
      async () => {
        const rules = mergePermissions(permissionsFor(action, trial.params))
        expect(['done', ...(trial.ends ?? [])]).toContain(await tryWith(action, trial, rules))
        const unnoticed: string[] = []
        for (const right of singles(rules)) {
          const names = [permissionText(right), right.resources[0] ?? '']
          if (names.some((one) => Object.hasOwn(trial.spare ?? {}, one))) continue
          const ended = await tryWith(action, trial, without(rules, right), right)
          if (!NOTICED.includes(ended)) unnoticed.push(`${permissionText(right)}: ${ended}`)
        }
        expect(unnoticed).toEqual([])
      },
    )
  })

  const undoable = trials.filter(([, { undo }]) => undo)

  it.each(undoable)(
    'with %s it is undone with what is printed for it, and not without finding it',
    async (_name, action, trial) => {
      const params = { ...trial.params, ...(action.type === 'kubernetes:scale' && { ttl: '30m' }) }
      const rule = { name: 'R', steps: [{ id: action.type, plugin: action, config: params }] }
      const all = mergePermissions(neededBy({ rules: [rule], mode: 'enforce' }).map((need) => need.rule))
      const pod = await podOf('Deployment', trial.node)
      await trial.before?.(pod, cluster)
      const admin = { action, trial: { ...trial, params }, pod, byUid: false, kubeconfig: running.addresses.kubeconfig }
      expect(await attempt(admin)).toBe('done')
      const response = `response-${pod.metadata?.uid}`
      const blind = all.map((one) => ({ ...one, verbs: one.verbs.filter((verb) => verb !== 'list') }))
      expect(await undone(action, response, await accountWith(blind.filter(({ verbs }) => verbs.length > 0)))).toBe(
        'not found',
      )
      expect(await undone(action, response, await accountWith(all))).toBe('done')
    },
  )

  /** Finds what a response changed, and takes it back. */
  const undone = async ({ undo }: Action, response: string, kubeconfig: string): Promise<string> => {
    const { step } = await aStep({ resources: { kubernetes: { kubeconfig } } })
    const changes = await resource.undos?.(await step.use(resource), step).list(undo?.on ?? [])
    const change = changes?.find((one) => one.response === response)
    if (!undo || !change) return 'not found'
    try {
      await undo.run(change, { ...step, traceparent: undefined })
      return 'done'
    } catch (error) {
      return asYarakError(error).reason
    }
  }

  it('who undoes is agreed upon with the rights on leases, and not without any of them', async () => {
    const undo = { in: resource, on: [], run: async () => ({ summary: 'undone' }) }
    const plugin = { ...(actions[0] as unknown as Action), permissions: [], undo }
    const rule = { name: 'R', steps: [{ id: 'x', plugin, config: {} }] }
    const all = mergePermissions(neededBy({ rules: [rule], mode: 'enforce' }).map((need) => need.rule))
    const leads = async (rules: readonly PolicyRule[]): Promise<boolean> => {
      const warnings: string[] = []
      const leases = cluster.api(k8s.CoordinationV1Api)
      await leases.deleteCollectionNamespacedLease({ namespace })
      const kubeconfig = await accountWith(rules)
      let led = 0
      for (const HOSTNAME of ['one', 'other']) {
        const { step, lines } = await aStep({ resources: { kubernetes: { kubeconfig } }, env: { HOSTNAME } })
        const stop = new AbortController()
        const tooLong = setTimeout(() => stop.abort(), 4_000)
        await resource.undos?.(await step.use(resource), step).lead(200, stop.signal, async () => {
          led++
          stop.abort()
        })
        clearTimeout(tooLong)
        warnings.push(...lines.filter(({ level }) => level === 'warn').map(({ message }) => message))
      }
      return led === 2 && warnings.length === 0
    }
    expect(await leads(all)).toBe(true)
    for (const right of singles(all)) expect(await leads(without(all, right)), permissionText(right)).toBe(false)
  })

  it('the contexts tell what they say with exactly their rights', async () => {
    const made = await podOf('Deployment')
    const fields = { 'k8s.ns.name': namespace, 'k8s.pod.name': made.metadata?.name }
    const lookup = async (context: typeof podContext | typeof k8snode, rules: readonly PolicyRule[]) => {
      const { step } = await aStep({ fields, resources: { kubernetes: { kubeconfig: await accountWith(rules) } } })
      const { event, target, signal } = step
      return context.lookup({}, { event, target, signal }, step)
    }
    for (const context of [podContext, k8snode]) {
      const rules = mergePermissions(context.permissions ?? [])
      for (const right of singles(rules))
        await expect(lookup(context, without(rules, right))).rejects.toMatchObject({ reason: 'forbidden' })
    }
    expect(await lookup(podContext, podContext.permissions ?? [])).toMatchObject({
      name: made.metadata?.name,
      namespace,
      uid: made.metadata?.uid,
      labels: made.metadata?.labels,
      owner: { kind: 'ReplicaSet' },
      serviceAccount: 'default',
      images: ['registry.invalid/main:1'],
    })
    const node = await cluster.core.readNode({ name: made.spec?.nodeName ?? '' })
    expect(await lookup(k8snode, k8snode.permissions ?? [])).toMatchObject({
      name: node.metadata?.name,
      hostname: node.metadata?.labels?.['kubernetes.io/hostname'],
      internal_ip: node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address,
    })
  })

  it('what `yarak rbac` prints is taken as it is, and then `yarak check --cluster` is content', async () => {
    const steps = [
      { action: 'kubernetes:label', with: { labels: { a: '{{ context.k8snode.name | slug }}' } } },
      { action: 'kubernetes:isolate', with: { ttl: '30m' } },
      { action: 'kubernetes:terminate' },
    ]
    files.write(
      'rules.yaml',
      [{ rule: 'R', match: { rules: ['x'] }, steps }].map((one) => JSON.stringify([one])).join(''),
    )
    const name = 'printed'
    await cluster.account(namespace, name)
    const kubeconfig = await cluster.kubeconfigFor(namespace, name)
    const config = files.write('yarak.yaml', {
      ...{ version: 1, mode: 'enforce', rules: ['rules.yaml'] },
      resources: { kubernetes: { kubeconfig } },
    })
    const check = () => yarak(['check', '--cluster', '--config', config])
    expect((await check()).err).toMatch(/the account may not .*list.* pods/)
    const { out } = await yarak(['rbac', '--config', config, '--namespace', namespace, '--name', name])
    writeFileSync(join(files.at('.'), 'roles.yaml'), out)
    const objects = k8s.KubernetesObjectApi.makeApiClient(cluster.config)
    for (const document of parseAllDocuments(out)) {
      const object = document.toJSON() as k8s.KubernetesObject | null
      if (object) await objects.create(object)
    }
    await until('the roles', async () => ((await check()).code === 0 ? true : undefined))
  })
})

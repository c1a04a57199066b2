/** Commands in pods and captures, each as an account with exactly its permissions. Commands really run; images do not. */
import * as k8s from '@kubernetes/client-node'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { z } from 'zod'
import { debug } from '../../src/actions/kubernetes/debug.ts'
import { download } from '../../src/actions/kubernetes/download.ts'
import { exec } from '../../src/actions/kubernetes/exec.ts'
import { script } from '../../src/actions/kubernetes/script.ts'
import { sysdig } from '../../src/actions/kubernetes/sysdig.ts'
import { tcpdump } from '../../src/actions/kubernetes/tcpdump.ts'
import type { Action, PolicyRule, Result } from '../../src/plugin.ts'
import { aStep, perform, type StepOptions } from '../actions/step.ts'
import { rejection } from '../actions/kubernetes/world.ts'
import { HOSTILE } from '../actions/kubernetes/shell.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const namespace = 'shop'

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let accounts = 0

  beforeAll(async () => {
    running = await kubernetes.start({ crds: false })
    cluster = running.cluster
    await cluster.namespace(namespace)
    await cluster.pod('victim', { namespace })
  }, 120_000)
  afterAll(() => running?.stop())

  const rulesOf = <S extends z.ZodType>({ permissions = [], config }: Action<S>, params: z.input<S>) =>
    typeof permissions === 'function' ? permissions(config.parse(params)) : permissions

  /** A kubeconfig of an account that may do what the rules say; returns once the rules are in force. */
  const accountWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `exec-account-${++accounts}`
    const plain = rules.map(({ apiGroups, resources, verbs }) => ({ apiGroups, resources, verbs }))
    await cluster.account(namespace, name, structuredClone(plain) as k8s.V1PolicyRule[])
    const path = await cluster.kubeconfigFor(namespace, name)
    const config = new k8s.KubeConfig()
    config.loadFromFile(path)
    const reviews = config.makeApiClient(k8s.AuthorizationV1Api)
    await until('the role', async () => {
      const { status } = await reviews.createSelfSubjectRulesReview({ body: { spec: { namespace } } })
      const held = status?.resourceRules ?? []
      return (
        rules.every((rule) => rule.resources.every((one) => held.some((it) => it.resources?.includes(one)))) ||
        undefined
      )
    })
    return path
  }

  const run = async <S extends z.ZodType>(
    action: Action<S>,
    params: z.input<S>,
    {
      rules = rulesOf(action, params),
      pod = 'victim',
      ...options
    }: StepOptions & { rules?: readonly PolicyRule[]; pod?: string } = {},
  ): Promise<Result> => {
    const kubeconfig = await accountWith(rules)
    const fields = { 'k8s.ns.name': namespace, 'k8s.pod.name': pod, ...options.fields }
    return perform(action, params, await aStep({ ...options, fields, resources: { kubernetes: { kubeconfig } } }))
  }

  /** The rules without one verb on one resource. */
  const without = (rules: readonly PolicyRule[], resource: string, verb: string): PolicyRule[] =>
    rules.map((rule) =>
      rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((one) => one !== verb) } : rule,
    )

  const inPod = (name: string): string => join(running.addresses.podFolder, name)

  it('exec: a list, a script with values, an input, an exit code', async () => {
    expect(await run(exec, { command: ['printf', '%s|', ...HOSTILE] })).toEqual({
      summary: 'ran printf in container main of pod shop/victim',
      objects: { pod: 'victim', namespace, container: 'main' },
      output: HOSTILE.map((one) => `${one}|`).join(''),
    })
    const { output } = await run(exec, { command: 'printf "%s|" "$@"', args: [...HOSTILE] })
    expect(output).toBe(HOSTILE.map((one) => `${one}|`).join(''))
    const counted = await run(exec, { command: ['wc', '-c'], stdin: 'x'.repeat(1_000_000) })
    expect(counted.output?.trim()).toBe('1000000')
    const failed = await rejection(run(exec, { command: 'echo said >&2; exit 3' }))
    expect(failed).toMatchObject({ code: 'failed', reason: 'exit-3', message: '/bin/sh exited with 3: said' })
    expect(existsSync(inPod('owned'))).toBe(false)
  })

  it('exec: ended in time, and refused where a program or a right is missing', async () => {
    const late = run(exec, { command: 'sleep 30; touch survived', timeout: '1s' })
    expect(await rejection(late)).toMatchObject({ code: 'timed_out' })
    expect(await rejection(run(exec, { command: 'id', shell: 'no-such-shell' }))).toMatchObject({ reason: 'no-shell' })
    const params = { command: ['touch', 'forbidden'] }
    const rules = rulesOf(exec, params)
    for (const verb of ['get', 'create']) {
      const refused = run(exec, params, { rules: without(rules, 'pods/exec', verb) })
      expect(await rejection(refused)).toMatchObject({ code: 'refused', reason: 'forbidden' })
    }
    expect(await rejection(run(exec, params, { pod: 'never-was' }))).toMatchObject({ code: 'gone' })
    const subject = { kind: 'Pod', key: 'k', namespace, name: 'victim', uid: '00000000-0000-4000-8000-000000000000' }
    expect(await rejection(run(exec, params, { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(existsSync(inPod('forbidden'))).toBe(false)
    const nowhere = await rejection(run(exec, { ...params, container: 'nowhere' }))
    expect(nowhere).toMatchObject({ code: 'failed', reason: 'bad-request' })
  })

  it('script: with values as they are', async () => {
    const { output } = await run(script, { script: 'set -u\nprintf "%s|" "$@"', args: [...HOSTILE] })
    expect(output).toBe(HOSTILE.map((one) => `${one}|`).join(''))
    expect(existsSync(inPod('owned'))).toBe(false)
  })

  it('download: a file of 20 MB, and a folder as an archive', async () => {
    const bytes = Buffer.alloc(20 * 1024 * 1024, 'evidence ')
    const file = inPod('$(touch owned)')
    writeFileSync(file, bytes)
    const { artifacts } = await run(download, { file })
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(artifacts).toMatchObject([{ size: bytes.length, sha256 }])
    expect(readFileSync(fileURLToPath(artifacts?.[0]?.url ?? '')).equals(bytes)).toBe(true)
    expect(await rejection(run(download, { file, max_size: '1MiB' }))).toMatchObject({ reason: 'too-large' })
    expect(await rejection(run(download, { file: inPod('none') }))).toMatchObject({ reason: 'exit-1' })
    const packed = await run(download, { file, archive: true })
    expect(packed.artifacts?.[0]?.size).toBeGreaterThan(bytes.length)
    expect(existsSync(inPod('owned'))).toBe(false)
  })

  const ephemeral = async (pod = 'victim') =>
    (await cluster.core.readNamespacedPod({ namespace, name: pod })).spec?.ephemeralContainers

  /** What a kubelet would do: tells that the ephemeral container of a pod is in a state. */
  const play = async (pod: string, state: k8s.V1ContainerState): Promise<void> => {
    const [container] = await until('the container', async () => {
      const all = await ephemeral(pod)
      return all?.length ? all : undefined
    })
    const { name = '', image = '' } = container ?? {}
    const status = { ephemeralContainerStatuses: [{ name, image, imageID: '', ready: true, restartCount: 0, state }] }
    await cluster.core.patchNamespacedPodStatus(
      { namespace, name: pod, body: { status } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
    )
  }

  it('tcpdump: the container that the server takes, and what is asked of it', async () => {
    await cluster.pod('captured', { namespace })
    const dry = await run(tcpdump, {}, { pod: 'captured', dryRun: true, mode: 'observe' })
    expect(dry.summary).toBe('would capture 5 s of the traffic of pod shop/captured')
    expect(await ephemeral('captured')).toBeUndefined()
    const ran = rejection(run(tcpdump, { duration: 1, snaplen: 64 }, { pod: 'captured' }))
    await play('captured', { running: {} })
    // The command reaches the container; this machine has no tcpdump, or may not use it.
    expect(await ran).toMatchObject({ code: 'failed', reason: expect.stringMatching(/^exit-|not-executable/) })
    expect(await ephemeral('captured')).toMatchObject([
      {
        name: expect.stringMatching(/^yarak-tcpdump-/),
        command: ['sleep', '61'],
        securityContext: { capabilities: { drop: ['ALL'], add: ['NET_RAW', 'NET_ADMIN', 'SETUID', 'SETGID'] } },
      },
    ])
    const subject = { kind: 'Pod', key: 'k', namespace, name: 'captured', uid: '00000000-0000-4000-8000-000000000000' }
    expect(await rejection(run(tcpdump, {}, { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
    const rules = without(rulesOf(tcpdump, {}), 'pods/ephemeralcontainers', 'patch')
    const refused = run(tcpdump, {}, { pod: 'captured', rules: rules.filter(({ verbs }) => verbs.length > 0) })
    expect(await rejection(refused)).toMatchObject({ code: 'refused', reason: 'forbidden' })
    expect(await ephemeral('captured')).toHaveLength(1)
  })

  it('tcpdump: refused by a namespace that allows no such container', async () => {
    await cluster.core.patchNamespace(
      { name: namespace, body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    )
    const refused = await rejection(run(tcpdump, {}))
    expect(refused).toMatchObject({ code: 'refused', message: expect.stringContaining('violates PodSecurity') })
    await cluster.core.patchNamespace(
      { name: namespace, body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': null } } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    )
  })

  it('debug: the container that the server takes, and its log', async () => {
    await cluster.pod('odd', { namespace })
    running.pods.write('found it')
    const ran = run(debug, { image: 'registry.invalid/tools:1', command: ['ls', '$(HOME)'], user: 0 }, { pod: 'odd' })
    await play('odd', { terminated: { exitCode: 0 } })
    expect(await ran).toMatchObject({
      summary: 'ran ls beside container main of pod shop/odd',
      output: 'found it\n',
      artifacts: [{ size: 9 }],
    })
    expect(await ephemeral('odd')).toMatchObject([{ targetContainerName: 'main', command: ['ls', '$$(HOME)'] }])
  })

  it('sysdig: the job that the server takes, its pod on the node, and nothing left of it', async () => {
    const dry = await run(sysdig, { scope: 'node' }, { dryRun: true, mode: 'observe' })
    expect(dry.summary).toMatch(/^would capture 5 s of the system calls of node /)
    const jobs = () => cluster.api(k8s.BatchV1Api).listNamespacedJob({ namespace })
    expect((await jobs()).items).toEqual([])
    const { spec } = await cluster.core.readNamespacedPod({ namespace, name: 'victim' })
    const ran = rejection(run(sysdig, { scope: 'node', duration: 1 }))
    const pod = await until('the helper', async () => {
      const labelSelector = 'app.kubernetes.io/name=yarak-helper'
      return (await cluster.core.listNamespacedPod({ namespace, labelSelector })).items[0]
    })
    expect(pod.spec).toMatchObject({ nodeName: spec?.nodeName, hostPID: true, automountServiceAccountToken: false })
    // The nodes of this cluster end every pod of a job at once.
    expect(await ran).toMatchObject({ code: 'failed', reason: 'helper-not-started' })
    await until('the end of the job', async () => (await jobs()).items.length === 0 || undefined)
    const rules = rulesOf(sysdig, {}).filter(({ resources }) => !resources.includes('jobs'))
    const refused = run(sysdig, { scope: 'node' }, { rules })
    expect(await rejection(refused)).toMatchObject({ code: 'refused', reason: 'forbidden' })
  })
})

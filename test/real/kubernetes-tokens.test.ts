/** Tokens voided, containers checkpointed and stopped, on a real API server. */
import * as k8s from '@kubernetes/client-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkpoint } from '../../src/actions/kubernetes/checkpoint.ts'
import { revokeTokens } from '../../src/actions/kubernetes/revoke-tokens.ts'
import { terminateContainer } from '../../src/actions/kubernetes/terminate-container.ts'
import type { Action, PolicyRule, Result } from '../../src/plugin.ts'
import { aStep, perform, type StepOptions } from '../actions/step.ts'
import { rejection } from '../actions/kubernetes/world.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const namespace = 'shop'
const ID = 'ab'.repeat(32)

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

  const kubeconfigWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const name = `account-${++accounts}`
    await cluster.clusterAccount('default', name, rules)
    return cluster.kubeconfigFor('default', name)
  }

  interface Doing extends StepOptions {
    /** Of the cluster, beside its address. */
    readonly settings?: object
    readonly without?: (rule: PolicyRule) => boolean
  }

  const run = async (action: Action, params: object, pod: string, options: Doing = {}): Promise<Result> => {
    const { settings, without, fields: more, ...rest } = options
    const { permissions = [] } = action
    const rules = typeof permissions === 'function' ? permissions(action.config.parse(params)) : permissions
    const kubeconfig = await kubeconfigWith(rules.filter((rule) => !without?.(rule)))
    const fields = { 'k8s.ns.name': namespace, 'k8s.pod.name': pod, ...more }
    const resources = { kubernetes: { kubeconfig, ...settings } }
    const step = await aStep({ ...rest, fields, resources })
    for (let tries = 1; ; tries++) {
      try {
        return await perform(action, params, step)
      } catch (error) {
        // rights are in force a moment after they are given
        if (without || tries === 20 || (error as { reason?: string }).reason !== 'forbidden') throw error
        await sleep(250)
      }
    }
  }

  const account = async (name: string) => {
    const made = await cluster.core.createNamespacedServiceAccount({
      namespace,
      body: { metadata: { name, labels: { team: 'shop' } }, imagePullSecrets: [{ name: 'registry' }] },
    })
    return made.metadata?.uid
  }

  const isAccepted = async (token: string): Promise<boolean> => {
    const reviews = cluster.api(k8s.AuthenticationV1Api)
    const { status } = await reviews.createTokenReview({ body: { spec: { token } } })
    return status?.authenticated === true
  }

  it('revoke-tokens: all of an account, whose tokens the server then refuses, of the old kind too', async () => {
    const uid = await account('seller')
    const spec = { serviceAccountName: 'seller' }
    for (const name of ['seller-1', 'seller-2']) await cluster.pod(name, { namespace, spec })
    await cluster.core.createNamespacedSecret({
      namespace,
      body: {
        metadata: { name: 'seller-token', annotations: { 'kubernetes.io/service-account.name': 'seller' } },
        type: 'kubernetes.io/service-account-token',
      },
    })
    const kept = await until('the kept token', async () => {
      const { data } = await cluster.core.readNamespacedSecret({ namespace, name: 'seller-token' })
      return data?.['token'] && Buffer.from(data['token'], 'base64').toString()
    })
    const tokens = [await cluster.token(namespace, 'seller'), kept]
    for (const token of tokens) expect(await isAccepted(token)).toBe(true)

    const result = await run(revokeTokens, { scope: 'serviceaccount' }, 'seller-1')
    expect(result.summary).toMatch(/^revoked all tokens of service account shop\/seller, 1 of them .* 2 pods lose/)
    const fresh = await cluster.core.readNamespacedServiceAccount({ namespace, name: 'seller' })
    expect(fresh.metadata?.uid).not.toBe(uid)
    expect(fresh).toMatchObject({ metadata: { labels: { team: 'shop' } }, imagePullSecrets: [{ name: 'registry' }] })
    for (const token of tokens) await until('the refusal', async () => !(await isAccepted(token)) || undefined)
    expect(await isAccepted(await cluster.token(namespace, 'seller'))).toBe(true)
    const pod = await cluster.core.readNamespacedPod({ namespace, name: 'seller-1' })
    expect(pod.metadata?.annotations ?? {}).not.toHaveProperty('yarak.dev/service-account')
  })

  it('revoke-tokens: changes nothing in a dry run, nor without a right', async () => {
    const uid = await account('buyer')
    await cluster.pod('buyer-1', { namespace, spec: { serviceAccountName: 'buyer' } })
    const dry = await run(revokeTokens, { scope: 'serviceaccount' }, 'buyer-1', { dryRun: true })
    expect(dry.summary).toMatch(/^would revoke/)
    const without = ({ resources }: PolicyRule): boolean => resources.includes('secrets')
    const refused = rejection(run(revokeTokens, { scope: 'serviceaccount' }, 'buyer-1', { without }))
    expect(await refused).toMatchObject({ code: 'refused', reason: 'forbidden' })
    const after = await cluster.core.readNamespacedServiceAccount({ namespace, name: 'buyer' })
    expect(after.metadata?.uid).toBe(uid)
  })

  it('revoke-tokens: of a pod, by deleting it', async () => {
    await cluster.pod('alone', { namespace })
    await run(revokeTokens, {}, 'alone')
    await until('the pod to go', async () => {
      const { items } = await cluster.core.listNamespacedPod({ namespace, fieldSelector: 'metadata.name=alone' })
      return items.length === 0 || undefined
    })
  })

  it('checkpoint: is asked of the node, by whoever has the right', async () => {
    await cluster.pod('captured', { namespace })
    // the API server proxies to no node on the loopback; it says so once the request is allowed
    expect(await rejection(run(checkpoint, {}, 'captured'))).toMatchObject({
      code: 'failed',
      reason: 'no-checkpoint',
      message: expect.stringContaining('address not allowed'),
    })
    const without = ({ resources }: PolicyRule): boolean => resources.includes('nodes/proxy')
    expect(await rejection(run(checkpoint, {}, 'captured', { without }))).toMatchObject({ reason: 'forbidden' })
  })

  it('terminate-container: the helper is a pod on the node, asked to stop that id, and removed', async () => {
    const pod = await cluster.pod('stopped', { namespace })
    const patch = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch)
    const [status] = pod.status?.containerStatuses ?? []
    const containerStatuses = [{ ...status, containerID: `containerd://${ID}` }]
    await cluster.core.patchNamespacedPodStatus(
      { namespace, name: 'stopped', body: { status: { containerStatuses } } },
      patch,
    )
    const settings = { nodeHelper: { enabled: true, image: 'registry.example/crictl:1' } }
    const fields = { 'container.id': ID.slice(0, 12) }
    const dry = await run(terminateContainer, {}, 'stopped', { settings, fields, dryRun: true })
    expect(dry.summary).toMatch(/^would stop container/)
    // kwok runs the command here, where there is no crictl; or it has ended the pod already, as it does with those of Jobs
    const error = await rejection(run(terminateContainer, {}, 'stopped', { settings, fields }))
    expect(error).toMatchObject({ code: 'failed', message: expect.stringMatching(/crictl|it has ended/) })
    await until('the helper to go', async () => {
      const { items } = await cluster.api(k8s.BatchV1Api).listNamespacedJob({ namespace: 'default' })
      return items.length === 0 || undefined
    })
    expect((await cluster.core.readNamespacedPod({ namespace, name: 'stopped' })).metadata?.uid).toBe(pod.metadata?.uid)
  })
})

/** Three processes of the binary share the work of a topic on a real cluster, and some of them are killed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as k8s from '@kubernetes/client-node'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { neededBy } from '../../src/permissions.ts'
import { networkpolicy } from '../../src/actions/kubernetes/networkpolicy.ts'
import { terminate } from '../../src/actions/kubernetes/terminate.ts'
import { label } from '../../src/actions/kubernetes/label.ts'
import { kubernetes as resource } from '../../src/resources/kubernetes.ts'
import { kubeconfigFor } from '../fake-kubeconfig.ts'
import { alert } from '../kit.ts'
import { type Replicas, replicasIn, type Told } from './_replicas.ts'
import { apiProxyTo, type ApiProxy } from './api-proxy.ts'
import { client, committed, makeTopics } from './kafka/input.ts'
import { kafka, type RunningKafka } from './kafka.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describePart } from './vitest.ts'

const NAMES = ['a', 'b', 'c']
const PARTITIONS = 6
const namespace = 'shop'
const own = 'yarak'

/** The slow step of a chain: answers when the test says so. */
const slowServer = async () => {
  const seen: string[] = []
  let open = false
  const waiting: (() => void)[] = []
  const server: Server = createServer((request, response) => {
    seen.push(request.url ?? '')
    request.resume()
    const answer = () => void response.end('ok')
    if (open || !request.url?.startsWith('/slow')) answer()
    else waiting.push(answer)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    seen,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => ((open = true), waiting.splice(0).forEach((answer) => answer())),
    shut: () => (open = false),
    stop: () => (server.closeAllConnections(), new Promise((done) => server.close(done))),
  }
}

describePart(kafka, () => {
  let broker: RunningKafka
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let proxy: ApiProxy
  let slow: Awaited<ReturnType<typeof slowServer>>
  let dir = ''
  let topic = ''
  let replicas: Replicas

  beforeAll(async () => {
    ;[broker, running, slow] = await Promise.all([kafka.start(), kubernetes.start({ crds: false }), slowServer()])
    cluster = running.cluster
    proxy = await apiProxyTo(running.addresses.server, running.addresses.ca)
    await cluster.namespace(namespace)
    await cluster.namespace(own)
    const steps = [
      { action: label({ labels: { a: 'b' }, ttl: '1s' }) },
      { action: networkpolicy({}) },
      { action: terminate({}) },
    ]
    const rules = [{ name: 'Contain', steps }]
    const needs = neededBy({ rules, mode: 'enforce', claims: resource }).map(({ rule }) => rule)
    await cluster.clusterAccount(own, 'yarak', needs)
  }, 180_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail')
      for (const name of NAMES) console.error(`${name}:\n${replicas.log(name)}${JSON.stringify(replicas.told(name))}`)
    await Promise.all(NAMES.map((name) => replicas.end(name, 'SIGKILL')))
    rmSync(dir, { recursive: true, force: true })
  })
  afterAll(async () => {
    await proxy?.stop()
    await slow?.stop()
    await Promise.all([running?.stop(), broker?.stop()])
  })

  const contain = (ttl: string) => [
    { action: 'kubernetes:label', id: 'mark', with: { labels: { suspicious: 'true' }, ttl } },
    { action: 'kubernetes:networkpolicy', id: 'cut', with: { ttl } },
    {
      action: 'http:request',
      id: 'slow',
      with: { method: 'GET', url: `${slow.url}/slow/{{ uuid | url }}`, timeout: '120s' },
      timeout: '120s',
    },
    { action: 'kubernetes:terminate', id: 'kill' },
  ]

  const setUp = async (steps: readonly object[]): Promise<void> => {
    dir = mkdtempSync(join(tmpdir(), 'yarak-replicas-'))
    topic = `alerts-${dir.slice(-6).toLowerCase()}`
    await makeTopics(broker.addresses.brokers, { topic, numPartitions: PARTITIONS })
    const kubeconfig = join(dir, 'kubeconfig')
    const token = await cluster.token(own, 'yarak')
    const file = JSON.parse(kubeconfigFor(proxy.url, { token })) as { contexts: { context: object }[] }
    Object.assign(file.contexts[0]?.context ?? {}, { user: 'fake', namespace: own })
    writeFileSync(kubeconfig, JSON.stringify(file))
    const input = {
      ...{ brokers: broker.addresses.brokers, topics: [topic], groupId: topic, from: 'earliest', trust: true },
      ...{ sessionTimeout: '6s', commitInterval: '200ms' },
    }
    replicas = replicasIn(dir, {
      ...{ mode: 'enforce', claims: 'kubernetes', inputs: { kafka: input } },
      resources: { kubernetes: { kubeconfig } },
      guards: { budgets: [], breaker: { limit: 10_000 } },
      rules: [
        { rule: 'Contain', match: { rules: ['Terminal shell in container'] }, join: '0s', notify: ['file'], steps },
      ],
    })
  }

  const send = async (...alerts: readonly { readonly pod: string; readonly uuid: string }[]): Promise<void> => {
    const producer = client(broker.addresses.brokers).producer()
    await producer.connect()
    const messages = alerts.map(({ pod, uuid }) => ({
      key: `pod/${namespace}/${pod}`,
      value: JSON.stringify(alert({ uuid, output_fields: { 'k8s.ns.name': namespace, 'k8s.pod.name': pod } })),
    }))
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  const settled = (count: number) =>
    until(
      `${count} settled`,
      async () => {
        const offsets = await committed(broker.addresses.brokers, topic, topic)
        return offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0) === count || undefined
      },
      120_000,
    )

  const leases = async () =>
    (
      await cluster
        .api(k8s.CoordinationV1Api)
        .listNamespacedLease({ namespace: own, labelSelector: 'yarak.dev/response' })
    ).items

  const requests = (method: string, path: string): string[] =>
    proxy.passed.filter((line) => line.startsWith(`${method} `) && line.includes(path))

  const allTold = (): Told[] => NAMES.flatMap((name) => replicas.told(name))

  it('one is killed in the middle of a chain: another finishes it, and nothing destructive is done twice', async () => {
    await setUp(contain('20s'))
    await cluster.pod('web-1', { namespace, labels: { app: 'web' } })
    proxy.passed.splice(0)
    await Promise.all(NAMES.map((name) => replicas.start(name)))
    await send({ pod: 'web-1', uuid: 'one' })
    await until('the slow step', () => Promise.resolve(slow.seen.includes('/slow/one') || undefined), 90_000)
    const [claim] = await until('the claim', async () => ((await leases()).length > 0 ? leases() : undefined))
    const [, first = ''] = /^yarak-([abc])_/.exec(claim?.spec?.holderIdentity ?? '') ?? []
    expect(NAMES).toContain(first)
    await until('the facts', async () => {
      const [now] = await leases()
      const facts = JSON.parse(now?.metadata?.annotations?.['yarak.dev/facts'] ?? '{}') as { ended?: object }
      return Object.keys(facts.ended ?? {}).length === 2 || undefined
    })
    await replicas.end(first, 'SIGKILL')
    slow.open()
    const report = await until('the report', async () => allTold().find(({ response }) => response)?.response, 120_000)
    expect(report.steps.map(({ id, outcome }) => [id, outcome])).toEqual([
      ['mark', 'succeeded'],
      ['cut', 'succeeded'],
      ['slow', 'succeeded'],
      ['kill', 'succeeded'],
    ])
    await replicas.start(first)
    await settled(1)
    await until('the claim to be settled', async () => (await leases())[0]?.metadata?.labels?.['yarak.dev/settled'])
    await until(
      'the policy to go',
      async () => requests('DELETE', '/networkpolicies/').length > 0 || undefined,
      120_000,
    )
    expect(slow.seen).toEqual(['/slow/one', '/slow/one'])
    expect(requests('DELETE', `/namespaces/${namespace}/pods/web-1`)).toHaveLength(1)
    expect(requests('PATCH', '/networkpolicies/').filter((line) => !line.includes('dryRun'))).toHaveLength(1)
    expect(requests('DELETE', '/networkpolicies/')).toHaveLength(1)
    expect(allTold()).toHaveLength(1)
    expect(await leases()).toHaveLength(1)
  }, 300_000)

  it('one sleeps in the middle of a chain, and wakes up when another has finished it: it does nothing more', async () => {
    await setUp(contain('1h'))
    slow.shut()
    await cluster.pod('web-2', { namespace, labels: { app: 'web' } })
    await Promise.all(NAMES.map((name) => replicas.start(name)))
    const before = new Set((await leases()).map(({ metadata }) => metadata?.name))
    await send({ pod: 'web-2', uuid: 'two' })
    await until('the slow step', () => Promise.resolve(slow.seen.includes('/slow/two') || undefined), 90_000)
    const claim = await until('the claim', async () =>
      (await leases()).find(({ metadata }) => !before.has(metadata?.name)),
    )
    const [, first = ''] = /^yarak-([abc])_/.exec(claim.spec?.holderIdentity ?? '') ?? []
    replicas.freeze(first, 'SIGSTOP')
    slow.open()
    await until('the report', async () => allTold().find(({ uuid }) => uuid === 'two'), 120_000)
    replicas.freeze(first, 'SIGCONT')
    await until(
      'the first to know',
      async () =>
        (await replicas.metrics(first)).includes(
          'yarak_responses_suppressed_total{rule="Contain",reason="handed-over"} 1',
        ) || undefined,
      60_000,
    )
    expect(requests('DELETE', `/namespaces/${namespace}/pods/web-2`)).toHaveLength(1)
    expect(allTold()).toHaveLength(1)
    expect(replicas.told(first)).toEqual([])
  }, 300_000)

  it('one is killed during a stream: every alert is answered, none twice, in the order of its target', async () => {
    const post = { action: 'http:request', id: 'post', with: { url: `${slow.url}/seen/{{ uuid | url }}` } }
    const mark = { action: 'kubernetes:label', id: 'mark', with: { labels: { last: '{{ uuid }}' } } }
    await setUp([mark, { ...post, onError: 'continue' }])
    slow.seen.splice(0)
    const pods = Array.from({ length: 12 }, (_, i) => `pod-${i}`)
    await Promise.all(pods.map((name) => cluster.pod(name, { namespace })))
    await Promise.all(NAMES.map((name) => replicas.start(name)))
    const rounds = 25
    const writing = (async () => {
      for (let i = 0; i < rounds; i++)
        await send(...pods.map((pod) => ({ pod, uuid: `${pod}_${String(i).padStart(3, '0')}` })))
    })()
    await until('work', () => Promise.resolve(slow.seen.length > 60 || undefined), 120_000)
    await replicas.end('b', 'SIGKILL')
    await writing
    await settled(pods.length * rounds)
    const seen = slow.seen.map((path) => path.slice('/seen/'.length))
    expect(new Set(seen).size).toBe(seen.length)
    const unknown = allTold().filter(({ response }) => response?.steps.some(({ outcome }) => outcome === 'unknown'))
    expect(seen.length + unknown.length).toBeGreaterThanOrEqual(pods.length * rounds)
    expect(unknown.length).toBeLessThanOrEqual(pods.length)
    for (const pod of pods) {
      const ofPod = seen.filter((id) => id.startsWith(`${pod}_`))
      expect(ofPod).toEqual(ofPod.toSorted())
    }
    const told = new Map<string, number>()
    for (const { uuid = '', response } of allTold()) if (response) told.set(uuid, (told.get(uuid) ?? 0) + 1)
    expect(told.size).toBe(pods.length * rounds)
  }, 300_000)
})

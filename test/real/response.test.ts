/** An event through real Kafka to a response on a real cluster, and its trace read back from Jaeger. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { label } from '../../src/actions/kubernetes/label.ts'
import { networkpolicy } from '../../src/actions/kubernetes/networkpolicy.ts'
import { terminate } from '../../src/actions/kubernetes/terminate.ts'
import type { PolicyRule, Report } from '../../src/plugin.ts'
import { jaeger } from './jaeger.ts'
import { kafka, kafkaVersions } from './kafka.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { freePort, until } from './part.ts'
import { spansNamed, type Trace, waitForTrace } from './traces.ts'
import { describeParts, running } from './vitest.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')

const RULES = `
- rule: Mark
  match: { rules: [Terminal shell in container] }
  steps:
    - action: kubernetes:label
      id: mark
      with: { labels: { suspicious: 'true', alert: '{{ rule | slug }}' } }
    - action: kubernetes:networkpolicy
      if: steps.mark.outcome = succeeded
  notify: [file]
- rule: Stop
  join: 0s
  match: { rules: [Drop and execute new binary in container] }
  steps:
    - action: kubernetes:terminate
  notify: [file]
`

/** What the three actions say they need, for the account that Yarak runs as. */
const needed = (): PolicyRule[] => {
  const rules = (permissions: unknown, params: object): readonly PolicyRule[] =>
    typeof permissions === 'function'
      ? (permissions as (params: object) => PolicyRule[])(params)
      : (permissions as PolicyRule[])
  return [label, networkpolicy, terminate].flatMap((action) =>
    rules(action.permissions, action.config.parse(action.example)),
  )
}

interface Told {
  readonly rule: string
  readonly response?: Report
}

describeParts([kafka, kubernetes, jaeger], () => {
  const traces = running(jaeger)
  let cluster: RunningKubernetes
  let kubeconfig = ''
  beforeAll(async () => {
    cluster = await kubernetes.start({ crds: false })
    await cluster.cluster.namespace('shop')
    await cluster.cluster.account(
      'shop',
      'yarak',
      needed().map((rule) => structuredClone(rule) as never),
    )
    kubeconfig = await cluster.cluster.kubeconfigFor('shop', 'yarak')
  })
  afterAll(() => cluster?.stop())

  it.each(kafkaVersions)('Kafka %s: marked, cut off, stopped, and told in one trace each', async (version) => {
    const name = `web-${version.replaceAll('.', '-')}`
    const [pod] = await cluster.cluster.deployment(name, { namespace: 'shop', replicas: 1 })
    const podName = pod?.metadata?.name ?? ''
    const broker = await kafka.start({ version })
    const yarak = await startYarak({ brokers: broker.addresses.brokers, kubeconfig, otlp: traces().otlpHttp })
    try {
      const marked = await yarak.answer(alertAbout('Terminal shell in container', podName))
      expect(marked.report).toMatchObject({ rule: 'Mark', outcome: 'succeeded', target: `pod/shop/${podName}` })
      const labels = (await cluster.cluster.core.readNamespacedPod({ namespace: 'shop', name: podName })).metadata
        ?.labels
      expect(labels).toMatchObject({ suspicious: 'true', alert: 'terminal-shell-in-container' })
      expectWhole(await waitForTrace({ queryUrl: traces().queryUrl }, marked.traceId), marked, podName)

      const stopped = await yarak.answer(alertAbout('Drop and execute new binary in container', podName))
      expect(stopped.report).toMatchObject({ rule: 'Stop', outcome: 'succeeded', steps: [{ outcome: 'succeeded' }] })
      await until('the pod to be replaced', async () => {
        const { items } = await cluster.cluster.core.listNamespacedPod({
          namespace: 'shop',
          labelSelector: `app=${name}`,
        })
        return items.every(({ metadata }) => metadata?.uid !== pod?.metadata?.uid) && items.length === 1
          ? true
          : undefined
      })

      const gone = await yarak.answer(alertAbout('Drop and execute new binary in container', podName))
      expect(gone.report).toMatchObject({ outcome: 'gone' })
    } finally {
      await yarak.stop().finally(() => broker.stop())
    }
  })
})

/** Every span of a response is there, with its parent, kind and attributes. */
const expectWhole = (trace: Trace, { parentId, report }: Answer, pod: string): void => {
  const one = (name: string) => {
    const found = spansNamed(trace, name)
    expect(
      found.map((span) => span.name),
      name,
    ).toEqual([name])
    return found[0] as Trace['root']
  }
  const reception = one('process falco')
  expect([trace.root.name, trace.roots.length]).toEqual(['process falco', 1])
  expect(reception).toMatchObject({ kind: 'consumer', parentId })
  expect(reception.attributes).toMatchObject({
    'yarak.input': 'kafka',
    'yarak.matched': 1,
    'security_rule.name': 'Terminal shell in container',
    'falco.priority': 'Notice',
    'falco.source': 'syscall',
    'messaging.system': 'kafka',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'falco',
  })
  const respond = one('respond Mark')
  expect(respond.attributes).toMatchObject({
    'yarak.rule': 'Mark',
    'yarak.response.id': report.id,
    'yarak.mode': 'enforce',
    'yarak.outcome': 'succeeded',
    'k8s.namespace.name': 'shop',
    'k8s.pod.name': pod,
  })
  const mark = one('action kubernetes:label')
  expect(mark.attributes).toMatchObject({
    'yarak.step': 'mark',
    'yarak.action': 'kubernetes:label',
    'yarak.outcome': 'succeeded',
  })
  const patch = one('PATCH /api/v1/namespaces/{namespace}/pods/{name}')
  expect(patch).toMatchObject({ kind: 'client', parentId: mark.id })
  expect(patch.attributes).toMatchObject({
    'http.request.method': 'PATCH',
    'http.response.status_code': 200,
    'server.address': '127.0.0.1',
  })
  const under = (parent: Trace['root']): string[] => parent.children.map((span) => span.name).sort()
  expect(under(reception)).toEqual(['match', 'notify file', 'respond Mark'])
  expect(under(respond)).toEqual(['action kubernetes:label', 'action kubernetes:networkpolicy', 'notify file'])
  const get = 'GET /api/v1/namespaces/{namespace}/pods/{name}'
  expect(under(mark).filter((name) => name === get || name === patch.name)).toEqual([get, get, patch.name])
  expect(spansNamed(trace, 'notify file').map((span) => span.attributes['yarak.outcome'])).toEqual([
    'delivered',
    'delivered',
  ])
}

const alertAbout = (rule: string, pod: string) => ({
  rule,
  priority: 'Notice',
  source: 'syscall',
  time: new Date().toISOString(),
  output: `${rule} in ${pod}`,
  output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': pod, 'evt.time': 1763870000003 },
})

interface Answer {
  readonly report: Report
  readonly traceId: string
  readonly parentId: string
}

/** The binary as a user starts it, reading the topic `falco`. */
const startYarak = async ({
  brokers,
  kubeconfig,
  otlp,
}: {
  brokers: readonly string[]
  kubeconfig: string
  otlp: string
}) => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-response-'))
  const told = join(dir, 'told.jsonl')
  const port = await freePort()
  writeFileSync(join(dir, 'rules.yaml'), RULES)
  const inputs = { kafka: { brokers, topics: ['falco'], from: 'earliest', trust: true } }
  const outputs = { file: { path: told } }
  const config = {
    version: 1,
    mode: 'enforce',
    listen: `127.0.0.1:${port}`,
    dataDir: dir,
    inputs,
    outputs,
    rules: ['rules.yaml'],
  }
  writeFileSync(join(dir, 'yarak.yaml'), JSON.stringify({ ...config, resources: { kubernetes: { kubeconfig } } }))
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'falco', numPartitions: 3 }], waitForLeaders: true })
  await admin.disconnect()
  const producer = client.producer()
  await producer.connect()
  const child = spawn(process.execPath, [MAIN, 'run', '--config', join(dir, 'yarak.yaml')], {
    cwd: dir,
    env: { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: otlp, OTEL_BSP_SCHEDULE_DELAY: '100' },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const reports = (): Report[] => lines(told).flatMap(({ response }) => response ?? [])
  return {
    async answer(alert: object): Promise<Answer> {
      const [traceId, parentId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
      const before = reports().length
      const headers = { traceparent: `00-${traceId}-${parentId}-01` }
      await producer.send({ topic: 'falco', messages: [{ value: JSON.stringify(alert), headers }] })
      const report = await until('the report', async () => reports()[before], 60_000)
      expect(report.traceId).toBe(traceId)
      return { report, traceId, parentId }
    },
    async stop() {
      await producer.disconnect()
      expect(await ended(child)).toBe(0)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const lines = (path: string): Told[] => {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Told)
  } catch {
    return []
  }
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((done) => {
    child.once('exit', done)
    if (child.exitCode !== null) done(child.exitCode)
    child.kill('SIGTERM')
  })

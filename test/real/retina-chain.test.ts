/** The chain of `src/actions/retina/README.md` on a real cluster, and its trace read back from Jaeger. */
import * as k8s from '@kubernetes/client-node'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isolate } from '../../src/actions/kubernetes/isolate.ts'
import { retinaCapture } from '../../src/actions/retina/capture.ts'
import { retinaObserve } from '../../src/actions/retina/observe.ts'
import type { Action, PolicyRule, Report } from '../../src/plugin.ts'
import { jaeger } from './jaeger.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { freePort, until } from './part.ts'
import { spansNamed, type Trace, waitForTrace } from './traces.ts'
import { describeParts, running } from './vitest.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PAGE = readFileSync(join(ROOT, 'src/actions/retina/README.md'), 'utf8')
const RULES = /```yaml\n([^`]+)```/.exec(PAGE)?.[1] ?? ''
const CAPTURES = { group: 'retina.sh', version: 'v1alpha1', plural: 'captures', namespace: 'shop' }

const needed = (): PolicyRule[] =>
  [retinaObserve, retinaCapture, isolate].flatMap(({ permissions = [], config, example }: Action) =>
    typeof permissions === 'function' ? permissions(config.parse(example)) : permissions,
  )

describeParts([kubernetes, jaeger], () => {
  const traces = running(jaeger)
  let started: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let kubeconfig = ''
  beforeAll(async () => {
    started = await kubernetes.start()
    cluster = started.cluster
    await cluster.namespace('shop')
    await cluster.clusterAccount('shop', 'yarak', needed())
    kubeconfig = await cluster.kubeconfigFor('shop', 'yarak')
  }, 120_000)
  afterAll(() => started?.stop())

  const readPod = (name: string) => cluster.core.readNamespacedPod({ namespace: 'shop', name })

  /** Plays the operator of Retina: tells that the jobs of the Capture of this pod are done. */
  const operate = async (pod: string): Promise<string> => {
    const captures = cluster.api(k8s.CustomObjectsApi)
    const name = await until('the Capture', async () => {
      const { items } = (await captures.listNamespacedCustomObject(CAPTURES)) as {
        items: { metadata: { name: string } }[]
      }
      return items.find((one) => JSON.stringify(one).includes(`"podNames":["${pod}"]`))?.metadata.name
    })
    const { metadata } = await readPod(pod)
    expect(metadata?.annotations).toMatchObject({ 'retina.sh': 'observe' })
    expect(metadata?.labels).not.toHaveProperty('yarak.dev/isolated')
    const condition = { type: 'complete', status: 'True', reason: 'JobsCompleted', message: 'all jobs are completed' }
    const conditions = [{ ...condition, lastTransitionTime: new Date().toISOString() }]
    await captures.patchNamespacedCustomObjectStatus(
      { ...CAPTURES, name, body: { status: { conditions, succeeded: 1 } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    )
    return name
  }

  it('observed, captured, cut off, in one trace', async () => {
    const [made] = await cluster.deployment('web', { namespace: 'shop', replicas: 1 })
    const { name: pod = '', uid = '' } = made?.metadata ?? {}
    const yarak = await startYarak(kubeconfig, traces().otlpHttp)
    try {
      const [traceId, parentId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
      await yarak.send(alertAbout(pod), `00-${traceId}-${parentId}-01`)
      const capture = await operate(pod)
      const report = await yarak.report()
      expect(report).toMatchObject({ outcome: 'succeeded', target: `pod/shop/${pod}`, traceId })
      expect(report.steps.map(({ id, outcome, objects }) => ({ id, outcome, objects }))).toEqual([
        { id: 'observe', outcome: 'succeeded', objects: { pod, namespace: 'shop', level: 'pod' } },
        { id: 'capture', outcome: 'succeeded', objects: { pod, namespace: 'shop', capture, node: 'node-1' } },
        {
          id: 'isolate',
          outcome: 'succeeded',
          objects: { pod, namespace: 'shop', networkpolicy: `yarak-isolate-${uid}`, isolation: 'whole' },
        },
      ])
      expect((await readPod(pod)).metadata?.labels).toMatchObject({ 'yarak.dev/isolated': report.id })
      expectWhole(await waitForTrace({ queryUrl: traces().queryUrl }, traceId), parentId)
    } finally {
      await yarak.stop()
    }
  })
})

/** Every span of the response is there, under its parent. */
const expectWhole = (trace: Trace, parentId: string): void => {
  const one = (name: string) => {
    const found = spansNamed(trace, name)
    expect(
      found.map((span) => span.name),
      name,
    ).toEqual([name])
    return found[0] as Trace['root']
  }
  expect([trace.root.name, trace.root.parentId, trace.roots.length]).toEqual(['POST /', parentId, 1])
  const respond = one('respond Look, then cut off')
  expect(respond.attributes).toMatchObject({ 'yarak.outcome': 'succeeded', 'yarak.mode': 'enforce' })
  const under = (name: string) => new Set(one(name).children.map((span) => span.name))
  expect(respond.children.map((span) => span.name)).toEqual([
    'action retina:observe',
    'action retina:capture',
    'action kubernetes:isolate',
    'notify file',
  ])
  const patched = 'PATCH /api/v1/namespaces/{namespace}/pods/{name}'
  const captures = '/apis/retina.sh/v1alpha1/namespaces/{namespace}/captures'
  expect(under('action retina:observe')).toContain(patched)
  expect(under('action retina:capture')).toEqual(new Set([`POST ${captures}`, `GET ${captures}/{name}`]))
  expect(under('action kubernetes:isolate')).toContain(
    'POST /apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies',
  )
  expect(under('action kubernetes:isolate')).toContain(patched)
}

const alertAbout = (pod: string) => ({
  rule: 'Unexpected outbound connection destination',
  priority: 'Notice',
  source: 'syscall',
  time: new Date().toISOString(),
  output: `unexpected connection of ${pod}`,
  output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': pod, 'fd.rip': '203.0.113.7', 'fd.rport': 443 },
})

/** The binary as a user starts it, with the rule of the page. */
const startYarak = async (kubeconfig: string, otlp: string) => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-retina-'))
  const told = join(dir, 'told.jsonl')
  const url = `http://127.0.0.1:${await freePort()}`
  writeFileSync(join(dir, 'rules.yaml'), RULES)
  const config = {
    ...{ version: 1, mode: 'enforce', listen: url.slice('http://'.length), dataDir: dir, rules: ['rules.yaml'] },
    ...{ inputs: { http: {} }, outputs: { file: { path: told } }, resources: { kubernetes: { kubeconfig } } },
  }
  writeFileSync(join(dir, 'yarak.yaml'), JSON.stringify(config))
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), 'run', '--config', join(dir, 'yarak.yaml')], {
    cwd: dir,
    env: { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: otlp, OTEL_BSP_SCHEDULE_DELAY: '100' },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  await until('yarak', async () => (await fetch(`${url}/readyz`)).ok || undefined, 60_000)
  return {
    async send(alert: object, traceparent: string): Promise<void> {
      const headers = { 'content-type': 'application/json', traceparent }
      const { status } = await fetch(url, { method: 'POST', headers, body: JSON.stringify(alert) })
      expect(status).toBe(200)
    },
    report: () => until('the report', async () => reportsIn(readFileSync(told, 'utf8'))[0], 60_000),
    async stop() {
      expect(await ended(child)).toBe(0)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const reportsIn = (text: string): Report[] =>
  text
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => (JSON.parse(line) as { response?: Report }).response ?? [])

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((done) => {
    child.once('exit', done)
    if (child.exitCode !== null) done(child.exitCode)
    child.kill('SIGTERM')
  })

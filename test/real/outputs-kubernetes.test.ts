/** Policy reports and Events in a real API server, with no more rights than the outputs declare. */
import * as k8s from '@kubernetes/client-node'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { k8sevents } from '../../outputs/k8sevents.ts'
import { policyreport } from '../../outputs/policyreport.ts'
import { openfaas } from '../../outputs/openfaas.ts'
import { createGateway } from '../../src/index.ts'
import type { Notice, Output, PolicyRule } from '../../src/plugin.ts'
import { roleObjects } from '../../src/resources/_kube-roles.ts'
import { kubernetes as resource } from '../../src/resources/kubernetes.ts'
import { aNotice, anEvent, aReport, oddEvents, testIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { proxyTo } from './proxy.ts'
import { describePart } from './vitest.ts'

const NEVER = new AbortController().signal
const group = { group: 'wgpolicyk8s.io', version: 'v1alpha2' }
const reports = { ...group, plural: 'policyreports', name: 'falco-policy-report' }
const clusterReports = { ...group, plural: 'clusterpolicyreports', name: 'falco-cluster-policy-report' }

interface Report {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> }
  readonly results: readonly Readonly<Record<string, unknown>>[]
  readonly summary: Readonly<Record<string, number>>
}

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let count = 0

  beforeAll(async () => {
    running = await kubernetes.start()
    for (const name of ['yarak', 'shop', 'outage']) await running.cluster.namespace(name)
  }, 120_000)
  afterAll(() => running?.stop())

  /** A kubeconfig of a fresh account in the namespace `yarak` with exactly these rights, in force. */
  const accountWith = async (rules: readonly PolicyRule[]): Promise<string> => {
    const { cluster } = running
    const name = `teller-${++count}`
    await cluster.account('yarak', name)
    const objects = k8s.KubernetesObjectApi.makeApiClient(cluster.config)
    for (const object of roleObjects(rules, { name, namespace: 'yarak' })) await objects.create(object)
    const kubeconfig = await cluster.kubeconfigFor('yarak', name)
    const io = testIo()
    const value = await resource.open(resource.config.parse({ kubeconfig }), io)
    await until('the role', async () => (await resource.missing?.(value, rules, io))?.length === 0 || undefined)
    await resource.close?.(value)
    return kubeconfig
  }

  const rightsOf = ({ permissions = [] }: Output, settings: object): readonly PolicyRule[] =>
    typeof permissions === 'function' ? permissions(settings) : permissions

  /** Sends with an account that has the rights, by default those that the output declares. */
  const tell = async (output: Output, settings: object, notices: readonly Notice[], rights?: readonly PolicyRule[]) => {
    const io = testIo()
    const kubeconfig = await accountWith(rights ?? rightsOf(output, settings))
    const value = await resource.open(resource.config.parse({ kubeconfig }), io)
    const own = testIo({ resources: { kubernetes: value } })
    const sender = await output.open(output.config.parse(settings), own)
    try {
      await sender.send(notices, NEVER)
    } finally {
      await resource.close?.(value)
    }
    return own
  }

  const report = async (namespace: string): Promise<Report> =>
    (await running.cluster.api(k8s.CustomObjectsApi).getNamespacedCustomObject({ ...reports, namespace })) as Report

  const clusterReport = async (): Promise<Report> =>
    (await running.cluster.api(k8s.CustomObjectsApi).getClusterCustomObject(clusterReports)) as Report

  const events = async (namespace: string): Promise<k8s.EventsV1Event[]> =>
    (await running.cluster.api(k8s.EventsV1Api).listNamespacedEvent({ namespace })).items.filter(
      ({ reportingController }) => reportingController === 'yarak.dev/yarak',
    )

  const inPod = (pod: string, namespace = 'shop', more: object = {}) =>
    anEvent({ output_fields: { 'k8s.ns.name': namespace, 'k8s.pod.name': pod, 'proc.pid': 4711 }, ...more })

  test('reports of a namespace and of the cluster, each in one write', async () => {
    const notices = [
      aNotice({ event: inPod('web-1', 'shop', { priority: 'Critical' }) }),
      aNotice({ event: anEvent({ output_fields: {} }) }),
      aNotice({ event: inPod('web-2', 'shop', { priority: 'Warning' }), report: aReport() }),
      aNotice({ event: inPod('web-1', 'no-such-namespace') }),
    ]
    const { spans } = await tell(policyreport, {}, notices)
    expect(spans.filter(({ name }) => name.startsWith('POST')).length).toBe(4)
    const shop = await report('shop')
    expect(shop.metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'yarak' })
    expect(shop.summary).toEqual({ pass: 1, fail: 1, warn: 0, error: 0, skip: 0 })
    expect(shop.results).toMatchObject([
      {
        source: 'Falco',
        policy: 'syscall',
        rule: 'Terminal shell in container',
        result: 'fail',
        severity: 'critical',
        timestamp: { seconds: 1_769_860_800, nanos: 123_456_789 },
        properties: { 'proc.pid': '4711' },
        resources: [{ apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'shop' }],
      },
      { source: 'Yarak', policy: 'response', result: 'pass', properties: { response: aReport().id } },
    ])
    expect((await clusterReport()).results).toHaveLength(1)
    expect((await report('yarak')).results).toMatchObject([{ resources: [{ name: 'web-1', namespace: 'yarak' }] }])
  })

  test('several writers of one report lose nothing, and it keeps what fits', async () => {
    const settings = { maxEvents: 30, pruneByPriority: true }
    const writers = Array.from({ length: 4 }, (_, writer) =>
      tell(
        policyreport,
        settings,
        Array.from({ length: 5 }, (_, i) => aNotice({ event: inPod(`w-${writer}-${i}`, 'default') })),
      ),
    )
    await Promise.all(writers)
    const names = (await report('default')).results.map(({ resources }) => (resources as { name: string }[])[0]?.name)
    expect(new Set(names).size).toBe(20)
    const critical = Array.from({ length: 15 }, () =>
      aNotice({ event: inPod('c', 'default', { priority: 'Critical' }) }),
    )
    await tell(policyreport, settings, critical)
    const { results, summary } = await report('default')
    expect(results).toHaveLength(30)
    expect(summary).toMatchObject({ fail: 15, skip: 15 })
  })

  test('a report never grows beyond what etcd takes', async () => {
    const output_fields = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, 'ö'.repeat(5_000)]))
    const event = anEvent({ output: '🦉'.repeat(50_000), output_fields })
    await tell(
      policyreport,
      {},
      Array.from({ length: 150 }, () => aNotice({ event })),
    )
    const { results } = await clusterReport()
    expect(Buffer.byteLength(JSON.stringify(results))).toBeLessThan(1_050_000)
    expect(results.length).toBeGreaterThan(10)
  })

  test('Events about the pod, which kubectl describe finds', async () => {
    const pod = await running.cluster.pod('web-1', { namespace: 'shop' })
    const event = inPod('web-1', 'shop', { priority: 'Critical' })
    const digest = { count: 5, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00.5Z' }
    await tell(k8sevents, {}, [
      aNotice({ id: 'a', event }),
      aNotice({ id: 'b', event }),
      aNotice({ id: 'c', event, report: aReport({ outcome: 'failed' }) }),
      aNotice({ id: 'd', event, digest }),
    ])
    const told = await events('shop')
    const uid = pod.metadata?.uid ?? ''
    expect(
      told.map(({ reason, type, series, regarding }) => [reason, type, series?.count, regarding?.uid]).sort(),
    ).toEqual(
      [
        ['ShellInAContainerFailed', 'Warning', undefined, uid],
        ['TerminalShellInContainer', 'Warning', 2, uid],
        ['TerminalShellInContainer', 'Warning', 5, uid],
      ].sort(),
    )
    const { items } = await running.cluster.core.listNamespacedEvent({
      namespace: 'shop',
      fieldSelector: `involvedObject.uid=${uid},type=Warning`,
    })
    expect(items.map(({ message }) => message ?? '')).toContain(`[Critical] ${event.rule}: ${event.output}`)
  })

  test('Events about a pod that is gone, a node, nothing, and where there is no namespace', async () => {
    await tell(k8sevents, {}, [
      aNotice({ id: 'e', event: inPod('gone-1') }),
      aNotice({ id: 'f', event: anEvent({ output_fields: {}, hostname: 'node-1' }) }),
      aNotice({ id: 'g', event: anEvent({ output_fields: {}, hostname: null }) }),
      aNotice({ id: 'h', event: inPod('web-1', 'no-such-namespace') }),
      aNotice({ id: 'i', event: anEvent({ output_fields: { 'k8s.ns.name': 'shop' } }) }),
    ])
    const about = async (namespace: string) =>
      (await events(namespace)).map(({ regarding }) => [regarding?.kind, regarding?.name])
    expect(await about('shop')).toEqual(
      expect.arrayContaining([
        ['Pod', 'gone-1'],
        ['Namespace', 'shop'],
      ]),
    )
    expect(await about('default')).toEqual([['Node', 'node-1']])
    expect(await about('yarak')).toEqual([
      ['Namespace', 'yarak'],
      ['Namespace', 'yarak'],
    ])
    const notes = (await events('yarak')).map(({ note }) => note)
    expect(notes).toContainEqual(expect.stringMatching(/^Pod no-such-namespace\/web-1: \[Notice\] Terminal/))
  })

  test.each<[string, Output]>([
    ['policyreport', policyreport],
    ['k8sevents', k8sevents],
  ])('%s takes every odd event', async (_name, output) => {
    const notices = oddEvents().flatMap(({ event, name }) => [
      aNotice({ id: `${name} event`, event }),
      aNotice({ id: `${name} report`, event, report: aReport({ rule: event.rule }) }),
    ])
    await tell(output, {}, notices)
  })

  test.each<[string, Output, object]>([
    ['policyreport', policyreport, {}],
    ['k8sevents', k8sevents, {}],
    ['openfaas', openfaas, { functionName: 'f', serviceProxy: true }],
  ])('%s needs each of the rights that it declares', async (_name, output, settings) => {
    const event = inPod('web-1')
    const notices = ['x', 'y'].map((id) => aNotice({ id, event }))
    const both = [...notices, aNotice({ event: anEvent({ output_fields: {} }) })]
    const declared = rightsOf(output, settings)
    const singles = declared.flatMap((rule) =>
      rule.verbs.flatMap((verb) => rule.resources.map((one) => ({ ...rule, verbs: [verb], resources: [one] }))),
    )
    const forbidden: string[] = []
    for (const left of singles) {
      const api = running.cluster.api(k8s.CustomObjectsApi)
      await api.deleteNamespacedCustomObject({ ...reports, namespace: 'shop' }).catch(() => {})
      await api.deleteClusterCustomObject(clusterReports).catch(() => {})
      const rest = singles.filter((one) => one !== left)
      const once = await tell(output, settings, both, rest).catch((error: { reason: string }) => error.reason)
      const again =
        once === 'forbidden'
          ? once
          : await tell(output, settings, both, rest).catch((error: { reason: string }) => error.reason)
      if (again === 'forbidden') forbidden.push(`${left.verbs[0]} ${left.resources[0]}`)
    }
    expect(forbidden).toEqual(singles.map(({ verbs, resources }) => `${verbs[0]} ${resources[0]}`))
  })

  test('over an outage everything arrives', async () => {
    const { server } = running.addresses
    const port = Number(new URL(server).port)
    const proxy = await proxyTo(port)
    const rights = [policyreport, k8sevents].flatMap((output) => rightsOf(output, {}))
    const direct = await accountWith(rights)
    const kubeconfig = `${direct}.proxied`
    writeFileSync(kubeconfig, readFileSync(direct, 'utf8').replace(server, `https://127.0.0.1:${proxy.port}`))
    const gateway = createGateway({ outputs: [policyreport({}), k8sevents({})], resources: [resource({ kubeconfig })] })
    const emit = (from: number) =>
      Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          gateway.emit(alert({ output_fields: { 'k8s.ns.name': 'outage', 'k8s.pod.name': `pod-${from + i}` } })),
        ),
      )
    const kept = async () => (await report('outage').catch(() => undefined))?.results.length
    const told = async () => (await events('outage')).length
    const receipts = await emit(0)
    await until('the first', async () => ((await kept()) === 10 && (await told()) === 10) || undefined)
    await proxy.stop()
    receipts.push(...(await emit(10)))
    await until('failures', async () => gateway.health().outputs.every(({ lastError }) => lastError) || undefined)
    const again = await proxyTo(port, proxy.port)
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    await again.stop()
    expect([await kept(), await told()]).toEqual([20, 20])
  })
})

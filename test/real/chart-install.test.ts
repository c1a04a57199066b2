/** The chart in a real cluster: all of it is taken, pods come up under the restricted profile, releases change and go back. */
import * as k8s from '@kubernetes/client-node'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHART, configIn, granted, type Manifest, manifestsIn } from '../charts/_chart.ts'
import { helm, helmVersions, type RunningHelm } from './helm.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { describeParts } from './vitest.ts'

const CASES = readdirSync(join(CHART, 'ci'))
const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }
const namespace = 'security'
const IN = ['--namespace', namespace]

describeParts([helm, kubernetes], () => {
  let kube: RunningKubernetes

  beforeAll(async () => {
    kube = await kubernetes.start({ nodes: ['node-1', 'node-2'] })
    await Promise.all([
      kube.cluster.namespace(namespace, RESTRICTED),
      kube.cluster.namespace('shop'),
      kube.cluster.namespace('pay'),
    ])
    await Promise.all(Array.from({ length: 10 }, (_, i) => volume(`volume-${i}`)))
    const metadata = { name: 'journal', namespace }
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } }
    await kube.cluster.core.createNamespacedPersistentVolumeClaim({ namespace, body: { metadata, spec } })
  }, 180_000)
  afterAll(() => kube?.stop())

  /** Nobody makes volumes here, so that they are there before. */
  const volume = (name: string) =>
    kube.cluster.core.createPersistentVolume({
      body: {
        metadata: { name },
        spec: { capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: `/tmp/${name}` } },
      },
    })

  const values = (name: string): string[] => ['-f', join(CHART, 'ci', name)]

  const ready = (kind: 'Deployment' | 'StatefulSet') =>
    until(`${kind} yarak`, async () => {
      const of = { name: 'yarak', namespace }
      const { apps } = kube.cluster
      const { status, spec } =
        kind === 'Deployment' ? await apps.readNamespacedDeployment(of) : await apps.readNamespacedStatefulSet(of)
      return status?.readyReplicas !== undefined && status.readyReplicas === spec?.replicas ? status : undefined
    })

  /** The kinds of what of the release is in the cluster, as far as presets differ in them. */
  const there = async (): Promise<string[]> => {
    const of = { namespace, labelSelector: 'app.kubernetes.io/instance=yarak' }
    const rbac = kube.cluster.api(k8s.RbacAuthorizationV1Api)
    const lists = {
      ClusterRole: rbac.listClusterRole(of),
      Deployment: kube.cluster.apps.listNamespacedDeployment(of),
      Role: rbac.listNamespacedRole(of),
      StatefulSet: kube.cluster.apps.listNamespacedStatefulSet(of),
    }
    const found = Object.entries(lists).map(async ([kind, list]) => ((await list).items.length > 0 ? [kind] : []))
    return (await Promise.all(found)).flat()
  }

  const uninstall = async (tool: RunningHelm): Promise<void> => {
    await tool.helm('uninstall', 'yarak', ...IN, '--wait')
    const claims = await kube.cluster.core.listNamespacedPersistentVolumeClaim({ namespace })
    const made = claims.items.flatMap(({ metadata }) => (metadata?.name?.startsWith('data-') ? [metadata.name] : []))
    for (const name of made) await kube.cluster.core.deleteNamespacedPersistentVolumeClaim({ name, namespace })
    await until('no pods', async () => {
      const { items } = await kube.cluster.core.listNamespacedPod({ namespace })
      return items.length === 0 || undefined
    })
  }

  describe.each(helmVersions)('Helm %s', (version) => {
    let tool: RunningHelm
    beforeAll(async () => {
      tool = await helm.start({ version, kubeconfig: kube.addresses.kubeconfig })
    })
    afterAll(() => tool?.stop())

    it.each(CASES)('installs %s', async (name) => {
      const said = await tool.helm('install', 'yarak', CHART, ...IN, ...values(name))
      expect(said).toMatch(/NOTES:\n+Yarak \S+ is installed as yarak in security, preset (?:gateway|responder|both)\./)
      try {
        const manifests = manifestsIn(await tool.helm('get', 'manifest', 'yarak', ...IN))
        const kind = manifests.some((one) => one.kind === 'StatefulSet') ? 'StatefulSet' : 'Deployment'
        // One volume was bound before and stays so: a claim that was deleted leaves its volume behind.
        if (version === helmVersions[0]) await ready(kind)
      } finally {
        await uninstall(tool)
      }
    })

    it('upgrades a release to any other preset, and back', async () => {
      const kafka = 'config.inputs.kafka.brokers={kafka:9092},config.inputs.kafka.topics={falco}'
      const presets: readonly [string, string[]][] = [
        ['preset=both,rules.builtin={escapes},config.mode=enforce', ['ClusterRole', 'Role', 'StatefulSet']],
        ['preset=gateway', ['StatefulSet']],
        [`preset=responder,rules.builtin={escapes},${kafka}`, ['ClusterRole', 'Deployment', 'Role']],
        ['preset=gateway,journal.ephemeral=true,replicas=2', ['Deployment']],
        ['preset=both', ['StatefulSet']],
      ]
      try {
        for (const [set, kinds] of presets) {
          await tool.helm('upgrade', '--install', 'yarak', CHART, ...IN, '--set', set)
          expect(await there()).toEqual(kinds)
        }
      } finally {
        await uninstall(tool)
      }
    })
  })

  describe('a release', () => {
    let tool: RunningHelm
    beforeAll(async () => {
      tool = await helm.start({ kubeconfig: kube.addresses.kubeconfig })
    })
    afterAll(() => tool?.stop())

    const current = async (): Promise<Manifest[]> => manifestsIn(await tool.helm('get', 'manifest', 'yarak', ...IN))
    const role = async (): Promise<string[]> => {
      const rbac = kube.cluster.api(k8s.RbacAuthorizationV1Api)
      const { items } = await rbac.listClusterRole({ labelSelector: 'app.kubernetes.io/instance=yarak' })
      return granted(items.map((one) => ({ ...one, kind: 'ClusterRole' }) as unknown as Manifest))
    }
    const inPods = async (): Promise<string> => {
      const { spec } = await kube.cluster.apps.readNamespacedDeployment({ name: 'yarak', namespace })
      return spec?.template.metadata?.annotations?.['checksum/config'] ?? ''
    }

    it('is taken whole by the server, each object on its own', async () => {
      const objects = kube.cluster.config.makeApiClient(k8s.KubernetesObjectApi)
      for (const name of CASES) {
        const rendered = await tool.helm('template', 'dry', CHART, ...IN, ...values(name))
        for (const manifest of manifestsIn(rendered)) {
          const made = await objects.create(manifest, undefined, 'All')
          expect(made.metadata?.name).toBe(manifest.metadata.name)
        }
      }
    })

    it('is upgraded from observing to acting, and rolled back', async () => {
      const base = ['yarak', CHART, ...IN, '--set', 'journal.ephemeral=true,rules.builtin={execution}']
      await tool.helm('install', ...base)
      const before = { role: await role(), checksum: await inPods() }
      expect(before.role).not.toContain('delete /pods')
      const said = await tool.helm('upgrade', ...base, '--set', 'config.mode=enforce')
      expect(said).toContain('It acts')
      expect(configIn(await current()).mode).toBe('enforce')
      expect(await role()).toContain('delete /pods')
      expect(await inPods()).not.toBe(before.checksum)
      await ready('Deployment')
      await tool.helm('rollback', 'yarak', '1', ...IN)
      expect(configIn(await current()).mode).toBe('observe')
      expect({ role: await role(), checksum: await inPods() }).toEqual(before)
      await uninstall(tool)
    })

    it('says what to do next, and what is not safe', async () => {
      const notes = async (set: string): Promise<string> =>
        tool.helm('install', 'yarak', CHART, ...IN, '--dry-run=client', '--set', set)
      const plain = await notes('preset=both')
      expect(plain).toContain('There are no rules yet')
      expect(plain).toContain('takes events from whoever reaches it')
      expect(plain).not.toContain('journal.ephemeral')
      expect(await notes('rules.builtin={escapes}')).toContain('It observes')
      expect(await notes('preset=gateway')).toContain('Nobody is told of anything yet')
      expect(await notes('preset=responder')).toContain('there is no input')
      expect(await notes('journal.ephemeral=true')).toContain('journal.ephemeral: events')
      expect(await notes('config.inputs.http.secretPath=a-secret-path')).not.toContain('takes events from whoever')
      expect(await notes('rbac.namespaces={shop},rules.builtin={escapes},config.mode=enforce')).toContain(
        'cannot be granted in namespaces',
      )
      expect(await notes('rules.existingConfigMap=mine')).toContain('yarak rbac --values')
    })
  })
})

import * as k8s from '@kubernetes/client-node'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { authority, loopback } from './certificates.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { definitions } from './kubernetes/crds.ts'
import { until } from './part.ts'
import { versions } from './versions.ts'
import { describePart } from './vitest.ts'

const namespace = 'default'

const codeOf = async (call: Promise<unknown>): Promise<number | undefined> => {
  try {
    await call
    return undefined
  } catch (error) {
    if (error instanceof k8s.ApiException) return error.code
    throw error
  }
}

const merge = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch)
const strategic = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch)

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']

  beforeAll(async () => {
    running = await kubernetes.start()
    cluster = running.cluster
  }, 120_000)
  afterAll(() => running?.stop())

  const evict = (name: string): Promise<unknown> =>
    cluster.core.createNamespacedPodEviction({ namespace, name, body: { metadata: { name, namespace } } })

  const budget = async (name: string, minAvailable: number, pods: number): Promise<void> => {
    const policy = cluster.api(k8s.PolicyV1Api)
    const spec = { minAvailable, selector: { matchLabels: { app: name } } }
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: { metadata: { name }, spec } })
    await until('the budget', async () => {
      const { status } = await policy.readNamespacedPodDisruptionBudget({ namespace, name })
      return status?.currentHealthy === pods || undefined
    })
  }

  it('says its true version', async () => {
    const { gitVersion } = await cluster.api(k8s.VersionApi).getCode()
    expect(gitVersion).toBe(`v${versions.kubernetes}`)
  })

  it('refuses whoever shows no credentials', async () => {
    const anonymous = new k8s.KubeConfig()
    anonymous.loadFromClusterAndUser(
      { name: 'c', server: running.addresses.server, caFile: running.addresses.ca, skipTLSVerify: false },
      { name: 'nobody' },
    )
    expect(await codeOf(anonymous.makeApiClient(k8s.CoreV1Api).listNamespace())).toBe(401)
  })

  it('lets a pod run on a node of kwok', async () => {
    const pod = await cluster.pod('runs', { labels: { app: 'runs' } })
    expect(pod.spec?.nodeName).toBe('node-1')
    expect(pod.status?.podIP).toMatch(/^10\.244\./)
    expect(pod.status?.containerStatuses?.[0]?.state?.running).toBeDefined()
  })

  it('labels a pod by a merge patch', async () => {
    await cluster.pod('labelled')
    const body = { metadata: { labels: { suspicious: 'true' } } }
    const pod = await cluster.core.patchNamespacedPod({ namespace, name: 'labelled', body }, merge)
    expect(pod.metadata?.labels).toMatchObject({ suspicious: 'true' })
  })

  it('answers 429 to an eviction that a budget forbids', async () => {
    const [pod] = await cluster.deployment('guarded', { replicas: 1 })
    await budget('guarded', 1, 1)
    expect(await codeOf(evict(pod?.metadata?.name ?? ''))).toBe(429)
  })

  it('evicts where a budget leaves room, and the pod is replaced', async () => {
    const [pod] = await cluster.deployment('spare', { replicas: 2 })
    await budget('spare', 1, 2)
    const name = pod?.metadata?.name ?? ''
    expect(await codeOf(evict(name))).toBeUndefined()
    await until('another pod', async () => {
      const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector: 'app=spare' })
      const others = items.filter(({ metadata, status }) => metadata?.name !== name && status?.phase === 'Running')
      return others.length === 2 && items.length === 2 ? true : undefined
    })
  })

  it('deletes a pod only under its own UID', async () => {
    const name = 'terminated'
    const pod = await cluster.pod(name)
    const remove = (uid: string) =>
      cluster.core.deleteNamespacedPod({ namespace, name, body: { preconditions: { uid } } })
    expect(await codeOf(remove('00000000-0000-4000-8000-000000000000'))).toBe(409)
    expect(await codeOf(remove(pod.metadata?.uid ?? ''))).toBeUndefined()
    await until(
      'the end',
      async () => (await codeOf(cluster.core.readNamespacedPod({ namespace, name }))) === 404 || undefined,
    )
  })

  it('runs an ephemeral container, and a second one beside it', async () => {
    await cluster.pod('debugged')
    const started: (Date | undefined)[] = []
    for (const names of [['one'], ['one', 'two']]) {
      const ephemeralContainers = names.map((name) => ({
        name,
        image: 'registry.invalid/debug:1',
        targetContainerName: 'main',
      }))
      const body = { spec: { ephemeralContainers } }
      await cluster.core.patchNamespacedPodEphemeralcontainers({ namespace, name: 'debugged', body }, strategic)
      const statuses = await until('the ephemeral container', async () => {
        const { status } = await cluster.core.readNamespacedPodStatus({ namespace, name: 'debugged' })
        const found = status?.ephemeralContainerStatuses ?? []
        return found.length === names.length && found.every(({ state }) => state?.running) ? found : undefined
      })
      expect(statuses.map(({ name }) => name)).toEqual(names)
      started.push(statuses[0]?.state?.running?.startedAt)
    }
    expect(started[0]).toBeDefined()
    expect(started[1]).toEqual(started[0])
  })

  it('makes the pod of a Job and counts it', async () => {
    const batch = cluster.api(k8s.BatchV1Api)
    const template = {
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'registry.invalid/job:1' }] },
    }
    await batch.createNamespacedJob({ namespace, body: { metadata: { name: 'once' }, spec: { template } } })
    await until(
      'the job',
      async () => (await batch.readNamespacedJob({ namespace, name: 'once' })).status?.succeeded === 1 || undefined,
    )
    const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector: 'job-name=once' })
    expect(items.map(({ status }) => status?.phase)).toEqual(['Succeeded'])
  })

  it('collects the pods of a deleted Deployment, and a deleted namespace', async () => {
    await cluster.namespace('passing')
    await cluster.deployment('passing', { namespace: 'passing' })
    await cluster.apps.deleteNamespacedDeployment({ namespace: 'passing', name: 'passing' })
    await until(
      'no pods',
      async () => (await cluster.core.listNamespacedPod({ namespace: 'passing' })).items.length === 0 || undefined,
    )
    await cluster.core.deleteNamespace({ name: 'passing' })
    await until(
      'no namespace',
      async () => (await codeOf(cluster.core.readNamespace({ name: 'passing' }))) === 404 || undefined,
    )
  })

  it('lets a ServiceAccount do what its role says and no more', async () => {
    await cluster.account(namespace, 'reader', [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }])
    await cluster.account(namespace, 'nobody')
    const as = async (name: string): Promise<k8s.CoreV1Api> => {
      const config = new k8s.KubeConfig()
      config.loadFromFile(await cluster.kubeconfigFor(namespace, name))
      return config.makeApiClient(k8s.CoreV1Api)
    }
    const [reader, nobody] = [await as('reader'), await as('nobody')]
    await until(
      'the role',
      async () => (await codeOf(reader.listNamespacedPod({ namespace }))) === undefined || undefined,
    )
    expect(await codeOf(nobody.listNamespacedPod({ namespace }))).toBe(403)
    expect(await codeOf(reader.deleteNamespacedPod({ namespace, name: 'runs' }))).toBe(403)
    expect(await codeOf(reader.listNamespacedPod({ namespace: 'kube-system' }))).toBe(403)
  })

  it('serves every definition', async () => {
    const objects = cluster.api(k8s.CustomObjectsApi)
    for (const { spec } of definitions()) {
      const version = spec.versions[0]?.name ?? ''
      const list = await objects.listClusterCustomObject({ group: spec.group, version, plural: spec.names.plural })
      expect(list).toMatchObject({ kind: `${spec.names.kind}List`, items: [] })
    }
  })

  it('asks an aggregated API server, in the name of the user', async () => {
    const users: unknown[] = []
    const { cert, key } = await (
      await authority(dirname(running.addresses.kubeconfig), 'extension-ca')
    ).issue('extension', {
      name: 'localhost',
      hosts: loopback,
    })
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (incoming, answer) => {
      users.push(incoming.headers['x-remote-user'])
      answer.setHeader('content-type', 'application/json')
      answer.end(JSON.stringify({ kind: 'APIResourceList', groupVersion: 'yarak.test/v1', resources: [] }))
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    const { port } = server.address() as AddressInfo
    const spec = { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] }
    await cluster.core.createNamespacedService({ namespace, body: { metadata: { name: 'extension' }, spec } })
    const registration = cluster.api(k8s.ApiregistrationV1Api)
    const service = { namespace, name: 'extension', port }
    const version = { group: 'yarak.test', version: 'v1', groupPriorityMinimum: 100, versionPriority: 1 }
    const body = { metadata: { name: 'v1.yarak.test' }, spec: { ...version, service, insecureSkipTLSVerify: true } }
    await registration.createAPIService({ body })
    try {
      await until('the aggregated API', async () => {
        const { status } = await registration.readAPIService({ name: 'v1.yarak.test' })
        return status?.conditions?.some(({ type, status }) => type === 'Available' && status === 'True') || undefined
      })
      users.length = 0
      const resources = await cluster.api(k8s.CustomObjectsApi).getAPIResources({ group: 'yarak.test', version: 'v1' })
      expect(resources.groupVersion).toBe('yarak.test/v1')
      expect(users).toContain('admin')
    } finally {
      await registration.deleteAPIService({ name: 'v1.yarak.test' })
      server.closeAllConnections()
      server.close()
    }
  })

  it('takes a Capture of Retina, and refuses one that its schema forbids', async () => {
    const create = (name: string, captureOption: object) =>
      cluster.api(k8s.CustomObjectsApi).createNamespacedCustomObject({
        ...{ group: 'retina.sh', version: 'v1alpha1', namespace, plural: 'captures' },
        body: {
          ...{ apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', metadata: { name } },
          spec: {
            captureConfiguration: { captureTarget: { podNames: ['runs'] }, captureOption },
            outputConfiguration: { hostPath: 'evidence' },
          },
        },
      })
    expect(await create('good', { duration: '30s', pcapFilter: 'tcp port 443' })).toMatchObject({
      spec: { captureConfiguration: { captureOption: { maxCaptureSize: 100 }, includeMetadata: true } },
    })
    expect(await codeOf(create('bad-duration', { duration: 'soon' }))).toBe(422)
    expect(await codeOf(create('bad-verbosity', { duration: '30s', verbosity: 'loud' }))).toBe(422)
    expect(await codeOf(create('bad-filter', { duration: '30s', pcapFilter: 'host a-b' }))).toBe(422)
  })
})

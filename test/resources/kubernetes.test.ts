import { writeFile } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { YarakError } from '../../src/errors.ts'
import { type Clients, kubernetes } from '../../src/resources/kubernetes.ts'
import { aStep, type Recorded, type StepOptions } from '../actions/step.ts'
import { type FakeCluster, fakeCluster, kubeconfigFor, type Seen, status, TOKEN } from '../fake-cluster.ts'

const cluster = async (options?: { basePath?: string }): Promise<FakeCluster> => {
  const made = await fakeCluster(options)
  onTestFinished(() => made.close())
  made.add('Pod', { metadata: { name: 'web-1', namespace: 'shop', uid: 'uid-1' } })
  return made
}

const connect = async (
  fake: Pick<FakeCluster, 'kubeconfig'>,
  settings: object = {},
  options: StepOptions = {},
): Promise<{ clients: Clients; recorded: Recorded }> => {
  const recorded = await aStep({
    ...options,
    resources: { kubernetes: { kubeconfig: fake.kubeconfig, ...settings } },
  })
  const { step } = recorded
  return { clients: (await step.use(kubernetes)).as(step), recorded }
}

const web = { namespace: 'shop', name: 'web-1' }

/** What a promise is rejected with, which must be one of ours. */
const rejection = async (promise: Promise<unknown>): Promise<YarakError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(YarakError)
  return error as YarakError
}

describe('a call', () => {
  it('is a client span with the method, the template and the server, and sends the trace context on', async () => {
    const fake = await cluster()
    const { clients, recorded } = await connect(fake)
    const pod = await clients.core.readNamespacedPod(web)
    expect(pod.metadata?.uid).toBe('uid-1')
    expect(recorded.spans).toHaveLength(1)
    expect(recorded.spans[0]).toMatchObject({
      name: 'GET /api/v1/namespaces/{namespace}/pods/{name}',
      attributes: {
        'http.request.method': 'GET',
        'url.template': '/api/v1/namespaces/{namespace}/pods/{name}',
        'server.address': '127.0.0.1',
        'server.port': Number(new URL(fake.url).port),
      },
      after: { 'http.response.status_code': 200 },
    })
    expect(fake.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'user-agent': 'yarak',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    })
  })

  it('reuses connections', async () => {
    const fake = await cluster()
    const { clients } = await connect(fake)
    for (let i = 0; i < 20; i++) await clients.core.readNamespacedPod(web)
    expect(fake.connections).toBeLessThan(5)
  })

  it('works below a base path, which is not told as part of the template', async () => {
    const fake = await cluster({ basePath: '/k8s/clusters/c-1' })
    const { clients, recorded } = await connect(fake)
    await clients.core.readNamespacedPod(web)
    expect(recorded.spans[0]?.name).toBe('GET /api/v1/namespaces/{namespace}/pods/{name}')
  })

  it.each(['JsonPatch', 'MergePatch', 'StrategicMergePatch', 'ServerSideApply'] as const)(
    'can be a patch of the kind %s',
    async (kind) => {
      const fake = await cluster()
      const { clients } = await connect(fake)
      await clients.core.patchNamespacedPod({ ...web, body: {} }, clients.patchAs(kind)).catch(() => {})
      const types = {
        JsonPatch: 'application/json-patch+json',
        MergePatch: 'application/merge-patch+json',
        StrategicMergePatch: 'application/strategic-merge-patch+json',
        ServerSideApply: 'application/apply-patch+yaml',
      }
      expect(fake.requests[0]?.headers['content-type']).toBe(types[kind])
    },
  )

  it('reaches all the API groups and any kind through the same place', async () => {
    const fake = await cluster()
    for (const kind of ['ReplicaSet', 'Job', 'NetworkPolicy'] as const) {
      fake.add(kind, { metadata: { name: 'x', namespace: 'shop' } })
    }
    fake.override = ({ path }: Seen) =>
      path === '/api/v1'
        ? { status: 200, body: { resources: [{ name: 'pods', kind: 'Pod', namespaced: true }] } }
        : path === '/api/v1/namespaces/shop/pods/web-1'
          ? { status: 200, body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-1' } } }
          : undefined
    const { clients, recorded } = await connect(fake)
    const at = { namespace: 'shop', name: 'x' }
    await clients.apps.readNamespacedReplicaSet(at)
    await clients.batch.readNamespacedJob(at)
    await clients.networking.readNamespacedNetworkPolicy(at)
    await clients.objects.read({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'web-1' } })
    expect(recorded.spans.map(({ name }) => name)).toEqual([
      'GET /apis/apps/v1/namespaces/{namespace}/replicasets/{name}',
      'GET /apis/batch/v1/namespaces/{namespace}/jobs/{name}',
      'GET /apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies/{name}',
      'GET /api/v1',
      'GET /api/v1/namespaces/{namespace}/pods/{name}',
    ])
    expect(clients.config.getCurrentCluster()?.server).toBe(fake.url)
  })
})

describe('a call that fails', () => {
  it('is timed out by the deadline of the settings', async () => {
    const fake = await cluster()
    fake.override = () => 'hang'
    const { clients, recorded } = await connect(fake, { timeout: '50ms' })
    const error = await rejection(clients.core.readNamespacedPod(web))
    expect(error).toMatchObject({ code: 'timed_out', reason: 'timeout', permanent: false })
    expect(recorded.spans[0]?.error).toBe(error)
  })

  it('is cut short by the signal of the step', async () => {
    const fake = await cluster()
    const abort = new AbortController()
    fake.override = () => (abort.abort(), 'hang')
    const { clients } = await connect(fake, {}, { signal: abort.signal })
    expect(await rejection(clients.core.readNamespacedPod(web))).toMatchObject({ code: 'interrupted' })
  })

  it('is unavailable when nobody answers', async () => {
    const fake = await fakeCluster()
    const { clients } = await connect(fake)
    await fake.close()
    const error = await rejection(clients.core.readNamespacedPod(web))
    expect(error).toMatchObject({ code: 'unavailable', reason: 'econnrefused', permanent: false })
    expect(error.message).toContain('get pods "web-1" in namespace "shop": the API server does not answer')
  })

  it('is unavailable when the connection breaks', async () => {
    const fake = await cluster()
    fake.override = () => 'cut'
    const { clients } = await connect(fake)
    expect(await rejection(clients.core.readNamespacedPod(web))).toMatchObject({ code: 'unavailable' })
  })

  it('is refused when the token is not accepted, without telling it', async () => {
    const fake = await cluster()
    await writeFile(fake.kubeconfig, kubeconfigFor(fake.url, { token: 'a-wrong-token' }))
    const { clients } = await connect(fake)
    const error = await rejection(clients.core.readNamespacedPod(web))
    expect(error).toMatchObject({ code: 'refused', reason: 'unauthorized', permanent: true })
    expect(error.message).not.toContain('a-wrong-token')
  })

  it('is unavailable when the credentials cannot be had', async () => {
    const fake = await cluster()
    const config = JSON.parse(kubeconfigFor(fake.url)) as { users: { user: object }[] }
    config.users[0]!.user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile: '/nowhere/token' } } }
    await writeFile(fake.kubeconfig, JSON.stringify(config))
    const { clients } = await connect(fake)
    expect(await rejection(clients.core.readNamespacedPod(web))).toMatchObject({
      code: 'unavailable',
      reason: 'credentials',
    })
    expect(fake.requests).toEqual([])
  })

  it('is told from a web page, which would pass for an empty object', async () => {
    const fake = await cluster()
    fake.override = () => ({ status: 200, body: '<html>log in</html>', headers: { 'content-type': 'text/html' } })
    const { clients } = await connect(fake)
    expect(await rejection(clients.core.readNamespacedPod(web))).toMatchObject({ reason: 'not-kubernetes' })
  })

  it('is told to wait as long as the server asks', async () => {
    const fake = await cluster()
    const busy = status(429, 'TooManyRequests', 'Too many requests, please try again later.')
    fake.override = () => ({ ...busy, headers: { 'retry-after': '7' } })
    const { clients } = await connect(fake)
    expect(await rejection(clients.core.readNamespacedPod(web))).toMatchObject({
      code: 'failed',
      permanent: false,
      retryAfter: 7_000,
      reason: 'too-many-requests',
    })
  })
})

import { describe, expect, it } from 'vitest'
import type { Override } from '../../fake-cluster.ts'
import { allowing, aService, labelsOf, policy, POLICY, run, withPod } from './isolated.ts'
import { aPod, rejection, withCluster } from './world.ts'

describe('kubernetes:isolate', () => {
  it('selects exactly the pod, by the id of the response, and denies both directions', async () => {
    const cluster = await withPod()
    expect(await run(cluster)).toEqual({
      summary: 'isolated pod shop/web-1: connections that are open already may survive',
      objects: { pod: 'web-1', namespace: 'shop', networkpolicy: POLICY, isolation: 'whole' },
    })
    expect(labelsOf(cluster)).toEqual({
      app: 'web',
      'pod-template-hash': 'abc',
      'yarak.dev/isolated': 'abc123',
      'yarak.dev/response': 'abc123',
    })
    expect(policy(cluster)).toMatchObject({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: {
        labels: { 'app.kubernetes.io/managed-by': 'yarak', 'yarak.dev/isolated': 'abc123' },
        annotations: { 'yarak.dev/rule': 'React' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'web-1', uid: 'uid-1' }],
      },
      spec: {
        podSelector: { matchLabels: { 'yarak.dev/isolated': 'abc123' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [],
        egress: [],
      },
    })
  })

  it('makes the policy before the pod is taken out of its labels', async () => {
    const cluster = await withPod()
    await run(cluster)
    const changes = cluster.requests.filter(({ method }) => method !== 'GET')
    expect(changes.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /apis/networking.k8s.io/v1/namespaces/shop/networkpolicies',
      'PATCH /api/v1/namespaces/shop/pods/web-1',
    ])
    expect(changes[1]?.body?.metadata).toMatchObject({ uid: 'uid-1' })
  })

  it('lets the name server be asked, if it is said', async () => {
    const cluster = await withPod()
    await run(cluster, { dns: true })
    expect(policy(cluster)?.spec?.egress).toEqual([
      {
        to: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
            podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
          },
        ],
        ports: [
          { protocol: 'UDP', port: 53 },
          { protocol: 'TCP', port: 53 },
        ],
      },
    ])
  })

  it('refuses a pod in the network of its node', async () => {
    const pod = aPod()
    const cluster = await withPod({ ...pod, spec: { ...pod.spec, hostNetwork: true } })
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'host-network', permanent: true })
    expect(cluster.requests.every(({ method }) => method === 'GET')).toBe(true)
  })

  it('touches no pod that has taken the name', async () => {
    const cluster = await withPod()
    const subject = { kind: 'Pod', key: 'k', namespace: 'shop', name: 'web-1', uid: 'earlier' }
    expect(await rejection(run(cluster, {}, { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(policy(cluster)).toBeUndefined()
  })

  it('is done with a pod that is gone', async () => {
    expect(await rejection(run(await withCluster()))).toMatchObject({ code: 'gone' })
  })

  it('changes nothing in a dry run, and asks the server about both changes', async () => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('allow-web', { matchLabels: { app: 'web' } }))
    const { summary } = await run(cluster, {}, { dryRun: true })
    expect(summary).toMatch(/^would isolate pod shop\/web-1: taken out of the labels app, pod-template-hash;/)
    const changes = cluster.requests.filter(({ method }) => method !== 'GET')
    expect(changes.map(({ query }) => query.dryRun)).toEqual(['All', 'All'])
    expect([policy(cluster), labelsOf(cluster)]).toEqual([undefined, { app: 'web', 'pod-template-hash': 'abc' }])
  })

  it('overwrites no policy that somebody else has made under the name', async () => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing(POLICY, {}))
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: 'conflict', permanent: true })
    expect(policy(cluster)?.spec?.podSelector).toEqual({})
  })
})

describe('what still lets traffic through', () => {
  it('is left by losing the labels that it, the Services and the workload select by', async () => {
    const labels = { app: 'web', 'pod-template-hash': 'abc', tier: 'front', track: 'stable', team: 'a' }
    const cluster = await withPod(aPod({ owner: ['ReplicaSet', 'web'], labels }))
    cluster.add('NetworkPolicy', allowing('allow-web', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }))
    cluster.add('Service', aService('web', { track: 'stable' }))
    cluster.add('Service', aService('other', { team: 'b' }))
    cluster.add('Service', aService('external', undefined))
    expect(await run(cluster)).toMatchObject({
      summary: expect.stringContaining('taken out of the labels app, pod-template-hash, tier, track;') as string,
      objects: { isolation: 'whole', labels: 'app pod-template-hash tier track' },
    })
    expect(labelsOf(cluster)).toEqual({ team: 'a', 'yarak.dev/isolated': 'abc123', 'yarak.dev/response': 'abc123' })
  })

  it.each<[string, object, object]>([
    ['selects the pod not', { matchLabels: { app: 'other' } }, { ingress: [{}] }],
    ['lets nothing in', { matchLabels: { app: 'web' } }, { ingress: [] }],
    ['has no rules at all', {}, {}],
  ])('is no policy that %s', async (_why, selector, rules) => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('harmless', selector, rules))
    expect((await run(cluster)).objects).toMatchObject({ isolation: 'whole' })
    expect(labelsOf(cluster)).toHaveProperty('app')
  })

  it('is told where no label helps: the pod is isolated in part', async () => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('everybody', {}, { policyTypes: ['Egress'], egress: [{}] }))
    cluster.add(
      'NetworkPolicy',
      allowing('not-db', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['db'] }] }),
    )
    const { summary, objects } = await run(cluster)
    expect(summary).toMatch(/^isolated pod shop\/web-1 in part: .*; still let through by everybody, not-db; conn/)
    expect(objects).toMatchObject({ isolation: 'partial', open: 'everybody not-db' })
  })

  it('is only told by `policy-only`, which leaves the labels and asks for no Services', async () => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('allow-web', { matchLabels: { app: 'web' } }))
    expect((await run(cluster, { strategy: 'policy-only' })).objects).toMatchObject({
      isolation: 'partial',
      open: 'allow-web',
    })
    expect(labelsOf(cluster)).toMatchObject({ app: 'web', 'yarak.dev/isolated': 'abc123' })
    expect(cluster.requests.some(({ path }) => path.endsWith('/services'))).toBe(false)
  })

  it('is left also by a pod whose workload is gone', async () => {
    const cluster = await withPod(aPod({ owner: ['StatefulSet', 'gone'] }))
    cluster.add('NetworkPolicy', allowing('allow-web', { matchLabels: { app: 'web' } }))
    const subject = { kind: 'Pod', key: 'k', namespace: 'shop', name: 'web-1', uid: 'uid-1' }
    const owners = [{ kind: 'StatefulSet', name: 'gone' }]
    expect((await run(cluster, {}, { subject: { ...subject, owners } })).objects).toMatchObject({ labels: 'app' })
  })
})

describe('an API server that does not do it at once', () => {
  const failingOnce = (status: number, method: string): Override => {
    let failed = false
    return (request) => {
      if (failed || request.method !== method) return undefined
      failed = true
      return { status, body: { kind: 'Status', reason: status === 409 ? 'Conflict' : 'Busy', message: 'try again' } }
    }
  }

  it.each(['POST', 'PATCH'])('is asked again after a conflict of a %s', async (method) => {
    const cluster = await withPod()
    cluster.override = failingOnce(409, method)
    await run(cluster)
    expect([policy(cluster), labelsOf(cluster)]).toMatchObject([{}, { 'yarak.dev/isolated': 'abc123' }])
  })

  it.each([429, 500])('says %d, which may be tried again, and then goes on where it was', async (code) => {
    const cluster = await withPod()
    cluster.override = failingOnce(code, 'PATCH')
    expect(await rejection(run(cluster))).toMatchObject({ permanent: false })
    await run(cluster)
    expect(labelsOf(cluster)).toMatchObject({ 'yarak.dev/isolated': 'abc123' })
  })

  it('refuses what the account may not', async () => {
    const cluster = await withPod()
    cluster.override = ({ method }) =>
      method === 'POST' ? { status: 403, body: { kind: 'Status', message: 'cannot create resource x' } } : undefined
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'forbidden' })
    expect(labelsOf(cluster)).not.toHaveProperty('yarak.dev/isolated')
  })
})

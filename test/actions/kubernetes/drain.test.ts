import { describe, expect, it } from 'vitest'
import { drain } from '../../../src/actions/kubernetes/drain.ts'
import { type FakeCluster, type Override, status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { aPod, aPodStep, aWorkload, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof drain.config>>[1]

type Pod = ReturnType<typeof aPod>

interface PodOptions {
  readonly owner?: readonly [string, string]
  readonly namespace?: string
  readonly node?: string
  readonly metadata?: object
  readonly phase?: string
}

const add = (cluster: FakeCluster, name: string, options: PodOptions = {}): void => {
  const { namespace = 'shop', owner = ['ReplicaSet', 'web'], metadata, node, phase = 'Running' } = options
  const pod: Pod = aPod({ name, uid: `uid-${name}`, owner, status: { phase }, ...(node && { node }) })
  cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, namespace, ...metadata } })
}

/** A node with the pod of the event, which is standalone, and those named. */
const withNode = async (...names: readonly string[]): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Node', { metadata: { name: 'node-1', uid: 'n-1' }, spec: {} })
  cluster.add('ReplicaSet', aWorkload('web'))
  for (const name of ['web-1', ...names]) add(cluster, name)
  return cluster
}

const run = async (cluster: FakeCluster, params: Params = {}, options: StepOptions = {}) =>
  perform(drain, { max_wait_period: 0, ...params }, await aPodStep(cluster, options))

const evictions = (cluster: FakeCluster): string[] =>
  cluster.requests
    .filter(({ path }) => path.endsWith('/eviction'))
    .map(({ path }) => path.split('/').slice(4, 7).join('/').replace('/pods', ''))

const isThere = (cluster: FakeCluster, name: string): boolean => cluster.get('Pod', 'shop', name) !== undefined

/** Evictions are answered so, as often as said. */
const refusing = (answer: ReturnType<typeof status>, { times = 1_000, of = '' } = {}): Override => {
  let left = times
  return ({ path }) => (path.endsWith(`${of}/eviction`) && left-- > 0 ? answer : undefined)
}

const BUDGET = status(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.")

describe('kubernetes:drain', () => {
  it('closes the node, then evicts its pods, each under its uid, and no other', async () => {
    const cluster = await withNode('web-2')
    add(cluster, 'elsewhere', { node: 'node-2' })
    expect(await run(cluster, { grace_period_seconds: 7 })).toEqual({
      summary: 'drained node node-1: 2 evicted, 0 skipped, 0 left',
      objects: { node: 'node-1', pods: 'shop/web-1 shop/web-2' },
      output: 'evicted shop/web-1\nevicted shop/web-2',
    })
    expect(cluster.get('Node', '', 'node-1')?.spec).toEqual({ unschedulable: true })
    expect(cluster.requests.map(({ method }) => method)).toEqual([
      ...['GET', 'GET', 'PATCH', 'GET'],
      ...['GET', 'POST', 'POST'],
    ])
    expect(cluster.requests.at(-1)?.body?.deleteOptions).toEqual({
      preconditions: { uid: 'uid-web-2' },
      gracePeriodSeconds: 7,
    })
    expect(['web-1', 'web-2', 'elsewhere'].map((name) => isThere(cluster, name))).toEqual([false, false, true])
  })

  it('leaves the node open when told so', async () => {
    const cluster = await withNode()
    await run(cluster, { cordon: false })
    expect(cluster.get('Node', '', 'node-1')?.spec).toEqual({})
    expect(isThere(cluster, 'web-1')).toBe(false)
  })

  it('changes nothing in a dry run, waits for nothing, and tells what would be in the way', async () => {
    const cluster = await withNode('web-2')
    cluster.override = refusing(BUDGET, { of: 'web-2' })
    const result = await run(cluster, { max_wait_period: 600 }, { dryRun: true })
    expect(result.summary).toBe('would drain node node-1: 1 evicted, 0 skipped, 1 left')
    expect(result.output).toMatch(/^evicted shop\/web-1\nleft shop\/web-2: .*disruption budget/)
    expect(cluster.requests.filter(({ method }) => method !== 'GET').map(({ query }) => query.dryRun)).toEqual([
      ...['All', 'All', 'All'],
    ])
    expect([isThere(cluster, 'web-1'), cluster.get('Node', '', 'node-1')?.spec]).toEqual([true, {}])
  })

  it('takes a pod that goes by itself for done', async () => {
    const cluster = await withNode('web-2')
    cluster.override = refusing(status(404, 'NotFound', 'no such pod', { name: 'web-2' }), { of: 'web-2' })
    expect((await run(cluster)).output).toBe('evicted shop/web-1\ngone shop/web-2')
  })

  it('drains a node that has no pods', async () => {
    const cluster = await withNode()
    add(cluster, 'web-1', { node: 'node-2' })
    cluster.add('Node', { metadata: { name: 'node-2', uid: 'n-2' } })
    const fields = { 'container.id': 'host' }
    const result = await run(cluster, {}, { fields, event: { hostname: 'node-1' } })
    expect(result).toEqual({
      summary: 'drained node node-1: 0 evicted, 0 skipped, 0 left',
      objects: { node: 'node-1' },
      output: '',
    })
  })
})

describe('pods that a drain skips', () => {
  it.each<[string, PodOptions, Params, string | undefined]>([
    ['of a DaemonSet', { owner: ['DaemonSet', 'agent'] }, {}, 'daemonset'],
    ['of a DaemonSet when told to evict them', { owner: ['DaemonSet', 'x'] }, { ignore_daemonsets: false }, undefined],
    ['of a StatefulSet when told to', { owner: ['StatefulSet', 'db'] }, { ignore_statefulsets: true }, 'statefulset'],
    ['of a StatefulSet', { owner: ['StatefulSet', 'db'] }, {}, undefined],
    ['that are static', { owner: ['Node', 'node-1'] }, {}, 'static-pod'],
    [
      'that mirror a static one',
      { metadata: { annotations: { 'kubernetes.io/config.mirror': 'h' } } },
      {},
      'static-pod',
    ],
    ['that have succeeded', { phase: 'Succeeded' }, {}, 'finished'],
    ['that have failed', { phase: 'Failed' }, {}, 'finished'],
    ['of the system', { namespace: 'kube-system' }, {}, 'excluded-namespace'],
    ['of the system when told to evict them', { namespace: 'kube-system' }, { excluded_namespaces: [] }, undefined],
    ['of an excluded namespace', { namespace: 'logs' }, { excluded_namespaces: ['logs'] }, 'excluded-namespace'],
  ])('%s', async (_what, options, params, why) => {
    const cluster = await withNode()
    add(cluster, 'other', options)
    const { summary, output } = await run(cluster, params)
    const id = `${options.namespace ?? 'shop'}/other`
    expect(output).toContain(why === undefined ? `evicted ${id}` : `skipped ${id}: ${why}`)
    expect(summary).toContain(why === undefined ? '2 evicted, 0 skipped' : '1 evicted, 1 skipped')
    expect(evictions(cluster).includes(id)).toBe(why === undefined)
  })

  it.each([
    [true, 'skipped shop/alone: standalone'],
    [false, 'evicted shop/alone'],
  ])('that no controller would replace, when told to: %j', async (ignore_standalone_pods, line) => {
    const cluster = await withNode()
    cluster.add('Pod', aPod({ name: 'alone', uid: 'a' }))
    expect((await run(cluster, { ignore_standalone_pods })).output?.split('\n')).toContain(line)
  })

  it('the one that drains: it must live to finish', async () => {
    const cluster = await withNode('yarak-0')
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', HOSTNAME: 'yarak-0' }
    expect((await run(cluster, {}, { env })).output).toBe('evicted shop/web-1\nskipped shop/yarak-0: self')
  })

  it('are not asked for, nor is anything waited for on their behalf', async () => {
    const cluster = await withNode()
    add(cluster, 'agent', { owner: ['DaemonSet', 'agent'] })
    expect((await run(cluster, { max_wait_period: 600 })).summary).toContain('1 evicted, 1 skipped, 0 left')
  })
})

describe('a drain that is refused for now', () => {
  it('asks again until the disruption budget allows it', async () => {
    const cluster = await withNode('web-2')
    cluster.override = refusing(BUDGET, { times: 1, of: 'web-2' })
    expect((await run(cluster, { max_wait_period: 600 })).output).toBe('evicted shop/web-1\nevicted shop/web-2')
    expect(evictions(cluster)).toEqual(['shop/web-1', 'shop/web-2', 'shop/web-2'])
  })

  it.each([
    [429, 'TooManyRequests'],
    [500, 'InternalError'],
    [503, 'ServiceUnavailable'],
  ])('also by a %i, and fails, to be tried again, when the time is over', async (code, reason) => {
    const cluster = await withNode('web-2')
    cluster.override = refusing(status(code, reason, 'not now'), { of: 'web-2' })
    const error = await rejection(run(cluster, { max_wait_period: 1 }))
    expect(error).toMatchObject({ code: 'failed', reason: 'not-drained', permanent: false })
    expect(error.message).toMatch(
      /^node node-1 is not drained: 1 evicted, 0 skipped, 1 left: shop\/web-2 \(.*not now\)$/,
    )
    expect(evictions(cluster).filter((one) => one === 'shop/web-2').length).toBeGreaterThan(1)
  })

  it('asks once when told not to wait', async () => {
    const cluster = await withNode()
    cluster.override = refusing(BUDGET)
    expect(await rejection(run(cluster))).toMatchObject({ reason: 'not-drained' })
    expect(evictions(cluster)).toHaveLength(1)
  })

  it('succeeds nevertheless when told to ignore errors', async () => {
    const cluster = await withNode()
    cluster.override = refusing(BUDGET)
    const result = await run(cluster, { ignore_errors: true })
    expect(result.summary).toBe('drained node node-1: 0 evicted, 0 skipped, 1 left')
    expect(result.output).toMatch(/^left shop\/web-1: .*disruption budget/)
  })

  it('does not ask again what is never allowed', async () => {
    const cluster = await withNode('web-2')
    cluster.override = refusing(status(403, 'Forbidden', 'denied by a webhook'), { of: 'web-2' })
    expect(await rejection(run(cluster, { max_wait_period: 600 }))).toMatchObject({ reason: 'not-drained' })
    expect(evictions(cluster)).toEqual(['shop/web-1', 'shop/web-2'])
  })

  it('tells which permission is missing', async () => {
    const cluster = await withNode('web-2')
    const message = 'pods is forbidden: User "y" cannot create resource "pods/eviction" in API group ""'
    cluster.override = refusing(status(403, 'Forbidden', message))
    const error = await rejection(run(cluster, { ignore_errors: true }))
    expect(error).toMatchObject({ code: 'refused', reason: 'forbidden' })
    expect(error.message).toContain('"resources":["pods/eviction"],"verbs":["create"]')
  })
})

describe('a drain that waits', () => {
  /** Evictions are granted, and the pods go when they have been listed so often since. */
  const slow = (cluster: FakeCluster, name: string, lists: number): void => {
    let left = lists
    let granted = false
    cluster.override = ({ method, path }) => {
      if (path.endsWith(`${name}/eviction`)) {
        granted = true
        return { status: 201, body: { kind: 'Status', apiVersion: 'v1', status: 'Success' } }
      }
      if (method === 'GET' && path === '/api/v1/pods' && granted && --left <= 0) add(cluster, name, { node: 'gone' })
      return undefined
    }
  }

  it('waits until the pods are gone', async () => {
    const cluster = await withNode()
    slow(cluster, 'web-1', 2)
    expect((await run(cluster, { max_wait_period: 600 })).output).toBe('evicted shop/web-1')
    expect(cluster.requests.filter(({ path }) => path === '/api/v1/pods')).toHaveLength(3)
  })

  it('tells which are still there when the time is over', async () => {
    const cluster = await withNode()
    slow(cluster, 'web-1', 1_000)
    const error = await rejection(run(cluster, { max_wait_period: 1 }))
    expect(error.message).toBe(
      'node node-1 is not drained: 1 evicted, 0 skipped, 1 left: shop/web-1 (it is still stopping)',
    )
  })

  it('waits not for pods of excluded namespaces', async () => {
    const cluster = await withNode()
    slow(cluster, 'web-1', 1_000)
    const params = { max_wait_period: 600, wait_period_excluded_namespaces: ['shop'] }
    expect((await run(cluster, params)).output).toBe('evicted shop/web-1')
  })

  it('waits for pods that are on their way out already, without asking for it', async () => {
    const cluster = await withNode()
    add(cluster, 'web-1', { metadata: { deletionTimestamp: '2026-01-31T12:00:00Z' } })
    const error = await rejection(run(cluster, { max_wait_period: 1 }))
    expect(error.message).toContain('0 evicted, 0 skipped, 1 left: shop/web-1 (it is still stopping)')
    expect(evictions(cluster)).toEqual([])
    expect((await run(cluster)).output).toBe('gone shop/web-1')
  })

  it('ends when the step is cut short', async () => {
    const cluster = await withNode()
    cluster.override = refusing(BUDGET)
    const stop = new AbortController()
    const running = run(cluster, { max_wait_period: 600 }, { signal: stop.signal }).catch((error: Error) => error)
    await expect.poll(() => evictions(cluster).length).toBeGreaterThan(0)
    stop.abort()
    expect(await running).toBeInstanceOf(Error)
  })

  it('tells then what it has evicted', async () => {
    const cluster = await withNode('web-2')
    cluster.override = refusing(BUDGET, { of: 'web-2' })
    const stop = new AbortController()
    const running = rejection(run(cluster, { max_wait_period: 600 }, { signal: stop.signal }))
    await expect.poll(() => evictions(cluster).includes('shop/web-2')).toBe(true)
    const reason = new Error('not done after 30 s')
    stop.abort(reason)
    const error = await running
    expect(error.message).toBe('node node-1 is not drained, evicted until then: shop/web-1')
    expect(error.cause).toBe(reason)
  })

  it('has half a minute more than it waits', () => {
    const { timeout } = drain
    expect(typeof timeout === 'function' && timeout(drain.config.parse({ max_wait_period: 600 }))).toBe(630_000)
  })
})

describe('min_healthy_replicas of a drain', () => {
  const attempt = async (counts: { desired: number; ready: number }, wanted: string | number) => {
    const cluster = await withNode('web-2', 'web-3')
    cluster.add('ReplicaSet', aWorkload('web', counts))
    return { cluster, ...(await run(cluster, { min_healthy_replicas: wanted })) }
  }

  it.each([
    [{ desired: 3, ready: 3 }, 1, 3],
    [{ desired: 3, ready: 3 }, 2, 2],
    [{ desired: 3, ready: 3 }, '100%', 1],
    [{ desired: 3, ready: 3 }, '50%', 2],
    [{ desired: 3, ready: 1 }, 2, 0],
    [{ desired: 9, ready: 3 }, '33%', 1],
    [{ desired: 3, ready: 0 }, '0%', 3],
  ])('of %j with %j takes %i, counting what it has taken itself', async (counts, wanted, taken) => {
    const { cluster, summary } = await attempt(counts, wanted)
    expect(summary).toBe(`drained node node-1: ${taken} evicted, ${3 - taken} skipped, 0 left`)
    expect(evictions(cluster)).toHaveLength(taken)
  })

  it('reads each workload once for the guard and once a round, and says the numbers', async () => {
    const { cluster, output } = await attempt({ desired: 4, ready: 2 }, '75%')
    const why = 'ReplicaSet web has 2 of 4 replicas ready; min_healthy_replicas 75% asks for 3'
    expect(output).toBe(['web-1', 'web-2', 'web-3'].map((name) => `skipped shop/${name}: ${why}`).join('\n'))
    expect(cluster.requests.filter(({ path }) => path.includes('/replicasets/'))).toHaveLength(2)
  })

  it('evicts the rest when enough replicas are ready again', async () => {
    const cluster = await withNode('web-2')
    let reads = 0
    cluster.override = ({ path }) => {
      if (path.includes('/replicasets/'))
        cluster.add('ReplicaSet', aWorkload('web', { desired: 3, ready: ++reads + 1 }))
      return undefined
    }
    const { output } = await run(cluster, { min_healthy_replicas: 2, max_wait_period: 600 })
    expect([output, reads]).toEqual(['evicted shop/web-1\nevicted shop/web-2', 2])
  })
})

it('kubernetes:drain asks for no more permissions than needed', () => {
  const { permissions } = drain
  const of = (params: Params) =>
    (typeof permissions === 'function' ? permissions(drain.config.parse(params)) : (permissions ?? [])).map(
      ({ resources, verbs }) => `${verbs.join()} ${resources.join()}`,
    )
  const owners = ['get replicasets,deployments,statefulsets,daemonsets', 'get jobs']
  const least = ['get,list pods', 'get nodes', ...owners, 'create pods/eviction']
  expect(of({ cordon: false })).toEqual(least)
  expect(of({ min_healthy_replicas: 1 }).sort()).toEqual(
    [...least, 'patch nodes', 'get replicasets,statefulsets'].sort(),
  )
  expect(drain.changes).toBe('destructive')
  expect(() => drain({ force: true } as never)).toThrow('force is not a known setting')
})

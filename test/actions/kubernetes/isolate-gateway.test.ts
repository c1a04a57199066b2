/** Isolation, the policies of Calico and Cilium, and Retina, as the engine runs them. */
import { describe, expect, it } from 'vitest'
import { calicoNetworkpolicy } from '../../../src/actions/calico/networkpolicy.ts'
import { ciliumNetworkpolicy } from '../../../src/actions/cilium/networkpolicy.ts'
import { isolate } from '../../../src/actions/kubernetes/isolate.ts'
import { retinaCapture } from '../../../src/actions/retina/capture.ts'
import { retinaObserve } from '../../../src/actions/retina/observe.ts'
import { createGateway, type Report } from '../../../src/index.ts'
import type { Action, Mode, Use } from '../../../src/plugin.ts'
import { kubernetes } from '../../../src/resources/kubernetes.ts'
import type { FakeCluster, Override, Seen } from '../../fake-cluster.ts'
import { alert } from '../../kit.ts'
import { aPod, withCluster } from './world.ts'

const USES: readonly Use<Action>[] = [
  isolate({ ttl: '30m' }),
  calicoNetworkpolicy({ ttl: '30m' }),
  ciliumNetworkpolicy({ ttl: '30m' }),
  retinaObserve({ ttl: '30m' }),
  retinaCapture({ duration: '10s', remote: true, output: { hostPath: 'yarak' } }),
]

/** Captures are complete as soon as they are asked about. */
const operator =
  (cluster: FakeCluster, before: Override = () => undefined): Override =>
  (request) => {
    const name = request.method === 'GET' ? /\/captures\/(.+)$/.exec(request.path)?.[1] : undefined
    const capture = name && cluster.get('Capture', 'shop', name)
    const status = { conditions: [{ type: 'complete', status: 'True' }] }
    return before(request) ?? (capture ? { status: 200, body: { ...capture, status } } : undefined)
  }

const withPod = async (namespace: string, before?: Override): Promise<FakeCluster> => {
  const cluster = await withCluster()
  const pod = aPod({ labels: { app: 'web' } })
  cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, namespace } })
  cluster.override = operator(cluster, before)
  return cluster
}

const respond = async (action: Use<Action>, cluster: FakeCluster, namespace: string, mode: Mode): Promise<Report> => {
  const gateway = createGateway({
    mode,
    rules: [{ name: 'all', steps: [{ action, retries: 1 }] }],
    resources: [kubernetes({ kubeconfig: cluster.kubeconfig })],
  })
  const fields = { 'k8s.ns.name': namespace, 'k8s.pod.name': 'web-1', 'fd.rip': '203.0.113.7' }
  const [report] = await (await gateway.emit(alert({ output_fields: fields }))).done
  await gateway.stop()
  if (!report) throw new Error('no report')
  return report
}

const isWrite = ({ method, query, path }: Seen): boolean =>
  method !== 'GET' && query.dryRun === undefined && !path.includes('leases')

describe.each(USES.map((use) => [use.id, use] as const))('%s', (_id, use) => {
  it('touches nothing in a protected namespace', async () => {
    const cluster = await withPod('kube-system')
    const { outcome, steps } = await respond(use, cluster, 'kube-system', 'enforce')
    expect([outcome, steps[0]?.error?.reason]).toEqual(['refused', 'protected-namespace'])
    expect(cluster.requests.filter(isWrite)).toEqual([])
  })

  it('shows in observe mode what it would do, and changes nothing', async () => {
    const cluster = await withPod('shop')
    const { outcome, steps } = await respond(use, cluster, 'shop', 'observe')
    expect([outcome, steps[0]?.simulated]).toEqual(['succeeded', true])
    expect(steps[0]?.summary).toMatch(/^would /)
    expect(cluster.requests.filter(isWrite)).toEqual([])
  })

  it.each([409, 429, 500])('succeeds when the server says %d once', async (code) => {
    let left = 1
    const cluster = await withPod('shop', (request) =>
      isWrite(request) && left-- > 0
        ? { status: code, body: { kind: 'Status', message: 'not now' }, headers: { 'retry-after': '0' } }
        : undefined,
    )
    const { outcome, steps } = await respond(use, cluster, 'shop', 'enforce')
    expect([outcome, steps[0]?.error]).toEqual(['succeeded', undefined])
    expect(left).toBeLessThanOrEqual(0)
  })

  it('is done with a pod that is gone', async () => {
    const cluster = await withCluster()
    expect(await respond(use, cluster, 'shop', 'enforce')).toMatchObject({ outcome: 'gone' })
    expect(cluster.requests.filter(isWrite)).toEqual([])
  })
})

/** A cluster with all that an action looks for, in whose containers a few commands really run. */
import { type ExecCall, fakeExec, locally, type Play } from '../fake-exec.ts'
import { type FakeCluster, fakeCluster, type KubeObject, type Override, type Seen } from '../fake-cluster.ts'

export const CONTAINER = '0123456789ab'
const FULL_ID = `containerd://${CONTAINER}${'c'.repeat(52)}`

const LABELS = { app: 'web', 'pod-template-hash': 'abc' }
const ownedBy = (kind: string, name: string) => [
  { apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true },
]

const aPod = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    labels: LABELS,
    ownerReferences: ownedBy('ReplicaSet', 'web-abc'),
  },
  spec: { nodeName: 'node-1', serviceAccountName: 'seller', containers: [{ name: 'web' }] },
  status: { containerStatuses: [{ name: 'web', containerID: FULL_ID, state: { running: {} } }] },
})

const workload = (name: string, more: object = {}): KubeObject => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, ...more },
  spec: { replicas: 3, selector: { matchLabels: LABELS }, template: { metadata: { labels: LABELS } } },
  status: { replicas: 3, readyReplicas: 3 },
})

/** Puts everything as it was before anybody acted. */
export const populate = (cluster: FakeCluster): void => {
  cluster.add('Pod', aPod('web-1'))
  cluster.add('Deployment', workload('web'))
  cluster.add('ReplicaSet', workload('web-abc', { ownerReferences: ownedBy('Deployment', 'web') }))
  cluster.add('Node', { metadata: { name: 'node-1', uid: 'uid-node-1' }, spec: {} })
  cluster.add('Namespace', { metadata: { name: 'shop', uid: 'uid-shop' } })
  cluster.add('ConfigMap', { metadata: { name: 'settings', namespace: 'shop', uid: 'uid-settings' } })
  cluster.add('ServiceAccount', { metadata: { name: 'seller', namespace: 'shop', uid: 'uid-seller' } })
}

const isCreated = ({ method, query }: Seen): boolean => method === 'POST' && query.dryRun === undefined

/** What the controllers and the kubelet do: start the pod of a Job, end a capture, write a checkpoint, keep logs. */
const controllers =
  (cluster: FakeCluster): Override =>
  (request) => {
    const { path, body } = request
    if (isCreated(request) && path.endsWith('/jobs')) startPod(cluster, body as KubeObject)
    if (path.endsWith('/log')) return { status: 200, body: 'one\ntwo\n' }
    if (path.includes('/proxy/checkpoint/'))
      return { status: 200, body: { items: ['/var/lib/kubelet/checkpoints/a.tar'] } }
    const [, name] = /\/captures\/([^/]+)$/.exec(path) ?? []
    const capture = name && cluster.get('Capture', 'shop', name)
    const status = { conditions: [{ type: 'complete', status: 'True' }] }
    return capture && request.method === 'GET' ? { status: 200, body: { ...capture, status } } : undefined
  }

const startPod = (cluster: FakeCluster, { metadata, spec }: KubeObject): void => {
  const { containers } = (spec?.template as { spec: { containers: readonly { name: string }[] } }).spec
  cluster.add('Pod', {
    metadata: {
      name: `${metadata.name}-x`,
      namespace: 'default',
      labels: { 'batch.kubernetes.io/job-name': metadata.name },
    },
    status: { containerStatuses: containers.map(({ name }) => ({ name, state: { running: {} } })) },
  })
}

/** A shell really runs, under no `timeout`; any other program is played. */
const inContainer =
  (cwd: string): Play =>
  async (call, answer) => {
    const command = call.command[0] === 'timeout' ? call.command.slice(4) : call.command
    if (command[0] === '/bin/sh') return locally({ cwd })({ ...call, command }, answer)
    await call.stdin
    await answer.stdout('said')
    answer.exit(0)
  }

export interface Kubernetes {
  readonly cluster: FakeCluster
  readonly calls: ExecCall[]
}

/** @param cwd where commands run */
export const aKubernetes = async (cwd: string): Promise<Kubernetes> => {
  const cluster = await fakeCluster()
  cluster.override = controllers(cluster)
  return { cluster, calls: fakeExec(cluster, inContainer(cwd)) }
}

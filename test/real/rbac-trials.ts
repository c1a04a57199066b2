/** How each action is tried with exactly its rights, and without any of them. */
import * as k8s from '@kubernetes/client-node'
import type { RunningKubernetes } from './kubernetes.ts'

export const namespace = 'shop'

/** How an action is tried. */
export interface Trial {
  readonly params: object
  /** Reasons for which it may end although all is allowed: what only a kubelet can do. */
  readonly ends?: readonly string[]
  /** Rights that this version of the API server, or this cluster, does not ask for, and why. */
  readonly spare?: Readonly<Record<string, string>>
  /** Of the event, beside those that name the pod. */
  readonly fields?: Record<string, unknown>
  /** A node of its own for the pods. */
  readonly node?: string
  /** Milliseconds after which it is cut short. */
  readonly patience?: number
  readonly before?: (pod: k8s.V1Pod, world: World) => Promise<void>
  readonly after?: (world: World) => Promise<void>
}

export type World = RunningKubernetes['cluster']

const merge = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch)

const openNodes = async (cluster: World): Promise<void> => {
  const { items } = await cluster.core.listNode()
  for (const { metadata } of items) {
    await cluster.core.patchNode({ name: metadata?.name ?? '', body: { spec: { unschedulable: null } } }, merge)
  }
}

/** A policy and a Service that select the pod, so that it has to be taken out of their labels. */
const letThrough = async ({ metadata }: k8s.V1Pod, cluster: World): Promise<void> => {
  const { name = '', labels = {} } = metadata ?? {}
  const selector = { app: labels['app'] ?? '' }
  const spec = { podSelector: { matchLabels: selector }, policyTypes: ['Ingress'], ingress: [{}] }
  const body = { metadata: { name } }
  await cluster.api(k8s.NetworkingV1Api).createNamespacedNetworkPolicy({ namespace, body: { ...body, spec } })
  const service = { metadata: { name: labels['app'] ?? name }, spec: { selector, ports: [{ port: 80 }] } }
  await cluster.core.createNamespacedService({ namespace, body: service })
}

const WEBSOCKET = 'the server asks for one of get and create, by its version'

/** The trials of each action that needs anything of the cluster. */
export const TRIALS: Readonly<Record<string, readonly Trial[] | string>> = {
  'calico:networkpolicy': [{ params: { allow_cidr: ['10.0.0.0/8'] } }],
  'cilium:networkpolicy': [{ params: { allow_cidr: ['10.0.0.0/8'] } }],
  'kubernetes:annotation': [
    { params: { annotations: { a: 'b' } } },
    { params: { annotations: { a: 'b' }, level: 'node' } },
  ],
  'kubernetes:apply': [
    {
      params: { manifest: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'rbac' }, data: { a: 'b' } } },
      before: async (_pod, { core }) => {
        await core.deleteNamespacedConfigMap({ namespace, name: 'rbac' }).catch(() => {})
      },
    },
  ],
  'kubernetes:cordon': [{ params: {}, after: openNodes }],
  'kubernetes:delete': [
    {
      params: { resources: ['configmaps'] },
      fields: { 'ka.target.resource': 'configmaps', 'ka.target.name': 'doomed', 'ka.target.namespace': namespace },
      before: async (_pod, { core }) => {
        const body = { metadata: { name: 'doomed' } }
        await core.createNamespacedConfigMap({ namespace, body }).catch(() => {})
      },
    },
  ],
  'kubernetes:drain': [
    {
      params: { max_wait_period: 0, min_healthy_replicas: '1%' },
      node: 'drained',
      after: openNodes,
      spare: {
        'get apps/daemonsets': 'pods of a DaemonSet stay, so nobody asks whose they are',
        'get batch/jobs': 'a pod of a Job has ended here by then, and stays',
      },
    },
  ],
  'kubernetes:event': [{ params: { reason: 'Tried' } }],
  'kubernetes:evict': [{ params: { min_healthy_replicas: '1%' } }],
  'kubernetes:exec': [{ params: { command: 'true' }, spare: { 'pods/exec': WEBSOCKET } }],
  'kubernetes:script': [{ params: { script: 'true' }, spare: { 'pods/exec': WEBSOCKET } }],
  'kubernetes:download': [{ params: { file: '/etc/hostname' }, spare: { 'pods/exec': WEBSOCKET } }],
  'kubernetes:isolate': [
    {
      params: {},
      before: letThrough,
      spare: { 'delete networking.k8s.io/networkpolicies': 'it is for the undoing, which is tried below' },
    },
  ],
  'kubernetes:label': [{ params: { labels: { a: 'b' } } }, { params: { labels: { a: 'b' }, level: 'node' } }],
  'kubernetes:log': [{ params: {} }],
  'kubernetes:networkpolicy': [{ params: {} }],
  'kubernetes:patch': [{ params: { patch: { metadata: { labels: { a: 'b' } } } } }],
  'kubernetes:rollout-restart': [{ params: {} }],
  'kubernetes:scale': [{ params: { replicas: 1 } }],
  'kubernetes:terminate': [{ params: { min_healthy_replicas: '1%' } }],
  'kubernetes:uncordon': [{ params: {} }],
  'retina:capture': [
    { params: { duration: '1s', output: { hostPath: 'x' } }, ends: ['interrupted', 'abort_err'], patience: 2_000 },
  ],
  'retina:observe': [{ params: {} }],
  'kubernetes:checkpoint': 'kubernetes-streams: a kubelet answers it, here a fake one',
  'kubernetes:debug': 'kubernetes-streams: a kubelet starts ephemeral containers',
  'kubernetes:sysdig': 'kubernetes-streams: its helper runs a program that is not here',
  'kubernetes:tcpdump': 'kubernetes-streams: a kubelet starts ephemeral containers',
  'kubernetes:terminate-container': 'kubernetes-streams: its helper speaks to a container runtime',
  'kubernetes:revoke-tokens': [
    { params: {} },
    {
      params: { scope: 'serviceaccount', allow_default: true },
      before: async (_pod, { core }) => {
        const annotations = { 'kubernetes.io/service-account.name': 'default' }
        const metadata = { name: 'rbac-token', annotations }
        await core.deleteNamespacedSecret({ namespace, name: 'rbac-token' }).catch(() => {})
        await core.createNamespacedSecret({
          namespace,
          body: { metadata, type: 'kubernetes.io/service-account-token' },
        })
      },
    },
  ],
}

/** Who owns the pod that shows that a right is needed. */
export const KINDS: Readonly<Record<string, Owner>> = {
  statefulsets: 'StatefulSet',
  'statefulsets/scale': 'StatefulSet',
  daemonsets: 'DaemonSet',
  jobs: 'Job',
  'replicasets/scale': 'ReplicaSet',
}

export type Owner = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet' | 'Job'

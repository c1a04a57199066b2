/**
 * A simulated Kubernetes cluster: what tests of rules say there is, and the namespaces, nodes and owners that its pods
 * name. It answers, and never changes.
 */
import { YarakError, z } from '../plugin.ts'
import type { Cluster, Clients } from '../resources/kubernetes.ts'
import { locatedAt } from './cluster-path.ts'

type RawRequest = Parameters<Clients['send']>[0]

const labels = z.record(z.string(), z.coerce.string()).default({}).describe('Labels. Default none.')
const name = z.string().min(1).describe('Its name.')
const namespace = z.string().min(1).default('default').describe('Its namespace. Default `default`.')
const owner = z.strictObject({ kind: z.string().min(1).describe('E.g. ReplicaSet.'), name })
const owners = z.array(owner).default([]).describe('What owns it, its controller first. Default nothing.')

export const clusterSettings = z.strictObject({
  pods: z
    .array(
      z.strictObject({
        name,
        namespace,
        labels,
        owners,
        uid: z.string().min(1).optional().describe('Default: made of namespace and name.'),
        node: z.string().min(1).optional().describe('The node it runs on. Default none.'),
        containers: z.array(z.string().min(1)).default([]).describe('Ids of its containers. Default none.'),
      }),
    )
    .default([])
    .describe('Pods. Default none.'),
  namespaces: z.array(z.strictObject({ name, labels })).default([]).describe('Namespaces. Default none.'),
  nodes: z.array(z.strictObject({ name, labels })).default([]).describe('Nodes. Default none.'),
  workloads: z
    .array(
      z.strictObject({
        kind: z.string().min(1).describe('ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, ...'),
        name,
        namespace,
        labels: labels.describe('Labels that it has, and by which it selects its pods. Default none.'),
        owners,
        replicas: z.int().nonnegative().default(1).describe('How many are wanted. Default 1.'),
        ready: z.int().nonnegative().optional().describe('How many are ready. Default all.'),
      }),
    )
    .default([])
    .describe('What owns pods. Default: what the pods name, all of it ready.'),
})

export type ClusterSettings = z.output<typeof clusterSettings>

interface KubeObject {
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string; readonly namespace?: string }
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

/** What a request names. */
interface Asked {
  readonly name?: string
  readonly namespace?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
  readonly body?: unknown
}

const METHOD =
  /^(read|list|create|patch|replace|delete)(?:Namespaced)?([A-Z][a-z]+(?:[A-Z][a-z]+)*?)(?:ForAllNamespaces)?$/

/**
 * Stands for the connection to a cluster.
 * @example simulatedCluster(clusterSettings.parse({ pods: [{ name: 'web-1', namespace: 'shop' }] }))
 */
export const simulatedCluster = (settings: ClusterSettings): Cluster => {
  const objects = objectsOf(settings)
  const answer = (verb: string, kind: string, asked: Asked): unknown => {
    const all = objects.filter((one) => one.kind === kind)
    if (verb === 'list') return { items: all.filter((one) => isAsked(one, asked)), metadata: {} }
    const found = all.find(({ metadata }) => metadata.name === asked.name && metadata.namespace === asked.namespace)
    if (found) return found
    if (verb === 'create' || !SIMULATED.has(kind)) return asked.body ?? {}
    const place = asked.namespace === undefined ? '' : `${asked.namespace}/`
    throw notThere(kind, `${place}${asked.name ?? ''}`)
  }
  const send = async ({ method, path, body }: RawRequest): Promise<unknown> => {
    const { plural, ...asked } = locatedAt(path)
    if (plural === undefined) return { resources: [...SIMULATED].map(resourceOf) }
    const kind = [...SIMULATED].find((one) => pluralOf(one) === plural)
    if (kind === undefined && method === 'GET') throw notThere(plural, asked.name ?? '')
    const verb = method === 'POST' && asked.name === undefined ? 'create' : asked.name === undefined ? 'list' : 'read'
    return answer(verb, kind ?? plural, { ...asked, body })
  }
  const api = new Proxy(
    {},
    {
      get: (_, method) => {
        const [, verb, kind] = METHOD.exec(String(method)) ?? []
        return verb && kind ? async (asked: Asked = {}) => answer(verb, kind, asked) : undefined
      },
    },
  )
  const generic = Object.fromEntries(
    ['read', 'list', 'create', 'patch', 'replace', 'delete'].map((verb) => [
      verb,
      async (object: KubeObject) => answer(verb, object.kind, { ...object.metadata, body: object }),
    ]),
  )
  const clients = { core: api, apps: api, batch: api, networking: api, policy: api, objects: generic, config: {} }
  return {
    server: 'simulated',
    namespace: 'default',
    nodeHelper: { enabled: false },
    as: () => ({ ...clients, send, patchAs: () => undefined }) as unknown as ReturnType<Cluster['as']>,
    close: () => Promise.resolve(),
  }
}

/** Kinds that are not there unless a test says so; of any other a step may ask and gets back what it sent. */
const SIMULATED: ReadonlySet<string> = new Set(
  'Pod Namespace Node ReplicaSet Deployment StatefulSet DaemonSet Job CronJob ReplicationController'.split(' '),
)

const pluralOf = (kind: string): string => `${kind.toLowerCase()}s`

const resourceOf = (kind: string) => ({
  kind,
  name: pluralOf(kind),
  namespaced: kind !== 'Namespace' && kind !== 'Node',
})

const notThere = (kind: string, name: string): YarakError =>
  new YarakError('gone', `${kind} ${name} is not in the simulated cluster`, { permanent: true, reason: 'not-found' })

const objectsOf = ({ pods, namespaces, nodes, workloads }: ClusterSettings): KubeObject[] => [
  ...pods.map(podObject),
  ...namespaces.map((one) => ({ kind: 'Namespace', metadata: { ...one, uid: `uid-${one.name}` } })),
  ...nodes.map((one) => ({ kind: 'Node', metadata: { ...one, uid: `uid-${one.name}` } })),
  ...workloads.map(workloadObject),
  ...impliedBy({ pods, namespaces, nodes, workloads }),
]

/** What the pods name is there too: their namespaces, nodes and owners, these with the labels of their pods. */
const impliedBy = ({ pods }: ClusterSettings): KubeObject[] =>
  pods.flatMap((pod) => [
    { kind: 'Namespace', metadata: { name: pod.namespace, labels: {} } },
    ...(pod.node === undefined ? [] : [{ kind: 'Node', metadata: { name: pod.node, labels: {} } }]),
    ...pod.owners.map(({ kind, name }) => {
      const replicas = pods.filter(
        ({ namespace, owners }) => namespace === pod.namespace && isOwned(owners, kind, name),
      )
      return workloadObject({ ...pod, kind, name, owners: [], replicas: replicas.length })
    }),
  ])

type Workload = ClusterSettings['workloads'][number]

const isOwned = (owners: ClusterSettings['pods'][number]['owners'], kind: string, name: string): boolean =>
  owners.some((one) => one.kind === kind && one.name === name)

const podObject = (pod: ClusterSettings['pods'][number]): KubeObject => ({
  kind: 'Pod',
  metadata: { ...metadataOf(pod), uid: pod.uid ?? `uid-${pod.namespace}-${pod.name}` },
  spec: { ...(pod.node !== undefined && { nodeName: pod.node }), containers: [] },
  status: { containerStatuses: pod.containers.map((id, i) => ({ name: `c${i}`, containerID: `containerd://${id}` })) },
})

const workloadObject = (workload: Workload): KubeObject => ({
  kind: workload.kind,
  metadata: { ...metadataOf(workload), uid: `uid-${workload.kind}-${workload.name}` },
  spec: { replicas: workload.replicas, selector: { matchLabels: workload.labels } },
  status: { replicas: workload.replicas, readyReplicas: workload.ready ?? workload.replicas },
})

const metadataOf = ({ name, namespace, labels, owners }: Omit<Workload, 'kind' | 'replicas' | 'ready'>) => ({
  name,
  namespace,
  labels,
  ownerReferences: owners.map((one, i) => ({ ...one, uid: `uid-${one.kind}-${one.name}`, controller: i === 0 })),
})

const isAsked = ({ metadata, spec }: KubeObject, { namespace, fieldSelector, labelSelector }: Asked): boolean => {
  const labels = metadata['labels'] as Record<string, string>
  const fields: Record<string, unknown> = { 'spec.nodeName': spec?.['nodeName'], 'metadata.name': metadata.name }
  return (
    (namespace === undefined || metadata.namespace === namespace) &&
    pairsOf(fieldSelector).every(([key, value]) => fields[key] === value) &&
    pairsOf(labelSelector).every(([key, value]) => labels[key] === value)
  )
}

const pairsOf = (selector = ''): [string, string][] =>
  selector.split(',').flatMap((one): [string, string][] => {
    const [key, value] = one.split(/==?/)
    return key && value !== undefined ? [[key, value]] : []
  })

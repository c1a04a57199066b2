/** The Kubernetes cluster: typed clients whose every call is traced, has a deadline and throws errors that say what to do. */
import type {
  AppsV1Api,
  BatchV1Api,
  Configuration,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  NetworkingV1Api,
  RbacAuthorizationV1Api,
} from '@kubernetes/client-node'
import { defineResource, duration, YarakError, z } from '../plugin.ts'
import { loadConfig } from './_kube-config.ts'
import { type ExecOutput, type ExecRequest, tracedExec } from './_kube-exec.ts'
import { type Caller, type ClientNode, keepPool, tracedHttp, tracedStream } from './_kube-http.ts'
import { type RawRequest, toContext } from './_kube-raw.ts'
import { agreementIn } from './_kube-agreement.ts'
import { missingRules } from './_kube-review.ts'
import { undosOf } from './_kube-undos.ts'

export type { Exited, ExecOutput, ExecRequest } from './_kube-exec.ts'
export type { Caller } from './_kube-http.ts'
export { type Live, type Note, noteName, notesOn, RESPONSE } from './_kube-note.ts'
export { apiPath, type RawRequest } from './_kube-raw.ts'

/** The clients of the API groups, bound to one caller. Each is made when it is first asked for. */
export interface Clients {
  readonly core: CoreV1Api
  readonly apps: AppsV1Api
  readonly batch: BatchV1Api
  readonly networking: NetworkingV1Api
  readonly rbac: RbacAuthorizationV1Api
  /** Any kind, also custom resources; asks the server first how the kind is called. */
  readonly objects: KubernetesObjectApi
  /**
   * One request that no generated client makes; the answer as JSON.
   * @example await send({ method: 'GET', path: apiPath('v1', 'namespaces', namespace, 'configmaps', name) })
   */
  send(request: RawRequest): Promise<unknown>
  /** The same, whose answer `read` takes piece by piece; the deadline of a request is then for its first byte. */
  stream<T>(request: RawRequest, read: (chunks: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T>
  /** Runs a command in a container; its output is given to `read` piece by piece, and ends with its exit code. */
  exec<T>(request: ExecRequest, read: (output: ExecOutput) => Promise<T>): Promise<T>
  /** For what needs its own connection: watch. */
  readonly config: KubeConfig
  /** Options of a patch call: how its body is meant. The generated clients would say JSON Patch. */
  patchAs(kind: keyof ClientNode['PatchStrategy']): ReturnType<ClientNode['setHeaderOptions']>
}

/** A connection to one cluster. */
export interface Cluster {
  /** Address of the API server. */
  readonly server: string
  /** Where we are: of the pod we run in, else of the kubeconfig's context, else `default`. */
  readonly namespace: string
  /** Where changes to undo are looked for; undefined: everywhere. */
  readonly namespaces?: readonly string[] | undefined
  /** Whether and how pods of ours may do on a node what no API does. */
  readonly nodeHelper: { readonly enabled: boolean; readonly image?: string | undefined }
  /**
   * Clients for one step or resolver.
   * @example const { core } = (await step.use(kubernetes)).as(step)
   */
  as(caller: Caller): Clients
  close(): Promise<void>
}

const nodeHelper = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('Lets actions start pods that mount the socket of the container runtime. Default false.'),
    image: z
      .string()
      .min(1)
      .optional()
      .describe('Has `crictl` and `sleep`; name a digest. No default: needed when it is enabled.'),
  })
  .refine(({ enabled, image }) => !enabled || image !== undefined, 'nodeHelper.image is needed when it is enabled')

const config = z.strictObject({
  kubeconfig: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Path of a kubeconfig file. Default: the service account of the pod, else KUBECONFIG, else ~/.kube/config.',
    ),
  context: z.string().min(1).optional().describe('Context of the kubeconfig. Default: its current context.'),
  timeout: duration().prefault('10s').describe('Deadline of one request to the API server. Default 10s.'),
  namespaces: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Where changes to be undone are looked for, for an account with a Role only. Default: everywhere.'),
  nodeHelper: nodeHelper.prefault({}).describe('Helper pods on nodes, for what no API does.'),
})

/** The Kubernetes cluster that actions look into and act on. */
export const kubernetes = defineResource({
  type: 'kubernetes',
  summary: 'The Kubernetes cluster that actions look into and act on.',
  config,
  notes: [
    'A server at a plain `http://` address is used only when its cluster entry has `insecure-skip-tls-verify: true`.',
    'A token file and client certificates are read again when they change.',
  ].join('\n'),
  async open({ kubeconfig, context, timeout, namespaces, nodeHelper }, io): Promise<Cluster> {
    const client = await loadClient()
    const loaded = loadConfig(() => new client.KubeConfig(), { kubeconfig, context, env: io.env })
    const close = keepPool(loaded)
    return {
      server: loaded.getCurrentCluster()?.server ?? '',
      namespace: loaded.getContextObject(loaded.getCurrentContext())?.namespace ?? 'default',
      namespaces,
      nodeHelper,
      as: (caller) => clientsFor(client, loaded, timeout, caller),
      close,
    }
  },
  close: (cluster) => cluster.close(),
  check: (cluster, { call }, signal) => askReady(cluster.as({ call, signal })),
  missing: (cluster, rules, { call }) => missingRules(cluster.as({ call }).send, rules, cluster),
  undos: (cluster, io) => undosOf(cluster, io),
  agreement: (cluster, io) => agreementIn(cluster, io),
  sharing: [
    {
      ...{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespace: 'own' },
      verbs: ['create', 'delete', 'get', 'list', 'update'],
    },
  ],
})

/**
 * Asks whether the API server can do its work, its storage included. One that knows us and forbids the question has
 * answered: what the account may do is not asked here.
 * @see https://kubernetes.io/docs/reference/using-api/health-checks/
 */
const askReady = async ({ stream }: Clients): Promise<void> => {
  try {
    await stream({ method: 'GET', path: '/readyz' }, drain)
  } catch (error) {
    const { reason } = error as YarakError
    if (reason === 'forbidden') return
    if (reason === 'unauthorized') throw answers('does not accept our credentials', error)
    throw /^5\d\d$/.test(reason) ? answers(`is not ready (status ${reason})`, error) : error
  }
}

const answers = (but: string, cause: unknown): YarakError =>
  new YarakError('unavailable', `the API server answers, but ${but}`, { cause })

/** Read, for the connection to be free again. */
const drain = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
  for await (const _ of chunks);
}

const loadClient = async (): Promise<ClientNode> => {
  try {
    return await import('@kubernetes/client-node')
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new YarakError('missing_package', 'the Kubernetes actions need it: npm install @kubernetes/client-node', {
      cause,
      permanent: true,
    })
  }
}

const clientsFor = (client: ClientNode, config: KubeConfig, timeout: number, caller: Caller): Clients => {
  const options = { client, config, caller, timeout }
  const configuration = client.createConfiguration({
    baseServer: new client.ServerConfiguration((config.getCurrentCluster()?.server ?? '').replace(/\/+$/, ''), {}),
    httpApi: tracedHttp(options),
  })
  const made = new Map<unknown, unknown>()
  const of = <T>(Api: new (configuration: Configuration) => T): T => {
    if (!made.has(Api)) made.set(Api, new Api(configuration))
    return made.get(Api) as T
  }
  return {
    get core() {
      return of(client.CoreV1Api)
    },
    get apps() {
      return of(client.AppsV1Api)
    },
    get batch() {
      return of(client.BatchV1Api)
    },
    get networking() {
      return of(client.NetworkingV1Api)
    },
    get rbac() {
      return of(client.RbacAuthorizationV1Api)
    },
    get objects() {
      return of<KubernetesObjectApi>(client.KubernetesObjectApi)
    },
    async send(request) {
      const { body } = await configuration.httpApi.send(toContext(configuration, request)).toPromise()
      return JSON.parse(await body.text()) as unknown
    },
    exec: (request, read) => tracedExec(options, request, read),
    stream: (request, read) => tracedStream(options, toContext(configuration, request), read),
    config,
    patchAs: (kind) => client.setHeaderOptions('Content-Type', client.PatchStrategy[kind]),
  }
}

/** A running cluster as tests use it: objects that come up with one call, and access as somebody else. */
import * as k8s from '@kubernetes/client-node'
import { join } from 'node:path'
import type { PolicyRule } from '../../../src/plugin.ts'
import { until } from '../part.ts'
import { writeKubeconfig } from './pki.ts'

export interface Endpoint {
  readonly server: string
  readonly ca: string
  /** Kubeconfig of the cluster's administrator. */
  readonly kubeconfig: string
  /** Where further kubeconfig files are written. */
  readonly dir: string
}

export interface PodOptions {
  readonly namespace?: string
  readonly labels?: Record<string, string>
  readonly annotations?: Record<string, string>
  /** Replaces parts of the pod's spec, which by default has one container `main`. */
  readonly spec?: Partial<k8s.V1PodSpec>
}

export interface DeploymentOptions extends PodOptions {
  readonly replicas?: number
}

const isCode = (error: unknown, code: number): boolean => error instanceof k8s.ApiException && error.code === code

/** Undefined where there is no such object, so that `until` asks again. */
const found = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  try {
    return await answer
  } catch (error) {
    if (isCode(error, 404)) return undefined
    throw error
  }
}

const podSpec = (spec: Partial<k8s.V1PodSpec> = {}): k8s.V1PodSpec => ({
  containers: [{ name: 'main', image: 'registry.invalid/main:1' }],
  terminationGracePeriodSeconds: 0,
  ...spec,
})

const isReady = (conditions: readonly { type: string; status: string }[] = []): boolean =>
  conditions.some(({ type, status }) => type === 'Ready' && status === 'True')

export class Cluster {
  readonly config = new k8s.KubeConfig()
  readonly core: k8s.CoreV1Api
  readonly apps: k8s.AppsV1Api
  readonly #endpoint: Endpoint

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
    this.config.loadFromFile(endpoint.kubeconfig)
    this.core = this.api(k8s.CoreV1Api)
    this.apps = this.api(k8s.AppsV1Api)
  }

  /** A client of one API group, as the administrator. */
  api<T extends k8s.ApiType>(group: new (config: k8s.Configuration) => T): T {
    return this.config.makeApiClient(group)
  }

  /** A node that kwok plays; returns once it is ready and open for pods. */
  async node(name: string, labels: Record<string, string> = {}): Promise<k8s.V1Node> {
    const body: k8s.V1Node = {
      metadata: {
        name,
        annotations: { 'kwok.x-k8s.io/node': 'fake' },
        labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...labels },
      },
    }
    await this.core.createNode({ body })
    return until(`node ${name}`, async () => {
      const node = await this.core.readNode({ name })
      return isReady(node.status?.conditions) && !node.spec?.taints?.length ? node : undefined
    })
  }

  /** A namespace in which pods can be made: its ServiceAccount is there. */
  async namespace(name: string, labels: Record<string, string> = {}): Promise<void> {
    await this.core.createNamespace({ body: { metadata: { name, labels } } })
    await this.accountReady(name, 'default')
  }

  accountReady(namespace: string, name: string): Promise<k8s.V1ServiceAccount> {
    return until(`ServiceAccount ${namespace}/${name}`, () =>
      found(this.core.readNamespacedServiceAccount({ namespace, name })),
    )
  }

  /** A pod of its own; returns once it runs. */
  async pod(name: string, options: PodOptions = {}): Promise<k8s.V1Pod> {
    const { namespace = 'default', labels = {}, annotations = {}, spec } = options
    const body = { metadata: { name, labels, annotations }, spec: podSpec(spec) }
    await this.core.createNamespacedPod({ namespace, body })
    return this.running(name, namespace)
  }

  running(name: string, namespace = 'default'): Promise<k8s.V1Pod> {
    return until(`pod ${namespace}/${name}`, async () => {
      const pod = await this.core.readNamespacedPod({ namespace, name })
      return pod.status?.phase === 'Running' && isReady(pod.status.conditions) ? pod : undefined
    })
  }

  /** A Deployment; returns its pods once all of them run. */
  async deployment(name: string, options: DeploymentOptions = {}): Promise<k8s.V1Pod[]> {
    const { namespace = 'default', labels = {}, annotations = {}, spec, replicas = 1 } = options
    const selector = { app: name }
    const template = { metadata: { labels: { ...labels, ...selector }, annotations }, spec: podSpec(spec) }
    const body = { metadata: { name, labels }, spec: { replicas, selector: { matchLabels: selector }, template } }
    await this.apps.createNamespacedDeployment({ namespace, body })
    return until(`Deployment ${namespace}/${name}`, async () => {
      const { status } = await this.apps.readNamespacedDeployment({ namespace, name })
      if (status?.readyReplicas !== replicas) return undefined
      return (await this.core.listNamespacedPod({ namespace, labelSelector: `app=${name}` })).items
    })
  }

  /** A ServiceAccount that may do what `rules` say in its namespace, or nothing. */
  async account(namespace: string, name: string, rules: readonly k8s.V1PolicyRule[] = []): Promise<void> {
    const rbac = this.api(k8s.RbacAuthorizationV1Api)
    const metadata = { name }
    await this.core.createNamespacedServiceAccount({ namespace, body: { metadata } })
    if (rules.length === 0) return
    await rbac.createNamespacedRole({ namespace, body: { metadata, rules: [...rules] } })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name }
    const subjects = [{ kind: 'ServiceAccount', name, namespace }]
    await rbac.createNamespacedRoleBinding({ namespace, body: { metadata, roleRef, subjects } })
  }

  /** A ServiceAccount that may do, in all the cluster, what the rules say; returns once it may. */
  async clusterAccount(namespace: string, name: string, rules: readonly PolicyRule[]): Promise<void> {
    await this.account(namespace, name)
    const rbac = this.api(k8s.RbacAuthorizationV1Api)
    const own = rules.map(({ namespace: _, warning: __, ...rule }) => structuredClone(rule) as k8s.V1PolicyRule)
    await rbac.createClusterRole({ body: { metadata: { name }, rules: own } })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }
    const subjects = [{ kind: 'ServiceAccount', name, namespace }]
    await rbac.createClusterRoleBinding({ body: { metadata: { name }, roleRef, subjects } })
    const last = rules.at(-1)
    if (last) await this.#allowed(`system:serviceaccount:${namespace}:${name}`, namespace, last)
  }

  /** The authorizer learns of a role a moment after it is made. */
  async #allowed(
    user: string,
    namespace: string,
    { apiGroups, resources, verbs, resourceNames }: PolicyRule,
  ): Promise<void> {
    const [resource = '', subresource] = (resources[0] ?? '').split('/')
    const resourceAttributes = {
      ...{ namespace, group: apiGroups[0] ?? '', resource, verb: verbs[0] ?? '' },
      ...(subresource && { subresource }),
      ...(resourceNames?.[0] && { name: resourceNames[0] }),
    }
    const body = { spec: { user, resourceAttributes } }
    await until(`the role of ${user}`, async () => {
      const { status } = await this.api(k8s.AuthorizationV1Api).createSubjectAccessReview({ body })
      return status?.allowed || undefined
    })
  }

  /** A token of a ServiceAccount, good for an hour. */
  async token(namespace: string, name: string): Promise<string> {
    const body: k8s.AuthenticationV1TokenRequest = { spec: { audiences: [], expirationSeconds: 3600 } }
    const answer = await this.core.createNamespacedServiceAccountToken({ namespace, name, body })
    if (!answer.status?.token) throw new Error(`no token for ${namespace}/${name}`)
    return answer.status.token
  }

  /** Path of a kubeconfig with which a ServiceAccount's token is used. */
  async kubeconfigFor(namespace: string, name: string): Promise<string> {
    const { server, ca, dir } = this.#endpoint
    const credentials = { token: await this.token(namespace, name) }
    return writeKubeconfig(join(dir, `${namespace}-${name}.kubeconfig`), {
      server,
      ca,
      user: name,
      credentials,
      namespace,
    })
  }

  /**
   * Applies CustomResourceDefinitions and returns once they are served. They are sent as they are: the typed client
   * knows `default`, `enum` and `x-kubernetes-*` of a schema under other names, and would leave them out.
   */
  async define(definitions: readonly k8s.V1CustomResourceDefinition[]): Promise<void> {
    const extensions = this.api(k8s.ApiextensionsV1Api)
    const objects = this.api(k8s.CustomObjectsApi)
    const kind = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' }
    await Promise.all(definitions.map((body) => objects.createClusterCustomObject({ ...kind, body })))
    const wanted = definitions.map(({ metadata }) => metadata?.name)
    await until('CustomResourceDefinitions', async () => {
      const { items } = await extensions.listCustomResourceDefinition()
      const served = new Set(items.filter(isEstablished).map(({ metadata }) => metadata?.name))
      return wanted.every((name) => served.has(name)) || undefined
    })
    await Promise.all(definitions.map((definition) => this.#awaken(definition)))
  }

  /** The API server begins to store objects of a new kind when they are first asked for, and says 429 until it can. */
  async #awaken({ spec }: k8s.V1CustomResourceDefinition): Promise<void> {
    const kind = { group: spec.group, version: spec.versions[0]?.name ?? '', plural: spec.names.plural }
    const list = () => this.api(k8s.CustomObjectsApi).listClusterCustomObject({ ...kind, limit: 1 })
    await until(`${kind.plural}.${kind.group}`, list, 30_000, 50)
  }
}

const isEstablished = ({ status }: k8s.V1CustomResourceDefinition): boolean =>
  (status?.conditions ?? []).some((condition) => condition.type === 'Established' && condition.status === 'True')

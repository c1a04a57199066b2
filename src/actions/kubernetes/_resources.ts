/** The resources that `kubernetes:delete` knows. The typed clients keep a name as it is; the generic one lowers its case. */
import type { KubernetesObject, V1DeleteOptions } from '@kubernetes/client-node'
import type { Clients } from '../../resources/kubernetes.ts'

/** Where an object is; the namespace is empty for a resource of the cluster. */
export interface Place {
  readonly namespace: string
  readonly name: string
}

export interface Kind {
  readonly kind: string
  /** API group; '' is the core group. */
  readonly group: string
  readonly clusterWide?: true
  read(clients: Clients, at: Place): Promise<KubernetesObject>
  remove(clients: Clients, at: Place & { readonly body: V1DeleteOptions }): Promise<unknown>
}

export const RESOURCES = {
  pods: {
    ...{ kind: 'Pod', group: '' },
    read: ({ core }, at) => core.readNamespacedPod(at),
    remove: ({ core }, at) => core.deleteNamespacedPod(at),
  },
  namespaces: {
    ...{ kind: 'Namespace', group: '', clusterWide: true },
    read: ({ core }, { name }) => core.readNamespace({ name }),
    remove: ({ core }, { name, body }) => core.deleteNamespace({ name, body }),
  },
  configmaps: {
    ...{ kind: 'ConfigMap', group: '' },
    read: ({ core }, at) => core.readNamespacedConfigMap(at),
    remove: ({ core }, at) => core.deleteNamespacedConfigMap(at),
  },
  secrets: {
    ...{ kind: 'Secret', group: '' },
    read: ({ core }, at) => core.readNamespacedSecret(at),
    remove: ({ core }, at) => core.deleteNamespacedSecret(at),
  },
  services: {
    ...{ kind: 'Service', group: '' },
    read: ({ core }, at) => core.readNamespacedService(at),
    remove: ({ core }, at) => core.deleteNamespacedService(at),
  },
  serviceaccounts: {
    ...{ kind: 'ServiceAccount', group: '' },
    read: ({ core }, at) => core.readNamespacedServiceAccount(at),
    remove: ({ core }, at) => core.deleteNamespacedServiceAccount(at),
  },
  deployments: {
    ...{ kind: 'Deployment', group: 'apps' },
    read: ({ apps }, at) => apps.readNamespacedDeployment(at),
    remove: ({ apps }, at) => apps.deleteNamespacedDeployment(at),
  },
  daemonsets: {
    ...{ kind: 'DaemonSet', group: 'apps' },
    read: ({ apps }, at) => apps.readNamespacedDaemonSet(at),
    remove: ({ apps }, at) => apps.deleteNamespacedDaemonSet(at),
  },
  statefulsets: {
    ...{ kind: 'StatefulSet', group: 'apps' },
    read: ({ apps }, at) => apps.readNamespacedStatefulSet(at),
    remove: ({ apps }, at) => apps.deleteNamespacedStatefulSet(at),
  },
  replicasets: {
    ...{ kind: 'ReplicaSet', group: 'apps' },
    read: ({ apps }, at) => apps.readNamespacedReplicaSet(at),
    remove: ({ apps }, at) => apps.deleteNamespacedReplicaSet(at),
  },
  roles: {
    ...{ kind: 'Role', group: 'rbac.authorization.k8s.io' },
    read: ({ rbac }, at) => rbac.readNamespacedRole(at),
    remove: ({ rbac }, at) => rbac.deleteNamespacedRole(at),
  },
  rolebindings: {
    ...{ kind: 'RoleBinding', group: 'rbac.authorization.k8s.io' },
    read: ({ rbac }, at) => rbac.readNamespacedRoleBinding(at),
    remove: ({ rbac }, at) => rbac.deleteNamespacedRoleBinding(at),
  },
  clusterroles: {
    ...{ kind: 'ClusterRole', group: 'rbac.authorization.k8s.io', clusterWide: true },
    read: ({ rbac }, { name }) => rbac.readClusterRole({ name }),
    remove: ({ rbac }, { name, body }) => rbac.deleteClusterRole({ name, body }),
  },
  clusterrolebindings: {
    ...{ kind: 'ClusterRoleBinding', group: 'rbac.authorization.k8s.io', clusterWide: true },
    read: ({ rbac }, { name }) => rbac.readClusterRoleBinding({ name }),
    remove: ({ rbac }, { name, body }) => rbac.deleteClusterRoleBinding({ name, body }),
  },
  jobs: {
    ...{ kind: 'Job', group: 'batch' },
    read: ({ batch }, at) => batch.readNamespacedJob(at),
    remove: ({ batch }, at) => batch.deleteNamespacedJob(at),
  },
  cronjobs: {
    ...{ kind: 'CronJob', group: 'batch' },
    read: ({ batch }, at) => batch.readNamespacedCronJob(at),
    remove: ({ batch }, at) => batch.deleteNamespacedCronJob(at),
  },
} as const satisfies Readonly<Record<string, Kind>>

export type ResourceName = keyof typeof RESOURCES

export const RESOURCE_NAMES = Object.keys(RESOURCES) as [ResourceName, ...ResourceName[]]

export const isResourceName = (name: string): name is ResourceName => Object.hasOwn(RESOURCES, name)

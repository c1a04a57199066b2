/** What the charts of Falcosidekick and of Falco Talon have in common. */
import type { Document } from '../document.ts'
import { isBlank, isMap, plain, type Row, valueAt } from './move.ts'

/** A value that is called the same. */
export const same = (...keys: readonly string[]): Row[] => keys.map((key) => ({ key, to: key }))

/** Numbers and switches that are called the same. */
export const samePlain = (...keys: readonly string[]): Row[] => same(...keys).map((row) => ({ ...row, as: plain }))

/** Values without a counterpart, and why. */
export const none = (tell: string, ...keys: readonly string[]): Row[] => keys.map((key) => ({ key, tell }))

/** Values that are read by themselves, or of which there is nothing to say. */
export const silent = (...keys: readonly string[]): Row[] => keys.map((key) => ({ key }))

export const EDGE = 'what Yarak has there is set by its own chart'

const hostsOf = (value: unknown): unknown =>
  Array.isArray(value) ? value.flatMap((one) => (isMap(one) && one['host'] ? [one['host']] : [])) : undefined

/** The path under which all is reached. */
const pathOf = (value: unknown): unknown => {
  const first = (Array.isArray(value) ? value : []).flatMap((one) =>
    isMap(one) ? (one['paths'] ?? []) : [],
  )[0] as unknown
  const path = isMap(first) ? first['path'] : first
  return path === '/' ? undefined : path
}

/** The names of secrets, as a pod wants them. */
const pullSecrets = (value: unknown): unknown =>
  Array.isArray(value) ? value.map((name) => (isMap(name) ? name : { name: String(name) })) : undefined

/**
 * The rows of both. `hosts` of an Ingress are read twice: the names, and the path.
 * @param registry where that chart has its image
 */
export const sharedRows = (registry: string): Row[] => [
  // what `helm get values` prints above them, unless it is asked for YAML
  ...silent('replicaCount', 'USER-SUPPLIED VALUES', 'COMPUTED VALUES'),
  ...none('left out: the image is that of Yarak', 'image.repository', 'image.tag'),
  {
    key: 'image.registry',
    to: 'image.registry',
    usual: registry,
    tell: "taken over: Yarak's image must be there too",
  },
  { key: 'image.pullPolicy', to: 'image.pullPolicy' },
  { key: 'imagePullSecrets', to: 'imagePullSecrets', as: pullSecrets },
  {
    key: 'podSecurityContext',
    usual: { runAsUser: 1234, fsGroup: 1234 },
    tell: "left out: Yarak's chart runs as the user 65532, with a read-only root and no capabilities",
  },
  ...none('left out: Kubernetes has no pod security policies any more', 'podSecurityPolicy'),
  ...same('nameOverride', 'fullnameOverride', 'priorityClassName', 'podAnnotations', 'podLabels'),
  ...same('resources', 'nodeSelector', 'tolerations', 'affinity', 'service.type', 'service.annotations'),
  ...samePlain('ingress.enabled', 'serviceMonitor.enabled'),
  ...same('ingress.annotations', 'ingress.tls', 'serviceMonitor.interval'),
  { key: 'ingress.ingressClassName', to: 'ingress.className' },
  {
    key: 'ingress.hosts',
    to: 'ingress',
    as: (value) => ({ hosts: hostsOf(value), ...(pathOf(value) !== undefined && { path: pathOf(value) }) }),
  },
  { key: 'serviceMonitor.additionalLabels', to: 'serviceMonitor.labels' },
  { key: 'grafana.dashboards.enabled', to: 'dashboard.enabled', as: plain },
]

/** The dashboard's folder, below a name that is the chart's own. */
export const dashboardRows = (name: string, usual: string): Row[] => {
  const key = `grafana.dashboards.configMaps.${name}`
  return [
    { key: `${key}.name`, usual, tell: EDGE },
    { key: `${key}.namespace`, tell: EDGE },
    { key: `${key}.folder`, to: 'dashboard.annotations.grafana_dashboard_folder' },
    { key: `${key}.folderAnnotation`, usual: 'grafana_dashboard_folder', tell: EDGE },
  ]
}

/** How many pods it has: two, unless it says otherwise. */
export const replicasOf = ({ value }: Document): unknown => {
  const replicas = valueAt(value, ['replicaCount'])
  return isBlank(replicas) ? 2 : plain(replicas)
}

/** An Ingress that is off leaves nothing behind, and so for all that has an `enabled`. */
export const withoutOff = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).filter(([key, value]) => !SWITCHED.has(key) || (isMap(value) && value['enabled'] === true)),
  )

const SWITCHED: ReadonlySet<string> = new Set(['ingress', 'httpRoute', 'serviceMonitor', 'prometheusRule', 'dashboard'])

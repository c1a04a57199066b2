/**
 * Every value of Falco Talon's chart, but for those of `config` that are Talon's own keys in another spelling.
 *
 * Source: `values.yaml` and `templates` of `charts/falco-talon` 0.4.1 in falcosecurity/charts at 548458c (July 2026).
 */
import type { Row } from '../values/move.ts'
import { dashboardRows, none, sharedRows, silent } from '../values/shared.ts'

const RIGHTS =
  'left out: the rights are those that the rules in use need, which the chart finds out; `rbac.extraRules` adds to them'

export const ROWS: readonly Row[] = [
  ...sharedRows('falco.docker.scarf.sh'),
  ...silent('config', 'extraEnv', 'service.port', 'enabled'),
  { key: 'rbac.serviceAccount.name', to: 'serviceAccount.name' },
  ...silent('rbac.serviceAccount.create'),
  ...none(
    RIGHTS,
    ...(
      'namespaces pods podsEphemeralcontainers nodes podsLog podsExec podsEviction events daemonsets deployments ' +
      'replicasets statefulsets networkpolicies caliconetworkpolicies ciliumnetworkpolicies roles clusterroles configmaps ' +
      'secrets leases'
    )
      .split(' ')
      .map((key) => `rbac.${key}`),
  ),
  { key: 'serviceMonitor.port', usual: 'http', tell: 'left out: the chart knows its port' },
  { key: 'serviceMonitor.path', usual: '/metrics', tell: 'left out: the path is /metrics' },
  { key: 'serviceMonitor.scheme', usual: 'http', tell: 'left out: the chart knows how it is served' },
  { key: 'serviceMonitor.scrapeTimeout', usual: '10s', tell: 'left out: Prometheus has its own default' },
  ...none(
    'left out: of a ServiceMonitor there are `interval` and `labels`',
    ...['relabelings', 'targetLabels', 'tlsConfig'].map((key) => `serviceMonitor.${key}`),
  ),
  ...dashboardRows('talon', 'falco-talon-grafana-dashboard'),
]

/** Keys of `config` that the chart makes something else of. */
export const CONFIG_ROWS: readonly Row[] = silent('rulesOverride', 'otel', 'deduplication.leaderElection')

/** What the chart sets by itself, where Talon does the same by itself and there is nothing to say of it. */
export const USUAL: Readonly<Record<string, unknown>> = { 'deduplication.timeWindowSeconds': 5 }

/** What the chart calls otherwise than Talon does. */
export const CALLED: Readonly<Record<string, string>> = {
  'notifiers.loki.hostPort': 'url',
  'aws.accesKey': 'access_key',
}

/** The actions that its rules file begins with; a rule of `rulesOverride` may name them. */
export const ACTIONS = `
- action: Terminate Pod
  actionner: kubernetes:terminate
- action: Label Pod as Suspicious
  actionner: kubernetes:label
  parameters: { labels: { analysis/status: suspicious } }
`

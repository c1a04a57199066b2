/**
 * Every value of Falcosidekick's chart, but for those of `config` that are Falcosidekick's own keys.
 *
 * Source: `values.yaml` and `templates` of `charts/falcosidekick` 0.14.0 in falcosecurity/charts at 548458c (July 2026).
 */
import { isMap, plain, type Row } from '../values/move.ts'
import { dashboardRows, EDGE, none, sharedRows, silent } from '../values/shared.ts'

const FALCO = "for Falco's chart: see the first lines"

const UI =
  "left out: Yarak's chart brings no web page. To keep that of Falcosidekick, install it by itself, and name it as " +
  '`config.outputs.webui.url`'

const isOn = (value: unknown): boolean => plain(value) === true

const listOrNone = (value: unknown): unknown => (Array.isArray(value) ? value : undefined)

const firstPath = (value: unknown): unknown => {
  const [first] = (listOrNone(value) as unknown[] | undefined) ?? []
  const path = isMap(first) && isMap(first['path']) ? first['path']['value'] : undefined
  return path === '/' ? undefined : path
}

export const ROWS: readonly Row[] = [
  ...sharedRows('docker.io'),
  ...silent('config'),
  ...none(FALCO, 'enabled', 'fullfqdn', 'listenPort'),
  ...none(
    'left out: it is set by no value of the chart of Yarak',
    'revisionHistoryLimit',
    'customLabels',
    'customAnnotations',
  ),
  ...none("left out: Yarak's chart has its own, which is as strict as can be", 'securityContext'),
  { key: 'service.port', to: 'service.port', as: plain, usual: 2801 },
  ...none('left out: Prometheus has its own default', 'serviceMonitor.scrapeTimeout'),
  ...none('left out: of a ServiceMonitor there are `interval` and `labels`', 'serviceMonitor.additionalProperties'),
  {
    key: 'prometheusRules.enabled',
    to: 'prometheusRule.enabled',
    as: plain,
    when: isOn,
    tell: 'the alerts are those of Yarak, alerts/yarak.yaml',
  },
  ...none('left out: the thresholds are those of the alerts of Yarak', 'prometheusRules.alerts'),
  ...dashboardRows('falcosidekick', 'falcosidekick-grafana-dashboard'),
  { key: 'httproute.enabled', to: 'httpRoute.enabled', as: plain },
  { key: 'httproute.annotations', to: 'httpRoute.annotations' },
  { key: 'httproute.parentRefs', to: 'httpRoute.parentRefs' },
  { key: 'httproute.hostnames', to: 'httpRoute.hostnames' },
  { key: 'httproute.matches', to: 'httpRoute.path', as: firstPath },
  ...none(
    'left out: of an HTTPRoute there are `parentRefs`, `hostnames`, `path` and `annotations`',
    ...['apiVersion', 'kind', 'labels', 'filters', 'additionalRules', 'httpsRedirect'].map((key) => `httproute.${key}`),
  ),
  { key: 'extraVolumes', to: 'volumes', as: listOrNone },
  { key: 'extraVolumeMounts', to: 'volumeMounts', as: listOrNone },
  ...none(EDGE, 'testConnection'),
  { key: 'webui', tell: UI, when: (value) => isMap(value) && isOn(value['enabled']) },
]

/** Keys of `config` that are the chart's own, and what is said of them. */
export const CONFIG_ROWS: readonly Row[] = [
  ...silent('existingSecret', 'extraEnv', 'aws.useirsa', 'tlsserver'),
  ...none('left out: `config` says all that there is to say', 'extraArgs'),
  ...none("left out: Yarak's chart has one dashboard, for Prometheus", 'loki.grafanaDashboard'),
  ...none(
    'left out: pod identities have ended in Azure; use workload identity',
    ...['subscriptionID', 'resourceGroupName', 'podIdentityClientID', 'podIdentityName'].map((key) => `azure.${key}`),
  ),
  {
    key: 'azure.workloadIdentityClientID',
    to: String.raw`serviceAccount.annotations.azure\.workload\.identity/client-id`,
  },
  {
    key: 'gcp.workloadIdentityServiceAccount',
    to: String.raw`serviceAccount.annotations.iam\.gke\.io/gcp-service-account`,
  },
]

/** What its chart calls otherwise than Falcosidekick does. */
export const CALLED: Readonly<Record<string, string>> = {
  'alertmanager.expireafter': 'expiresafter',
  'cloudevents.extension': 'extensions',
}

/** What its chart sets by itself, where that is not what Falcosidekick does by itself. */
export const USUAL: Readonly<Record<string, string>> = {
  'alertmanager.endpoint': '/api/v1/alerts',
  'cliq.useemoji': 'true',
  'elasticsearch.batching.enabled': 'true',
  'otlp.metrics.protocol': 'grpc',
  'otlp.metrics.timeout': '1000',
  'otlp.traces.timeout': '1000',
  'quickwit.apiendpoint': '/api/v1',
  'syslog.protocol': 'tcp',
  'timescaledb.hypertablename': 'falco_events',
}

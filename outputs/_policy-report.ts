/** Policy reports of Kubernetes (`wgpolicyk8s.io/v1alpha2`): results of notices, and the reports that keep them. Pure. */
import { message, type MessageField, type Notice, type Outcome, type Priority, severity } from '../src/plugin.ts'
import { clip } from './_text.ts'

export const REPORT_API = 'wgpolicyk8s.io/v1alpha2'

type Verdict = 'pass' | 'fail' | 'warn' | 'error' | 'skip'
type Severity = 'critical' | 'high' | 'medium' | 'low' | 'info'

export interface PolicyResult {
  readonly source: string
  readonly policy: string
  readonly rule: string
  readonly category: string
  readonly message: string
  readonly result: Verdict
  readonly severity: Severity
  readonly timestamp: { readonly seconds: number; readonly nanos: number }
  readonly properties: Readonly<Record<string, string>>
  readonly resources?: readonly Readonly<Record<string, string>>[]
}

/** What of a report is looked at; all else in it is kept as it is. */
export interface PolicyReport {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly results?: readonly PolicyResult[]
  readonly summary?: Readonly<Record<Verdict, number>>
}

const MAX_MESSAGE = 2_048
const MAX_PROPERTY = 512
const MAX_PROPERTIES = 64

/** A request of etcd is at most 1.5 MiB, and an object has its managed fields beside what we write. */
export const MAX_BYTES = 1_000_000

const VERDICTS: Readonly<Record<Outcome, Verdict>> = {
  succeeded: 'pass',
  gone: 'pass',
  skipped: 'skip',
  refused: 'warn',
  failed: 'error',
  timed_out: 'error',
  unknown: 'error',
  interrupted: 'error',
}

const SEVERITIES: Readonly<Record<Priority, Severity>> = {
  Emergency: 'critical',
  Alert: 'critical',
  Critical: 'critical',
  Error: 'high',
  Warning: 'medium',
  Notice: 'low',
  Informational: 'info',
  Debug: 'info',
}

const verdictOf = (priority: Priority): Verdict => {
  const above = severity(priority) - severity('Warning')
  return above < 0 ? 'skip' : above === 0 ? 'warn' : 'fail'
}

/** The resources of the audit rules of Falco, by plural. */
const KINDS: ReadonlyMap<string, readonly [apiVersion: string, kind: string]> = new Map([
  ['pods', ['v1', 'Pod']],
  ['services', ['v1', 'Service']],
  ['secrets', ['v1', 'Secret']],
  ['configmaps', ['v1', 'ConfigMap']],
  ['namespaces', ['v1', 'Namespace']],
  ['serviceaccounts', ['v1', 'ServiceAccount']],
  ['daemonsets', ['apps/v1', 'DaemonSet']],
  ['deployments', ['apps/v1', 'Deployment']],
  ['statefulsets', ['apps/v1', 'StatefulSet']],
  ['cronjobs', ['batch/v1', 'CronJob']],
  ['jobs', ['batch/v1', 'Job']],
  ['clusterroles', ['rbac.authorization.k8s.io/v1', 'ClusterRole']],
  ['clusterrolebindings', ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding']],
  ['roles', ['rbac.authorization.k8s.io/v1', 'Role']],
  ['rolebindings', ['rbac.authorization.k8s.io/v1', 'RoleBinding']],
])

/** Seconds since 1970 and the nanoseconds beyond them, of an RFC 3339 time with any number of digits. */
export const timestampOf = (time: string): PolicyResult['timestamp'] => {
  const [, whole = '', digits = '', zone = ''] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(time) ?? []
  const ms = Date.parse(whole + zone)
  return { seconds: Number.isNaN(ms) ? 0 : ms / 1_000, nanos: Number(digits.slice(0, 9).padEnd(9, '0')) }
}

/** The namespace that a notice is about, as its event tells. */
export const namespaceOf = ({ event }: Notice): string | undefined =>
  textIn(event.field('k8s.ns.name')) ?? textIn(event.field('ka.target.namespace'))

const textIn = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value !== '<NA>' ? value : undefined

const resourcesOf = ({ event }: Notice, namespace: string | undefined): PolicyResult['resources'] => {
  const field = (name: string) => textIn(event.field(name))
  const pod = field('k8s.pod.name')
  const [apiVersion, kind] = KINDS.get(pod ? 'pods' : (field('ka.target.resource') ?? '')) ?? []
  const name = pod ?? field('ka.target.name') ?? field('ka.resp.name')
  if (!apiVersion || !kind || !name) return undefined
  return [{ apiVersion, kind, name: clip(name, 253), ...(namespace && { namespace }) }]
}

const propertiesOf = (notice: Notice): Record<string, string> => {
  const ofEvent = ({ isField, name }: MessageField) => isField === true || name === 'alerts'
  const shown = message(notice).fields.filter((field) => notice.report !== undefined || ofEvent(field))
  return Object.fromEntries(
    shown.slice(0, MAX_PROPERTIES).map(({ name, value }) => [clip(name, MAX_PROPERTY), clip(value, MAX_PROPERTY)]),
  )
}

/**
 * The result of a notice: of its report when it has one, else of its event.
 * @param namespace where its report is; undefined: that of the cluster
 *
 * Source: `outputs/policyreport.go` of Falcosidekick 2.x; the result of a report is our own.
 */
export const resultOf = (notice: Notice, namespace: string | undefined): PolicyResult => {
  const { event, report } = notice
  const resources = resourcesOf(notice, namespace)
  const shared = {
    severity: SEVERITIES[event.priority],
    properties: propertiesOf(notice),
    ...(resources && { resources }),
  }
  return report
    ? {
        source: 'Yarak',
        policy: 'response',
        rule: clip(report.rule, MAX_PROPERTY),
        category: 'IR - Incident Response',
        message: clip(message(notice).text, MAX_MESSAGE),
        result: VERDICTS[report.outcome],
        timestamp: timestampOf(report.startedAt),
        ...shared,
      }
    : {
        source: 'Falco',
        policy: clip(event.source, MAX_PROPERTY),
        rule: clip(event.rule, MAX_PROPERTY),
        category: 'SI - System and Information Integrity',
        message: clip(event.output, MAX_MESSAGE),
        result: verdictOf(event.priority),
        timestamp: timestampOf(event.time),
        ...shared,
      }
}

export interface Bounds {
  readonly maxEvents: number
  readonly pruneByPriority: boolean
}

const RANKS: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical']

const sizeOf = (result: PolicyResult): number => Buffer.byteLength(JSON.stringify(result)) + 1

/**
 * As many of the results as fit, in their order: the oldest go first, or those of the least severity and of these the
 * oldest.
 */
export const pruned = (results: readonly PolicyResult[], { maxEvents, pruneByPriority }: Bounds): PolicyResult[] => {
  const all = results.map((result, age) => ({ result, age, size: sizeOf(result) }))
  const rank = ({ result }: (typeof all)[number]) => (pruneByPriority ? RANKS.indexOf(result.severity) : 0)
  const keep = all.toSorted((one, other) => rank(other) - rank(one) || other.age - one.age)
  let room = MAX_BYTES
  const fits = keep.slice(0, maxEvents).filter(({ size }) => (room -= size) >= 0)
  return fits.toSorted((one, other) => one.age - other.age).map(({ result }) => result)
}

const summaryOf = (results: readonly PolicyResult[]): Record<Verdict, number> => {
  const count = (verdict: Verdict) => results.filter(({ result }) => result === verdict).length
  return { pass: count('pass'), fail: count('fail'), warn: count('warn'), error: count('error'), skip: count('skip') }
}

/** The report with the new results behind those that it has. */
export const withResults = (report: PolicyReport, added: readonly PolicyResult[], bounds: Bounds): PolicyReport => {
  const results = pruned([...(report.results ?? []), ...added], bounds)
  return { ...report, results, summary: summaryOf(results) }
}

/** A report with nothing in it: of a namespace, or of the cluster. */
export const emptyReport = (namespace: string | undefined): PolicyReport => ({
  apiVersion: REPORT_API,
  kind: namespace === undefined ? 'ClusterPolicyReport' : 'PolicyReport',
  metadata: {
    name: namespace === undefined ? 'falco-cluster-policy-report' : 'falco-policy-report',
    labels: { 'app.kubernetes.io/managed-by': 'yarak' },
  },
})

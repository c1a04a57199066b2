/** Events of Kubernetes (`events.k8s.io/v1`) about what a notice is about. Pure. */
import { createHash } from 'node:crypto'
import { type Notice, type Outcome, severity } from '../src/plugin.ts'
import { printable } from './_text.ts'

/** What an Event is about. */
export interface Regarding {
  readonly apiVersion: 'v1'
  readonly kind: 'Pod' | 'Node' | 'Namespace'
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
}

export interface KubeEvent {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly regarding: Regarding
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly action: string
  readonly note: string
  readonly eventTime: string
  readonly series?: Series
  readonly [member: string]: unknown
}

/** How often it was, and when at last. */
export interface Series {
  readonly count: number
  readonly lastObservedTime: string
}

/** What the API server takes: of the note bytes, of the others characters. */
const MAX_NOTE = 1_024
const MAX_WORD = 128

const MARK = '… [cut]'

/** One line of at most so many bytes; a longer one ends in a mark. */
export const withinBytes = (text: string, bytes: number): string => {
  const whole = Buffer.from(text)
  if (whole.length <= bytes) return text
  const kept = whole.subarray(0, Math.max(0, bytes - Buffer.byteLength(MARK)))
  return `${new TextDecoder().decode(kept, { stream: true })}${MARK}`
}

/**
 * A name as one word, as reasons are written.
 * @example reasonOf('Terminal shell in container') // 'TerminalShellInContainer'
 */
export const reasonOf = (name: string): string => {
  const words = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .split(/[^A-Za-z0-9]+/)
  const word = words.map((one) => one.charAt(0).toUpperCase() + one.slice(1)).join('')
  return /^[A-Za-z]/.test(word) ? word.slice(0, MAX_WORD) : `Falco${word}`.slice(0, MAX_WORD)
}

/** RFC 3339 in UTC with six digits, as a MicroTime is. */
export const microTime = (time: string): string => {
  const digits = /\.(\d+)/.exec(time)?.[1] ?? ''
  return `${new Date(time.replace(/\.\d+/, '')).toISOString().slice(0, 19)}.${digits.slice(0, 6).padEnd(6, '0')}Z`
}

const GOOD: ReadonlySet<Outcome> = new Set(['succeeded', 'gone', 'skipped'])

interface Told {
  readonly type: KubeEvent['type']
  readonly reason: string
  readonly action: string
  readonly note: string
  readonly time: string
}

const ofEvent = ({ event }: Notice): Told => ({
  type: severity(event.priority) >= severity('Warning') ? 'Warning' : 'Normal',
  reason: reasonOf(event.rule),
  action: 'Alert',
  note: `[${event.priority}] ${event.rule}: ${event.output}`,
  time: event.time,
})

const ofReport = (notice: Notice, report: NonNullable<Notice['report']>): Told => {
  const steps = report.steps.map(({ action, outcome, summary }) => `${action}: ${outcome}${summary && `, ${summary}`}`)
  const trace = notice.traceUrl ?? report.traceId
  const undo = report.steps.some(({ undoable }) => undoable) ? [`undo: yarak responses undo ${report.id}`] : []
  const end = [`${Math.round(report.duration)} ms`, ...(trace ? [`trace ${trace}`] : []), ...undo].join('; ')
  const begin = `[${report.outcome}] ${[report.rule, ...steps].join('; ')}`
  return {
    type: GOOD.has(report.outcome) ? 'Normal' : 'Warning',
    reason: reasonOf(`${report.rule.slice(0, 100)} ${report.outcome.replaceAll('_', ' ')}`),
    action: report.steps.map(({ action }) => action).join(',') || 'Respond',
    note: `${withinBytes(printable(begin), Math.max(0, MAX_NOTE - Buffer.byteLength(end) - 2))}; ${end}`,
    time: report.startedAt,
  }
}

/** Names that an event tells, each of which can be one. */
export interface Claimed {
  readonly namespace?: string | undefined
  readonly pod?: string | undefined
  readonly podUid?: string | undefined
  readonly node?: string | undefined
}

/** Where an Event is, and about what. */
export interface Place {
  readonly namespace: string
  readonly regarding: Regarding
}

/** What the Event is about, as far as the notice tells; Events about a node are in the namespace `default`. */
export const placeOf = ({ namespace, pod, podUid, node }: Claimed, own: string): Place => {
  const at = namespace ?? own
  if (pod) {
    const regarding = { apiVersion: 'v1', kind: 'Pod', name: pod, namespace: at } as const
    return { namespace: at, regarding: podUid ? { ...regarding, uid: podUid } : regarding }
  }
  // As the kubelet writes them: `kubectl describe node` looks for the name as the uid.
  if (node && !namespace) {
    return { namespace: 'default', regarding: { apiVersion: 'v1', kind: 'Node', name: node, uid: node } }
  }
  return aboutNamespace(at)
}

export const aboutNamespace = (namespace: string): Place => ({
  namespace,
  regarding: { apiVersion: 'v1', kind: 'Namespace', name: namespace, namespace },
})

/**
 * The Event of a notice; its name is the same for every try.
 * @param meant what it would be about, were that namespace there: then the note tells
 * @see https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 */
export const kubeEvent = (notice: Notice, { namespace, regarding }: Place, meant?: Regarding): KubeEvent => {
  const { type, reason, action, note, time } = notice.report ? ofReport(notice, notice.report) : ofEvent(notice)
  const { digest } = notice
  const hash = createHash('sha256').update(notice.id).digest('hex')
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `yarak-${hash.slice(0, 24)}`, namespace },
    regarding,
    reportingController: 'yarak.dev/yarak',
    reportingInstance: 'yarak',
    type,
    reason,
    action: action.slice(0, MAX_WORD),
    note: withinBytes(printable(meant ? `${meant.kind} ${meant.namespace}/${meant.name}: ${note}` : note), MAX_NOTE),
    eventTime: microTime(digest?.first ?? time),
    ...(digest && { series: { count: digest.count, lastObservedTime: microTime(digest.last) } }),
  }
}

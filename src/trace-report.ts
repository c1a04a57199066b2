/** A response of the journal as the spans of its trace, as far as the journal knows them. Pure. */
import type { StoredResponse, Undone } from './journal/index.ts'
import type { Report, StepReport } from './plugin.ts'
import type { SpanRecord } from './trace-tree.ts'

type Event = SpanRecord['events'][number]

/**
 * The response and its steps as spans, for {@link drawTrace}: without the reception, calls and notices, which the
 * journal does not hold. Ids of spans are made up, unique among responses. Steps without a time, of which old reports
 * have none, begin where the step before them ended.
 * @example drawTrace(found.flatMap(reportSpans))
 */
export const reportSpans = ({ report, undone }: Pick<StoredResponse, 'report' | 'undone'>): SpanRecord[] => {
  const start = timeOf(report.startedAt) ?? 0
  const steps = startsOf(report.steps, start).map((at, i) =>
    stepSpan(report, report.steps[i] as StepReport, undone, { spanId: `${report.id}/${i}`, start: at }),
  )
  return [responseSpan(report, start), ...steps]
}

const timeOf = (text: string | undefined): number | undefined => {
  const time = Date.parse(text ?? '')
  return Number.isFinite(time) ? time : undefined
}

const startsOf = (steps: readonly StepReport[], first: number): number[] => {
  let ended = first
  return steps.map(({ startedAt, duration }) => {
    const start = timeOf(startedAt) ?? ended
    // times are whole milliseconds, cut: the next step may begin within the last one of this
    ended = Math.max(ended, Math.floor(start + duration))
    return start
  })
}

const responseSpan = (report: Report, start: number): SpanRecord => {
  const { id, rule, mode, outcome, target, cluster, event, duration, traceId = '', steps } = report
  const bad = steps.find((step) => step.error && step.outcome === outcome)
  return {
    ...{ name: `respond ${rule}`, kind: 'internal', traceId, spanId: id, start, end: start + duration },
    ...{ failed: bad !== undefined, message: bad && `${bad.id}: ${bad.summary}` },
    attributes: {
      ...{ 'yarak.rule': rule, 'yarak.response.id': id, 'yarak.mode': mode, 'yarak.outcome': outcome },
      ...(target !== undefined && { 'yarak.target': target }),
      ...(cluster !== undefined && { 'k8s.cluster.name': cluster }),
      ...(bad?.error && { 'error.type': bad.error.reason }),
    },
    events: [
      said(`${timeText(report.startedAt)} UTC, event ${event}${cluster === undefined ? '' : `, cluster ${cluster}`}`),
    ],
  }
}

const stepSpan = (
  report: Report,
  step: StepReport,
  undone: readonly Undone[],
  { spanId, start }: Pick<SpanRecord, 'spanId' | 'start'>,
): SpanRecord => {
  const { id, action, outcome, summary, simulated, error, duration } = step
  const failed = error !== undefined && outcome !== 'gone'
  return {
    ...{ name: action === 'wait' ? action : `action ${action}`, kind: 'internal', spanId, parentId: report.id },
    ...{ traceId: report.traceId ?? '', start, end: start + duration, failed, message: error?.message },
    attributes: {
      ...{ 'yarak.step': id, 'yarak.action': action, 'yarak.outcome': outcome, 'yarak.summary': summary },
      ...(simulated && { 'yarak.simulated': true }),
      ...(error && { 'error.type': error.reason }),
    },
    events: [...eventsOf(step), ...undone.filter((one) => one.step === id).map(undoneEvent)],
  }
}

const said = (name: string): Event => ({ name, attributes: {} })

const eventsOf = ({ attempts, objects, artifacts = [] }: StepReport): Event[] => [
  ...(attempts > 1 ? [said(`${attempts} attempts`)] : []),
  ...(objects && Object.keys(objects).length > 0 ? [{ name: 'objects', attributes: objects }] : []),
  ...artifacts.map(({ name, url, size, sha256 }) => ({
    name: 'file',
    attributes: { 'yarak.artifact': name, 'yarak.artifact.size': size, 'yarak.artifact.sha256': sha256, url },
  })),
]

const undoneEvent = ({ at, outcome, summary, object }: Undone): Event => ({
  name: 'undone',
  attributes: { at: `${timeText(at)} UTC, ${object}`, 'yarak.outcome': outcome, 'yarak.summary': summary },
})

/** To the second; what is no time stays as it is. */
const timeText = (text: string): string => {
  const time = timeOf(text)
  return time === undefined ? text : new Date(time).toISOString().slice(0, 19).replace('T', ' ')
}

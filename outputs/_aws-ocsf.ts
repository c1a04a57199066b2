/** A notice as a Security Finding of OCSF, the class 2001 in version 0.1.0, as Falcosidekick fills it. */
import { type FieldValue, message, type Notice, type Priority, type Report, toJson } from '../src/plugin.ts'
import { payload } from './_payload.ts'

/** The severities of OCSF. */
const SEVERITIES: Readonly<Record<Priority, readonly [id: number, name: string]>> = {
  Emergency: [6, 'Fatal'],
  Alert: [6, 'Fatal'],
  Critical: [5, 'Critical'],
  Error: [4, 'High'],
  Warning: [3, 'Medium'],
  Notice: [2, 'Low'],
  Informational: [1, 'Informational'],
  Debug: [1, 'Informational'],
}

/** The finding of a notice: of an event it is new, of the report of a response it is the same finding, updated. */
export const finding = (notice: Notice) => {
  const { event, report } = notice
  const [severity_id, severity] = SEVERITIES[event.priority]
  const time = Date.parse(event.time)
  return {
    ...activityOf(report),
    category_name: 'Findings',
    category_uid: 2,
    classname: 'Security Finding',
    class_uid: 2001,
    finding: {
      created_time: BigInt(time),
      desc: event.output,
      title: event.rule,
      types: [event.source],
      uid: event.uuid ?? event.id,
    },
    message: report ? message(notice).title : event.rule,
    metadata: {
      version: '0.1.0',
      product: { vendor_name: 'Falcosecurity', name: 'Falco' },
      labels: event.tags,
    },
    observables: observablesOf(notice),
    raw_data: toJson(payload(notice)),
    severity,
    severity_id,
    ...stateOf(report),
    status: event.priority,
    time: BigInt(report ? Date.parse(report.startedAt) : time),
  }
}

export type Finding = ReturnType<typeof finding>

const activityOf = (report: Report | undefined) =>
  report
    ? { activity_id: 2, activity_name: 'Update', type_name: 'Security Finding: Update', type_uid: 200_102 }
    : { activity_id: 1, activity_name: 'Generate', type_name: 'Security Finding: Generate', type_uid: 200_101 }

/** Resolved is what was changed, or is gone; what was only observed is not. */
const stateOf = (report: Report | undefined) => {
  if (!report) return { state: 'New', state_id: 1 }
  const isDone = report.mode === 'enforce' && (report.outcome === 'succeeded' || report.outcome === 'gone')
  return isDone ? { state: 'Resolved', state_id: 4 } : { state: 'In Progress', state_id: 2 }
}

/** The hostname, and every field that is not null, in the order of names. */
const observablesOf = ({ event: { hostname, fields } }: Notice) =>
  [
    ...(hostname ? [['hostname', hostname] as const] : []),
    ...Object.entries(fields).sort(([one], [other]) => (one < other ? -1 : 1)),
  ].flatMap(([name, value]) => (value === null ? [] : [{ name, type: 'Other', type_id: 0, value: textOf(value) }]))

const textOf = (value: FieldValue): string => (typeof value === 'object' ? toJson(value) : String(value))

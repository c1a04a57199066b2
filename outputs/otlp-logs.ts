/** OTLP: a log record for each event. */
import { defineOutput, message, type Notice, type Outcome, type Priority, wholeOrEach, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { nanosOf } from './_nanos.ts'
import { anyValue, attributes, otlpSettings, postOtlp, resourceOf, traceOf } from './_otlp.ts'

/** As the data model of OpenTelemetry's logs maps the severities of syslog. */
const SEVERITIES: Readonly<Record<Priority, number>> = {
  Emergency: 21,
  Alert: 19,
  Critical: 18,
  Error: 17,
  Warning: 13,
  Notice: 10,
  Informational: 9,
  Debug: 5,
}

const OUTCOMES: Readonly<Record<Outcome, number>> = {
  succeeded: 9,
  gone: 9,
  skipped: 9,
  refused: 13,
  failed: 17,
  timed_out: 17,
  unknown: 17,
  interrupted: 17,
}

const recordOf = (notice: Notice) => ({
  ...(notice.report ? reportRecord(notice, notice.report.outcome) : eventRecord(notice)),
  ...traceOf(notice.traceparent),
})

const eventRecord = ({ event, digest }: Notice) => {
  const { priority, source, rule, hostname, tags, time: timestamp, uuid = event.id } = event
  const own = {
    ...{ priority, source, rule, tags: tags.join(','), timestamp, uuid },
    ...(hostname !== undefined && { hostname }),
    ...(digest && { alerts: digest.count }),
  }
  return {
    timeUnixNano: String(nanosOf(event.time)),
    severityNumber: SEVERITIES[priority],
    severityText: priority,
    body: anyValue(event.output),
    attributes: attributes({ ...own, ...event.fields, ...own }),
  }
}

const reportRecord = (notice: Notice, outcome: Outcome) => {
  const { title, text, fields } = message(notice)
  const { time = '', ...others } = Object.fromEntries(fields.map(({ name, value }) => [name, value]))
  return {
    timeUnixNano: String(nanosOf(time)),
    severityNumber: OUTCOMES[outcome],
    severityText: outcome,
    body: anyValue(text ? `${title}\n${text}` : title),
    attributes: attributes({ ...others, steps: notice.report?.steps.map(({ action }) => action) }),
  }
}

const bodyOf = (logRecords: readonly object[]) => ({
  resourceLogs: [{ ...resourceOf(), scopeLogs: [{ scope: { name: 'falco' }, logRecords }] }],
})

const exampleRecord = () => {
  const { uuid, source, priority, rule, hostname, output, output_fields, time: timestamp } = EXAMPLE_BODY
  const tags = 'container,shell,mitre_execution'
  return {
    timeUnixNano: '1769860800123456789',
    severityNumber: 10,
    severityText: priority,
    body: { stringValue: output },
    attributes: attributes({ priority, source, rule, tags, timestamp, uuid, hostname, ...output_fields }),
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    flags: 1,
  }
}

/**
 * Exports each notice as a log record.
 *
 * Source: the `otlp.logs` output of Falcosidekick 2.x (`outputs/otlp_logs.go`); the OTLP specification 1.x and the data
 * model of OpenTelemetry's logs.
 * @example otlpLogs({ endpoint: 'http://otel-collector:4318' })
 */
export const otlpLogs = defineOutput({
  type: 'otlp.logs',
  summary: 'Exports the event as a log record by OTLP.',
  notes: `
The body is the text of the event; its fields are attributes with their types, and so are \`priority\`, \`source\`, \`rule\`,
\`hostname\`, \`tags\`, \`timestamp\` and \`uuid\`. When Yarak is traced, the record stands in the event's trace. The report of a
response is a record with one line for each step, the outcome as its severity, and response, target, duration, trace and
undo command as attributes.

Differences from Falcosidekick: the severity is that of the priority, and not always INFO; the time is the event's, and
\`timestamp\` is RFC 3339; the fields and the \`uuid\` are sent; a hostname that is not there is no attribute; no \`grpc\`;
\`synced\` and \`extraenvvars\` have no meaning here.
`.trim(),
  config: z.strictObject(otlpSettings('logs')),
  http: true,
  batch: 500,
  linger: 200,
  preview: (notice) => bodyOf([recordOf(notice)]),
  open: (settings, io) => ({
    send: (notices, signal) =>
      wholeOrEach(notices, async (some) => {
        await postOtlp(bodyOf(some.map(recordOf)), settings, io, signal)
      }),
  }),
  example: {
    config: { endpoint: 'http://otel-collector:4318', protocol: 'http/json' },
    sends: { url: 'http://otel-collector:4318/v1/logs', body: bodyOf([exampleRecord()]) },
  },
})

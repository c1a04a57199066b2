/** OTLP: a span for each event, in one trace for each pod. */
import {
  defineOutput,
  duration,
  type FalcoEvent,
  fnv128,
  type Notice,
  type Report,
  traceGroup,
  wholeOrEach,
  z,
} from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { nanosOf } from './_nanos.ts'
import { attributes, otlpSettings, plain, postOtlp, resourceOf, textOf, traceOf } from './_otlp.ts'

const config = z.strictObject({
  ...otlpSettings('traces'),
  duration: duration()
    .prefault('1s')
    .describe('How long the span of an event is shown: Falco tells no end. Default 1s.'),
})

type Config = z.output<typeof config>

const SERVER = 2
const INTERNAL = 1
const ERROR = 2
const FAILED: ReadonlySet<string> = new Set(['failed', 'timed_out', 'unknown', 'interrupted'])

/** The same for the same notice: one that is sent again is known by it. */
const spanIdOf = ({ id }: Notice): string => fnv128(id).slice(16).replace(/^0+$/, '1'.padStart(16, '0'))

const linksTo = (traceparent: string | undefined) => {
  const { traceId, spanId } = traceOf(traceparent) ?? {}
  return traceId ? { links: [{ traceId, spanId }] } : {}
}

const spanOf = (notice: Notice, settings: Config) => ({
  traceId: fnv128(traceGroup(notice.event)),
  spanId: spanIdOf(notice),
  ...(notice.report ? reportSpan(notice.report, notice) : eventSpan(notice.event, settings.duration)),
  ...linksTo(notice.traceparent),
})

const eventSpan = (event: FalcoEvent, milliseconds: number) => {
  const start = nanosOf(event.time)
  const { uuid = event.id, source, priority, rule, hostname = '', tags } = event
  const own = { uuid, source, priority, rule, hostname, tags }
  const fields = Object.entries(event.fields).map(([name, value]) => [name, plain(value)] as const)
  return {
    name: textOf(rule),
    kind: SERVER,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(Math.round(milliseconds)) * 1_000_000n),
    attributes: attributes({ ...own, ...Object.fromEntries(fields), ...own }),
    events: [{ timeUnixNano: String(start), name: textOf(event.output) }],
  }
}

const reportSpan = (report: Report, { event, traceUrl }: Notice) => {
  const start = nanosOf(report.startedAt)
  const { id, rule, outcome, mode, target, duration, traceId, steps } = report
  return {
    name: textOf(`response ${rule}`),
    kind: INTERNAL,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(Math.round(duration)) * 1_000_000n),
    attributes: attributes({
      ...{ rule, outcome, mode, target, response: id, event: event.id, event_rule: event.rule },
      ...{ trace: traceId, trace_url: traceUrl },
      ...(steps.some(({ undoable }) => undoable) && { undo: `yarak responses undo ${id}` }),
    }),
    events: steps.map((step) => ({
      timeUnixNano: String(start),
      name: textOf(`${step.action}: ${step.outcome}${step.summary ? `, ${step.summary}` : ''}`),
      attributes: attributes({ step: step.id, duration_ms: Math.round(step.duration) }),
    })),
    ...(FAILED.has(outcome) && { status: { code: ERROR, message: outcome } }),
  }
}

const bodyOf = (spans: readonly object[]) => ({
  resourceSpans: [{ ...resourceOf(), scopeSpans: [{ scope: { name: 'falco-event' }, spans }] }],
})

const exampleSpan = () => {
  const { uuid, source, priority, rule, hostname, tags, output, output_fields } = EXAMPLE_BODY
  return {
    traceId: '0c3408f5ab40affb14130e65be705ec4',
    spanId: '4c1945bf70a89519',
    name: rule,
    kind: SERVER,
    startTimeUnixNano: '1769860800123456789',
    endTimeUnixNano: '1769860801123456789',
    attributes: attributes({ uuid, source, priority, rule, hostname, tags, ...output_fields, 'proc.pid': '4711' }),
    events: [{ timeUnixNano: '1769860800123456789', name: output }],
    links: [{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }],
  }
}

/**
 * Exports each notice as a span.
 *
 * Source: the `otlp.traces` output of Falcosidekick 2.x (`outputs/otlp_traces.go`); the OTLP specification 1.x.
 * @example otlpTraces({ endpoint: 'http://otel-collector:4318' })
 */
export const otlpTraces = defineOutput({
  type: 'otlp.traces',
  summary: 'Exports the event as a span by OTLP, in one trace for each pod.',
  notes: `
All events of a pod are in one trace: its id is a hash of the namespace and the name, else of the container's id, else of
the host's name. The span has the rule as its name, Falco's time as its beginning, and every field as an attribute. The
report of a response is a span \`response <rule>\` in the same trace, with an event for each step.

This is not how Yarak traces itself: that is set by the variables \`OTEL_*\`, and there each event has a trace of its own,
from its reception to the last notification. When Yarak traces, each of these spans has a link to that trace.

Differences from Falcosidekick: events of all sources are exported, use \`match\` for fewer; an event that names no pod,
container or host is in the trace of its \`hostname\`, else in its own, where Falcosidekick drops it; a field that is null is
left out, and what is nested is JSON; a field named as a member of the event does not replace it; a notice that is sent
again has the same span id; no \`grpc\`; \`synced\` and \`extraenvvars\` have no meaning here.
`.trim(),
  config,
  http: true,
  batch: 100,
  preview: (notice, settings) => bodyOf([spanOf(notice, settings)]),
  open: (settings, io) => ({
    send: (notices, signal) =>
      wholeOrEach(notices, async (some) => {
        const spans = some.map((notice) => spanOf(notice, settings))
        await postOtlp(bodyOf(spans), settings, io, signal)
      }),
  }),
  example: {
    config: { endpoint: 'http://otel-collector:4318', protocol: 'http/json' },
    sends: { url: 'http://otel-collector:4318/v1/traces', body: bodyOf([exampleSpan()]) },
  },
})

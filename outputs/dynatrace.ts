/** Logs in Dynatrace. */
import { defineOutput, type Notice, secret, toJson, z } from '../src/plugin.ts'
import { alertId, type Level, levelOf } from './_alerting.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'
import { shrink } from './_shrink.ts'
import { postTexts } from './_texts.ts'
import { under } from './_url.ts'

const config = z.strictObject({
  apiToken: secret().describe('An access token with the scope `logs.ingest`.'),
  apiUrl: serverUrl().describe(
    'Address of the API: `https://<environment>.live.dynatrace.com/api`, or `https://<domain>/e/<environment>/api`.',
  ),
})

/** What Dynatrace takes in one request: 50,000 records and 10 MB, of which its own additions take some. */
const LIMITS = { count: 1_000, size: 8_000_000 }
/** Bytes of the content of a record. */
const MAX_CONTENT = 500_000

/** The first of these fields that is a text. */
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  'container.id': ['container.id'],
  'container.name': ['container.name'],
  'container.image.name': ['container.image'],
  'k8s.namespace.name': ['k8s.ns.name', 'ka.target.namespace'],
  'k8s.pod.name': ['k8s.pod.name'],
  'k8s.pod.uid': ['k8s.pod.id'],
  'process.executable.name': ['proc.name'],
}

const attributesOf = ({ event }: Notice): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(ATTRIBUTES).flatMap(([attribute, fields]) => {
      const value = fields.map((name) => event.field(name)).find((one) => typeof one === 'string' && one !== '')
      return value === undefined ? [] : [[attribute, value]]
    }),
  )

const mitreOf = ({ event: { tags } }: Notice) => {
  const isTechnique = (tag: string) => /T\d/.test(tag)
  const technique = tags.findLast(isTechnique)
  const tactic = tags.findLast((tag) => !isTechnique(tag) && /mitre_\w/.test(tag))
  return { ...(technique && { 'mitre.technique': technique }), ...(tactic && { 'mitre.tactic': tactic }) }
}

const spanOf = ({ event }: Notice) => {
  const id = event.field('span.id')
  return id === undefined || id === null ? {} : { 'span.id': typeof id === 'string' ? id : toJson(id) }
}

const contentOf = (notice: Notice) => {
  const { output, output_fields, tags, response, trace_url, digest } = payload(notice)
  return shrink({ output, output_fields, tags, response, trace_url, digest }, MAX_CONTENT)
}

const SEVERITIES: Readonly<Record<Level, string>> = {
  critical: 'Critical',
  error: 'Error',
  warning: 'Warning',
  info: 'Informational',
  success: 'Informational',
}

const aboutOf = (notice: Notice) => {
  const { event, report } = notice
  if (!report) return { timestamp: event.time, name: event.rule, severity: event.priority }
  return { timestamp: report.startedAt, name: report.rule, severity: SEVERITIES[levelOf(notice)] }
}

const recordOf = (notice: Notice): string => {
  const { event, report } = notice
  const { timestamp, name, severity } = aboutOf(notice)
  return toJson({
    timestamp,
    'event.id': alertId(notice),
    'event.name': name,
    'event.provider': 'Falco',
    severity,
    ...(event.hostname && { 'host.name': event.hostname }),
    'log.source': event.source,
    content: contentOf(notice),
    ...mitreOf(notice),
    ...attributesOf(notice),
    ...spanOf(notice),
    ...(report?.traceId && { trace_id: report.traceId }),
  })
}

/**
 * Sends each notice as a log record, many in one request.
 *
 * Source: the `dynatrace` output of Falcosidekick 2.x (`outputs/dynatrace.go`); "POST ingest logs" of Dynatrace's Log
 * Monitoring API v2 and its default limits.
 * @example dynatrace({ apiUrl: 'https://abc12345.live.dynatrace.com/api', apiToken: 'dt0c01.…' })
 */
export const dynatrace = defineOutput({
  type: 'dynatrace',
  summary: "Sends the event to Dynatrace's logs.",
  notes: `
The record of a response's report has the rule that answered as \`event.name\`, a severity by outcome, \`trace_id\`, and the report
as the member \`response\` of its content. Up to 1,000 records or 8 MB are one request; a record waits up to a second for
others. The longest texts of a content of more than 500,000 bytes are cut, with \`truncated: true\`.

Dynatrace answers 200 when it took only a part of what was sent, and does not tell which: that is a warning in the log.

Differences from Falcosidekick: the time keeps its fraction; of \`k8s.ns.name\` and \`ka.target.namespace\` the first one
holds when both are there.
`.trim(),
  config,
  http: true,
  batch: LIMITS.count,
  linger: 1_000,
  open: ({ apiToken, apiUrl }, io) => ({
    send: (notices, signal) =>
      postTexts(notices.map(recordOf), LIMITS, async (records) => {
        const { status, body } = await io.http(
          {
            url: under(apiUrl, '/v2/logs/ingest'),
            template: '/v2/logs/ingest',
            headers: { 'content-type': 'application/json; charset=utf-8', authorization: `Api-Token ${apiToken}` },
            body: `[${records.join(',')}]`,
          },
          signal,
        )
        if (status === 200 && body) io.log.warn('Dynatrace did not take all records', { answer: body.slice(0, 200) })
      }),
  }),
  example: {
    config: { apiUrl: 'https://abc12345.live.dynatrace.com/api', apiToken: 'dt0c01.0123456789abcdef' },
    sends: {
      url: 'https://abc12345.live.dynatrace.com/api/v2/logs/ingest',
      body: [
        {
          timestamp: '2026-01-31T12:00:00.123456789Z',
          'event.id': '019c13e6-8b3b-7000-8000-000000000001',
          'event.name': 'Terminal shell in container',
          'event.provider': 'Falco',
          severity: 'Notice',
          'host.name': 'node-1',
          'log.source': 'syscall',
          content: { output: EXAMPLE_BODY.output, output_fields: EXAMPLE_BODY.output_fields, tags: EXAMPLE_BODY.tags },
          'mitre.tactic': 'mitre_execution',
          'container.id': '4f8e0c1d2b3a',
          'k8s.namespace.name': 'default',
          'k8s.pod.name': 'web-1',
        },
      ],
    },
  },
})

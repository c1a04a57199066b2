/** PagerDuty, by its Events API v2. */
import { defineHttpOutput, message, type Notice, secret, z } from '../src/plugin.ts'
import { isHandled, type Level, levelOf } from './_alerting.ts'
import { shrink } from './_shrink.ts'
import { clip } from './_text.ts'

const config = z.strictObject({
  routingKey: secret().describe('The integration key of an Events API v2 integration.'),
  region: z.enum(['us', 'eu']).default('us').describe('Where the account is: us or eu. Default us.'),
  resolve: z
    .boolean()
    .default(false)
    .describe(
      'A response in enforce mode that succeeded, or found its target gone, resolves the incident. Default false.',
    ),
})

type Config = z.output<typeof config>

const HOSTS: Readonly<Record<Config['region'], string>> = {
  us: 'https://events.pagerduty.com',
  eu: 'https://events.eu.pagerduty.com',
}

const SEVERITIES: Readonly<Record<Level, string>> = {
  critical: 'critical',
  error: 'error',
  warning: 'warning',
  info: 'info',
  success: 'info',
}

/** What PagerDuty takes: characters of a summary; bytes of the details, so that the whole is below 512 KB. */
const MAX_SUMMARY = 1_024
const MAX_DETAILS = 450_000

const summaryOf = (notice: Notice): string => {
  const { title, text } = message(notice)
  const whole = notice.report ? [title, ...text.split('\n')].filter(Boolean).join(' · ') : text
  return clip(whole, MAX_SUMMARY)
}

/** What always fits comes first: where details are cut, the last ones go. */
const detailsOf = (notice: Notice): Readonly<Record<string, unknown>> => {
  const { event, report, digest } = notice
  if (report) {
    const { text, fields } = message(notice)
    return { ...Object.fromEntries(fields.map(({ name, value }) => [name, value])), steps: text }
  }
  const own = {
    rule: event.rule,
    priority: event.priority,
    source: event.source,
    ...(event.hostname && { hostname: event.hostname }),
    ...(event.tags.length > 0 && { tags: event.tags.join(', ') }),
    ...(digest && { digest }),
  }
  return { ...own, ...event.fields, ...own }
}

const bodyOf = (notice: Notice, { routingKey, resolve }: Config) => ({
  routing_key: routingKey,
  event_action: resolve && isHandled(notice) ? 'resolve' : 'trigger',
  dedup_key: notice.event.id,
  payload: {
    summary: summaryOf(notice),
    source: 'falco',
    severity: SEVERITIES[levelOf(notice)],
    timestamp: notice.report?.startedAt ?? notice.event.time,
    custom_details: shrink(detailsOf(notice), MAX_DETAILS),
  },
  ...(notice.traceUrl && { links: [{ href: notice.traceUrl, text: 'Trace' }] }),
})

/**
 * Triggers an incident for each event; the report of a response goes to the same incident.
 *
 * Source: the `pagerduty` output of Falcosidekick 2.x (`outputs/pagerduty.go`); PagerDuty's Events API v2 ("Send an alert
 * event").
 * @example pagerduty({ routingKey: 'e93facc04764012d7bfb002500d5d1a6', resolve: true })
 */
export const pagerduty = defineHttpOutput({
  type: 'pagerduty',
  summary: 'Triggers an incident at PagerDuty, and may resolve it.',
  notes: `
The \`dedup_key\` is the id of the event. The report of a response has the same: as PagerDuty documents it, a \`trigger\` with
the key of an open incident makes no other one but is added to its log. With \`resolve: true\` the report of a response
in enforce mode that succeeded, or whose target was gone, is sent as \`resolve\`. Where only responses are sent, a report
opens the incident. What is of one target is sent in order, so that no incident is resolved before it is there.

Summaries are cut at 1,024 characters and the longest details so that the event is below 512 KB.

Differences from Falcosidekick: the region holds; the severity is by priority (critical, error, warning, info), not
always critical; rule, priority, source and tags are among the details; there is a \`dedup_key\`; the time keeps its
fraction.
`.trim(),
  config,
  ordered: true,
  request: (notice, settings) => ({
    url: `${HOSTS[settings.region]}/v2/enqueue`,
    template: '/v2/enqueue',
    body: bodyOf(notice, settings),
  }),
  example: {
    config: { routingKey: 'e93facc04764012d7bfb002500d5d1a6' },
    sends: {
      url: 'https://events.pagerduty.com/v2/enqueue',
      body: {
        routing_key: 'e93facc04764012d7bfb002500d5d1a6',
        event_action: 'trigger',
        dedup_key: '019c13e6-8b3b-7000-8000-000000000001',
        payload: {
          summary: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
          source: 'falco',
          severity: 'info',
          timestamp: '2026-01-31T12:00:00.123456789Z',
          custom_details: {
            rule: 'Terminal shell in container',
            priority: 'Notice',
            source: 'syscall',
            hostname: 'node-1',
            tags: 'container, shell, mitre_execution',
            'container.id': '4f8e0c1d2b3a',
            'k8s.ns.name': 'default',
            'k8s.pod.name': 'web-1',
            'proc.cmdline': 'bash',
            'proc.pid': 4711,
            'user.name': 'root',
          },
        },
      },
    },
  },
})

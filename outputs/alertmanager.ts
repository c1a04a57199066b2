/** Prometheus Alertmanager: one alert for each notice, to every host of a list. */
import {
  defineOutput,
  duration,
  type HttpRequest,
  messageOf,
  type Notice,
  PRIORITIES,
  YarakError,
  z,
} from '../src/plugin.ts'
import { alertOf } from './_alert.ts'
import { headers, serverUrl } from './_settings.ts'

const priority = () => z.enum(PRIORITIES)

const config = z.strictObject({
  hostPort: z
    .union([serverUrl(), z.array(serverUrl()).min(1)])
    .transform((one) => [one].flat())
    .describe('Address of the Alertmanager, or a list of the addresses of a cluster: every one gets every alert.'),
  endpoint: z.string().startsWith('/').default('/api/v2/alerts').describe('Path of the API. Default /api/v2/alerts.'),
  expiresAfter: duration()
    .prefault('0s')
    .describe(
      "When the alert ends, counted from the event's time. Default 0s: as Alertmanager's resolve_timeout says.",
    ),
  extraLabels: z.record(z.string(), z.string()).default({}).describe('Labels that every alert has. Default none.'),
  extraAnnotations: z.record(z.string(), z.string()).default({}).describe('Annotations that every alert has.'),
  customSeverityMap: z
    .partialRecord(priority(), z.string())
    .default({})
    .describe('The `severity` label by priority. Default: critical, warning or information.'),
  dropEventDefaultPriority: priority()
    .default('Critical')
    .describe("Least priority of Falco's report of dropped events when no threshold is exceeded. Default Critical."),
  dropEventThresholds: z
    .array(
      z.strictObject({
        above: z.int().nonnegative().describe('Number of dropped events that must be exceeded.'),
        priority: priority().describe('Least priority of the alert then.'),
      }),
    )
    .default([
      { above: 10_000, priority: 'Critical' },
      { above: 1_000, priority: 'Critical' },
      { above: 100, priority: 'Critical' },
      { above: 10, priority: 'Warning' },
      { above: 1, priority: 'Warning' },
    ])
    .describe('Steps into which numbers of dropped events are put; the highest exceeded one holds.'),
  headers: headers().describe('Further request headers, e.g. `authorization`. Default none.'),
})

type Config = z.output<typeof config>

const requestsOf = (notice: Notice, settings: Config): HttpRequest[] => {
  const body = [alertOf(notice, settings)]
  const { endpoint, headers } = settings
  return settings.hostPort.map((host) => ({
    url: host.replace(/\/+$/, '') + endpoint,
    template: endpoint,
    headers,
    body,
  }))
}

/** Why no host took the alert: a reason that may pass before one that stays. */
const mostHopeful = (results: readonly PromiseSettledResult<unknown>[]): unknown => {
  const reasons: unknown[] = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  return reasons.find((one) => !(one instanceof YarakError && one.permanent)) ?? reasons[0]
}

/**
 * Posts each notice as an alert to every host; it is delivered when one host took it, as Prometheus counts it.
 *
 * Source: the `alertmanager` output of Falcosidekick 2.x (`outputs/alertmanager.go`); Alertmanager's API v2.
 * @example alertmanager({ hostPort: 'http://alertmanager.monitoring:9093', extraLabels: { team: 'secops' } })
 */
export const alertmanager = defineOutput({
  type: 'alertmanager',
  summary: 'Sends the event as an alert to Prometheus Alertmanager.',
  notes: `
The labels of an event's alert are Falcosidekick's: its text and number fields, \`source=falco\`, \`alertname\`, \`rule\`,
\`eventsource\`, \`hostname\`, \`tags\`, \`priority\`, \`severity\`. The report of a response becomes an alert too, with
\`source=yarak\`, \`alertname\` of the rule that answered, \`outcome\`, \`mode\`, \`event_rule\`, \`target\` and a severity by
outcome; its steps, response and trace are annotations.

Differences from Falcosidekick: the documented drop thresholds hold; a label that would start with a digit gets a \`_\`;
with several hosts, those that did not take the alert are logged and do not make the delivery fail.
`.trim(),
  config,
  open: (settings, io) => ({
    async send(notices, signal) {
      for (const notice of notices) {
        const results = await Promise.allSettled(requestsOf(notice, settings).map((one) => io.http(one, signal)))
        const failed = results.filter((one) => one.status === 'rejected')
        if (failed.length === results.length) throw mostHopeful(results)
        if (failed.length > 0)
          io.log.warn('hosts did not take the alert', {
            failed: failed.length,
            hosts: results.length,
            error: messageOf(mostHopeful(failed)),
          })
      }
    },
  }),
  example: {
    config: { hostPort: 'http://alertmanager.monitoring:9093', extraLabels: { team: 'secops' } },
    sends: {
      url: 'http://alertmanager.monitoring:9093/api/v2/alerts',
      body: [
        {
          labels: {
            container_id: '4f8e0c1d2b3a',
            k8s_ns_name: 'default',
            k8s_pod_name: 'web-1',
            proc_cmdline: 'bash',
            proc_pid: '4711',
            user_name: 'root',
            source: 'falco',
            rule: 'Terminal shell in container',
            alertname: 'Terminal shell in container',
            eventsource: 'syscall',
            hostname: 'node-1',
            tags: 'container,shell,mitre_execution',
            priority: 'Notice',
            severity: 'information',
            team: 'secops',
          },
          annotations: {
            info: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
            description:
              'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
            summary: 'Terminal shell in container',
          },
          endsAt: '0001-01-01T00:00:00Z',
        },
      ],
    },
  },
})

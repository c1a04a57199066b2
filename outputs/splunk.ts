/** Splunk: notices as events of an HTTP Event Collector. */
import { defineHttpBatchOutput, type Notice, secret, toJson, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { httpUrl } from './_settings.ts'

const config = z.strictObject({
  host: httpUrl().describe(
    'Whole address of the collector, e.g. `https://splunk.example.com:8088/services/collector/event`.',
  ),
  token: secret().optional().describe('Token of the collector.'),
  sourceType: z.string().min(1).default('falcosidekick').describe("Splunk's `sourcetype`. Default falcosidekick."),
})

/** Seconds since the epoch, to the millisecond, as HEC has them. */
const secondsOf = ({ event, report }: Notice): number => Date.parse(report?.startedAt ?? event.time) / 1_000

/**
 * Sends notices to an HTTP Event Collector.
 *
 * Source: the `splunk` output of Falcosidekick 2.x (`outputs/splunk.go`); Splunk's "Format events for HTTP Event Collector".
 * @example splunk({ host: 'https://splunk.example.com:8088/services/collector/event', token: '…' })
 */
export const splunk = defineHttpBatchOutput({
  type: 'splunk',
  summary: 'Sends the event to an HTTP Event Collector of Splunk.',
  notes: `
\`event\` is the event as \`webhook\` sends it. Up to 100 go in one request, as JSON objects one after another; a request that
is refused for its size or for what is in it is sent again event by event. A collector that is busy (503, code 9) is tried
again. Acknowledgement by the indexer is not waited for.

Differences from Falcosidekick: \`time\` is sent, the time of the event, for a report the time the response began; Splunk
takes the time of arrival otherwise, which is later after an outage. \`sourcetype\` can be set.
`.trim(),
  config,
  batch: 100,
  linger: 500,
  request: (notices, { host, token, sourceType }) => ({
    url: host,
    template: new URL(host).pathname,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(token && { authorization: `Splunk ${token}` }),
    },
    body: notices
      .map((notice) => toJson({ event: payload(notice), sourcetype: sourceType, time: secondsOf(notice) }))
      .join('\n'),
  }),
  example: {
    config: { host: 'https://splunk.example.com:8088/services/collector/event', token: '0123456789abcdef' },
    sends: {
      url: 'https://splunk.example.com:8088/services/collector/event',
      body: { event: EXAMPLE_BODY, sourcetype: 'falcosidekick', time: 1_769_860_800.123 },
    },
  },
})

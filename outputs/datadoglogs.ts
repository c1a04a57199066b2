/** Logs in Datadog. */
import { defineOutput, type Notice, secret, toJson, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'
import { jsonWithin } from './_shrink.ts'
import { postTexts } from './_texts.ts'
import { under } from './_url.ts'

const config = z.strictObject({
  apiKey: secret().describe('An API key of Datadog.'),
  host: serverUrl()
    .default('https://http-intake.logs.datadoghq.com')
    .describe('Address of the intake, by your site. Default `https://http-intake.logs.datadoghq.com`.'),
  service: z.string().default('').describe('The service that the logs are of. Default none.'),
})

/** What Datadog takes in one request: 1,000 logs, and 5 MB with brackets and commas. */
const LIMITS = { count: 1_000, size: 4_900_000 }
/** Bytes of the message of a log. As a text within JSON it is at most twice as long, and a log is cut at 1 MB. */
const MAX_MESSAGE = 480_000

const logOf = (notice: Notice, service: string): string =>
  toJson({
    ddsource: 'falco',
    ...(notice.event.hostname && { hostname: notice.event.hostname }),
    ...(service && { service }),
    message: jsonWithin(payload(notice), MAX_MESSAGE),
    ...(notice.event.tags.length > 0 && { ddtags: notice.event.tags.join(',') }),
  })

/**
 * Sends each notice as a log whose message is the event's JSON, many in one request.
 *
 * Source: the `datadoglogs` output of Falcosidekick 2.x (`outputs/datadog_logs.go`); "Send logs" (v2) of Datadog's API
 * Reference.
 * @example datadoglogs({ apiKey: '…', host: 'https://http-intake.logs.datadoghq.eu', service: 'falco' })
 */
export const datadoglogs = defineOutput({
  type: 'datadoglogs',
  summary: "Sends the event to Datadog's logs.",
  notes: `
The message is the event as \`webhook\` sends it; for the report of a response with the member \`response\`. Up to 1,000 logs
or 5 MB are one request; a log waits up to a second for others. The longest texts of an event of more than 480,000 bytes
are cut, with \`truncated: true\`, where Datadog would cut the JSON in two at 1 MB.

Differences from Falcosidekick: a list of logs is sent, not one object; the address has no double slash.
`.trim(),
  config,
  http: true,
  batch: LIMITS.count,
  linger: 1_000,
  open: ({ apiKey, host, service }, io) => ({
    send: (notices, signal) =>
      postTexts(
        notices.map((notice) => logOf(notice, service)),
        LIMITS,
        (logs) =>
          io.http(
            {
              url: under(host, '/api/v2/logs'),
              template: '/api/v2/logs',
              headers: { 'content-type': 'application/json; charset=utf-8', 'dd-api-key': apiKey },
              body: `[${logs.join(',')}]`,
            },
            signal,
          ),
      ),
  }),
  example: {
    config: { apiKey: '9775a026f1ca7d1c6c5af9d94d9595a4', service: 'falco' },
    sends: {
      url: 'https://http-intake.logs.datadoghq.com/api/v2/logs',
      body: [
        {
          ddsource: 'falco',
          hostname: 'node-1',
          service: 'falco',
          message: JSON.stringify(EXAMPLE_BODY),
          ddtags: 'container,shell,mitre_execution',
        },
      ],
    },
  },
})

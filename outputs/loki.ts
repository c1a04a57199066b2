/** Grafana Loki: notices as lines of log streams. */
import { defineOutput, inChunks, secret, wholeOrEach, z } from '../src/plugin.ts'
import { basicAuth } from './_basic.ts'
import { entryOf, pushOf, sizeOf } from './_loki.ts'
import { sendParts } from './_parts.ts'
import { serverUrl } from './_settings.ts'
import { under } from './_url.ts'

const config = z.strictObject({
  hostPort: serverUrl().describe('Address of the server, e.g. `http://loki:3100`.'),
  endpoint: z
    .string()
    .startsWith('/')
    .default('/loki/api/v1/push')
    .describe('Path of the API. Default /loki/api/v1/push.'),
  user: z.string().min(1).optional().describe('User name, of Grafana Cloud the number of the instance.'),
  apiKey: secret().optional().describe('API key: the password of the user.'),
  tenant: z
    .string()
    .regex(/^[\w!.*'()|-]+$/, 'must be the id of a tenant')
    .optional()
    .describe('The tenant, sent as `X-Scope-OrgID`. Default none.'),
  format: z
    .enum(['text', 'json'])
    .default('text')
    .describe("The line: the event's text, or all of it as JSON. Default text."),
  extraLabels: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Names of fields whose texts become labels too. Each value is a stream of its own: choose few. Default none.',
    ),
})

/** Bytes of one request: below the 4 MiB that the parts of Loki send each other. */
const REQUEST = { count: 500, size: 1024 * 1024 }

/**
 * Pushes notices as lines.
 *
 * Source: the `loki` output of Falcosidekick 2.x (`outputs/loki.go`); Loki's HTTP API, "Ingest logs", and its
 * `limits_config`.
 * @example loki({ hostPort: 'http://loki:3100', tenant: 'security', extraLabels: ['proc.name'] })
 */
export const loki = defineOutput({
  type: 'loki',
  summary: 'Sends the event as a log line to Grafana Loki.',
  notes: `
Labels are Falcosidekick's: \`rule\`, \`source\`, \`priority\`, \`k8s_ns_name\`, \`k8s_pod_name\`, \`hostname\`, \`tags\`, and the
fields of \`extraLabels\` that are texts. The report of a response has these of its event, \`response_rule\` and \`outcome\`;
its line tells what was done, with target, duration, trace and how to undo it.

Up to 500 lines and 1 MiB go in a request, the lines of one stream in the order of their times. Limits are Loki's defaults:
15 labels, of which the last extra ones are left out; 2,048 bytes for a value and 256 KiB for a line, which are cut with a
mark. A line that Loki finds too old or out of order is a dead letter.

Differences from Falcosidekick: several events in a request; values and lines over the limits are cut; characters that no
label may have become \`_\`; no extra label replaces one of the others; a text of the JSON line may be cut, but not the JSON.
`.trim(),
  config,
  http: true,
  batch: REQUEST.count,
  linger: 500,
  open: (settings, io) => ({
    async send(notices, signal) {
      const { hostPort, endpoint, tenant, user, apiKey } = settings
      const request = {
        url: under(hostPort, endpoint),
        template: endpoint,
        headers: {
          'content-type': 'application/json',
          'x-scope-orgid': tenant,
          authorization: basicAuth(user, apiKey),
        },
      }
      const entries = notices.map((notice) => entryOf(notice, settings))
      await sendParts(inChunks(entries, REQUEST, sizeOf), (part) =>
        wholeOrEach(part, async (some) => void (await io.http({ ...request, body: pushOf(some) }, signal))),
      )
    },
  }),
  example: {
    config: { hostPort: 'http://loki:3100' },
    sends: {
      url: 'http://loki:3100/loki/api/v1/push',
      body: {
        streams: [
          {
            stream: {
              rule: 'Terminal shell in container',
              source: 'syscall',
              priority: 'Notice',
              k8s_ns_name: 'default',
              k8s_pod_name: 'web-1',
              hostname: 'node-1',
              tags: 'container,mitre_execution,shell',
            },
            values: [
              [
                '1769860800123456789',
                'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
              ],
            ],
          },
        ],
      },
    },
  },
})

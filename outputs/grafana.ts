/** Annotations in Grafana. */
import { defineHttpOutput, message, type Notice, secret, z } from '../src/plugin.ts'
import { noTags, wholeText } from './_alerting.ts'
import { serverUrl } from './_settings.ts'
import { clip } from './_text.ts'
import { under } from './_url.ts'

const config = z.strictObject({
  hostPort: serverUrl().describe('Address of Grafana, e.g. `http://grafana:3000`.'),
  apiKey: secret().describe('A token of a service account that may write annotations.'),
  dashboardId: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Number of the dashboard. Default 0: all of the organization.'),
  panelId: z.int().nonnegative().default(0).describe('Number of the panel. Default 0: all.'),
  allFieldsAsTags: z
    .boolean()
    .default(false)
    .describe(
      "The values of all fields, in the order of their names, and the event's tags are tags too. Default false.",
    ),
  tagsLength: z
    .int()
    .min(1)
    .max(4_096)
    .default(500)
    .describe("Bytes of all tags of an annotation: Grafana's own setting `annotations.tags_length`. Default 500."),
})

type Config = z.output<typeof config>

/** Characters that Grafana's databases hold of one tag. */
const MAX_TAG = 100
const MAX_TEXT = 30_000

/** Grafana counts brackets, quotes and commas of the list, and refuses an annotation whose tags are over its limit. */
const withinLength = (tags: readonly string[], length: number): string[] => {
  const room = Math.max(0, length - 1)
  let used = 0
  return tags
    .map((tag) => clip(tag, MAX_TAG))
    .filter((tag) => {
      const size = Buffer.byteLength(tag) + 3
      const fits = used + size <= room
      if (fits) used += size
      return fits
    })
}

const tagsOf = (notice: Notice, all: boolean): string[] => {
  const { event, report } = notice
  const values = message({ id: notice.id, event }).fields.filter(({ isField }) => isField)
  return [
    'falco',
    event.priority,
    event.rule,
    event.source,
    ...(event.hostname ? [event.hostname] : []),
    ...(report ? ['response', report.rule, report.outcome] : []),
    ...(all ? [...values.map(({ value }) => value), ...event.tags] : []),
  ]
}

const timesOf = ({ event, report }: Notice) => {
  const time = Date.parse(report?.startedAt ?? event.time)
  return { time, timeEnd: time + Math.round(report?.duration ?? 0) }
}

const bodyOf = (notice: Notice, { dashboardId, panelId, allFieldsAsTags, tagsLength }: Config) => ({
  ...(dashboardId !== 0 && { dashboardId }),
  ...(panelId !== 0 && { panelId }),
  ...timesOf(notice),
  tags: withinLength(tagsOf(notice, allFieldsAsTags), tagsLength),
  text: clip(wholeText(notice), MAX_TEXT, noTags),
})

/**
 * Writes each event as an annotation at its time, the report of a response as one that lasts as long as the response did.
 *
 * Source: the `grafana` output of Falcosidekick 2.x (`outputs/grafana.go`); "Create Annotation" of Grafana's Annotations
 * HTTP API; the limits of `pkg/services/annotations` of Grafana.
 * @example grafana({ hostPort: 'http://grafana:3000', apiKey: 'glsa_…', dashboardId: 12 })
 */
export const grafana = defineHttpOutput({
  type: 'grafana',
  summary: 'Writes the event as an annotation in Grafana.',
  notes: `
The annotation of a response's report has the tags \`response\`, its rule and its outcome besides those of the event, and
lasts from the beginning of the response to its end.

Grafana takes 100 characters of a tag and, where its \`tags_length\` is not set higher, 500 bytes of all tags: longer tags
are cut with a mark, and those that do not fit any more are left out.

Differences from Falcosidekick: the values of fields as tags are in the order of the fields' names, without those that are
null; annotations over Grafana's limits are made to fit; \`<\` is sent as \`&lt;\`, since Grafana shows HTML.
`.trim(),
  config,
  request: (notice, settings) => ({
    url: under(settings.hostPort, '/api/annotations'),
    template: '/api/annotations',
    headers: { authorization: `Bearer ${settings.apiKey}` },
    body: bodyOf(notice, settings),
  }),
  example: {
    config: { hostPort: 'http://grafana:3000', apiKey: 'glsa_0123456789abcdef', dashboardId: 12 },
    sends: {
      url: 'http://grafana:3000/api/annotations',
      body: {
        dashboardId: 12,
        time: 1769860800123,
        timeEnd: 1769860800123,
        tags: ['falco', 'Notice', 'Terminal shell in container', 'syscall', 'node-1'],
        text: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
      },
    },
  },
})

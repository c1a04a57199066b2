/** Events in Datadog. */
import { defineHttpOutput, message, type Notice, secret, z } from '../src/plugin.ts'
import { type Level, levelOf, wholeText } from './_alerting.ts'
import { serverUrl } from './_settings.ts'
import { clip } from './_text.ts'
import { under } from './_url.ts'

const TYPES: Readonly<Record<Level, string>> = {
  critical: 'error',
  error: 'error',
  warning: 'warning',
  info: 'info',
  success: 'success',
}

/** Characters that Datadog takes of a title, a text and a tag; fields that become tags. */
const MAX_TITLE = 100
const MAX_TEXT = 4_000
const MAX_TAG = 200
const MAX_FIELDS = 100

/** `%%%` begins Markdown, in which a link may hide where it goes. */
const noMarkdown = (text: string): string => text.replaceAll(/%(?=%%)/g, '% ')

const tagsOf = (notice: Notice): string[] => {
  const { event, report } = notice
  const fields = message({ id: notice.id, event }).fields.filter(({ isField }) => isField)
  return [
    ...fields.slice(0, MAX_FIELDS).map(({ name, value }) => `${name}:${value}`),
    ...(fields.length > MAX_FIELDS ? [`cut:${fields.length - MAX_FIELDS}`] : []),
    `source:${event.source}`,
    'source:falco',
    ...(event.hostname ? [`hostname:${event.hostname}`] : []),
    ...event.tags,
    ...(report ? [`response:${report.id}`, `outcome:${report.outcome}`, `mode:${report.mode}`] : []),
  ].map((tag) => clip(tag, MAX_TAG))
}

/**
 * Posts each event to Datadog's event stream.
 *
 * Source: the `datadog` output of Falcosidekick 2.x (`outputs/datadog.go`); "Post an event" (v1) of Datadog's API Reference.
 * @example datadog({ apiKey: '…', host: 'https://api.datadoghq.eu' })
 */
export const datadog = defineHttpOutput({
  type: 'datadog',
  summary: "Posts the event to Datadog's event stream.",
  notes: `
The report of a response is an event of its own, with the tags of the event it answered, \`response\`, \`outcome\` and \`mode\`,
and of the type \`success\`, \`info\`, \`warning\` (refused) or \`error\`. Datadog gives an event the time at which it is posted.

What is over 100 characters of a title, 4,000 of a text and 200 of a tag is cut with a mark; of more than 100 fields
the first 100 become tags.

Differences from Falcosidekick: the key is in the header \`DD-API-KEY\`, not in the URL; numbers, booleans and nested values
become tags too; \`%%%\` from an event begins no Markdown.
`.trim(),
  config: z.strictObject({
    apiKey: secret().describe('An API key of Datadog.'),
    host: serverUrl()
      .default('https://api.datadoghq.com')
      .describe('Address of the API, by your site. Default `https://api.datadoghq.com`.'),
  }),
  request: (notice, { apiKey, host }) => ({
    url: under(host, '/api/v1/events'),
    template: '/api/v1/events',
    headers: { 'dd-api-key': apiKey },
    body: {
      title: clip(notice.report ? message(notice).title : notice.event.rule, MAX_TITLE),
      text: clip(noMarkdown(wholeText(notice)), MAX_TEXT),
      alert_type: TYPES[levelOf(notice)],
      source_type_name: 'falco',
      tags: tagsOf(notice),
    },
  }),
  example: {
    config: { apiKey: '9775a026f1ca7d1c6c5af9d94d9595a4' },
    sends: {
      url: 'https://api.datadoghq.com/api/v1/events',
      body: {
        title: 'Terminal shell in container',
        text: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
        alert_type: 'info',
        source_type_name: 'falco',
        tags: [
          'container.id:4f8e0c1d2b3a',
          'k8s.ns.name:default',
          'k8s.pod.name:web-1',
          'proc.cmdline:bash',
          'proc.pid:4711',
          'user.name:root',
          'source:syscall',
          'source:falco',
          'hostname:node-1',
          'container',
          'shell',
          'mitre_execution',
        ],
      },
    },
  },
})

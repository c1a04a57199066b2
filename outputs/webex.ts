/** A space of Webex, by an incoming webhook. */
import { defineHttpOutput, message, type Notice, z } from '../src/plugin.ts'
import { byLine, type FieldLimits, fieldsOf, fit, fitFields, keepingLink, markdown, utf8Bytes } from './_chat.ts'
import { secretUrl } from './_settings.ts'
import { printable } from './_text.ts'

/** Bytes. A message has at most 7,439, with what stands between the parts. */
const MAX_TITLE = 400
const MAX_TEXT = 2_200
const MAX_META = 250
const MAX_TAGS = 20
const MAX_TAG = 48
const FIELDS: FieldLimits = { count: 60, name: 250, value: 1_000, total: 2_200, sizeOf: utf8Bytes }

/** On one line, so that no text of an event looks like another line. */
const line = (text: string): string => markdown(printable(text))

const short = (text: string, max = MAX_META): string => fit(text, max, line, utf8Bytes)

const stepLines = byLine((one) => `* ${line(one)}`)

const bullets = (indent: string, lines: readonly string[]): string =>
  lines.map((one) => `${indent}* ${one}\n${indent}\n`).join('')

const fieldLines = (notice: Notice, order: readonly string[]): string[] =>
  fitFields(fieldsOf(notice, order), FIELDS, keepingLink(notice, line)).map(({ name, value }) => `${name}: ${value}`)

/** Two spaces, four and a tab begin the lines of Falcosidekick's template, and two spaces end that of the source. */
const eventText = (notice: Notice): string => {
  const { rule, output, hostname = '', source, priority, tags } = notice.event
  const shown = tags.slice(0, MAX_TAGS).map((tag) => short(tag, MAX_TAG))
  const more = tags.length > MAX_TAGS ? [`${tags.length - MAX_TAGS} more`] : []
  return `# Falco Rule '${short(rule, MAX_TITLE)}'

### ${short(output, MAX_TEXT)}

Additional informations:
  * Hostname: ${short(hostname)}
  * Source:   ${short(source)}  
  * Priority: ${priority}
  * Tags:
    
${bullets('    ', [...shown, ...more])}  * Fields:
\t
${bullets('\t', fieldLines(notice, ['*']))}`
}

const reportText = (notice: Notice): string => {
  const { title, text } = message(notice)
  const steps = text && fit(text, MAX_TEXT, stepLines, utf8Bytes)
  const lines = fieldLines(notice, []).map((one) => `* ${one}\n`)
  return `# ${short(title, MAX_TITLE)}\n\n${steps}\n\n${lines.join('')}`
}

/**
 * Posts each notice as Markdown.
 *
 * Source: the `webex` output of Falcosidekick 2.x (`outputs/webex.go`); the limit:
 * https://developer.webex.com/docs/api/v1/messages/create-a-message
 * @example webex({ webhookUrl: 'https://webexapis.com/v1/webhooks/incoming/…' })
 */
export const webex = defineHttpOutput({
  type: 'webex',
  summary: 'Posts the event to a space of Webex.',
  notes: `
The text is Falcosidekick's. The report of a response has a heading with the outcome, one line for each step, and the
response, target, trace and undo command.

Differences from Falcosidekick: Markdown in texts of the event is escaped, a zero-width space behind \`<\` keeps it
from mentioning \`<@all>\`, and line breaks are shown as \`\\n\`; tags are in the order of the event; nested fields
are shown as JSON, empty ones not at all; what is over Webex's 7,439 bytes is cut with a mark.
`.trim(),
  config: z.strictObject({ webhookUrl: secretUrl().describe('The incoming webhook.') }),
  request: (notice, { webhookUrl }) => ({
    url: webhookUrl,
    body: { markdown: notice.report ? reportText(notice) : eventText(notice) },
  }),
  example: {
    config: { webhookUrl: 'https://webexapis.com/v1/webhooks/incoming/xxxxxxxxxxxxxxxxxxxxxxxx' },
    sends: {
      url: 'https://webexapis.com/v1/webhooks/incoming/xxxxxxxxxxxxxxxxxxxxxxxx',
      body: {
        markdown:
          "# Falco Rule 'Terminal shell in container'\n\n### A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)\n\nAdditional informations:\n  * Hostname: node-1\n  * Source:   syscall  \n  * Priority: Notice\n  * Tags:\n    \n    * container\n    \n    * shell\n    \n    * mitre\\_execution\n    \n  * Fields:\n\t\n\t* container.id: 4f8e0c1d2b3a\n\t\n\t* k8s.ns.name: default\n\t\n\t* k8s.pod.name: web-1\n\t\n\t* proc.cmdline: bash\n\t\n\t* proc.pid: 4711\n\t\n\t* user.name: root\n\t\n",
      },
    },
  },
})

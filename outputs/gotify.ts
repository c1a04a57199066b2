/** A Gotify server. */
import { defineHttpOutput, message, type Notice, secret, severity, toJson, z } from '../src/plugin.ts'
import { byLine, type FieldLimits, fieldsOf, fit, fitFields, keepingLink, markdown } from './_chat.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'
import { printable } from './_text.ts'

const MAX_TITLE = 300
const MAX_TEXT = 8_000
const FIELDS: FieldLimits = { count: 200, name: 300, value: 4_000, total: 32_000 }

/** How lines begin. Values stand on one line, so that no text of an event looks like another. */
interface Style {
  readonly escape: (text: string) => string
  readonly entry: (name: string) => string
  readonly field: (name: string) => string
}

const MARKDOWN: Style = {
  escape: (text) => markdown(printable(text)),
  entry: (name) => `- **${name}**:`,
  field: (name) => `\t- **${name}**: `,
}

const PLAIN: Style = { escape: printable, entry: (name) => `${name}:`, field: (name) => `- ${name}: ` }

const linesOf = (notice: Notice, escape: Style['escape'], start: (name: string) => string): string =>
  fitFields(fieldsOf(notice, ['*']), FIELDS, keepingLink(notice, escape))
    .map(({ name, value }) => `${start(name)}${value}\n`)
    .join('')

const eventText = (notice: Notice, { escape, entry, field }: Style): string => {
  const { priority, rule, output, source, tags, time } = notice.event
  const line = (name: string, text: string): string => `${entry(name)} ${fit(text, MAX_TEXT, escape)}\n`
  return [
    line('Priority', priority),
    line('Rule', rule),
    line('Output', output),
    line('Source', source),
    line('Tags', tags.map((tag) => `${tag} `).join('')),
    line('Time', time),
    `${entry('Fields')}\n`,
    linesOf(notice, escape, field),
  ].join('')
}

const reportText = (notice: Notice, { escape, entry }: Style): string => {
  const { text } = message(notice)
  const stepLines = byLine((step) => `${entry('Step')} ${escape(step)}`)
  const steps = text && `${fit(text, MAX_TEXT, stepLines)}\n`
  return steps + linesOf(notice, escape, (name) => `${entry(name)} `)
}

const messageOf = (notice: Notice, format: 'markdown' | 'plaintext' | 'text' | 'json'): string => {
  if (format === 'json') return toJson(payload(notice))
  const style = format === 'markdown' ? MARKDOWN : PLAIN
  return notice.report ? reportText(notice, style) : eventText(notice, style)
}

/**
 * Sends each notice as a message.
 *
 * Source: the `gotify` output of Falcosidekick 2.x (`outputs/gotify.go`);
 * https://gotify.net/api-docs#/message/createMessage and https://gotify.net/docs/msgextras
 * @example gotify({ hostPort: 'https://gotify.example.com', token: '…' })
 */
export const gotify = defineHttpOutput({
  type: 'gotify',
  summary: 'Sends the event to a Gotify server.',
  notes: `
The text is Falcosidekick's, without the hostname; the priority is 1 for Debug up to 8 for Emergency. The report of a
response has the outcome as its title, one line for each step, the response, target, trace and undo command, and the
priority of its event; a click leads to the trace. With \`format: json\` the message is the event as \`webhook\` sends
it.

Differences from Falcosidekick: \`contentType\` is \`text/markdown\` or \`text/plain\`, which Gotify's clients know;
Markdown in texts of the event is escaped, so that no picture is loaded, and line breaks are shown as \`\\n\`; nested
fields are shown as JSON, empty ones not at all; time and the order of tags are as the event has them; texts over
8,000 characters are cut with a mark.
`.trim(),
  config: z.strictObject({
    hostPort: serverUrl().describe('Address of the server.'),
    token: secret()
      .regex(/^[\x21-\x7e]+$/, 'must be one word')
      .optional()
      .describe('The token of the application. Default none.'),
    format: z
      .enum(['markdown', 'plaintext', 'text', 'json'])
      .default('markdown')
      .describe('The form of the message; `text` is the same as `plaintext`. Default markdown.'),
  }),
  request: (notice, { hostPort, token, format }) => {
    const { title, traceUrl } = message(notice)
    return {
      url: `${hostPort.replace(/\/+$/, '')}/message`,
      template: '/message',
      headers: { 'x-gotify-key': token },
      body: {
        title: fit(notice.report ? title : `[Falco] ${title}`, MAX_TITLE, printable),
        priority: severity(notice.event.priority) + 1,
        message: messageOf(notice, format),
        extras: {
          'client::display': { contentType: format === 'markdown' ? 'text/markdown' : 'text/plain' },
          ...(traceUrl && { 'client::notification': { click: { url: traceUrl } } }),
        },
      },
    }
  },
  example: {
    config: { hostPort: 'https://gotify.example.com', token: 'AxxxxxxxxxxxxxX' },
    sends: {
      url: 'https://gotify.example.com/message',
      body: {
        title: '[Falco] [Notice] Terminal shell in container',
        priority: 3,
        message:
          '- **Priority**: Notice\n- **Rule**: Terminal shell in container\n- **Output**: A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)\n- **Source**: syscall\n- **Tags**: container shell mitre\\_execution \n- **Time**: 2026-01-31T12:00:00.123456789Z\n- **Fields**:\n\t- **container.id**: 4f8e0c1d2b3a\n\t- **k8s.ns.name**: default\n\t- **k8s.pod.name**: web-1\n\t- **proc.cmdline**: bash\n\t- **proc.pid**: 4711\n\t- **user.name**: root\n',
        extras: { 'client::display': { contentType: 'text/markdown' } },
      },
    },
  },
})

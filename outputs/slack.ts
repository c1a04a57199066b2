/** A Slack channel, by an incoming webhook. */
import { defineHttpOutput, type Message, message, type Notice, z } from '../src/plugin.ts'
import { httpUrl, secretUrl } from './_settings.ts'
import { clip } from './_text.ts'

const config = z.strictObject({
  webhookUrl: secretUrl().describe('The incoming webhook of the channel.'),
  channel: z.string().min(1).optional().describe("Another channel than the webhook's, where Slack still allows that."),
  username: z.string().default('Yarak').describe('The name shown as the sender; empty for the name of the webhook.'),
  icon: httpUrl().optional().describe("Address of the sender's picture. Default: the picture of the webhook."),
  footer: z.string().optional().describe('A line below the fields. Default none.'),
  outputFormat: z
    .enum(['all', 'text', 'fields'])
    .default('all')
    .describe('What is shown: the text, the fields, or all of both. Default all.'),
})

type Config = z.output<typeof config>

/** Slack cuts the text of an attachment at 8,000 characters, in the middle of whatever is there. */
const MAX_TEXT = 7_900
const MAX_TITLE = 300
const MAX_VALUE = 2_000
const MAX_FIELDS = 60
/** Of all field values together: a message over 40,000 characters is refused with `msg_too_long`. */
const MAX_VALUES = 24_000

/** Values shorter than this stand two in a row, as in Falcosidekick. */
const SHORT = 36
const ALWAYS_SHORT = new Set(['rule', 'priority', 'source', 'hostname', 'tags'])

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** Slack's three control characters, so that text from an event makes no link and calls no `<!channel>`. */
const escape = (text: string): string => text.replaceAll(/[&<>]/g, (one) => ENTITIES[one] ?? one)

interface Field {
  readonly title: string
  readonly value: string
  readonly short: boolean
}

const fieldsOf = ({ fields }: Message): Field[] => {
  let left = MAX_VALUES
  const shown = fields.slice(0, MAX_FIELDS).map(({ name, value }) => {
    const text = clip(value, Math.min(MAX_VALUE, Math.max(left, SHORT)), escape)
    left -= text.length
    const short = name !== 'time' && (ALWAYS_SHORT.has(name) || value.length < SHORT)
    return { title: clip(name, MAX_TITLE, escape), value: text, short }
  })
  const cut = fields.length - shown.length
  return cut > 0 ? [...shown, { title: 'cut', value: `${cut} more fields`, short: false }] : shown
}

const attachment = (notice: Notice, { outputFormat, footer }: Config) => {
  const shown = message(notice)
  const text = clip(shown.text, MAX_TEXT, escape)
  return {
    fallback: notice.report ? clip(shown.title, MAX_TITLE, escape) : text,
    color: shown.colour,
    ...(notice.report && { title: clip(shown.title, MAX_TITLE, escape) }),
    ...(outputFormat !== 'fields' && text && { text }),
    fields: outputFormat === 'text' ? null : fieldsOf(shown),
    ...(outputFormat !== 'text' && footer && { footer }),
  }
}

/**
 * Posts each notice as a coloured attachment.
 *
 * Source: the `slack` output of Falcosidekick 2.x (`outputs/slack.go`); Slack's reference of secondary attachments and
 * its rules for escaping text.
 * @example slack({ webhookUrl: 'https://hooks.slack.com/services/T…/B…/…' }, 'secops')
 */
export const slack = defineHttpOutput({
  type: 'slack',
  summary: 'Posts the event to a Slack channel.',
  notes: `
An event looks as Falcosidekick shows it: the same colours, the same fields in the same order. The report of a response
has a title with the outcome, one line for each step, and the response, target and trace as fields.

Differences from Falcosidekick: \`&\`, \`<\` and \`>\` are escaped, so that text from an event cannot mention a channel or
hide a link; numbers and booleans among the fields are shown; what is over Slack's limits is cut with a mark, where
Slack would refuse or cut it; name, icon and footer are not Falcosidekick's; there is no \`messageFormat\`.
`.trim(),
  config,
  request: (notice, settings) => ({
    url: settings.webhookUrl,
    body: {
      ...(settings.username && { username: settings.username }),
      ...(settings.icon && { icon_url: settings.icon }),
      ...(settings.channel && { channel: settings.channel }),
      attachments: [attachment(notice, settings)],
    },
  }),
  example: {
    config: { webhookUrl: 'https://hooks.slack.com/services/T00000000/B00000000/xxxxxxxxxxxxxxxxxxxxxxxx' },
    sends: {
      url: 'https://hooks.slack.com/services/T00000000/B00000000/xxxxxxxxxxxxxxxxxxxxxxxx',
      body: {
        username: 'Yarak',
        attachments: [
          {
            fallback: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
            color: '#5bffb5',
            text: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
            fields: [
              { title: 'rule', value: 'Terminal shell in container', short: true },
              { title: 'priority', value: 'Notice', short: true },
              { title: 'source', value: 'syscall', short: true },
              { title: 'hostname', value: 'node-1', short: true },
              { title: 'tags', value: 'container, shell, mitre_execution', short: true },
              { title: 'container.id', value: '4f8e0c1d2b3a', short: true },
              { title: 'k8s.ns.name', value: 'default', short: true },
              { title: 'k8s.pod.name', value: 'web-1', short: true },
              { title: 'proc.cmdline', value: 'bash', short: true },
              { title: 'proc.pid', value: '4711', short: true },
              { title: 'user.name', value: 'root', short: true },
              { title: 'time', value: '2026-01-31T12:00:00.123456789Z', short: false },
            ],
          },
        ],
      },
    },
  },
})

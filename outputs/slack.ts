/** A Slack channel, by an incoming webhook or a bot. */
import { defineOutput, type Notice, secret, z } from '../src/plugin.ts'
import { attachment, type AttachmentStyle, formatted, messageFormat, outputFormat } from './_chat.ts'
import { exampleAttachment } from './_example.ts'
import { httpUrl, secretUrl } from './_settings.ts'
import { botSender } from './_slack.ts'

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** Slack's three control characters, so that text from an event makes no link and calls no `<!channel>`. */
const escape = (text: string): string => text.replaceAll(/[&<>]/g, (one) => ENTITIES[one] ?? one)

const config = z
  .strictObject({
    webhookUrl: secretUrl().optional().describe('The incoming webhook of the channel; or `token` and `channel`.'),
    token: secret()
      .regex(/^[\x21-\x7e]+$/, 'must be one word')
      .optional()
      .describe('The token of a bot with the scope `chat:write`, in place of `webhookUrl`.'),
    channel: z
      .string()
      .min(1)
      .optional()
      .describe(
        "The channel of the bot; with a webhook another channel than the webhook's, where Slack still allows that.",
      ),
    username: z.string().default('Yarak').describe('The name shown as the sender; empty for the name of the webhook.'),
    icon: httpUrl().optional().describe("Address of the sender's picture. Default: the picture of the webhook."),
    footer: z.string().optional().describe('A line below the fields. Default none.'),
    outputFormat: outputFormat(),
    messageFormat: messageFormat(escape),
  })
  .refine(({ webhookUrl, token }) => !webhookUrl !== !token, 'takes either webhookUrl or token')
  .refine(({ token, channel }) => !token || channel, 'token needs a channel')

type Config = z.output<typeof config>

const STYLE: AttachmentStyle = {
  order: ['rule', 'priority', 'source', 'hostname', 'tags', '*', 'time'],
  escape,
  /** Slack cuts the text of an attachment at 8,000 characters, in the middle of whatever is there. */
  text: 7_900,
}

/** With twice the text and the fields of an attachment below 40,000: what is over is refused with `msg_too_long`. */
const MAX_FORMAT = 4_000

const bodyOf = (notice: Notice, settings: Config) => {
  const text = formatted(notice, settings.messageFormat, MAX_FORMAT)
  return {
    ...(text && { text }),
    ...(settings.username && { username: settings.username }),
    ...(settings.icon && { icon_url: settings.icon }),
    ...(settings.channel && { channel: settings.channel }),
    attachments: [attachment(notice, settings, STYLE)],
  }
}

/**
 * Posts each notice as a coloured attachment.
 *
 * Source: the `slack` output of Falcosidekick 2.x (`outputs/slack.go`); Slack's reference of secondary attachments, its
 * rules for escaping text, and https://docs.slack.dev/apis/web-api/rate-limits
 * @example slack({ webhookUrl: 'https://hooks.slack.com/services/T…/B…/…' }, 'secops')
 * @example slack({ token: 'xoxb-…', channel: 'C0123456789' })
 */
export const slack = defineOutput({
  type: 'slack',
  summary: 'Posts the event to a Slack channel.',
  notes: `
An event looks as Falcosidekick shows it: the same colours, the same fields in the same order. The report of a
response has a title with the outcome, which leads to the trace, one line for each step, and the response, target and
undo command as fields. At most one message a second, as Slack takes.

With \`token\` in place of \`webhookUrl\` a report changes the message of its event, which then has the colour and the
outcome, and is posted in its thread. For that the last 1,000 messages are remembered, also over a restart; a report
of an older event is a message of its own. Of several reports the last one gives the colour. \`username\` and \`icon\`
then need the scope \`chat:write.customize\`.

Differences from Falcosidekick: \`&\`, \`<\` and \`>\` are escaped, so that text from an event cannot mention a
channel or hide a link; fields that are no texts are shown; times and the order of tags are as the event has them;
what is over Slack's limits is cut with a mark, where Slack would refuse or cut it; name, icon and footer are not
Falcosidekick's.
`.trim(),
  config,
  http: true,
  ordered: true,
  rate: { count: 1, per: 1_000 },
  open(settings, io) {
    const { token, webhookUrl } = settings
    if (token) return botSender(io, token, (notice) => bodyOf(notice, settings))
    return {
      async send(notices, signal) {
        for (const one of notices) await io.http({ url: webhookUrl ?? '', body: bodyOf(one, settings) }, signal)
      },
    }
  },
  example: {
    config: { webhookUrl: 'https://hooks.slack.com/services/T00000000/B00000000/xxxxxxxxxxxxxxxxxxxxxxxx' },
    sends: {
      url: 'https://hooks.slack.com/services/T00000000/B00000000/xxxxxxxxxxxxxxxxxxxxxxxx',
      body: {
        username: 'Yarak',
        attachments: [exampleAttachment('rule priority source hostname tags fields time')],
      },
    },
  },
})

/** A Rocket.Chat channel, by an incoming webhook. */
import { defineHttpOutput, message, z } from '../src/plugin.ts'
import {
  attachment,
  type AttachmentStyle,
  defused,
  fit,
  formatted,
  messageFormat,
  outputFormat,
  textOf,
} from './_chat.ts'
import { exampleAttachment } from './_example.ts'
import { httpUrl, secretUrl } from './_settings.ts'

/** `Message_MaxAllowedSize`, as a server has it that was not set otherwise. */
const MAX_MESSAGE = 5_000

const STYLE: AttachmentStyle = {
  order: ['rule', 'priority', 'source', 'tags', '*', 'time', 'hostname'],
  escape: defused,
  text: MAX_MESSAGE,
}

/**
 * Posts each notice as a coloured attachment.
 *
 * Source: the `rocketchat` output of Falcosidekick 2.x (`outputs/rocketchat.go`);
 * https://docs.rocket.chat/docs/integrations and the grammar of `@rocket.chat/message-parser`, which knows no escape.
 * @example rocketchat({ webhookUrl: 'https://chat.example.com/hooks/…/…' })
 */
export const rocketchat = defineHttpOutput({
  type: 'rocketchat',
  summary: 'Posts the event to a Rocket.Chat channel.',
  notes: `
An event looks as Falcosidekick shows it. The report of a response has a title with the outcome, which leads to the
trace, one line for each step, and the response, target and undo command as fields. With \`outputFormat: text\` the
message is the text of \`messageFormat\` alone.

Differences from Falcosidekick: a zero-width space behind \`@\`, \`<\` and \`](\` keeps texts of the event from
mentioning \`@all\`, \`@here\` or somebody and from hiding a link (Rocket.Chat has no escape for \`*bold*\` and the
like: that is shown); \`outputFormat: text\` without \`messageFormat\` shows the output, where Falcosidekick sends an
empty message; fields that are no texts are shown; times and the order of tags are as the event has them; what is too
long is cut with a mark; name and picture are not Falcosidekick's; there is no \`footer\`, which Falcosidekick does
not send.
`.trim(),
  config: z.strictObject({
    webhookUrl: secretUrl().describe('The incoming webhook.'),
    username: z.string().default('Yarak').describe('The name shown as the sender; empty for the name of the webhook.'),
    icon: httpUrl().optional().describe("Address of the sender's picture. Default: the picture of the webhook."),
    outputFormat: outputFormat(),
    messageFormat: messageFormat(defused),
  }),
  request(notice, settings) {
    const isText = settings.outputFormat === 'text'
    const format = formatted(notice, settings.messageFormat, MAX_MESSAGE)
    const text = format ?? (isText && !notice.report ? fit(textOf(message(notice), true), MAX_MESSAGE, defused) : '')
    return {
      url: settings.webhookUrl,
      body: {
        ...(text && { text }),
        ...(settings.username && { username: settings.username }),
        ...(settings.icon && { icon_url: settings.icon }),
        ...((!isText || notice.report) && { attachments: [attachment(notice, settings, STYLE)] }),
      },
    }
  },
  example: {
    config: { webhookUrl: 'https://chat.example.com/hooks/xxxxxxxxxxxxxxxxx/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' },
    sends: {
      url: 'https://chat.example.com/hooks/xxxxxxxxxxxxxxxxx/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      body: {
        username: 'Yarak',
        attachments: [exampleAttachment('rule priority source tags fields time hostname')],
      },
    },
  },
})

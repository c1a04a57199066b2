/** A Mattermost channel, by an incoming webhook. */
import { defineHttpOutput, z } from '../src/plugin.ts'
import { attachment, type AttachmentStyle, formatted, markdown, messageFormat, outputFormat } from './_chat.ts'
import { exampleAttachment } from './_example.ts'
import { httpUrl, secretUrl } from './_settings.ts'

const STYLE: AttachmentStyle = {
  order: ['rule', 'hostname', 'priority', 'source', 'tags', '*', 'time'],
  escape: markdown,
  text: 7_900,
}

/** Characters of a post since Mattermost 5.0. */
const MAX_POST = 16_383

/**
 * Posts each notice as a coloured attachment.
 *
 * Source: the `mattermost` output of Falcosidekick 2.x (`outputs/mattermost.go`);
 * https://developers.mattermost.com/integrate/webhooks/incoming/ and .../reference/message-attachments/
 * @example mattermost({ webhookUrl: 'https://mattermost.example.com/hooks/…' })
 */
export const mattermost = defineHttpOutput({
  type: 'mattermost',
  summary: 'Posts the event to a Mattermost channel.',
  notes: `
An event looks as Falcosidekick shows it. The report of a response has a title with the outcome, which leads to the
trace, one line for each step, and the response, target and undo command as fields. Name and picture hold where the
server has \`EnablePostUsernameOverride\` and \`EnablePostIconOverride\`.

Differences from Falcosidekick: Markdown in texts of the event is escaped, and a zero-width space behind \`@\` and
\`<\` keeps it from mentioning \`@all\`, \`@channel\` or somebody; fields that are no texts are shown; times and the
order of tags are as the event has them; what is too long is cut with a mark; name, picture and footer are not
Falcosidekick's.
`.trim(),
  config: z.strictObject({
    webhookUrl: secretUrl().describe('The incoming webhook.'),
    username: z.string().default('Yarak').describe('The name shown as the sender; empty for the name of the webhook.'),
    icon: httpUrl().optional().describe("Address of the sender's picture. Default: the picture of the webhook."),
    footer: z.string().optional().describe('A line below the fields. Default none.'),
    outputFormat: outputFormat(),
    messageFormat: messageFormat(markdown),
  }),
  request(notice, settings) {
    const text = formatted(notice, settings.messageFormat, MAX_POST)
    return {
      url: settings.webhookUrl,
      body: {
        ...(text && { text }),
        ...(settings.username && { username: settings.username }),
        ...(settings.icon && { icon_url: settings.icon }),
        attachments: [attachment(notice, settings, STYLE)],
      },
    }
  },
  example: {
    config: { webhookUrl: 'https://mattermost.example.com/hooks/xxxxxxxxxxxxxxxxxxxxxxxxxx' },
    sends: {
      url: 'https://mattermost.example.com/hooks/xxxxxxxxxxxxxxxxxxxxxxxxxx',
      body: {
        username: 'Yarak',
        attachments: [
          exampleAttachment('rule hostname priority source tags fields time', {
            tags: 'container, shell, mitre\\_execution',
          }),
        ],
      },
    },
  },
})

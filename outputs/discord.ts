/** A Discord channel, by a webhook. */
import { defineHttpOutput, inChunks, message, type MessageField, type Notice, type Priority, z } from '../src/plugin.ts'
import { type FieldLimits, fieldsOf, fit, fitFields, keepingLink, markdown } from './_chat.ts'
import { httpUrl, secretUrl } from './_settings.ts'

/** Characters, https://docs.discord.com/developers/resources/message#embed-object-embed-limits */
const MAX_TITLE = 256
const MAX_TEXT = 2_000
const FIELDS_OF_AN_EMBED = 25
/** All embeds of a message share 6,000 characters. */
const FIELDS: FieldLimits = { count: 80, name: 256, value: 1_024, total: 3_600 }

const ORDER = ['rule', 'priority', 'source', 'hostname', '*', 'tags', 'time']

/** Discord's colours of roles, as Falcosidekick gives them to priorities: a number as a text. */
const COLOURS: Readonly<Record<Priority, string>> = {
  Emergency: '15158332',
  Alert: '11027200',
  Critical: '15105570',
  Error: '15844367',
  Warning: '12745742',
  Notice: '3066993',
  Informational: '3447003',
  Debug: '12370112',
}

/** No backtick ends the block; a first line of several would be taken for the name of a language. */
const codeBlock = (text: string): string =>
  '```' + (text.includes('\n') ? '\n' : '') + text.replaceAll('`', '`\u200b') + '```'

/** Discord refuses names and values that are empty. */
const filled = (text: string): string => (text.trim() ? text : '\u200b')

const embedFields = (notice: Notice) => {
  const ours = keepingLink(notice, markdown)
  const escape = (text: string, of?: MessageField): string => filled(of?.isField ? codeBlock(text) : ours(text))
  return fitFields(fieldsOf(notice, ORDER), FIELDS, escape).map(({ name, value }) => ({ name, value, inline: true }))
}

/** One embed, and more where its fields are too many for one. */
const embedsOf = (notice: Notice) => {
  const shown = message(notice)
  const { event, report } = notice
  const color = report ? String(Number.parseInt(shown.colour.slice(1), 16)) : COLOURS[event.priority]
  const [fields = [], ...more] = inChunks(embedFields(notice), { count: FIELDS_OF_AN_EMBED, size: Infinity }, () => 0)
  const first = {
    title: report ? fit(shown.title, MAX_TITLE, markdown) : '',
    url: shown.traceUrl ?? '',
    description: fit(shown.text, MAX_TEXT, markdown),
    color,
    fields,
  }
  return [first, ...more.map((fields) => ({ color, fields }))]
}

/**
 * Posts each notice as an embed.
 *
 * Source: the `discord` output of Falcosidekick 2.x (`outputs/discord.go`);
 * https://docs.discord.com/developers/resources/webhook#execute-webhook
 * @example discord({ webhookUrl: 'https://discord.com/api/webhooks/…/…' })
 */
export const discord = defineHttpOutput({
  type: 'discord',
  summary: 'Posts the event to a Discord channel.',
  notes: `
An event looks as Falcosidekick shows it. The report of a response has a title with the outcome, which leads to the
trace, one line for each step, and the response, target and undo command as fields. At most 30 messages a minute, as
Discord takes by one webhook; name and picture are those of the webhook.

Differences from Falcosidekick: nothing in a message mentions anybody (\`allowed_mentions\`), Markdown in texts of the
event is escaped and backticks end no code block; fields that are no texts are shown; more than 25 fields go into
further embeds of the same message; times and the order of tags are as the event has them; what is too long is cut
with a mark; what is empty is a zero-width space, where Discord would refuse it; the picture is not Falcosidekick's.
`.trim(),
  config: z.strictObject({
    webhookUrl: secretUrl().describe('The webhook of the channel.'),
    icon: httpUrl().optional().describe("Address of the sender's picture. Default: the picture of the webhook."),
  }),
  rate: { count: 30, per: 60_000 },
  request: (notice, { webhookUrl, icon }) => ({
    url: webhookUrl,
    body: {
      content: '',
      ...(icon && { avatar_url: icon }),
      embeds: embedsOf(notice),
      allowed_mentions: { parse: [] },
    },
  }),
  example: {
    config: { webhookUrl: 'https://discord.com/api/webhooks/000000000000000000/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' },
    sends: {
      url: 'https://discord.com/api/webhooks/000000000000000000/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      body: {
        content: '',
        embeds: [
          {
            title: '',
            url: '',
            description:
              'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
            color: '3066993',
            fields: [
              { name: 'rule', value: 'Terminal shell in container', inline: true },
              { name: 'priority', value: 'Notice', inline: true },
              { name: 'source', value: 'syscall', inline: true },
              { name: 'hostname', value: 'node-1', inline: true },
              { name: 'container.id', value: '```4f8e0c1d2b3a```', inline: true },
              { name: 'k8s.ns.name', value: '```default```', inline: true },
              { name: 'k8s.pod.name', value: '```web-1```', inline: true },
              { name: 'proc.cmdline', value: '```bash```', inline: true },
              { name: 'proc.pid', value: '```4711```', inline: true },
              { name: 'user.name', value: '```root```', inline: true },
              { name: 'tags', value: 'container, shell, mitre\\_execution', inline: true },
              { name: 'time', value: '2026-01-31T12:00:00.123456789Z', inline: true },
            ],
          },
        ],
        allowed_mentions: { parse: [] },
      },
    },
  },
})

/** A channel of Zoho Cliq, by its webhook. */
import { defineHttpOutput, message, type Notice, type Outcome, type Priority, z } from '../src/plugin.ts'
import {
  defused,
  type FieldLimits,
  fieldsOf,
  fit,
  fitFields,
  formatted,
  keepingLink,
  messageFormat,
  outputFormat,
  textOf,
} from './_chat.ts'
import { httpUrl, secretUrl } from './_settings.ts'

/** Characters and rows; far below what Zoho takes now (10,000 characters), as it does not say what webhooks take. */
const MAX_TEXT = 4_000
const FIELDS: FieldLimits = { count: 50, name: 200, value: 1_000, total: 12_000 }
const ORDER = ['rule', 'priority', 'hostname', '*', 'time']

const EMOJIS: Readonly<Record<Priority, string>> = {
  Emergency: '\u{1f6a8}',
  Alert: '\u{1f7e0}',
  Critical: '\u{1f7e0}',
  Error: '\u{1f6a8}',
  Warning: '\u{1f7e1}',
  Notice: '\u{1f535}',
  Informational: '\u{1f7e2}',
  Debug: '\u{26aa}',
}

const GOOD: ReadonlySet<Outcome> = new Set(['succeeded', 'gone'])
const CALM: ReadonlySet<Outcome> = new Set(['refused', 'skipped'])

const emojiOf = ({ event, report }: Notice): string => {
  if (!report) return EMOJIS[event.priority]
  return GOOD.has(report.outcome) ? '\u{1f7e2}' : CALM.has(report.outcome) ? '\u{1f7e1}' : '\u{1f6a8}'
}

const table = (notice: Notice) => {
  const fields = fitFields(fieldsOf(notice, ORDER), FIELDS, keepingLink(notice, defused))
  const rows = fields.map(({ name, value }) => ({ field: name, value }))
  return { type: 'table', data: { headers: ['field', 'value'], rows } }
}

/**
 * Posts each notice with a table of its fields.
 *
 * Source: the `cliq` output of Falcosidekick 2.x (`outputs/cliq.go`); https://www.zoho.com/cliq/help/restapi/v2/
 * and, for the limits, https://www.zoho.com/cliq/help/restapi/v3/messageformat/
 * @example cliq({ webhookUrl: 'https://cliq.zoho.eu/api/v2/channelsbyname/alerts/message?zapikey=…' })
 */
export const cliq = defineHttpOutput({
  type: 'cliq',
  summary: 'Posts the event to a channel of Zoho Cliq.',
  notes: `
An event looks as Falcosidekick shows it, without source and tags. The report of a response has the outcome and one
line for each step as its text, and the response, target, trace and undo command in the table. At most 20 messages a
minute: who sends more is locked out by Zoho for 10 minutes.

Differences from Falcosidekick: a zero-width space behind \`@\`, \`<\` and \`](\` keeps texts of the event from
mentioning somebody and from hiding a link (Cliq has no escape for \`*bold*\` and the like: that is shown); fields
that are no texts are shown; times and the order of tags are as the event has them; texts over 4,000 characters are
cut with a mark, and tables at 50 rows; name and picture are not Falcosidekick's.
`.trim(),
  config: z.strictObject({
    webhookUrl: secretUrl().describe('The address of the channel, with its `zapikey`.'),
    botName: z.string().min(1).default('Yarak').describe('The name shown as the sender. Default Yarak.'),
    icon: httpUrl().optional().describe("Address of the sender's picture. Default none."),
    useEmoji: z.boolean().default(false).describe('Begins the text with an emoji for the priority. Default false.'),
    outputFormat: outputFormat(),
    messageFormat: messageFormat(defused),
  }),
  rate: { count: 20, per: 60_000 },
  request(notice, { webhookUrl, botName, icon, useEmoji, outputFormat, messageFormat }) {
    const shown = message(notice)
    const output = textOf(shown, outputFormat === 'text')
    const own = fit(notice.report ? `${shown.title}\n${output}` : output, MAX_TEXT, defused)
    const format = formatted(notice, messageFormat, MAX_TEXT)
    const slides = [
      ...(format !== undefined && outputFormat !== 'fields' ? [{ type: 'text', data: own }] : []),
      ...(outputFormat === 'text' ? [] : [table(notice)]),
    ]
    return {
      url: webhookUrl,
      headers: { 'content-type': 'application/json' },
      body: {
        text: `${useEmoji ? `${emojiOf(notice)} ` : ''}${format ?? own}`,
        bot: { name: botName, ...(icon && { image: icon }) },
        ...(slides.length > 0 && { slides }),
      },
    }
  },
  example: {
    config: { webhookUrl: 'https://cliq.zoho.eu/api/v2/channelsbyname/alerts/message?zapikey=xxxxxxxxxxxxxxxx' },
    sends: {
      url: 'https://cliq.zoho.eu/api/v2/channelsbyname/alerts/message?zapikey=xxxxxxxxxxxxxxxx',
      body: {
        text: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
        bot: { name: 'Yarak' },
        slides: [
          {
            type: 'table',
            data: {
              headers: ['field', 'value'],
              rows: [
                { field: 'rule', value: 'Terminal shell in container' },
                { field: 'priority', value: 'Notice' },
                { field: 'hostname', value: 'node-1' },
                { field: 'container.id', value: '4f8e0c1d2b3a' },
                { field: 'k8s.ns.name', value: 'default' },
                { field: 'k8s.pod.name', value: 'web-1' },
                { field: 'proc.cmdline', value: 'bash' },
                { field: 'proc.pid', value: '4711' },
                { field: 'user.name', value: 'root' },
                { field: 'time', value: '2026-01-31T12:00:00.123456789Z' },
              ],
            },
          },
        ],
      },
    },
  },
})

/** A space of Google Chat, by an incoming webhook. */
import { defineHttpOutput, message, type Notice, z } from '../src/plugin.ts'
import {
  defused,
  type FieldLimits,
  fieldsOf,
  fit,
  fitFields,
  formatted,
  jsonBytes,
  messageFormat,
  textOf,
} from './_chat.ts'
import { secretUrl } from './_settings.ts'

/** Bytes. Text and card together are at most 32,000, with the JSON around each of the fields. */
const MAX_TEXT = 4_096
const MAX_TITLE = 300
/** A card has at most 100 widgets. */
const FIELDS: FieldLimits = { count: 90, name: 300, value: 2_000, total: 16_000, sizeOf: jsonBytes }
const ORDER = ['rule', 'priority', 'source', 'hostname', '*', 'tags', 'time']

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** Cards take some HTML. */
const html = (text: string): string => text.replaceAll(/[&<>]/g, (one) => ENTITIES[one] ?? one)

const card = (notice: Notice) => {
  const { title, text, traceUrl } = message(notice)
  const open = { onClick: { openLink: { url: traceUrl } } }
  const widgets = fitFields(fieldsOf(notice, ORDER), FIELDS, html).map(({ name, value, raw }) => ({
    keyValue: { topLabel: name, content: value, ...(raw.value === traceUrl && open) },
  }))
  return {
    header: { title: notice.report ? fit(title, MAX_TITLE, html, jsonBytes) : '', subtitle: '' },
    sections: [
      {
        widgets: [
          ...(notice.report && text ? [{ textParagraph: { text: fit(text, MAX_TEXT, html, jsonBytes) } }] : []),
          ...widgets,
        ],
      },
    ],
  }
}

/** All there is to see when no card is shown. */
const plain = (notice: Notice): string => {
  const shown = message(notice)
  const link = shown.traceUrl ? `\n${shown.traceUrl}` : ''
  const text = notice.report ? `${shown.title}\n${shown.text}` : textOf(shown, true)
  return fit(text, MAX_TEXT - jsonBytes(link), defused, jsonBytes) + link
}

/**
 * Posts each notice as a card.
 *
 * Source: the `googlechat` output of Falcosidekick 2.x (`outputs/googlechat.go`); limits:
 * https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create and .../chat/limits
 * @example googlechat({ webhookUrl: 'https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…' })
 */
export const googlechat = defineHttpOutput({
  type: 'googlechat',
  summary: 'Posts the event to a space of Google Chat.',
  notes: `
A card as Falcosidekick's: the fields, without the output. The report of a response has a header with the outcome and
one line for each step; its trace can be clicked. With \`outputFormat: text\` there is no card, only the text of
\`messageFormat\`. At most 60 messages a minute, as Google takes for one space.

Differences from Falcosidekick: HTML in fields of the event is escaped, and in texts a zero-width space behind \`<\`
keeps the event from mentioning \`<users/all>\` or hiding a link (Google Chat has no escape for \`*bold*\` and the
like: that is shown); \`outputFormat: text\` without \`messageFormat\` shows the output, where Falcosidekick sends an
empty message; fields that are no texts are shown; times and the order of tags are as the event has them; what is too
long is cut with a mark.
`.trim(),
  config: z.strictObject({
    webhookUrl: secretUrl().describe('The incoming webhook.'),
    outputFormat: z
      .enum(['all', 'text'])
      .default('all')
      .describe(
        'What is shown: a card with the fields besides the text of `messageFormat`, or that text alone. Default all.',
      ),
    messageFormat: messageFormat(defused),
  }),
  rate: { count: 60, per: 60_000 },
  request(notice, { webhookUrl, outputFormat, messageFormat }) {
    const format = formatted(notice, messageFormat, MAX_TEXT, jsonBytes)
    const text = format ?? (outputFormat === 'text' ? plain(notice) : '')
    return {
      url: webhookUrl,
      body: { ...(text && { text }), ...(outputFormat === 'all' && { cards: [card(notice)] }) },
    }
  },
  example: {
    config: { webhookUrl: 'https://chat.googleapis.com/v1/spaces/AAAAAAAAAAA/messages?key=xxxxxxxx&token=xxxxxxxx' },
    sends: {
      url: 'https://chat.googleapis.com/v1/spaces/AAAAAAAAAAA/messages?key=xxxxxxxx&token=xxxxxxxx',
      body: {
        cards: [
          {
            header: { title: '', subtitle: '' },
            sections: [
              {
                widgets: [
                  { keyValue: { topLabel: 'rule', content: 'Terminal shell in container' } },
                  { keyValue: { topLabel: 'priority', content: 'Notice' } },
                  { keyValue: { topLabel: 'source', content: 'syscall' } },
                  { keyValue: { topLabel: 'hostname', content: 'node-1' } },
                  { keyValue: { topLabel: 'container.id', content: '4f8e0c1d2b3a' } },
                  { keyValue: { topLabel: 'k8s.ns.name', content: 'default' } },
                  { keyValue: { topLabel: 'k8s.pod.name', content: 'web-1' } },
                  { keyValue: { topLabel: 'proc.cmdline', content: 'bash' } },
                  { keyValue: { topLabel: 'proc.pid', content: '4711' } },
                  { keyValue: { topLabel: 'user.name', content: 'root' } },
                  { keyValue: { topLabel: 'tags', content: 'container, shell, mitre_execution' } },
                  { keyValue: { topLabel: 'time', content: '2026-01-31T12:00:00.123456789Z' } },
                ],
              },
            ],
          },
        ],
      },
    },
  },
})

/** A chat of Telegram, by a bot. */
import { defineHttpOutput, message, type Notice, secret, z } from '../src/plugin.ts'
import { byLine, type FieldLimits, fieldsOf, fit, fitFields, keepingLink, unmentioned } from './_chat.ts'
import { serverUrl } from './_settings.ts'
import { printable } from './_text.ts'

/** Characters as they are read: escapes do not count. A message has 4,096, with what stands between the parts. */
const MAX_TITLE = 250
const MAX_TEXT = 1_200
const MAX_META = 200
const MAX_TAGS = 400
const FIELDS: FieldLimits = { count: 50, name: 100, value: 700, total: 1_200 }

/** https://core.telegram.org/bots/api#markdownv2-style; Falcosidekick forgets the backslash. */
const escape = (text: string): string => text.replaceAll(/[\\_*[\]()~`>#+\-=|{}.!]/g, String.raw`\$&`)

/** On one line, so that no text of an event looks like another line, and without mentions. */
const line = (text: string): string => unmentioned(printable(text))

const short = (text: string, max = MAX_META): string => escape(fit(text, max, line))

const fieldLines = (notice: Notice, order: readonly string[], indent: string): string =>
  fitFields(fieldsOf(notice, order), FIELDS, keepingLink(notice, line))
    .map(({ name, value }) => `${indent}• *${escape(name)}*: ${escape(value)}\n`)
    .join('')

/** Blanks and empty lines are those of Falcosidekick's template. */
const eventText = (notice: Notice): string => {
  const { priority, rule, time, source, hostname = '', tags, output } = notice.event
  return `*\\[Falco\\] \\[${priority}\\] ${short(rule, MAX_TITLE)}*

• *Time*: ${short(time)}
• *Source*: ${short(source)}
• *Hostname*: ${short(hostname)}
• *Tags*: ${short(tags.map((tag) => `${tag} `).join(''), MAX_TAGS)}
• *Fields*:
${fieldLines(notice, ['*'], '\t  ')}

**Output**: ${short(output, MAX_TEXT)}
`
}

const reportText = (notice: Notice): string => {
  const { title, text } = message(notice)
  const steps = fit(text, MAX_TEXT, byLine(line))
  return `*${short(title, MAX_TITLE)}*\n\n${escape(steps)}\n\n${fieldLines(notice, [], '')}`
}

/** Identifiers are numbers, and long ones are negative: both a number and a text are taken. */
const identifier = () => z.union([z.string().min(1), z.int()]).transform(String)

/**
 * Sends each notice as a message of a bot.
 *
 * Source: the `telegram` output of Falcosidekick 2.x (`outputs/telegram.go`);
 * https://core.telegram.org/bots/api#sendmessage
 * @example telegram({ token: '123456:ABC-DEF…', chatId: '-1001234567890' })
 */
export const telegram = defineHttpOutput({
  type: 'telegram',
  summary: 'Sends the event to a chat of Telegram.',
  notes: `
The text is Falcosidekick's. The report of a response has the outcome as its title, one line for each step, and the
response, target, trace and undo command. At most 20 messages a minute, as Telegram takes for one group.

Differences from Falcosidekick: a backslash in the event is escaped too, where Telegram refuses the message or shows a
part of it in bold; a zero-width space behind \`@\` keeps the event from mentioning anybody; line breaks of the event
are shown as \`\\n\`; nested fields are shown as JSON, empty ones not at all; time and the order of tags are as the
event has them; what is over 4,096 characters is cut with a mark.
`.trim(),
  config: z.strictObject({
    host: serverUrl().default('https://api.telegram.org').describe('The Bot API. Default https://api.telegram.org.'),
    token: secret()
      .regex(/^\d+:[\w-]+$/, 'must be as BotFather gives it, like 123456:ABC-DEF')
      .describe('The token of the bot.'),
    chatId: identifier().describe('The chat, group or channel: its number, or `@name` of a channel.'),
    messageThreadId: identifier().optional().describe('The topic in the group. Default none.'),
  }),
  rate: { count: 20, per: 60_000 },
  request: (notice, { host, token, chatId, messageThreadId }) => ({
    url: `${host.replace(/\/+$/, '')}/bot${token}/sendMessage`,
    template: '/bot{token}/sendMessage',
    body: {
      text: notice.report ? reportText(notice) : eventText(notice),
      parse_mode: 'MarkdownV2',
      disable_web_page_preview: true,
      chat_id: chatId,
      ...(messageThreadId && { message_thread_id: messageThreadId }),
    },
  }),
  example: {
    config: { token: '123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11', chatId: '-1001234567890' },
    sends: {
      url: 'https://api.telegram.org/bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/sendMessage',
      body: {
        text: '*\\[Falco\\] \\[Notice\\] Terminal shell in container*\n\n• *Time*: 2026\\-01\\-31T12:00:00\\.123456789Z\n• *Source*: syscall\n• *Hostname*: node\\-1\n• *Tags*: container shell mitre\\_execution \n• *Fields*:\n\t  • *container\\.id*: 4f8e0c1d2b3a\n\t  • *k8s\\.ns\\.name*: default\n\t  • *k8s\\.pod\\.name*: web\\-1\n\t  • *proc\\.cmdline*: bash\n\t  • *proc\\.pid*: 4711\n\t  • *user\\.name*: root\n\n\n**Output**: A shell was spawned in a container with an attached terminal \\(user\\=root command\\=bash pod\\=web\\-1\\)\n',
        parse_mode: 'MarkdownV2',
        disable_web_page_preview: true,
        chat_id: '-1001234567890',
      },
    },
  },
})

/** A channel of Microsoft Teams, by an incoming webhook or a workflow. */
import { defineOutput, type Notice, YarakError, z } from '../src/plugin.ts'
import { httpUrl, secretUrl } from './_settings.ts'
import { adaptiveCard, messageCard } from './_teams.ts'

const config = z.strictObject({
  webhookUrl: secretUrl().describe('The incoming webhook, or the address of the workflow.'),
  format: z
    .enum(['card', 'adaptive'])
    .default('card')
    .describe(
      '`card`: a message card, for incoming webhooks; `adaptive`: an adaptive card, for workflows. Default card.',
    ),
  activityTitle: z.string().min(1).default('Yarak').describe('The name above the message. Default Yarak.'),
  activityImage: httpUrl().optional().describe('Address of a picture beside it. Default none.'),
  outputFormat: z
    .enum(['all', 'text', 'facts'])
    .default('all')
    .describe('What is shown: the text, the facts, or all of both. Default all.'),
})

type Config = z.output<typeof config>

const ADAPTIVE = 'application/vnd.microsoft.card.adaptive'

const bodyOf = (notice: Notice, settings: Config): object =>
  settings.format === 'card'
    ? messageCard(notice, settings)
    : {
        type: 'message',
        attachments: [{ contentType: ADAPTIVE, contentUrl: null, content: adaptiveCard(notice, settings) }],
      }

const PASSING: ReadonlySet<string> = new Set(['408', '429'])

/** An incoming webhook answers 200 and tells in the body that Teams did not take the message. */
const checkTaken = (body: string): void => {
  const status = /returned HTTP error (\d{3})/.exec(body)?.[1]
  if (!status) return
  throw new YarakError('failed', `Microsoft Teams answered ${status} to the webhook`, {
    permanent: Number(status) < 500 && !PASSING.has(status),
    reason: status,
  })
}

/**
 * Posts each notice as a card.
 *
 * Source: the `teams` output of Falcosidekick 2.x (`outputs/teams.go`); limits, and errors behind a 200:
 * https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
 * @example teams({ webhookUrl: 'https://prod-1.westeurope.logic.azure.com/workflows/…', format: 'adaptive' })
 */
export const teams = defineOutput({
  type: 'teams',
  summary: 'Posts the event to a channel of Microsoft Teams.',
  notes: `
A message card looks as Falcosidekick's. Microsoft retires the connectors that take message cards in favour of the app
Workflows: for "When a Teams webhook request is received" set \`format: adaptive\`, an adaptive card (1.4) with the
same texts and facts. The report of a response has a title with the outcome, one line for each step, facts and a
button that opens the trace. At most 4 requests a second, and cards below 28 KB, as Microsoft says.

Differences from Falcosidekick: Markdown and HTML in texts of the event are escaped, with a zero-width space behind
\`<\` and \`@\`; fields that are no texts are shown; time and the order of tags are as the event has them; what is too
long is cut with a mark; a 200 whose body tells of an error is one; title and picture are not Falcosidekick's.
`.trim(),
  config,
  http: true,
  rate: { count: 4, per: 1_000 },
  open: (settings, io) => ({
    async send(notices, signal) {
      for (const notice of notices) {
        const answer = await io.http({ url: settings.webhookUrl, body: bodyOf(notice, settings) }, signal)
        checkTaken(answer.body)
      }
    },
  }),
  example: {
    config: {
      webhookUrl:
        'https://example.webhook.office.com/webhookb2/00000000-0000-0000-0000-000000000000/IncomingWebhook/xxxxxxxx',
    },
    sends: {
      url: 'https://example.webhook.office.com/webhookb2/00000000-0000-0000-0000-000000000000/IncomingWebhook/xxxxxxxx',
      body: {
        '@type': 'MessageCard',
        summary: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
        themeColor: '5bffb5',
        sections: [
          {
            activityTitle: 'Yarak',
            activitySubtitle: '2026-01-31T12:00:00.123456789Z',
            text: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
            facts: [
              { name: 'rule', value: 'Terminal shell in container' },
              { name: 'priority', value: 'Notice' },
              { name: 'source', value: 'syscall' },
              { name: 'hostname', value: 'node-1' },
              { name: 'container.id', value: '4f8e0c1d2b3a' },
              { name: 'k8s.ns.name', value: 'default' },
              { name: 'k8s.pod.name', value: 'web-1' },
              { name: 'proc.cmdline', value: 'bash' },
              { name: 'proc.pid', value: '4711' },
              { name: 'user.name', value: 'root' },
              { name: 'tags', value: 'container, shell, mitre\\_execution' },
            ],
          },
        ],
      },
    },
  },
})

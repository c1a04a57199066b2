/** Grafana OnCall, by a formatted webhook. */
import { defineHttpOutput, message, z } from '../src/plugin.ts'
import { alertId, isHandled, wholeText } from './_alerting.ts'
import { defused } from './_chat.ts'
import { secretUrl } from './_settings.ts'
import { clip } from './_text.ts'

const MAX_TITLE = 1_000
const MAX_MESSAGE = 30_000

/**
 * Posts each event as an alert; the report of a response goes to the same alert group.
 *
 * Source: the `grafanaoncall` output of Falcosidekick 2.x (`outputs/grafana.go`); "Inbound Webhook" of Grafana OnCall's
 * documentation.
 * @example grafanaoncall({ webhookUrl: 'https://oncall.example.com/integrations/v1/formatted_webhook/…/' })
 */
export const grafanaoncall = defineHttpOutput({
  type: 'grafanaoncall',
  summary: 'Sends the event as an alert to Grafana OnCall.',
  notes: `
The integration is a *Formatted Webhook*. The report of a response has the \`alert_uid\` of its event, and so goes to the
same alert group, with the link to its trace. With \`resolve: true\` the report of a response in enforce mode that
succeeded, or whose target was gone, has the state \`ok\`, which resolves the group. What is of one target is sent in
order, and no more than the 300 alerts in five minutes that OnCall takes of one integration.

Differences from Falcosidekick: what could begin a mention, a tag or a link is followed by a zero-width space, since OnCall
shows the text as HTML, as Markdown and in Slack; a message of over 30,000 characters is cut with a mark.
`.trim(),
  config: z.strictObject({
    webhookUrl: secretUrl().describe('Address of the integration.'),
    resolve: z
      .boolean()
      .default(false)
      .describe(
        'A response in enforce mode that succeeded, or found its target gone, resolves the alert. Default false.',
      ),
  }),
  ordered: true,
  rate: { count: 300, per: 300_000 },
  request: (notice, { webhookUrl, resolve }) => ({
    url: webhookUrl,
    body: {
      alert_uid: alertId(notice),
      state: resolve && isHandled(notice) ? 'ok' : 'alerting',
      title: clip(message(notice).title, MAX_TITLE, defused),
      message: clip(wholeText(notice), MAX_MESSAGE, defused),
      ...(notice.traceUrl && { link_to_upstream_details: notice.traceUrl }),
    },
  }),
  example: {
    config: { webhookUrl: 'https://oncall.example.com/integrations/v1/formatted_webhook/m12xmIjOcgwH74UF8CN4dk0Dh/' },
    sends: {
      url: 'https://oncall.example.com/integrations/v1/formatted_webhook/m12xmIjOcgwH74UF8CN4dk0Dh/',
      body: {
        alert_uid: '019c13e6-8b3b-7000-8000-000000000001',
        state: 'alerting',
        title: '[Notice] Terminal shell in container',
        message: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
      },
    },
  },
})

/** Falcosidekick-UI. */
import { defineHttpOutput, message, type Notice, type Priority, z } from '../src/plugin.ts'
import { type Level, levelOf, wholeText } from './_alerting.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'

const PRIORITIES: Readonly<Record<Level, Priority>> = {
  critical: 'Critical',
  error: 'Error',
  warning: 'Warning',
  info: 'Informational',
  success: 'Notice',
}

/** The page knows events only: what it does not know of one it throws away, and so a report becomes an event. */
const eventOf = (notice: Notice): Readonly<Record<string, unknown>> => {
  const { event, report } = notice
  if (!report) return payload(notice)
  const { title, fields } = message(notice)
  return {
    uuid: notice.id,
    output: `${title}\n${wholeText(notice)}`,
    priority: PRIORITIES[levelOf(notice)],
    rule: report.rule,
    time: report.startedAt,
    output_fields: Object.fromEntries(fields.map(({ name, value }) => [name, value])),
    source: 'yarak',
    tags: [...event.tags, 'response', report.outcome],
    ...(event.hostname && { hostname: event.hostname }),
  }
}

/**
 * Posts each notice to Falcosidekick-UI.
 *
 * Source: the `webui` output of Falcosidekick 2.x (`outputs/webui.go`); `internal/models` of Falcosidekick-UI.
 * @example webui({ url: 'http://falcosidekick-ui:2802' })
 */
export const webui = defineHttpOutput({
  type: 'webui',
  summary: 'Shows the event in Falcosidekick-UI.',
  notes: `
The report of a response is shown as an event of its own: source \`yarak\`, the rule that answered, a priority by outcome
(Notice when it succeeded, Warning when it was refused, Error when it failed), the tags \`response\` and the outcome, and the
steps as its output.

Differences from Falcosidekick: the list of outputs is the one that is set, not made from the configuration.
`.trim(),
  config: z.strictObject({
    url: serverUrl().describe('Address of Falcosidekick-UI, e.g. `http://falcosidekick-ui:2802`.'),
    outputs: z
      .array(z.string())
      .default([])
      .describe('Names of outputs that the page shows with the event. Default none.'),
  }),
  request: (notice, { url, outputs }) => ({ url, body: { event: eventOf(notice), outputs } }),
  example: {
    config: { url: 'http://falcosidekick-ui:2802/', outputs: ['Slack'] },
    sends: { url: 'http://falcosidekick-ui:2802/', body: { event: EXAMPLE_BODY, outputs: ['Slack'] } },
  },
})

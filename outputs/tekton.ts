/** Tekton: an event starts a pipeline, by an EventListener of Tekton Triggers. */
import { defineHttpOutput, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { secretUrl } from './_settings.ts'

/**
 * Sends each notice as one JSON object to an EventListener, whose triggers read it as `body`.
 *
 * Source: the `tekton` output of Falcosidekick 2.x (`outputs/tekton.go`);
 * https://tekton.dev/docs/triggers/eventlisteners/
 * @example tekton({ eventListener: 'http://el-falco-listener.default.svc.cluster.local:8080' })
 */
export const tekton = defineHttpOutput({
  type: 'tekton',
  summary: 'Starts a Tekton pipeline with the event, by an EventListener.',
  notes: `
A \`TriggerBinding\` finds the event under \`body\`: \`$(body.rule)\`, \`$(body.output_fields)\`, and of the report of a
response \`$(body.response.outcome)\` and \`$(body.trace_url)\`. A CEL interceptor tells the two apart:
\`has(body.response)\`.

Differences from Falcosidekick: a \`uuid\` that the event brought along is kept; redirects are not followed.
`.trim(),
  config: z.strictObject({
    eventListener: secretUrl().describe('Address of the EventListener.'),
  }),
  request: (notice, { eventListener }) => ({ url: eventListener, body: payload(notice) }),
  example: {
    config: { eventListener: 'https://triggers.example.com/falco' },
    sends: { url: 'https://triggers.example.com/falco', body: EXAMPLE_BODY },
  },
})

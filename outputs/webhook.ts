/** Any HTTP endpoint: gets the event as JSON, as Falcosidekick posts it. */
import { defineHttpOutput, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { headers, secretUrl } from './_settings.ts'

/**
 * Sends each notice as one JSON object to an HTTP address.
 *
 * Source: the `webhook` output of Falcosidekick 2.x (`outputs/webhook.go`).
 * @example webhook({ address: 'https://siem.example.com/falco', headers: { authorization: 'Bearer …' } })
 */
export const webhook = defineHttpOutput({
  type: 'webhook',
  summary: 'Sends the event as JSON to an HTTP address.',
  notes: `
The body is the event as Falcosidekick sends it: \`uuid\`, \`output\`, \`priority\`, \`rule\`, \`time\`, \`output_fields\`,
\`source\`, \`tags\`, \`hostname\`. For the report of a response the same object has one member more, \`response\`.

Differences from Falcosidekick: a \`uuid\` that the event brought along is kept; members it does not know are passed on;
digits of times and numbers are sent as they came; redirects are not followed.
`.trim(),
  config: z.strictObject({
    address: secretUrl().describe('Where to send. A secret as a whole, since such addresses often carry a token.'),
    method: z.enum(['POST', 'PUT']).default('POST').describe('The request method. Default POST.'),
    headers: headers().describe('Further request headers, e.g. `authorization`. Default none.'),
  }),
  request: (notice, { address, method, headers }) => ({ url: address, method, headers, body: payload(notice) }),
  example: {
    config: { address: 'https://siem.example.com/falco', headers: { authorization: 'Bearer 0123456789abcdef' } },
    sends: {
      method: 'POST',
      url: 'https://siem.example.com/falco',
      body: EXAMPLE_BODY,
    },
  },
})

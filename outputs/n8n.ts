/** n8n: an event starts a workflow, by its Webhook node. */
import { defineHttpOutput, secret, z } from '../src/plugin.ts'
import { basicAuth } from './_basic.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { secretUrl } from './_settings.ts'

const config = z
  .strictObject({
    address: secretUrl().describe('Address of the Webhook node: the production URL.'),
    user: z.string().optional().describe('Name for Basic authentication. Default none.'),
    password: secret().optional().describe('Password for Basic authentication; without it the name is not sent.'),
    headerAuthName: z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be the name of an HTTP header')
      .optional()
      .describe('Name of the header of Header authentication. Default none.'),
    headerAuthValue: secret()
      .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of a header')
      .meta({ secret: true })
      .optional()
      .describe('Value of that header.'),
  })
  .refine(
    ({ headerAuthName, headerAuthValue }) => !headerAuthName === !headerAuthValue,
    'headerAuthName and headerAuthValue go together',
  )

/**
 * Sends each notice as one JSON object to a Webhook node.
 *
 * Source: the `n8n` output of Falcosidekick 2.x (`outputs/n8n.go`);
 * https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.webhook/
 * @example n8n({ address: 'https://n8n.example.com/webhook/falco', headerAuthName: 'x-key', headerAuthValue: '…' })
 */
export const n8n = defineHttpOutput({
  type: 'n8n',
  summary: 'Starts an n8n workflow with the event.',
  notes: `
The Webhook node listens for POST, and the workflow finds the event under \`body\`; the report of a response is the same
with \`body.response\`. The test URL of a node answers 404 unless somebody listens: use the production URL.

Differences from Falcosidekick: a \`uuid\` that the event brought along is kept; redirects are not followed; a header's
name without its value, or the other way round, is an error when the settings are read.
`.trim(),
  config,
  request: (notice, { address, user, password, headerAuthName, headerAuthValue }) => ({
    url: address,
    headers: {
      authorization: basicAuth(user, password),
      ...(headerAuthName && { [headerAuthName]: headerAuthValue }),
    },
    body: payload(notice),
  }),
  example: {
    config: {
      address: 'https://n8n.example.com/webhook/falco',
      headerAuthName: 'x-falco-key',
      headerAuthValue: '0123456789abcdef',
    },
    sends: { url: 'https://n8n.example.com/webhook/falco', body: EXAMPLE_BODY },
  },
})

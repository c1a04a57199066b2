/** Node-RED: an event starts a flow, by an `http in` node. */
import { defineHttpOutput, secret, z } from '../src/plugin.ts'
import { basicAuth } from './_basic.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { secretUrl } from './_settings.ts'

/**
 * Sends each notice as one JSON object to an `http in` node.
 *
 * Source: the `nodered` output of Falcosidekick 2.x (`outputs/nodered.go`);
 * https://nodered.org/docs/user-guide/runtime/securing-node-red (`httpNodeAuth`).
 * @example nodered({ address: 'http://node-red.tools:1880/falco', user: 'falco', password: '…' })
 */
export const nodered = defineHttpOutput({
  type: 'nodered',
  summary: 'Starts a Node-RED flow with the event.',
  notes: `
The flow begins with an \`http in\` node for the method POST, and finds the event in \`msg.payload\`; the report of a
response is the same with \`msg.payload.response\`. Name and password are those of \`httpNodeAuth\` in the settings of
Node-RED. The node must be answered by an \`http response\` node, else the delivery is tried again.

Differences from Falcosidekick: a \`uuid\` that the event brought along is kept; redirects are not followed.
`.trim(),
  config: z.strictObject({
    address: secretUrl().describe('Address of the `http in` node.'),
    user: z.string().optional().describe('Name for Basic authentication. Default none.'),
    password: secret().optional().describe('Password for Basic authentication; without it the name is not sent.'),
  }),
  request: (notice, { address, user, password }) => ({
    url: address,
    headers: { authorization: basicAuth(user, password) },
    body: payload(notice),
  }),
  example: {
    config: { address: 'http://node-red.tools:1880/falco', user: 'falco', password: 'correct-horse-battery' },
    sends: { url: 'http://node-red.tools:1880/falco', body: EXAMPLE_BODY },
  },
})

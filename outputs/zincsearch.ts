/** ZincSearch: each notice is a document of one index. */
import { defineHttpOutput, secret, z } from '../src/plugin.ts'
import { basicAuth } from './_basic.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'
import { under } from './_url.ts'

/**
 * Writes each notice as a document.
 *
 * Source: the `zincsearch` output of Falcosidekick 2.x (`outputs/zincsearch.go`); ZincSearch's API, `_doc`.
 * @example zincsearch({ hostPort: 'http://zincsearch:4080', username: 'falco', password: '…' })
 */
export const zincsearch = defineHttpOutput({
  type: 'zincsearch',
  summary: 'Writes the event as a document to ZincSearch.',
  notes: `
The document is the event as \`webhook\` sends it, one in a request. The server gives it its id: what is sent again, since
the answer was lost, is there twice.

Differences from Falcosidekick: those of all outputs that write the whole event, see \`webhook\`.
`.trim(),
  config: z.strictObject({
    hostPort: serverUrl().describe('Address of the server, e.g. `http://zincsearch:4080`.'),
    index: z.string().min(1).default('falco').describe('Name of the index. Default falco.'),
    username: z.string().min(1).optional().describe('User name.'),
    password: secret().optional().describe('Password of the user.'),
  }),
  request(notice, { hostPort, index, username, password }) {
    const path = `/api/${encodeURIComponent(index)}/_doc`
    return {
      url: under(hostPort, path),
      template: path,
      headers: { authorization: basicAuth(username, password) },
      body: payload(notice),
    }
  },
  example: {
    config: { hostPort: 'http://zincsearch:4080', username: 'falco', password: 'correct-horse' },
    sends: { url: 'http://zincsearch:4080/api/falco/_doc', body: EXAMPLE_BODY },
  },
})

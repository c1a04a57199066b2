/** Falco Talon: gets the event as JSON, so that both answer while rules move over. */
import { defineHttpOutput, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { secretUrl } from './_settings.ts'

/**
 * Sends each notice as one JSON object to a Falco Talon.
 *
 * Source: the `talon` output of Falcosidekick 2.x (`outputs/talon.go`).
 * @example talon({ address: 'http://falco-talon.falco:2803' })
 */
export const talon = defineHttpOutput({
  type: 'talon',
  summary: 'Sends the event as JSON to a Falco Talon.',
  notes: `
For the time in which rules move over from Falco Talon: Talon goes on to answer with the rules that it still has. Take a
rule out of one of the two before it is in the other, or both act.

Leave \`tell\` at \`events\`: Talon would match the report of a response, which is the event with one member more, as
the event again.

Differences from Falcosidekick: a \`uuid\` that the event brought along is kept; redirects are not followed.
`.trim(),
  config: z.strictObject({
    address: secretUrl().describe('Address of the Falco Talon, e.g. http://falco-talon.falco:2803.'),
  }),
  request: (notice, { address }) => ({ url: address, body: payload(notice) }),
  example: {
    config: { address: 'https://talon.example.com/alerts' },
    sends: { url: 'https://talon.example.com/alerts', body: EXAMPLE_BODY },
  },
})

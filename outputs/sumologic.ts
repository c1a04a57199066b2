/** Sumo Logic, by an HTTP source. */
import { defineOutput, toJson, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { secretUrl } from './_settings.ts'
import { jsonWithin } from './_shrink.ts'
import { postTexts } from './_texts.ts'

/** One line of a header. */
const headerText = () => z.string().regex(/^[\t\x20-\x7e]*$/, 'must be one line of ASCII')

const config = z.strictObject({
  receiverUrl: secretUrl().describe('Address of the HTTP source.'),
  sourceCategory: headerText().default('').describe('Source category in place of the one that the source has.'),
  sourceHost: headerText().default('').describe('Source host in place of the one that the source has.'),
  name: headerText().default('').describe('Source name in place of the one that the source has.'),
})

/** Sumo Logic takes 1 MB before compression. */
const LIMITS = { count: 1_000, size: 1_000_000 }

/**
 * Sends each notice as a line of JSON, many in one request.
 *
 * Source: the `sumologic` output of Falcosidekick 2.x (`outputs/sumologic.go`); "Upload Data to an HTTP Source" of Sumo
 * Logic's documentation.
 * @example sumologic({ receiverUrl: 'https://endpoint1.collection.sumologic.com/receiver/v1/http/…', sourceCategory: 'falco' })
 */
export const sumologic = defineOutput({
  type: 'sumologic',
  summary: 'Sends the event to an HTTP source of Sumo Logic.',
  notes: `
A line is the event as \`webhook\` sends it; for the report of a response with the member \`response\`. Up to 1,000 lines or
1 MB are one request; a line waits up to a second for others. The longest texts of an event of more than 1 MB are cut,
with \`truncated: true\`.

Differences from Falcosidekick: one request may hold many lines.
`.trim(),
  config,
  http: true,
  batch: LIMITS.count,
  linger: 1_000,
  open: ({ receiverUrl, sourceCategory, sourceHost, name }, io) => {
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'x-sumo-category': sourceCategory || undefined,
      'x-sumo-host': sourceHost || undefined,
      'x-sumo-name': name || undefined,
    }
    return {
      send: (notices, signal) =>
        postTexts(
          notices.map((notice) => jsonWithin(payload(notice), LIMITS.size - 1)),
          LIMITS,
          (lines) => io.http({ url: receiverUrl, headers, body: `${lines.join('\n')}\n` }, signal),
        ),
    }
  },
  example: {
    config: {
      receiverUrl: 'https://endpoint1.collection.sumologic.com/receiver/v1/http/ZaVnC4dhaV3GH4x',
      sourceCategory: 'falco',
    },
    sends: {
      url: 'https://endpoint1.collection.sumologic.com/receiver/v1/http/ZaVnC4dhaV3GH4x',
      body: `${toJson(EXAMPLE_BODY)}\n`,
    },
  },
})

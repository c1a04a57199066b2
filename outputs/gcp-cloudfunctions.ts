import { defineOutput, YarakError, z } from '../src/plugin.ts'
import { googleOf, googleSettings } from '../src/resources/google.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'
import { jsonWithin } from './_shrink.ts'

/** Bytes of what is handed to a function, half of the 10 MB of a request: quotes in it are escaped once more. */
const MAX_BYTES = 5_000_000

/** A call is answered with 200 where the function failed. */
const checked = (name: string, body: string): void => {
  const message = /"error"\s*:\s*"((?:[^"\\]|\\.)+)"/.exec(body)?.[1]
  if (message === undefined) return
  throw new YarakError('failed', `function ${name} failed: ${message.slice(0, 200)}`, {
    permanent: true,
    reason: 'function-error',
  })
}

/**
 * Calls a function of Google Cloud with each notice.
 *
 * Source: the `gcpcloudfunctions` output of Falcosidekick 2.x (`outputs/gcp.go`); `projects.locations.functions.call` of
 * the Cloud Functions REST reference, v1; the quotas of Cloud Functions.
 * @example gcpCloudfunctions({ name: 'projects/secops/locations/europe-west1/functions/on-alert' })
 */
export const gcpCloudfunctions = defineOutput({
  type: 'gcp.cloudfunctions',
  summary: 'Calls a function of Google Cloud Functions with the event.',
  notes: `
The data that the function gets is the JSON text of the event as \`webhook\` sends it; for the report of a response with
the member \`response\`. It is the call API of the first generation, which Google limits to 16 calls in 100 seconds for a
project; for more use \`gcp.cloudrun\` with the address of the function. A function that takes longer than 10 s needs a
\`timeout\`.

Credentials come from \`resources: google\` unless they are set here; they need \`cloudfunctions.functions.call\`.

Differences from Falcosidekick: by REST; an error of the function is a failed delivery with the reason
\`function-error\`, and is not tried again, where Falcosidekick counts it as delivered; calls keep to Google's limit.
`.trim(),
  config: z.strictObject({
    name: z
      .string()
      .regex(
        /^projects\/[a-z0-9.:-]+\/locations\/[a-z0-9-]+\/functions\/[A-Za-z0-9_-]+$/,
        'must be projects/<project>/locations/<region>/functions/<name>',
      )
      .describe('Full name of the function: `projects/<project>/locations/<region>/functions/<name>`.'),
    endpoint: serverUrl()
      .default('https://cloudfunctions.googleapis.com')
      .describe('Address of the service. Default https://cloudfunctions.googleapis.com.'),
    ...googleSettings,
  }),
  http: true,
  rate: { count: 16, per: 100_000 },
  async open(settings, io) {
    const google = await googleOf(settings, io)
    const { name, endpoint } = settings
    const url = `${endpoint.replace(/\/+$/, '')}/v1/${name}:call`
    return {
      async send(notices, signal) {
        for (const notice of notices) {
          const headers = { authorization: await google.authorization() }
          const body = { data: jsonWithin(payload(notice), MAX_BYTES) }
          const answer = await io.http({ url, template: '/v1/{name}:call', headers, body }, signal)
          checked(name, answer.body)
        }
      },
    }
  },
  example: {
    config: { name: 'projects/secops/locations/europe-west1/functions/on-alert' },
    sends: {
      url: 'https://cloudfunctions.googleapis.com/v1/projects/secops/locations/europe-west1/functions/on-alert:call',
      body: { data: JSON.stringify(EXAMPLE_BODY) },
    },
  },
})

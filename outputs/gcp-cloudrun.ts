import { defineOutput, secret, z } from '../src/plugin.ts'
import { googleOf, googleSettings } from '../src/resources/google.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { httpUrl } from './_settings.ts'
import { jsonWithin } from './_shrink.ts'

/** Bytes of a request to Cloud Run by HTTP/1: 32 MiB. */
const MAX_BYTES = 32 * 1024 * 1024

/**
 * Posts each notice to a service of Google Cloud Run, or to a function that runs there.
 *
 * Source: the `gcpcloudrun` output of Falcosidekick 2.x (`outputs/gcpcloudrun.go`); "Service-to-service authentication" of
 * the documentation of Cloud Run.
 * @example gcpCloudrun({ endpoint: 'https://on-alert-abcdef-ew.a.run.app' })
 */
export const gcpCloudrun = defineOutput({
  type: 'gcp.cloudrun',
  summary: 'Posts the event to a service of Google Cloud Run.',
  notes: `
The body is the event as \`webhook\` sends it; for the report of a response with the member \`response\`. Without \`jwt\` an
identity token for the service is made by the credentials of \`resources: google\`, or by those that are set here, and
renewed in time; they need \`run.routes.invoke\`.

Differences from Falcosidekick: the server's certificate is checked; a \`jwt\`, which ends after an hour, is not needed.
`.trim(),
  config: z.strictObject({
    endpoint: httpUrl().describe('Address of the service, with the path to post to.'),
    jwt: secret()
      .regex(/^[\x21-\x7e]+$/, 'must be one word')
      .optional()
      .describe('Identity token to send. Default: one that the credentials give.'),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe('Whom the identity token is for. Default: scheme and host of `endpoint`.'),
    ...googleSettings,
  }),
  http: true,
  async open(settings, io) {
    const { endpoint: url, jwt, audience = new URL(url).origin } = settings
    const google = jwt === undefined ? await googleOf(settings, io) : undefined
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    return {
      async send(notices, signal) {
        for (const notice of notices) {
          const authorization = google ? await google.identity(audience) : `Bearer ${jwt}`
          const body = jsonWithin(payload(notice), MAX_BYTES)
          await io.http({ url, headers: { ...headers, authorization }, body }, signal)
        }
      },
    }
  },
  example: {
    config: { endpoint: 'https://on-alert-abcdef-ew.a.run.app/falco' },
    sends: { url: 'https://on-alert-abcdef-ew.a.run.app/falco', body: EXAMPLE_BODY },
  },
})

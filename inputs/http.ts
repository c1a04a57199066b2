import { defineInput } from '../src/plugin.ts'
import { handle, routes } from './_http-routes.ts'
import { config } from './_http-settings.ts'

/**
 * Takes Falco's alerts by HTTP POST: one JSON object, a JSON array, objects one after another, newline-delimited JSON
 * (each line is taken as it comes), or CloudEvents 1.0 in either form; with gzip or deflate.
 *
 * One event is answered by 200 once it is accepted, with its id in `yarak-event-id`; else by 400 for what is not an
 * event, 401 or 403, 408, 413, 415, 429, and 503 only when there is no room for a second; with `{error, message}`.
 * A batch is answered by 200 with `{accepted, rejected: [{index, code, message}]}`, and by 400 or 503 when none was
 * accepted. `/ping` answers `pong`, and a POST to `/test` makes a test event, as in Falcosidekick.
 * @see https://falco.org/docs/concepts/outputs/channels/#http-https-output
 * @example createGateway({ inputs: [http({ token: 's3cret' })] }).app
 */
export const http = defineInput({
  type: 'http',
  summary: "Takes events posted by Falco's http_output, Falcosidekick, Fluent Bit or any HTTP client.",
  notes: `Falco ignores the answer's status and does not send an event again, so a 2xx is given as soon as the event is accepted.

Who sends is proved by any one of \`token\`, \`basic\`, \`hmac\`, \`secretPath\` and \`clientCertificates\` that is set; a sender without a proof is refused. With none of them set every sender is taken, and counts as authenticated over a unix socket, from this machine (but not by way of a proxy or a browser), with a client certificate that the listener verified, or with \`trust: true\`. Falco sets no header, but sends a client certificate, the user and password of its URL, or a secret path. A signature covers no time: who overhears a signed request can send it again.

An answer of a batch names the first 1,000 rejected events; \`more\` is the number of the others. What cannot be taken as an event becomes a dead letter; what is refused because of its sender, the rate, or a lack of room does not.`,
  config,
  replayable: false,
  routes,
  handle,
})

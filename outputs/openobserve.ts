/** OpenObserve: notices as records of a stream of logs. */
import { defineOutput, type Notice, secret, z } from '../src/plugin.ts'
import { basicAuth } from './_basic.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { ndjson, refusingSender } from './_ndjson.ts'
import { serverUrl } from './_settings.ts'
import { under } from './_url.ts'

const config = z.strictObject({
  hostPort: serverUrl().describe('Address of the server, e.g. `http://openobserve:5080`.'),
  organizationName: z.string().min(1).default('default').describe('Name of the organization. Default default.'),
  streamName: z.string().min(1).default('falco').describe('Name of the stream. Default falco.'),
  username: z.string().min(1).optional().describe('User, an e-mail address.'),
  password: secret().optional().describe('Password or token of the user.'),
})

type Config = z.output<typeof config>

const requestOf = (notices: readonly Notice[], settings: Config) => {
  const { hostPort, organizationName, streamName, username, password } = settings
  const { headers, body } = ndjson(notices)
  const path = `/api/${encodeURIComponent(organizationName)}/${encodeURIComponent(streamName)}/_multi`
  return {
    url: under(hostPort, path),
    template: path,
    headers: { ...headers, authorization: basicAuth(username, password) },
    body,
  }
}

interface Answer {
  readonly status?: readonly { readonly failed?: number; readonly error?: string }[]
}

const refusal = (answer: unknown): string | undefined => {
  const { status } = (answer ?? {}) as Answer
  const bad = Array.isArray(status) ? (status as Answer['status'])?.find(({ failed }) => failed) : undefined
  return bad && `OpenObserve did not take ${bad.failed} records: ${bad.error ?? 'no reason told'}`
}

/**
 * Sends notices as lines of JSON.
 *
 * Source: the `openobserve` output of Falcosidekick 2.x (`outputs/openobserve.go`); OpenObserve's ingestion API `_multi`.
 * @example openobserve({ hostPort: 'http://openobserve:5080', username: 'falco@example.com', password: '…' })
 */
export const openobserve = defineOutput({
  type: 'openobserve',
  summary: 'Writes the event as a record to OpenObserve.',
  notes: `
The records are the events as \`webhook\` sends them, up to 500 in a request; a request over the server's limit (413) is
sent again record by record. Where the answer says that records failed, each is sent alone, so that those that were taken
may be there twice. OpenObserve gives each record the time at which it came as \`_timestamp\`; the event's is in \`time\`.

Differences from Falcosidekick: several events in a request, as \`application/x-ndjson\`; records that the server refuses in
an answer of 200 are dead letters.
`.trim(),
  config,
  http: true,
  batch: 500,
  linger: 500,
  open: (settings, io) => refusingSender(io, (some) => requestOf(some, settings), refusal),
  example: {
    config: { hostPort: 'http://openobserve:5080', username: 'falco@example.com', password: 'correct-horse' },
    sends: { url: 'http://openobserve:5080/api/default/falco/_multi', body: EXAMPLE_BODY },
  },
})

/** NATS: a subject of core NATS, or a stream of JetStream. */
import { defineOutput, type Notice, secret, YarakError, z } from '../src/plugin.ts'
import { connection } from './_connection.ts'
import { type NatsDriver, natsDriver, type NatsLink, type NatsMessage } from './_nats.ts'
import { payload } from './_payload.ts'
import { queueSender, type TraceHeaders } from './_queue.ts'
import { jsonWithin } from './_shrink.ts'
import { tlsSettings } from './_tls.ts'

const ADDRESS = /^((nats|tls):\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s,:/@[\]]+)(:\d{1,5})?\/?$/

/** Letters of a template, in parts between dots. */
const isSubject = (template: string): boolean =>
  /^[^\s.*>]+(\.[^\s.*>]+)*$/.test(template.replaceAll(/<priority>|<rule>/g, 'x'))

const address = () => z.string().regex(ADDRESS, 'must be nats://host:port, without credentials: those have settings')

const config = z
  .strictObject({
    hostPort: z
      .union([address(), z.array(address()).min(1)])
      .transform((one) => [one].flat())
      .describe('Address of a server, `nats://host:4222` or `tls://host:4222`, or a list of them.'),
    subjectTemplate: z
      .string()
      .refine(isSubject, 'must be a subject without spaces and wildcards')
      .default('falco.<priority>.<rule>')
      .describe('The subject; `<priority>` and `<rule>` are those of the event. Default falco.<priority>.<rule>.'),
    stream: z
      .union([z.boolean(), z.string().regex(/^[^\s.*>/\\]+$/, 'must be the name of a stream')])
      .default(false)
      .describe('JetStream keeps it and acknowledges; a name: only in that stream. Default false: core NATS.'),
    username: z.string().min(1).optional().describe('User name. Default none.'),
    password: secret().optional().describe('Password. Default none.'),
    token: secret().optional().describe('Token, in place of a user name. Default none.'),
    credsFile: z.string().min(1).optional().describe('File with the JWT and the key of a user. Default none.'),
    tls: tlsSettings(),
  })
  .refine(({ username, password }) => username !== undefined || password === undefined, 'password needs a username')

type Config = z.output<typeof config>

const MAX_SLUG = 256

/** Lower case, anything but `a-z` and `0-9` as `_`: it can neither end the subject nor be a wildcard. */
const slug = (rule: string): string => {
  const letters = rule.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')
  return letters.slice(0, MAX_SLUG).replaceAll(/^_+|_+$/g, '') || '_'
}

const subjectOf = ({ event }: Notice, { subjectTemplate }: Config): string =>
  subjectTemplate.replaceAll('<priority>', event.priority.toLowerCase()).replaceAll('<rule>', slug(event.rule))

/** Bytes for the headers, which count as part of the payload. */
const HEADERS = 1_024

const messageFor = (notice: Notice, settings: Config, headers: TraceHeaders, open: NatsLink): NatsMessage => ({
  subject: subjectOf(notice, settings),
  data: jsonWithin(payload(notice), open.maxPayload - HEADERS),
  headers,
  id: notice.id,
})

/** By the words of the server, which the library hands on. */
const meaning = (error: unknown): YarakError | undefined =>
  /authori[sz]ation|authentication|nonce/i.test(String(error))
    ? new YarakError('unavailable', 'NATS does not let us in: check username, password, token or credsFile', {
        cause: error,
        reason: 'authentication',
      })
    : undefined

/**
 * The output on a driver of your own, e.g. a fake in a test.
 * @example const nats = createNats(myDriver)
 */
export const createNats = (driver: NatsDriver) =>
  defineOutput({
    type: 'nats',
    summary: 'Publishes events and reports as JSON to NATS, or to a stream of JetStream.',
    notes: `
The message is the event as \`webhook\` sends it; the report of a response adds the member \`response\` and has the subject
of its event. The header \`traceparent\` lets a consumer go on in the same trace.

Core NATS keeps nothing: what nobody listens to is gone. With \`stream\` JetStream acknowledges each message; it must have a
stream with these subjects. Sent again after a failure, a message has the same \`Nats-Msg-Id\`, so that JetStream drops
the second one within its window for duplicates (2 minutes by default).

An event larger than the server's \`max_payload\` (1 MiB by default) is sent with its longest texts cut and
\`truncated: true\`.

Differences from Falcosidekick: one connection is kept, and a publish is answered by the server; a rule without a Latin
letter or digit is \`_\` in the subject, where Falcosidekick makes an invalid one; a rule's part has at most 256
characters. NATS Streaming (STAN) reached its end in 2023 and its server is archived
(https://github.com/nats-io/nats-streaming-server): use this output with \`stream\`.
`.trim(),
    config,
    batch: 100,
    kind: 'producer',
    ordered: true,
    preview: (notice, settings) => ({ subject: subjectOf(notice, settings), data: payload(notice) }),
    example: { config: { hostPort: 'nats://nats:4222', stream: true } },
    open(settings, io) {
      const destination = { system: 'nats', name: settings.subjectTemplate }
      const link = connection({
        name: `NATS at ${settings.hostPort.join(', ')}`,
        open: (lost) => driver(settings, lost),
        close: (open) => open.close(),
        meaning,
      })
      return queueSender(io, destination, link, (notice, headers, open) => messageFor(notice, settings, headers, open))
    },
  })

/**
 * Publishes each notice to a subject of its rule and priority.
 *
 * Source: the `nats` output of Falcosidekick 2.x (`outputs/nats.go`); docs.nats.io, "Headers" and "JetStream: message
 * deduplication".
 * @example nats({ hostPort: 'nats://nats:4222', stream: 'FALCO' })
 */
export const nats = createNats(natsDriver)

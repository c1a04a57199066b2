/** RabbitMQ: a queue, or an exchange, by AMQP 0-9-1. */
import { defineOutput, messageOf, type Notice, secret, YarakError, z } from '../src/plugin.ts'
import { connection } from './_connection.ts'
import { payload } from './_payload.ts'
import { queueSender, type TraceHeaders } from './_queue.ts'
import { type RabbitmqDriver, rabbitmqDriver, type RabbitmqMessage } from './_rabbitmq.ts'
import { jsonWithin } from './_shrink.ts'
import { tlsSettings } from './_tls.ts'

const isAddress = (text: string): boolean => /^amqps?:\/\/[^/]/.test(text) && URL.canParse(text)

/** AMQP 0-9-1: a short string. */
const name = () => z.string().refine((text) => Buffer.byteLength(text) <= 255, 'must have at most 255 bytes')

const config = z
  .strictObject({
    url: secret()
      .refine(isAddress, 'must be amqp://user:password@host:port/vhost, or amqps://')
      .describe('`amqp://user:password@host:5672/vhost`, or `amqps://`. A secret as a whole.'),
    queue: name().optional().describe('Queue to write to; it must exist. Needed, unless there is an `exchange`.'),
    exchange: name().default('').describe('Exchange to publish to; it must exist. Default: straight to `queue`.'),
    route: name().optional().describe('Routing key. Default: the name of `queue`.'),
    durable: z
      .boolean()
      .default(false)
      .describe('Messages outlive a restart of the broker, in a durable queue. Default false.'),
    tls: tlsSettings(),
  })
  .refine(({ queue, exchange }) => queue || exchange, 'needs a queue or an exchange')

type Config = z.output<typeof config>

/** `max_message_size` is 16 MiB by default since RabbitMQ 4.0 (rabbitmq.com/docs/configure), larger before. */
const MAX_SIZE = 16 * 1024 * 1024

const messageFor = (
  notice: Notice,
  { exchange, queue = '', route = queue }: Config,
  headers: TraceHeaders,
): RabbitmqMessage => ({
  exchange,
  routingKey: route,
  content: jsonWithin(payload(notice), MAX_SIZE),
  headers,
  id: notice.id,
})

/** What the broker's reply codes mean: its text may quote what it was told. */
const meaningAt = (where: string) => (error: unknown) => {
  const [, code] = /\b(403|404|530)\b/.exec(messageOf(error)) ?? []
  const [text, reason] = MEANINGS[code ?? ''] ?? []
  return text === undefined
    ? undefined
    : new YarakError('unavailable', `${where}: ${text}`, { cause: error, ...(reason && { reason }) })
}

/** AMQP 0-9-1, 1.5.2.5. */
const MEANINGS: Readonly<Record<string, readonly [string, string]>> = {
  403: ['the broker refuses the user or the password, or the user may not do this', 'authentication'],
  404: ['the exchange does not exist', 'not-found'],
  530: ['the virtual host does not exist, or the user may not use it', 'vhost'],
}

/**
 * The output on a driver of your own, e.g. a fake in a test.
 * @example const rabbitmq = createRabbitmq(myDriver)
 */
export const createRabbitmq = (driver: RabbitmqDriver) =>
  defineOutput({
    type: 'rabbitmq',
    summary: 'Publishes events and reports as JSON to a queue or an exchange of RabbitMQ.',
    notes: `
The message is the event as \`webhook\` sends it, with the content type \`text/plain\`; the report of a response adds the
member \`response\`. The \`message_id\` is the notice's, the same when it is sent again; the header \`traceparent\` lets a
consumer go on in the same trace.

The broker confirms each message. One that no queue takes comes back and is a dead letter, with the reason
\`unroutable\`: the queue must exist, it is not made.

Differences from Falcosidekick: the connection is opened again when it was lost; messages are confirmed; with \`durable\`
they are persistent; \`exchange\` and \`route\` may be set.
`.trim(),
    config,
    batch: 100,
    kind: 'producer',
    ordered: true,
    preview: (notice, settings) => messageFor(notice, settings, {}),
    example: { config: { url: 'amqp://yarak:secret@rabbitmq:5672/', queue: 'falco' } },
    open(settings, io) {
      const { queue = '', exchange, url } = settings
      const where = `RabbitMQ at ${new URL(url).host}`
      const link = connection({
        name: where,
        open: (lost) => driver(settings, lost),
        close: (open) => open.close(),
        meaning: meaningAt(where),
      })
      const destination = { system: 'rabbitmq', name: exchange || queue }
      return queueSender(io, destination, link, (notice, headers) => messageFor(notice, settings, headers))
    },
  })

/**
 * Publishes each notice to a queue, and waits for the broker's confirmation.
 *
 * Source: the `rabbitmq` output of Falcosidekick 2.x (`outputs/rabbitmq.go`); rabbitmq.com/docs/confirms.
 * @example rabbitmq({ url: 'amqps://yarak:…@rabbitmq:5671/', queue: 'falco', durable: true })
 */
export const rabbitmq = createRabbitmq(rabbitmqDriver)

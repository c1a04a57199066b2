/** MQTT 3.1.1 and 5: a topic of a broker. */
import { defineOutput, messageOf, type Notice, secret, YarakError, z } from '../src/plugin.ts'
import { connection } from './_connection.ts'
import { type MqttDriver, mqttDriver, type MqttLink, type MqttMessage } from './_mqtt.ts'
import { payload } from './_payload.ts'
import { queueSender, type TraceHeaders } from './_queue.ts'
import { jsonWithin } from './_shrink.ts'
import { tlsSettings } from './_tls.ts'

const ADDRESS =
  /^((tcp|mqtt|ssl|tls|tcps|mqtts|mqtt\+ssl|wss?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s,:/@[\]?#]+)(:\d{1,5})?(\/[^\s@?#]*)?$/

const config = z
  .strictObject({
    broker: z
      .string()
      .regex(ADDRESS, 'must be tcp://host:port, ssl://, ws:// or wss://, without credentials: those have settings')
      .transform((text) => (text.includes('://') ? text : `tcp://${text}`))
      .describe(
        'Address of the broker: `tcp://` or `mqtt://`, with TLS `ssl://` or `mqtts://`, also `ws://` and `wss://`.',
      ),
    topic: z
      .string()
      .regex(/^[^\0+#]+$/, 'must be a topic without the wildcards + and #')
      .refine((text) => Buffer.byteLength(text) <= 65_535, 'must have at most 65,535 bytes')
      .default('falco/events')
      .describe('Topic to publish to. Default falco/events.'),
    qos: z
      .union([z.literal(0), z.literal(1), z.literal(2)])
      .default(0)
      .describe('Quality of service: 0 sent and forgotten, 1 acknowledged, 2 exactly once. Default 0.'),
    retained: z
      .boolean()
      .default(false)
      .describe('The broker keeps the last message for who subscribes later. Default false.'),
    user: z.string().min(1).optional().describe('User name. Default none.'),
    password: secret().optional().describe('Password. Default none.'),
    clientId: z
      .string()
      .min(1)
      .optional()
      .describe('Client id; two with the same end each other. Default `yarak-` and 6 random digits.'),
    protocolVersion: z
      .union([z.literal(4), z.literal(5)])
      .default(4)
      .describe('4 is MQTT 3.1.1, 5 is MQTT 5. Default 4.'),
    tls: tlsSettings(),
  })
  .refine(({ user, password }) => user !== undefined || password === undefined, 'password needs a user')

/** Bytes for what else is in the packet beside topic and message. */
const OVERHEAD = 512

const messageFor = (notice: Notice, topic: string, headers: TraceHeaders, { maxPacket }: MqttLink): MqttMessage => ({
  topic,
  content: jsonWithin(payload(notice), maxPacket - OVERHEAD - Buffer.byteLength(topic)),
  headers,
})

/** CONNACK: 4 and 5 in MQTT 3.1.1, 0x86, 0x87 and 0x8a in MQTT 5. */
const REFUSED: ReadonlySet<unknown> = new Set([4, 5, 0x86, 0x87, 0x8a])

const meaningAt = (where: string) => (error: unknown) =>
  REFUSED.has((error as { code?: unknown }).code)
    ? new YarakError('unavailable', `${where}: ${messageOf(error)}: check user and password`, {
        cause: error,
        reason: 'authentication',
      })
    : undefined

/**
 * The output on a driver of your own, e.g. a fake in a test.
 * @example const mqtt = createMqtt(myDriver)
 */
export const createMqtt = (driver: MqttDriver) =>
  defineOutput({
    type: 'mqtt',
    summary: 'Publishes events and reports as JSON to a topic of an MQTT broker.',
    notes: `
The message is the event as \`webhook\` sends it; the report of a response adds the member \`response\`. With MQTT 5 it has
the user property \`traceparent\`, by which a consumer goes on in the same trace, and an event larger than the broker takes
is sent with its longest texts cut and \`truncated: true\`.

With \`qos\` 0, the default as in Falcosidekick, nobody tells whether a message arrived: set 1 for delivery at least once.
A broker of MQTT 3.1.1 cannot say that it refuses a message; with \`protocolVersion: 5\` it can.

Differences from Falcosidekick: one connection is kept, and the acknowledgement is awaited; the client id starts with
\`yarak-\`; a user name without a password is used.
`.trim(),
    config,
    batch: 20,
    kind: 'producer',
    ordered: true,
    preview: (notice, settings) => ({ topic: settings.topic, content: payload(notice) }),
    example: { config: { broker: 'tcp://mosquitto:1883', topic: 'falco/events', qos: 1 } },
    open(settings, io) {
      const { broker, topic } = settings
      const where = `MQTT at ${broker}`
      const link = connection({
        name: where,
        open: (lost) => driver(settings, lost),
        close: (open) => open.close(),
        meaning: meaningAt(where),
      })
      return queueSender(io, { system: 'mqtt', name: topic }, link, (notice, headers, open) =>
        messageFor(notice, topic, headers, open),
      )
    },
  })

/**
 * Publishes each notice to one topic.
 *
 * Source: the `mqtt` output of Falcosidekick 2.x (`outputs/mqtt.go`); OASIS MQTT 3.1.1 and 5.0.
 * @example mqtt({ broker: 'ssl://mosquitto:8883', user: 'yarak', password: '…', qos: 1 })
 */
export const mqtt = createMqtt(mqttDriver)

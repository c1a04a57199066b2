/** Writes events and reports as JSON to a Kafka topic. */
import { defineOutput, type Io, type Notice, size, targetOf, z } from '../src/plugin.ts'
import {
  connectionSettings,
  type KafkaDriver,
  type KafkaProducer,
  kafkajsDriver,
  type OutgoingRecord,
  topicName,
} from '../src/resources/kafka.ts'
import { unlessAborted } from './_connection.ts'
import { failure, type Item, requestsOf, writeAll } from './_kafka-batch.ts'
import { payload } from './_payload.ts'
import { type TraceHeaders, traceHeaders } from './_queue.ts'
import { jsonWithin } from './_shrink.ts'

const config = z.strictObject({
  ...connectionSettings,
  topic: topicName().describe('Topic to write to.'),
  key: z
    .enum(['target', 'event', 'none'])
    .default('target')
    .describe(
      'What keeps records together, in order, in one partition: the pod, container or node the event is about; ' +
        'the id of the event, so that it and its reports are together; or nothing.',
    ),
  acks: z
    .enum(['all', 'leader', 'none'])
    .default('all')
    .describe('Which replicas must have it before it is delivered.'),
  compression: z.enum(['none', 'gzip', 'snappy', 'zstd']).default('none').describe('Compression of the records.'),
  maxRecordSize: size()
    .refine((bytes) => bytes >= 4_096, 'must be 4KiB at least')
    .prefault('1020KiB')
    .describe(
      'Bytes that a record may have: the longest texts of a larger one are cut. Default 1020KiB, below the 1 MiB of brokers.',
    ),
  createTopic: z.boolean().default(false).describe('Lets the broker make the topic, if it is set to make topics.'),
})

type Settings = z.output<typeof config>

const notes = `
The value is the event as \`webhook\` sends it; the report of a response adds the member \`response\`.
The header \`traceparent\` lets a consumer go on in the same trace.

The key of an event's target is \`pod/<namespace>/<name>\`, \`container/<id>\` or \`node/<name>\`; an event about nothing
known has no key.

A record larger than \`maxRecordSize\` has its longest texts cut, with a mark, and \`truncated: true\`: a broker would
refuse it for ever. Set it when \`message.max.bytes\` of the topic is not 1 MiB.

Delivered at least once: after a failure whose outcome is not known a record is written again.

Differences from Falcosidekick: records have a key, unless \`key\` is \`none\`; all replicas must acknowledge, unless \`acks\`
says otherwise; LZ4 is not written.
`

/**
 * The output on a driver of your own, e.g. one for another client library or a fake in a test.
 * @example const kafka = createKafkaOutput(myDriver)
 */
export const createKafkaOutput = (driver: KafkaDriver) =>
  defineOutput({
    type: 'kafka',
    summary: 'Writes events and reports as JSON to a Kafka topic.',
    notes,
    config,
    batch: 100,
    kind: 'producer',
    ordered: true,
    preview: (notice, settings) => ({ topic: settings.topic, ...recordOf(notice, settings, {}) }),
    example: { config: { brokers: ['kafka:9092'], topic: 'falco-events' } },
    open(settings, io) {
      const producer = driver(settings, io).producer({ createTopics: settings.createTopic })
      return {
        send: (notices, signal) => deliver(notices, settings, io, producer, signal),
        close: () => producer.close(),
      }
    },
  })

export const kafka = createKafkaOutput(kafkajsDriver)

const deliver = async (
  notices: readonly Notice[],
  settings: Settings,
  io: Io,
  producer: KafkaProducer,
  signal: AbortSignal,
): Promise<void> => {
  const { topic } = settings
  const attributes = {
    'messaging.system': 'kafka',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'messaging.destination.name': topic,
    'messaging.batch.message_count': notices.length,
  }
  await io.call({ name: `send ${topic}`, attributes }, async ({ headers }) => {
    const items = notices.map((notice, index) => ({ index, record: recordOf(notice, settings, headers) }))
    const write = (some: readonly Item[]) =>
      unlessAborted(signal, `writing to ${topic}`, () => producer.send(topic, some.map(recordOfItem), settings))
    const failed = await writeAll(requestsOf(items), write)
    if (failed.length > 0) throw failure(failed, notices.length, topic)
  })
}

const recordOfItem = ({ record }: Item): OutgoingRecord => record

// ── the record ──────────────────────────────────────────────────────────────────────────────────────────────────────

const recordOf = (notice: Notice, { key, maxRecordSize }: Settings, context: TraceHeaders): OutgoingRecord => ({
  key: keyOf(notice, key),
  value: jsonWithin(payload(notice), maxRecordSize),
  headers: traceHeaders(notice, context),
})

const keyOf = ({ event }: Notice, key: Settings['key']): string | null =>
  key === 'none' ? null : key === 'event' ? event.id : (targetOf(event).key ?? null)

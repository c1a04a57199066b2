/** Writes events and reports as JSON to a Kafka topic. */
import { defineOutput, type Io, type Notice, targetOf, toJson, YarakError, z } from '../src/plugin.ts'
import {
  connectionSettings,
  type KafkaDriver,
  type KafkaProducer,
  kafkajsDriver,
  type OutgoingRecord,
  topicName,
} from '../src/resources/kafka.ts'
import { failure, type Item, requestsOf, writeAll } from './_kafka-batch.ts'
import { payload } from './_payload.ts'

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
  createTopic: z.boolean().default(false).describe('Lets the broker make the topic, if it is set to make topics.'),
})

type Settings = z.output<typeof config>

const notes = `
The value is the event as \`webhook\` sends it; the report of a response adds the member \`response\`.
The header \`traceparent\` lets a consumer go on in the same trace.

The key of an event's target is \`pod/<namespace>/<name>\`, \`container/<id>\` or \`node/<name>\`; an event about nothing
known has no key. Falcosidekick writes no key: set \`key: none\` for the same.

Delivered at least once: after a failure whose outcome is not known a record is written again.
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
    const items = notices.map((notice, index) => ({ index, record: recordOf(notice, settings.key, headers) }))
    const write = (some: readonly Item[]) =>
      unlessAborted(() => producer.send(topic, some.map(recordOfItem), settings), signal, topic)
    const failed = await writeAll(requestsOf(items), write)
    if (failed.length > 0) throw failure(failed, notices.length, topic)
  })
}

const recordOfItem = ({ record }: Item): OutgoingRecord => record

// ── the record ──────────────────────────────────────────────────────────────────────────────────────────────────────

type Context = Readonly<Record<string, string>>

const recordOf = (notice: Notice, key: Settings['key'], context: Context): OutgoingRecord => ({
  key: keyOf(notice, key),
  value: toJson(payload(notice)),
  headers: contextOf(notice, context),
})

const keyOf = ({ event }: Notice, key: Settings['key']): string | null =>
  key === 'none' ? null : key === 'event' ? event.id : (targetOf(event).key ?? null)

/** The notice's own place in its trace; the vendors' part of the context is known only for the trace we are in. */
const contextOf = ({ traceparent }: Notice, context: Context): Context => {
  if (traceparent === undefined) return context
  const sameTrace = context.traceparent?.slice(0, 35) === traceparent.slice(0, 35)
  return { traceparent, ...(sameTrace && context.tracestate !== undefined && { tracestate: context.tracestate }) }
}

/** A send cannot be called back: when we stop waiting, it may still arrive. */
const unlessAborted = async <T>(work: () => Promise<T>, signal: AbortSignal, topic: string): Promise<T> => {
  const aborted = Promise.withResolvers<never>()
  const stop = () =>
    aborted.reject(new YarakError('interrupted', `writing to ${topic} was cut short`, { cause: signal.reason }))
  signal.addEventListener('abort', stop)
  try {
    if (signal.aborted) stop()
    return await Promise.race(signal.aborted ? [aborted.promise] : [work(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

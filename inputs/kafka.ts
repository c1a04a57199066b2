/** Reads alerts from Kafka topics as a member of a consumer group. */
import { defineInput, duration, type InputIo, z } from '../src/plugin.ts'
import {
  connectionSettings,
  type KafkaConnection,
  type KafkaConsumer,
  type KafkaDriver,
  kafkajsDriver,
  topicName,
} from '../src/resources/kafka.ts'
import { createKafkaSession, type KafkaSession } from './_kafka-session.ts'

const config = z.strictObject({
  ...connectionSettings,
  topics: z.array(topicName()).min(1).describe('Topics to read.'),
  groupId: z
    .string()
    .min(1)
    .default('yarak')
    .describe('Consumer group. Processes of one group share the partitions; each group gets every record.'),
  from: z
    .enum(['earliest', 'latest'])
    .default('latest')
    .describe('Where a group that is new to a topic starts. Afterwards it goes on where it was, also after a stop.'),
  sessionTimeout: duration()
    .prefault('30s')
    .describe('How long the brokers wait for a heartbeat before they give our partitions to others.'),
  maxInFlight: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('Unsettled records per partition; beyond it the partition is paused.'),
  commitInterval: duration().prefault('1s').describe('How often settled offsets are committed.'),
  drain: duration().prefault('5s').describe('How long a stop waits for records in flight before it leaves the group.'),
})

const notes = `
A record is one Falco alert as JSON: what Falcosidekick's Kafka output writes, or this gateway's own.
\`traceparent\`, \`tracestate\` and \`baggage\` in the record's headers continue the sender's trace.

- **At least once.** An offset is committed when every response and notice of all records up to it is settled, so what
  a crash cuts short comes again. A long response never stops the heartbeats.
- **A new group starts at \`latest\`**: what Falco reported before anybody listened is history, and a gateway that answers
  a week of it on its first start would act on things long gone. The start is committed at once, so that nothing written
  while the gateway restarts is missed. Set \`from: earliest\` to work through what is there.
- A record that is no alert is counted, logged with its position, and passed over. A record without a value is counted.
- Compression: none, gzip and zstd are read; snappy and lz4 are not.
- With \`sasl\` or a client certificate events count as authenticated: who may write is then the brokers' to decide.
`

/**
 * The input on a driver of your own, e.g. one for another client library or a fake in a test.
 * @example const kafka = createKafkaInput(myDriver)
 */
export const createKafkaInput = (driver: KafkaDriver) =>
  defineInput({
    type: 'kafka',
    summary: 'Reads alerts from Kafka topics as a member of a consumer group.',
    notes,
    config,
    replayable: true,
    async run(settings, io) {
      const consumer: KafkaConsumer = driver(settings, io.log).consumer({
        groupId: settings.groupId,
        topics: settings.topics,
        from: settings.from,
        sessionTimeout: settings.sessionTimeout,
        onBatch: (batch) => session.take(batch),
        onAssigned: (partitions) => session.assign(partitions),
      })
      const session = createKafkaSession({ ...settings, authenticated: provedBy(settings) }, io, consumer)
      await runUntilStopped(consumer, session, io)
    },
  })

export const kafka = createKafkaInput(kafkajsDriver)

const runUntilStopped = async (consumer: KafkaConsumer, session: KafkaSession, { signal }: InputIo): Promise<void> => {
  const stopped = Promise.withResolvers<void>()
  const stop = () => stopped.resolve()
  signal.addEventListener('abort', stop)
  if (signal.aborted) return
  try {
    const running = consumer.run()
    await Promise.race([running, stopped.promise])
    // a member that was lost while it stopped has nothing left to commit
    if (signal.aborted) await Promise.race([running.catch(() => {}), session.drain()])
  } finally {
    signal.removeEventListener('abort', stop)
    session.close()
    await consumer.close()
  }
}

const provedBy = ({ sasl, tls }: KafkaConnection): string | undefined =>
  sasl ? 'sasl' : tls?.certFile ? 'mtls' : undefined

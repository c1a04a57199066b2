/** Reads alerts from Kafka topics as a member of a consumer group. */
import { defineInput, duration, z } from '../src/plugin.ts'
import { connectionSettings, type KafkaDriver, kafkajsDriver, topicName, topicPattern } from '../src/resources/kafka.ts'
import { createPoison } from './_kafka-poison.ts'
import { readOnce } from './_kafka-read.ts'
import { clusterByTopic } from './_kafka-topics.ts'

const config = z
  .strictObject({
    ...connectionSettings,
    topics: z
      .array(topicPattern())
      .min(1)
      .describe('Topics to read: names, and regular expressions between slashes, e.g. `/^falco-.+$/`.'),
    topicsInterval: duration()
      .prefault('60s')
      .describe('How often it is looked whether topics have come or gone, and how far behind we are.'),
    groupId: z
      .string()
      .min(1)
      .default('yarak')
      .describe('Consumer group. Processes of one group share the partitions; each group gets every record.'),
    from: z
      .union([
        z.enum(['earliest', 'latest'], 'must be earliest or latest'),
        z.iso
          .datetime({ offset: true, error: 'a time such as 2026-01-31T12:00:00Z' })
          .transform((text) => Date.parse(text)),
      ])
      .default('latest')
      .describe(
        'Where a group that is new to a topic starts: `earliest`, `latest`, or a time (RFC 3339). Afterwards it goes ' +
          'on where it was, also after a stop.',
      ),
    unwrap: z
      .enum(['auto', 'log', 'message', 'data', 'none'])
      .default('auto')
      .describe(
        'Where in a record Falco’s alert is: the member in which a log shipper has put it, as text or as an object. ' +
          '`auto` finds it; `none` takes each record as an alert.',
      ),
    clusters: z
      .record(topicPattern(), z.string().min(1))
      .default({})
      .describe(
        'The cluster that each topic is for, by names and regular expressions as in `topics`, e.g. ' +
          '`{ "falco-prod": prod, "/^falco-eu-/": eu }`; before `cluster`. Default none.',
      ),
    deadLetterTopic: topicName()
      .optional()
      .describe('Topic that records which cannot be taken are written to, as well. It must exist.'),
    trust: z
      .boolean()
      .default(false)
      .describe('Take events for authenticated though neither `sasl` nor a client certificate proves it.'),
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
    drain: duration()
      .prefault('5s')
      .describe('How long a stop waits for records in flight before it leaves the group.'),
  })
  .refine(({ topics, deadLetterTopic }) => deadLetterTopic === undefined || !topics.includes(deadLetterTopic), {
    path: ['deadLetterTopic'],
    error: 'must not be one of the topics that are read',
  })

type Settings = z.output<typeof config>

const notes = `
A record is one Falco alert as JSON: what Falcosidekick's Kafka output writes, this gateway's own, or Falco's log as
Fluent Bit (\`log\`), Vector, Filebeat and Logstash (\`message\`) and CloudEvents (\`data\`) wrap it.
\`traceparent\`, \`tracestate\` and \`baggage\` in the record's headers continue the sender's trace.

- **At least once.** An offset is committed when every response and notice of all records up to it is settled, so what
  a crash cuts short comes again. A long response never stops the heartbeats.
- **A new group starts at \`latest\`**: what Falco reported before anybody listened is history, and a gateway that answers
  a week of it on its first start would act on things long gone. The start is committed at once, so that nothing written
  while the gateway restarts is missed. Set \`from: earliest\` to work through what is there, or a time. Topics and
  partitions that appear later are read from their beginning.
- **Topics come and go.** While none of them is there the input is \`failing\` and says so; one that appears is read
  within \`topicsInterval\`.
- A record that is no alert is counted, logged with its position, kept as a dead letter and passed over, so is a batch
  that cannot be decompressed; with \`deadLetterTopic\` they are written there too, with the headers \`yarak-reason\`,
  \`yarak-error\`, \`yarak-topic\`, \`yarak-partition\` and \`yarak-offset\`. A record without a value, and what else Falco
  logs, is skipped and counted.
- Compression: none, gzip, snappy, lz4 and zstd.
- With \`sasl\`, a client certificate or \`trust\` events count as authenticated: who may write is then the brokers' to
  decide. Of any others no step destroys anything.
- \`yarak_input_lag\` tells what each of our partitions still holds that is not settled.
- **Several clusters.** Where topics are of several clusters, name them in \`clusters\`, or set \`shared: true\`, so that
  nothing is changed because of an event that names none. Events of other clusters than our own are told to the outputs
  and not answered.
- Amazon MSK: \`sasl: { mechanism: aws-msk-iam, region }\` with a role for the service account, EKS Pod Identity, or keys
  from the environment.
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
      const client = driver(settings, io)
      const poison = createPoison(client, settings.deadLetterTopic, io)
      try {
        const clusterOf = clusterByTopic(settings.clusters)
        const how = { ...settings, clusterOf, authenticated: provedBy(settings) }
        while (!io.signal.aborted) await readOnce(how, { client, poison, io })
      } finally {
        await poison.close()
      }
    },
  })

export const kafka = createKafkaInput(kafkajsDriver)

const provedBy = ({ sasl, tls, trust }: Settings): string | undefined =>
  sasl ? 'sasl' : tls?.certFile ? 'mtls' : trust ? 'trust' : undefined

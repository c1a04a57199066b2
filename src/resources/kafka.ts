/**
 * Kafka, as the input and the output see it: settings of a connection, and a narrow driver. No type of a client library
 * is in it, so that another library takes one new file and nothing else.
 */
import { type Log, secret, z } from '../plugin.ts'

export { createKafkajsDriver, kafkajsDriver } from './_kafkajs.ts'

const BROKERS = /^\s*[^\s,:/]+:\d{1,5}\s*(,\s*[^\s,:/]+:\d{1,5}\s*)*$/

/** The name of a topic, as brokers allow it. */
export const topicName = () =>
  z.string().regex(/^[a-zA-Z0-9._-]{1,249}$/, 'must be a topic name: up to 249 letters, digits, dots, _ and -')

/** The settings of a connection, to be spread into the settings of an input or an output. */
export const connectionSettings = {
  brokers: z
    .array(z.string().regex(BROKERS, 'must be host:port'))
    .min(1)
    .transform((entries) => entries.flatMap((entry) => entry.split(',').map((broker) => broker.trim())))
    .describe('Brokers to start from, each `host:port`; one entry may hold several, separated by commas.'),
  clientId: z.string().min(1).default('yarak').describe('Name of this client in the logs and quotas of the brokers.'),
  tls: z
    .strictObject({
      caFile: z.string().optional().describe("PEM file of the authorities to trust. Default: the system's."),
      certFile: z.string().optional().describe('PEM file of our own certificate, for mutual TLS.'),
      keyFile: z.string().optional().describe('PEM file of the key of `certFile`.'),
      verify: z.boolean().default(true).describe("Check the brokers' certificates."),
    })
    .optional()
    .describe("TLS to the brokers; `{}` turns it on with the system's authorities. Absent: no TLS."),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How the password is proved.'),
      username: z.string().min(1).describe('User name.'),
      password: secret().describe('Password.'),
    })
    .optional()
    .describe('User name and password for the brokers. Absent: none.'),
}

/** Where the brokers are, and how we prove who we are. */
export type KafkaConnection = z.output<z.ZodObject<typeof connectionSettings>>

/**
 * Opens nothing yet: a client connects when its consumer runs or its producer first sends.
 * Every rejection of what it makes is a YarakError: `unavailable` names the brokers, and says in `reason` what is wrong.
 */
export type KafkaDriver = (connection: KafkaConnection, log: Log) => KafkaClient

export interface KafkaClient {
  consumer(options: ConsumerOptions): KafkaConsumer
  producer(options: ProducerOptions): KafkaProducer
}

// ── consuming ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The next offset to read, once committed. Offsets are int64 in Kafka; 2^53 lasts 285 years at a million a second. */
export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: number
}

export interface KafkaRecord {
  readonly offset: number
  readonly key: Uint8Array | null
  /** Null: a tombstone. */
  readonly value: Uint8Array | null
  /** As UTF-8; of a repeated header the first. */
  readonly headers: Readonly<Record<string, string>>
}

/** Records of one partition, in order. Between two offsets there may be a gap. */
export interface KafkaBatch extends TopicPartition {
  readonly records: readonly KafkaRecord[]
  /** How many records the partition holds after this batch. */
  readonly lag: number
  /** Aborted when the partition is lost: what is not taken yet, somebody else takes. */
  readonly signal: AbortSignal
}

export interface ConsumerOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  /** Where a group that has committed nothing starts. The start is then committed, so that it holds over a restart. */
  readonly from: 'earliest' | 'latest'
  /** Milliseconds without a heartbeat after which the group gives our partitions to others. */
  readonly sessionTimeout: number
  /**
   * Takes records; resolves with how many of them, counted from the first: the rest comes again. Rejects only when it
   * took none. Never two at once for one partition. The driver sends heartbeats meanwhile.
   */
  onBatch(batch: KafkaBatch): Promise<number>
  /** All partitions that are ours from now on: reading goes on at what is committed, for those we had before too. */
  onAssigned(partitions: readonly TopicPartition[]): void
}

export interface KafkaConsumer {
  /** Joins the group and reads until {@link KafkaConsumer.close}; rejects when the group is lost for good. Once only. */
  run(): Promise<void>
  /** Brings no more batches of the partition; the membership stays. Holds over a change of assignment. */
  pause(at: TopicPartition): void
  resume(at: TopicPartition): void
  /** Rejects with the reason `rebalance` when the group has moved on. */
  commit(offsets: readonly TopicPartitionOffset[]): Promise<void>
  /** Leaves the group. May be called twice, and before `run` has connected. */
  close(): Promise<void>
}

// ── producing ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ProducerOptions {
  /** The broker may make a topic that is missing, if it is set to. */
  readonly createTopics: boolean
}

export interface OutgoingRecord {
  /** Records of one key stay in one partition, in order. Null: spread. */
  readonly key: string | null
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

export interface SendOptions {
  readonly acks: 'all' | 'leader' | 'none'
  readonly compression: 'none' | 'gzip' | 'zstd'
}

export interface KafkaProducer {
  /**
   * Writes all; after a rejection some may be there.
   * @throws YarakError `failed` with the reason `too-large` and permanent; else `unavailable`
   */
  send(topic: string, records: readonly OutgoingRecord[], options: SendOptions): Promise<void>
  close(): Promise<void>
}

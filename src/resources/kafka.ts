/**
 * Kafka, as the input and the output see it: settings of a connection, and a narrow driver. No type of a client library
 * is in it, so that another library takes one new file and nothing else.
 */
import type { Io } from '../plugin.ts'
import type { KafkaConnection } from './_kafka-settings.ts'

export { connectionSettings, type KafkaConnection, patternOf, topicName, topicPattern } from './_kafka-settings.ts'
export { createKafkajsDriver, kafkajsDriver } from './_kafkajs.ts'

/** What a driver needs of the engine: to log, to get tokens, to find credentials. */
export type DriverIo = Pick<Io, 'log' | 'http' | 'env'>

/**
 * Opens nothing yet: a client connects when its consumer runs or its producer first sends.
 * Every rejection of what it makes is a YarakError: `unavailable` names the brokers, and says in `reason` what is wrong.
 */
export type KafkaDriver = (connection: KafkaConnection, io: DriverIo) => KafkaClient

export interface KafkaClient {
  /** The names of all topics that we may see. */
  topics(): Promise<readonly string[]>
  /** The ends of all partitions of these topics: the offsets that the next records will have. */
  ends(topics: readonly string[]): Promise<readonly TopicPartitionOffset[]>
  /** Where the group goes on, in the partitions for which it has committed something. Absent: the driver cannot tell. */
  committed?(groupId: string, topics: readonly string[]): Promise<readonly TopicPartitionOffset[]>
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
  /** Why there is no record to read: its batch is corrupt, or compressed in a way nobody knows. */
  readonly unreadable?: string
}

/** Records of one partition, in order. Between two offsets there may be a gap. */
export interface KafkaBatch extends TopicPartition {
  readonly records: readonly KafkaRecord[]
  /** How many records the partition holds after this batch. */
  readonly lag: number
  /** Aborted when the partition is lost: what is not taken yet, somebody else takes. */
  readonly signal: AbortSignal
}

/**
 * Room for other drivers: static membership needs nothing but a member's name in the connection; cooperative rebalancing
 * tells in `kept` which partitions never stopped.
 */
export interface ConsumerOptions {
  readonly groupId: string
  /** They must exist. */
  readonly topics: readonly string[]
  /**
   * Where a group that has committed nothing starts: a number is a time, in milliseconds since the epoch. The start is
   * then committed, so that it holds over a restart. Partitions that are added later are read from their beginning.
   */
  readonly from: 'earliest' | 'latest' | number
  /** Topics of these that did not exist before: read from their beginning. */
  readonly fresh?: ReadonlySet<string>
  /** Milliseconds without a heartbeat after which the group gives our partitions to others. */
  readonly sessionTimeout: number
  /**
   * Takes records; resolves with how many of them, counted from the first: the rest comes again. Rejects only when it
   * took none. Never two at once for one partition. The driver sends heartbeats meanwhile.
   */
  onBatch(batch: KafkaBatch): Promise<number>
  /** All partitions that are ours from now on: but for those `kept`, reading goes on at what is committed. */
  onAssigned(partitions: readonly TopicPartition[], kept?: readonly TopicPartition[]): void
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
  readonly key: string | Uint8Array | null
  readonly value: string | Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

export interface SendOptions {
  readonly acks: 'all' | 'leader' | 'none'
  readonly compression: 'none' | 'gzip' | 'snappy' | 'zstd'
}

export interface KafkaProducer {
  /**
   * Writes all; after a rejection some may be there.
   * @throws YarakError `failed` with the reason `too-large` and permanent; else `unavailable`
   */
  send(topic: string, records: readonly OutgoingRecord[], options: SendOptions): Promise<void>
  close(): Promise<void>
}

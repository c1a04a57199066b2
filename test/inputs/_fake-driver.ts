/**
 * A Kafka cluster in memory behind the driver's seam: partitions, a group's committed offsets, pauses, rebalances,
 * crashes. It keeps the promises of `KafkaDriver` and no more, so that a test on it holds for any driver.
 */
import { YarakError } from '../../src/plugin.ts'
import type {
  ConsumerOptions,
  KafkaConnection,
  KafkaConsumer,
  KafkaDriver,
  KafkaProducer,
  KafkaRecord,
  OutgoingRecord,
  SendOptions,
  TopicPartition,
  TopicPartitionOffset,
} from '../../src/resources/kafka.ts'

export interface Incoming {
  readonly key?: string | Uint8Array | null
  readonly headers?: Readonly<Record<string, string>>
  readonly partition?: number
  readonly unreadable?: string
}

export interface Sent {
  readonly topic: string
  readonly records: readonly OutgoingRecord[]
  readonly options: SendOptions
}

const connectionRefused = () => new YarakError('unavailable', 'Kafka at broker:9092: connection refused')

export interface FakeKafka {
  readonly driver: KafkaDriver
  /** The connections that were asked for. */
  readonly connections: KafkaConnection[]
  /** What consumers were made with. */
  readonly consumers: ConsumerOptions[]
  /** Every commit, in order. */
  readonly commits: TopicPartitionOffset[]
  /** What a producer sent, request by request. */
  readonly sent: Sent[]
  /** Partitions that are paused now, as `topic/partition`. */
  readonly paused: Set<string>
  /** Every partition that was ever paused. */
  readonly pauses: string[]
  /** Members of the group. */
  members: number
  /** Producers that were closed. */
  closed: number
  /** Refuses connections. */
  down: boolean
  /** Records of one batch. Default 10. */
  batchSize: number
  /** Called before a commit is taken, or a request; throws to refuse it. */
  onCommit: ((offsets: readonly TopicPartitionOffset[]) => void) | undefined
  onSend: ((records: readonly OutgoingRecord[], topic: string) => void | Promise<void>) | undefined
  /** Appends a record; a string or bytes as they are, null as a tombstone, an object as JSON. Gives its offset. */
  append(topic: string, value: unknown, incoming?: Incoming): number
  /** Makes a topic; `partitions` 0 takes it away. */
  topic(name: string, partitions?: number): void
  /** Empties a topic: its offsets start at 0 again. */
  recreate(topic: string): void
  committed(topic: string, partition?: number): number | undefined
  /** Another member commits. */
  commitAs(at: TopicPartitionOffset): void
  /** Gives the member these partitions, or all. Resolves when it has joined again. */
  rebalance(partitions?: readonly TopicPartition[]): Promise<void>
  /** The member is lost. */
  crash(error?: Error): void
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

const bytes = (value: unknown): Uint8Array | null =>
  value === null || value instanceof Uint8Array
    ? value
    : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))

/** @param topics number of partitions by topic */
export const createFakeKafka = (topics: Readonly<Record<string, number>>): FakeKafka => {
  const logs = new Map<string, KafkaRecord[]>()
  const all = (): TopicPartition[] =>
    [...logs.keys()].map((key) => {
      const [topic = '', partition] = key.split('/')
      return { topic, partition: Number(partition) }
    })
  const make = (topic: string, count: number): void => {
    for (const at of all()) if (at.topic === topic) logs.delete(keyOf(at))
    for (let partition = 0; partition < count; partition++) logs.set(keyOf({ topic, partition }), [])
  }
  for (const [topic, count] of Object.entries(topics)) make(topic, count)
  const offsets = new Map<string, number>()
  let member: Member | undefined

  const fake: FakeKafka = {
    driver: (connection) => {
      fake.connections.push(connection)
      return {
        consumer(options) {
          fake.consumers.push(options)
          member = createMember(fake, { options, logs, offsets, all })
          return member
        },
        producer: () => createProducer(fake),
        async topics() {
          if (fake.down) throw connectionRefused()
          return [...new Set(all().map(({ topic }) => topic))]
        },
        ends: async (names) =>
          all()
            .filter(({ topic }) => names.includes(topic))
            .map((at) => ({ ...at, offset: logs.get(keyOf(at))?.length ?? 0 })),
      }
    },
    connections: [],
    consumers: [],
    commits: [],
    sent: [],
    paused: new Set(),
    pauses: [],
    members: 0,
    closed: 0,
    down: false,
    batchSize: 10,
    onCommit: undefined,
    onSend: undefined,
    topic: (name, partitions = 1) => make(name, partitions),
    append(topic, value, { key = null, headers = {}, partition = 0, unreadable } = {}) {
      const log = logs.get(keyOf({ topic, partition })) ?? []
      const offset = log.length
      log.push({ offset, key: bytes(key), value: bytes(value), headers, ...(unreadable && { unreadable }) })
      member?.wake()
      return offset
    },
    recreate(topic) {
      for (const at of all()) {
        if (at.topic !== topic) continue
        logs.set(keyOf(at), [])
        offsets.delete(keyOf(at))
      }
    },
    committed: (topic, partition = 0) => offsets.get(keyOf({ topic, partition })),
    commitAs: (at) => void offsets.set(keyOf(at), at.offset),
    rebalance: (partitions = all()) => member?.rebalance(partitions) ?? Promise.resolve(),
    crash: (error = new YarakError('unavailable', 'the group is gone', { reason: 'crash' })) => member?.crash(error),
  }
  return fake
}

interface Member extends KafkaConsumer {
  wake(): void
  rebalance(partitions: readonly TopicPartition[]): Promise<void>
  crash(error: Error): void
}

interface Cluster {
  readonly options: ConsumerOptions
  readonly logs: ReadonlyMap<string, KafkaRecord[]>
  readonly offsets: Map<string, number>
  readonly all: () => readonly TopicPartition[]
}

const createMember = (fake: FakeKafka, { options, logs, offsets, all }: Cluster): Member => {
  const next = new Map<string, number>()
  const ended = Promise.withResolvers<void>()
  let assigned: readonly TopicPartition[] = []
  let wanted: { partitions: readonly TopicPartition[]; joined: () => void } | undefined
  let current = new AbortController()
  let bell = Promise.withResolvers<void>()
  let open = true

  const wake = () => bell.resolve()
  const logOf = (at: TopicPartition) => logs.get(keyOf(at)) ?? []
  const join = (partitions: readonly TopicPartition[]): void => {
    assigned = partitions.filter(({ topic }) => options.topics.includes(topic))
    next.clear()
    for (const at of assigned) {
      const start = options.from === 'earliest' || options.fresh?.has(at.topic) ? 0 : logOf(at).length
      next.set(keyOf(at), offsets.get(keyOf(at)) ?? start)
    }
    options.onAssigned(assigned)
  }
  const deliver = async (at: TopicPartition): Promise<boolean> => {
    const key = keyOf(at)
    const from = next.get(key) ?? 0
    const records = fake.paused.has(key) ? [] : logOf(at).slice(from, from + fake.batchSize)
    if (records.length === 0) return false
    const lag = logOf(at).length - from - records.length
    const taken = await options.onBatch({ ...at, records, lag, signal: current.signal })
    next.set(key, from + taken)
    return taken > 0
  }
  const turn = async (): Promise<void> => {
    if (wanted) {
      current = new AbortController()
      join(wanted.partitions)
      wanted.joined()
      wanted = undefined
    }
    bell = Promise.withResolvers()
    const progress = await Promise.all(assigned.map(deliver))
    if (!progress.includes(true) && !wanted && open) await bell.promise
  }
  return {
    wake,
    rebalance(partitions) {
      const { promise, resolve } = Promise.withResolvers<void>()
      wanted = { partitions, joined: resolve }
      current.abort()
      wake()
      return promise
    },
    crash(error) {
      open = false
      ended.reject(error)
      wake()
    },
    async run() {
      if (fake.down) throw connectionRefused()
      fake.members++
      fake.paused.clear()
      join(all())
      const reading = (async () => {
        while (open) await turn()
      })()
      try {
        await Promise.race([reading, ended.promise])
        await ended.promise
      } finally {
        fake.members--
      }
    },
    pause(at) {
      fake.paused.add(keyOf(at))
      fake.pauses.push(keyOf(at))
    },
    resume(at) {
      fake.paused.delete(keyOf(at))
      wake()
    },
    async commit(wantedOffsets) {
      fake.onCommit?.(wantedOffsets)
      for (const at of wantedOffsets) {
        fake.commits.push(at)
        offsets.set(keyOf(at), at.offset)
      }
    },
    async close() {
      open = false
      ended.resolve()
      wake()
    },
  }
}

const createProducer = (fake: FakeKafka): KafkaProducer => ({
  async send(topic, records, options) {
    if (fake.down) throw connectionRefused()
    await fake.onSend?.(records, topic)
    fake.sent.push({ topic, records, options })
    for (const { key, value, headers } of records) fake.append(topic, value, { key, headers })
  },
  async close() {
    fake.closed++
  },
})

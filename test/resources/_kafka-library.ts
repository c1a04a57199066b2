/** What the tests of the kafkajs driver share. */
import { EventEmitter } from 'node:events'
import * as kafkajs from 'kafkajs'
import { expect, vi } from 'vitest'
import { z } from '../../src/plugin.ts'
import type { KafkaJs } from '../../src/resources/_kafkajs.ts'
import { connectionSettings, type ConsumerOptions, createKafkajsDriver } from '../../src/resources/kafka.ts'
import { testIo } from '../../src/testing.ts'

export const connection = (settings: object = {}) =>
  z.strictObject(connectionSettings).parse({ brokers: ['broker:9092'], ...settings })

export const consumerOptions = (options: Partial<ConsumerOptions> = {}): ConsumerOptions => ({
  groupId: 'g',
  topics: ['alerts'],
  from: 'earliest',
  sessionTimeout: 100,
  onBatch: async ({ records }) => records.length,
  onAssigned: () => {},
  ...options,
})

interface Message {
  readonly offset: string
  readonly key?: Buffer | null
  readonly value?: Buffer | null
  readonly headers?: object
}

/** A stand-in for kafkajs, as far as the driver uses it: notes what is called, and fails as told. */
export class Library {
  readonly configs: kafkajs.KafkaConfig[] = []
  readonly consumerConfigs: kafkajs.ConsumerConfig[] = []
  readonly producerConfigs: kafkajs.ProducerConfig[] = []
  readonly calls: unknown[][] = []
  /** Names of the topics that there are. */
  topics: string[] = ['alerts']
  readonly events = new EventEmitter()
  /** The group's offsets as the brokers have them; absent: nothing committed. */
  committed: Record<number, string> = {}
  ends: Record<number, string> = { 0: '40', 1: '41' }
  assignment: Record<string, number[]> = { alerts: [0] }
  failing: Partial<Record<'connect' | 'subscribe' | 'send' | 'commit' | 'heartbeat' | 'pause' | 'offsets', Error>> = {}
  /** Holds back the answer about the ends of partitions. */
  gate = Promise.resolve()
  resolved: string[] = []
  heartbeats = 0
  run: kafkajs.ConsumerRunConfig | undefined

  readonly #call = (name: string, ...args: unknown[]): void => {
    this.calls.push([name, ...args])
    const error = this.failing[name as keyof typeof this.failing]
    if (error) throw error
  }

  readonly #consumer = () => ({
    events: { CRASH: 'crash', FETCH: 'fetch', HEARTBEAT: 'heartbeat', GROUP_JOIN: 'join' },
    on: (event: string, listener: (event: unknown) => void) => this.events.on(event, listener),
    connect: async () => this.#call('connect'),
    subscribe: async (subscription: unknown) => this.#call('subscribe', subscription),
    disconnect: async () => this.#call('disconnect'),
    pause: (at: unknown) => this.#call('pause', at),
    resume: (at: unknown) => this.#call('resume', at),
    seek: (at: unknown) => this.#call('seek', at),
    commitOffsets: async (offsets: unknown) => this.#call('anchor', offsets),
    run: async (config: kafkajs.ConsumerRunConfig) => {
      this.run = config
      this.join()
    },
  })

  readonly #admin = () => ({
    connect: async () => {},
    disconnect: async () => this.#call('admin gone'),
    fetchOffsets: async ({ topics }: { topics: string[] }) => {
      this.#call('offsets')
      const partitions = Object.keys(this.ends).map((partition) => ({
        partition: Number(partition),
        offset: this.committed[Number(partition)] ?? '-1',
      }))
      return topics.map((topic) => ({ topic, partitions }))
    },
    listTopics: async () => this.topics,
    fetchTopicOffsetsByTimestamp: async (_topic: string, time: number) => {
      this.#call('times', time)
      return Object.entries(this.ends).map(([partition, high]) => ({
        partition: Number(partition),
        offset: String(Number(high) - 30),
      }))
    },
    fetchTopicOffsets: async () => {
      this.#call('ends')
      await this.gate
      return Object.entries(this.ends).map(([partition, high]) => ({ partition: Number(partition), offset: high }))
    },
  })

  readonly #producer = () => ({
    connect: async () => this.#call('connect'),
    disconnect: async () => this.#call('disconnect'),
    send: async (record: unknown) => this.#call('send', record),
  })

  load = async (): Promise<KafkaJs> => {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the constructor below has a `this` of its own
    const library = this
    class Kafka {
      constructor(config: kafkajs.KafkaConfig) {
        library.configs.push(config)
      }
      consumer = (config: kafkajs.ConsumerConfig) => (library.consumerConfigs.push(config), library.#consumer())
      producer = (config: kafkajs.ProducerConfig) => (library.producerConfigs.push(config), library.#producer())
      admin = () => library.#admin()
    }
    return { ...kafkajs, CompressionCodecs: { ...kafkajs.CompressionCodecs }, Kafka } as unknown as KafkaJs
  }

  join(): void {
    this.events.emit('join', { payload: { memberAssignment: this.assignment } })
  }

  crash(error: Error): void {
    this.events.emit('crash', { payload: { error, restart: false } })
  }

  /** Hands over a batch as kafkajs does. */
  async batch(messages: readonly Message[], partition = 0): Promise<void> {
    await this.run?.eachBatch?.({
      batch: {
        topic: 'alerts',
        partition,
        messages,
        offsetLag: () => '7',
        firstOffset: () => messages[0]?.offset ?? null,
      },
      resolveOffset: (offset: string) => void this.resolved.push(offset),
      heartbeat: async () => {
        this.heartbeats++
        if (this.failing.heartbeat) throw this.failing.heartbeat
      },
      commitOffsetsIfNecessary: async (offsets: unknown) => this.#call('commit', offsets),
    } as unknown as kafkajs.EachBatchPayload)
  }

  named = (name: string): unknown[] => this.calls.filter(([one]) => one === name).map(([, ...args]) => args[0])
}

export const message = (offset: number, more: Partial<Message> = {}): Message => ({
  offset: String(offset),
  key: null,
  value: Buffer.from('{}'),
  headers: {},
  ...more,
})

export const consuming = async (
  options: Partial<ConsumerOptions> = {},
  library = new Library(),
  settings: object = {},
) => {
  const io = testIo()
  const consumer = createKafkajsDriver(library.load)(connection(settings), io).consumer(consumerOptions(options))
  const running = consumer.run()
  running.catch(() => {})
  closers.push(() => consumer.close())
  await Promise.race([running.catch(() => {}), vi.waitFor(() => expect(library.run).toBeDefined(), { interval: 1 })])
  return { library, consumer, running, io }
}

export const closers: (() => Promise<void>)[] = []
/** Closes the consumers of a test: to be given to `afterEach`. */
export const closeAll = async (): Promise<void> => {
  for (const close of closers.splice(0)) await close()
}

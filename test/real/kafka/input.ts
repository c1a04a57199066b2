/** A gateway that reads a real broker, and what it was told. */
import { randomUUID } from 'node:crypto'
import { Kafka, logLevel, type ITopicConfig } from 'kafkajs'
import { kafka as input } from '../../../inputs/kafka.ts'
import { createGateway, type Gateway } from '../../../src/index.ts'
import { probe } from '../../kit.ts'
import { until } from '../part.ts'

/** An alert that can be told from all others. */
export const alertNo = (id: number | string) => ({
  rule: 'Numbered',
  priority: 'Notice',
  time: '2026-11-23T08:00:00.123456789Z',
  output: `no ${id}`,
  output_fields: { id: String(id) },
})

export const client = (brokers: readonly string[]): Kafka =>
  new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 20, initialRetryTime: 100 } })

export const makeTopics = async (brokers: readonly string[], ...topics: ITopicConfig[]): Promise<void> => {
  const admin = client(brokers).admin()
  await admin.connect()
  await admin.createTopics({ topics, waitForLeaders: true })
  await admin.disconnect()
}

export interface Writer {
  write(topic: string, ...values: unknown[]): Promise<void>
  close(): Promise<void>
}

export const writer = async (brokers: readonly string[]): Promise<Writer> => {
  const producer = client(brokers).producer()
  await producer.connect()
  return {
    async write(topic, ...values) {
      const messages = values.map((value) => ({ value: typeof value === 'string' ? value : JSON.stringify(value) }))
      await producer.send({ topic, messages })
    },
    close: () => producer.disconnect(),
  }
}

/** The offsets that a group has committed, by partition. */
export const committed = async (brokers: readonly string[], groupId: string, topic: string): Promise<number[]> => {
  const admin = client(brokers).admin()
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  return (found?.partitions ?? []).map(({ offset }) => Number(offset))
}

export interface Reader {
  readonly gateway: Gateway
  readonly group: string
  /** The ids of the alerts that were answered, in order, repeated ones too. */
  readonly ids: string[]
  /** Resolves when all of them have been answered. */
  all(ids: readonly (number | string)[], patience?: number): Promise<void>
  counters(): Promise<string>
  stop(): Promise<void>
}

export interface ReaderOptions extends Omit<Parameters<typeof input>[0], 'brokers' | 'topics'> {
  readonly brokers: readonly string[]
  readonly topics: readonly string[]
  /** What the response to each alert does. */
  readonly answer?: (id: string) => unknown
}

/** The input with a rule that answers every alert. */
export const reader = async ({ brokers, topics, answer, ...settings }: ReaderOptions): Promise<Reader> => {
  const group = settings.groupId ?? `group-${randomUUID()}`
  const ids: string[] = []
  const note = probe(async (_params, { event }) => {
    const id = event.field('id') as string
    await answer?.(id)
    ids.push(id)
  })
  const gateway = createGateway({
    inputs: [
      input({
        commitInterval: '100ms',
        from: 'earliest',
        ...settings,
        brokers: [...brokers],
        topics: [...topics],
        groupId: group,
      }),
    ],
    rules: [{ name: 'all', steps: [{ action: note({}), id: 'note' }], join: 0, parallel: true }],
    mode: 'enforce',
  })
  await gateway.start()
  return {
    gateway,
    group,
    ids,
    async all(wanted, patience = 60_000) {
      const missing = () => wanted.map(String).filter((id) => !ids.includes(id))
      await until('all alerts', async () => missing().length === 0 || undefined, patience).catch((cause: unknown) => {
        throw new Error(`not answered: ${missing().slice(0, 20).join(' ')}`, { cause })
      })
    },
    counters: async () => (await gateway.ops.request('/metrics')).text(),
    stop: () => gateway.stop(),
  }
}

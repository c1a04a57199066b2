/** Questions to the brokers, each on a connection of its own that is closed afterwards. */
import type { Admin, Kafka } from 'kafkajs'
import type { TopicPartition, TopicPartitionOffset } from './kafka.ts'

export const withAdmin = async <T>(kafka: Kafka, question: (admin: Admin) => Promise<T>): Promise<T> => {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await question(admin)
  } finally {
    await admin.disconnect()
  }
}

export const topicsOf = (admin: Admin): Promise<string[]> => admin.listTopics()

/** The ends of all partitions of the topics. */
export const endsOf = (admin: Admin, topics: readonly string[]): Promise<TopicPartitionOffset[]> =>
  positionsOf(topics, (topic) => admin.fetchTopicOffsets(topic))

/** The first records of all partitions that are not older than `time`, in milliseconds since the epoch; else the ends. */
export const positionsAt = (admin: Admin, topics: readonly string[], time: number): Promise<TopicPartitionOffset[]> =>
  positionsOf(topics, (topic) => admin.fetchTopicOffsetsByTimestamp(topic, time))

const positionsOf = async (
  topics: readonly string[],
  ask: (topic: string) => Promise<readonly { partition: number; offset: string }[]>,
): Promise<TopicPartitionOffset[]> => {
  const answers = await Promise.all(topics.map(async (topic) => ({ topic, partitions: await ask(topic) })))
  return answers.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
  )
}

const NOTHING_COMMITTED = '-1'

/** What the group has committed, where it has. */
export const committedBy = async (
  admin: Admin,
  groupId: string,
  topics: readonly string[],
): Promise<TopicPartitionOffset[]> => {
  const answers = await admin.fetchOffsets({ groupId, topics: [...topics] })
  return answers.flatMap(({ topic, partitions }) =>
    partitions
      .filter(({ offset }) => offset !== NOTHING_COMMITTED)
      .map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
  )
}

/** Those of the partitions for which the group has committed nothing. */
export const uncommitted = async (
  admin: Admin,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<TopicPartition[]> => {
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  const answers = await admin.fetchOffsets({ groupId, topics })
  const open = new Map(
    answers.map(({ topic, partitions: found }) => [
      topic,
      new Set(found.filter(({ offset }) => offset === NOTHING_COMMITTED).map(({ partition }) => partition)),
    ]),
  )
  return partitions.filter(({ topic, partition }) => open.get(topic)?.has(partition))
}

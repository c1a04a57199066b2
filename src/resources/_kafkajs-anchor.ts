/**
 * Keeps "latest" where it was first: a member that starts at the end of a quiet topic commits that end. Without it,
 * whatever is written while the member restarts lies before the next "latest", and nobody would ever read it.
 */
import type { Consumer, Kafka } from 'kafkajs'
import { type Log, messageOf } from '../plugin.ts'
import type { ConsumerOptions, TopicPartition } from './kafka.ts'

export interface Anchor {
  /** Commits the end of those partitions for which the group has committed nothing. Never rejects. */
  join(partitions: readonly TopicPartition[]): Promise<void>
  /** Records of this partition have come: from now on they say what is committed. */
  seen(at: TopicPartition): void
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

const NOTHING_COMMITTED = '-1'

export const createAnchor = (kafka: Kafka, consumer: Consumer, options: ConsumerOptions, log: Log): Anchor => {
  const known = new Set<string>()
  const isNew = (at: TopicPartition) => !known.has(keyOf(at))
  return {
    seen: (at) => void known.add(keyOf(at)),
    async join(partitions) {
      if (options.from === 'earliest' || !partitions.some(isNew)) return
      try {
        const ends = await endsOf(kafka, options, partitions.filter(isNew))
        const wanted = ends.filter(isNew)
        if (wanted.length > 0) await consumer.commitOffsets(wanted)
        for (const at of partitions) known.add(keyOf(at))
      } catch (error) {
        log.debug('the start of the group is not committed yet', { error: messageOf(error) })
      }
    },
  }
}

const endsOf = async (kafka: Kafka, { groupId }: ConsumerOptions, partitions: readonly TopicPartition[]) => {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const topics = [...new Set(partitions.map(({ topic }) => topic))]
    const wanted = new Set(partitions.map(keyOf))
    const committed = await admin.fetchOffsets({ groupId, topics })
    const ends = await Promise.all(
      committed.map(async ({ topic, partitions: found }) => {
        const open = found.filter((one) => one.offset === NOTHING_COMMITTED && wanted.has(keyOf({ topic, ...one })))
        const high = open.length > 0 ? await admin.fetchTopicOffsets(topic) : []
        return open.flatMap(({ partition }) => {
          const offset = high.find((one) => one.partition === partition)?.high
          return offset === undefined ? [] : [{ topic, partition, offset }]
        })
      }),
    )
    return ends.flat()
  } finally {
    await admin.disconnect()
  }
}

/**
 * Where a group that has committed nothing begins to read. kafkajs itself always begins at the beginning, so that what
 * appears or is lost meanwhile is read rather than missed; for a group that is to begin later, the place is looked up
 * before it is joined, and committed: whatever is written while a member restarts lies behind it.
 */
import type { Consumer, Kafka } from 'kafkajs'
import { type Log, messageOf } from '../plugin.ts'
import { endsOf, positionsAt, uncommitted, withAdmin } from './_kafkajs-admin.ts'
import type { ConsumerOptions, TopicPartition } from './kafka.ts'

export interface Anchor {
  /** Looks up where the partitions that are there now would begin. To be called before the group is joined. */
  prepare(): Promise<void>
  /** These partitions are ours: commits the beginning of those for which nothing is. Never rejects. */
  join(partitions: readonly TopicPartition[]): Promise<void>
  /**
   * Where this partition is to begin, the first time that it is asked for; undefined: where kafkajs is.
   * Rejects as long as that is not known.
   */
  begin(at: TopicPartition): Promise<number | undefined>
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

const NOTHING_TO_DO: Anchor = {
  prepare: () => Promise.resolve(),
  join: () => Promise.resolve(),
  begin: () => Promise.resolve(undefined),
}

export const createAnchor = (kafka: Kafka, consumer: Consumer, options: ConsumerOptions, log: Log): Anchor => {
  const { from, fresh, groupId, topics } = options
  if (from === 'earliest') return NOTHING_TO_DO
  const starts = new Map<string, number>()
  const known = new Set<string>()
  const begins = new Map<string, number>()
  let joining = Promise.resolve()

  const anchor = async (partitions: readonly TopicPartition[]): Promise<void> => {
    const unknown = partitions.filter((at) => !known.has(keyOf(at)))
    if (unknown.length === 0) return
    const open = await withAdmin(kafka, (admin) => uncommitted(admin, groupId, unknown))
    const wanted = open.map(({ topic, partition }) => ({
      topic,
      partition,
      offset: starts.get(keyOf({ topic, partition })) ?? 0,
    }))
    if (wanted.length > 0) {
      await consumer.commitOffsets(wanted.map(({ offset, ...at }) => ({ ...at, offset: String(offset) })))
    }
    for (const { offset, ...at } of wanted) begins.set(keyOf(at), offset)
    for (const at of unknown) known.add(keyOf(at))
  }

  return {
    async prepare() {
      const old = topics.filter((topic) => !fresh?.has(topic))
      const found = await withAdmin(kafka, (admin) =>
        from === 'latest' ? endsOf(admin, old) : positionsAt(admin, old, from),
      )
      for (const { offset, ...at } of found) starts.set(keyOf(at), offset)
    },
    join: (partitions) =>
      (joining = anchor(partitions).catch((error: unknown) =>
        log.debug('the start of the group is not committed yet', { error: messageOf(error) }),
      )),
    async begin(at) {
      await joining
      await anchor([at])
      const offset = begins.get(keyOf(at))
      begins.delete(keyOf(at))
      return offset
    },
  }
}

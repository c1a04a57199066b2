/** Commits what has settled: now and then, one request for all partitions, and again after a failure. */
import { type Log, messageOf, YarakError } from '../src/plugin.ts'
import type { KafkaConsumer, TopicPartition } from '../src/resources/kafka.ts'
import type { OffsetTracker } from './_offsets.ts'

/** A partition whose position is to be committed. */
export interface Committed extends TopicPartition {
  readonly tracker: OffsetTracker
}

export interface Commits {
  /** Commits within the interval. */
  soon(): void
  now(): Promise<void>
  close(): void
}

/**
 * @param due the partitions that may be committed now
 * @param interval milliseconds
 * @param done called for a partition when its commit has made room
 */
export const createCommits = <C extends Committed>(
  consumer: Pick<KafkaConsumer, 'commit'>,
  log: Log,
  { due, interval, done }: { due: () => Iterable<C>; interval: number; done: (at: C) => void },
): Commits => {
  let timer: NodeJS.Timeout | undefined
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      void now()
    }, interval)
  }
  const now = async (): Promise<void> => {
    const positions = [...due()].flatMap((at) => {
      const offset = at.tracker.position
      return offset === undefined ? [] : [{ at, offset }]
    })
    if (positions.length === 0) return
    try {
      await consumer.commit(positions.map(({ at: { topic, partition }, offset }) => ({ topic, partition, offset })))
    } catch (error) {
      const level = error instanceof YarakError && error.reason === 'rebalance' ? 'debug' : 'warn'
      log[level]('offsets were not committed; trying again', { error: messageOf(error) })
      return soon()
    }
    for (const { at, offset } of positions) {
      at.tracker.forget(offset)
      done(at)
    }
  }
  return { soon, now, close: () => clearTimeout(timer) }
}

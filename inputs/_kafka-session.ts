/**
 * One membership of the Kafka input in its group: hands records to the gateway, and commits what has settled.
 * A record is taken when the gateway has accepted it; its chain runs outside of the batch.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { InputIo } from '../src/plugin.ts'
import type {
  KafkaBatch,
  KafkaConsumer,
  KafkaRecord,
  TopicPartition,
  TopicPartitionOffset,
} from '../src/resources/kafka.ts'
import { createOffer, type OfferOptions } from './_kafka-accept.ts'
import { createCommits } from './_kafka-commits.ts'
import type { Poison } from './_kafka-poison.ts'
import { createOffsetTracker, type OffsetTracker, type Settle } from './_offsets.ts'

export interface SessionOptions extends OfferOptions {
  /** Unsettled records per partition. */
  readonly maxInFlight: number
  /** Milliseconds. */
  readonly commitInterval: number
  /** Milliseconds that a stop waits for unsettled records. */
  readonly drain: number
}

export interface KafkaSession {
  /** @param kept of these, reading did not stop */
  assign(partitions: readonly TopicPartition[], kept?: readonly TopicPartition[]): void
  /** How many records of the batch were taken. */
  take(batch: KafkaBatch): Promise<number>
  /** Where the partitions end now. */
  ends(ends: readonly TopicPartitionOffset[]): void
  /** Takes no more, waits a while for what is in flight, commits what has settled. */
  drain(): Promise<void>
  /** From here on nothing is committed. */
  close(): void
}

/** A partition that is ours. */
interface Lane extends TopicPartition {
  readonly tracker: OffsetTracker
  paused: boolean
  /** Ends the wait for room. */
  wake?: (() => void) | undefined
  /** Reading starts again at what the group has committed; until its first batch we do not know where that is. */
  rejoined: boolean
  /** The offset that the next record will have, as far as we know. */
  end: number
}

/**
 * How many times `maxInFlight` records may be kept that settled behind a record that has not: they would all come again
 * after a crash, and they take memory.
 */
const BEHIND = 100

/** Milliseconds that a full partition waits for room before it is paused: a resumed one waits for the next fetch. */
const PATIENCE = 200

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

export const createKafkaSession = (
  options: SessionOptions,
  io: InputIo,
  consumer: Pick<KafkaConsumer, 'pause' | 'resume' | 'commit'>,
  poison: Poison,
): KafkaSession => {
  const { maxInFlight } = options
  const offer = createOffer(io, options, poison)
  const lanes = new Map<string, Lane>()
  const taking = new Set<Promise<number>>()
  let assigned: readonly TopicPartition[] = []
  let stopping = false
  let idle: (() => void) | undefined

  const laneOf = ({ topic, partition }: TopicPartition): Lane => {
    const key = keyOf({ topic, partition })
    const fresh = { tracker: createOffsetTracker(), paused: false, rejoined: false, end: 0 }
    const lane = lanes.get(key) ?? { topic, partition, ...fresh }
    lanes.set(key, lane)
    return lane
  }
  const isLive = (lane: Lane): boolean => lanes.get(keyOf(lane)) === lane
  const isKept = ({ tracker }: Lane): boolean => tracker.size >= maxInFlight * BEHIND
  const isFull = (lane: Lane): boolean => lane.tracker.pending >= maxInFlight || isKept(lane)
  const hasRoom = (lane: Lane): boolean => lane.tracker.pending <= Math.floor(maxInFlight / 2) && !isKept(lane)

  const pause = (lane: Lane): void => {
    if (!lane.paused) consumer.pause(lane)
    lane.paused = true
  }
  const resumeIfRoom = (lane: Lane): void => {
    if (!hasRoom(lane)) return
    lane.wake?.()
    if (!lane.paused || stopping) return
    lane.paused = false
    consumer.resume(lane)
  }
  const waitForRoom = async (lane: Lane, stop: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    lane.wake = resolve
    await Promise.race([promise, sleep(PATIENCE, undefined, { signal: stop }).catch(() => {})])
    lane.wake = undefined
  }

  const commits = createCommits(consumer, io.log, {
    due: () => [...lanes.values()].filter(({ rejoined }) => !rejoined),
    interval: options.commitInterval,
    done(lane) {
      tellLag(lane)
      resumeIfRoom(lane)
    },
  })

  // ── lag ──
  const tellLag = (lane: Lane): void => {
    const { reached } = lane.tracker
    if (reached !== undefined) setLag(lane, Math.max(0, lane.end - reached))
  }
  const setLag = ({ topic, partition }: Lane, value: number): void =>
    io.measure('lag', value, { topic, partition: String(partition) })

  // ── settle ──
  const isIdle = (): boolean => [...lanes.values()].every(({ tracker }) => tracker.pending === 0)
  const settle = (lane: Lane, done: Settle): void => {
    done()
    if (!isLive(lane)) return
    commits.soon()
    resumeIfRoom(lane)
    if (idle && isIdle()) idle()
  }

  // ── take ──
  const takeBatch = async (batch: KafkaBatch): Promise<number> => {
    const lane = laneOf(batch)
    if (lane.rejoined) lane.tracker.forget(batch.records[0]?.offset ?? 0)
    lane.rejoined = false
    lane.end = (batch.records.at(-1)?.offset ?? -1) + 1 + batch.lag
    const stop = AbortSignal.any([io.signal, batch.signal])
    let taken = 0
    try {
      for (const record of batch.records) {
        if (stop.aborted || lane.paused || !(await takeOne(lane, record, stop))) break
        taken++
        if (isFull(lane)) await waitForRoom(lane, stop)
        if (isFull(lane)) {
          io.log.debug('partition paused', { ...at(lane), unsettled: lane.tracker.pending, lag: batch.lag })
          pause(lane)
        }
      }
    } catch (error) {
      // comes again, and is then the first
      if (taken === 0) throw error
    }
    tellLag(lane)
    return taken
  }
  const takeOne = async (lane: Lane, record: KafkaRecord, stop: AbortSignal): Promise<boolean> => {
    if (lane.tracker.has(record.offset)) return true
    const decision = await offer(lane, record, stop)
    if (decision === 'left') {
      // a gateway that closes takes no more, and asking it again and again helps nobody
      if (!stop.aborted) pause(lane)
      return false
    }
    const done = lane.tracker.take(record.offset)
    commits.soon()
    void decision.done.then(() => settle(lane, done))
    return true
  }

  return {
    assign(partitions, kept = []) {
      assigned = partitions
      const ours = new Set(partitions.map(keyOf))
      const same = new Set(kept.map(keyOf))
      for (const [key, lane] of lanes) {
        lane.rejoined ||= !same.has(key)
        if (ours.has(key)) continue
        lanes.delete(key)
        setLag(lane, 0)
        if (lane.paused) consumer.resume(lane)
      }
      if (stopping) partitions.forEach(consumer.pause)
    },
    async take(batch) {
      const work = takeBatch(batch)
      taking.add(work)
      return work.finally(() => taking.delete(work))
    },
    ends(ends) {
      for (const { offset, ...at } of ends) {
        const lane = lanes.get(keyOf(at))
        if (!lane) continue
        lane.end = Math.max(lane.end, offset)
        tellLag(lane)
      }
    },
    async drain() {
      stopping = true
      for (const at of assigned) consumer.pause(at)
      const settled = Promise.withResolvers<void>()
      idle = settled.resolve
      const waiting = Promise.allSettled(taking).then(() => (isIdle() ? undefined : settled.promise))
      await Promise.race([waiting, sleep(options.drain, undefined, { ref: false })])
      await commits.now()
    },
    close() {
      commits.close()
      for (const lane of lanes.values()) setLag(lane, 0)
      lanes.clear()
    },
  }
}

const at = ({ topic, partition }: TopicPartition): TopicPartition => ({ topic, partition })

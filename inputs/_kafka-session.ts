/**
 * One membership of the Kafka input in its group: hands records to the gateway, and commits what has settled.
 * A record is taken when the gateway has accepted it; its chain runs outside of the batch.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type InputIo, messageOf, type Receipt, YarakError } from '../src/plugin.ts'
import type { KafkaBatch, KafkaConsumer, KafkaRecord, TopicPartition } from '../src/resources/kafka.ts'
import { emitOptions } from './_kafka-record.ts'
import { createOffsetTracker, type OffsetTracker, type Settle } from './_offsets.ts'

export interface SessionOptions {
  readonly groupId: string
  /** Unsettled records per partition. */
  readonly maxInFlight: number
  /** Milliseconds. */
  readonly commitInterval: number
  /** Milliseconds that a stop waits for unsettled records. */
  readonly drain: number
  readonly authenticated: string | undefined
}

export interface KafkaSession {
  assign(partitions: readonly TopicPartition[]): void
  /** How many records of the batch were taken. */
  take(batch: KafkaBatch): Promise<number>
  /** Takes no more, waits a while for what is in flight, commits what has settled. */
  drain(): Promise<void>
  /** From here on nothing is committed. */
  close(): void
}

/** A partition that is ours. */
interface Lane extends TopicPartition {
  readonly tracker: OffsetTracker
  paused: boolean
  /** Reading starts again at what the group has committed; until its first batch we do not know where that is. */
  rejoined: boolean
}

/**
 * How many times `maxInFlight` records may be kept that settled behind a record that has not: they would all come again
 * after a crash, and they take memory.
 */
const BEHIND = 100

/** Milliseconds before an event that found no room is offered again. */
const NO_ROOM = 200

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

export const createKafkaSession = (
  options: SessionOptions,
  io: InputIo,
  consumer: Pick<KafkaConsumer, 'pause' | 'resume' | 'commit'>,
): KafkaSession => {
  const { maxInFlight } = options
  const lanes = new Map<string, Lane>()
  const taking = new Set<Promise<number>>()
  let assigned: readonly TopicPartition[] = []
  let stopping = false
  let timer: NodeJS.Timeout | undefined
  let idle: (() => void) | undefined

  const laneOf = ({ topic, partition }: TopicPartition): Lane => {
    const key = keyOf({ topic, partition })
    const lane = lanes.get(key) ?? { topic, partition, tracker: createOffsetTracker(), paused: false, rejoined: false }
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
    if (!lane.paused || stopping || !hasRoom(lane)) return
    lane.paused = false
    consumer.resume(lane)
  }

  // ── commit ──
  const commit = async (): Promise<void> => {
    const due = [...lanes.values()].flatMap((lane) => {
      const offset = lane.rejoined ? undefined : lane.tracker.position
      return offset === undefined ? [] : [{ lane, topic: lane.topic, partition: lane.partition, offset }]
    })
    if (due.length === 0) return
    try {
      await consumer.commit(due.map(({ topic, partition, offset }) => ({ topic, partition, offset })))
    } catch (error) {
      const level = error instanceof YarakError && error.reason === 'rebalance' ? 'debug' : 'warn'
      io.log[level]('offsets were not committed; trying again', { error: messageOf(error) })
      return commitSoon()
    }
    for (const { lane, offset } of due) {
      lane.tracker.forget(offset)
      resumeIfRoom(lane)
    }
  }
  const commitSoon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      void commit()
    }, options.commitInterval)
  }

  // ── settle ──
  const isIdle = (): boolean => [...lanes.values()].every(({ tracker }) => tracker.pending === 0)
  const settle = (lane: Lane, done: Settle): void => {
    done()
    if (!isLive(lane)) return
    commitSoon()
    resumeIfRoom(lane)
    if (idle && isIdle()) idle()
  }

  // ── take ──
  const takeBatch = async (batch: KafkaBatch): Promise<number> => {
    const lane = laneOf(batch)
    if (lane.rejoined) lane.tracker.forget(batch.records[0]?.offset ?? 0)
    lane.rejoined = false
    const stop = AbortSignal.any([io.signal, batch.signal])
    let taken = 0
    try {
      for (const record of batch.records) {
        if (stop.aborted || lane.paused || !(await takeOne(lane, record, stop))) break
        taken++
        if (isFull(lane)) {
          io.log.debug('partition paused', { ...at(lane), unsettled: lane.tracker.pending, lag: batch.lag })
          pause(lane)
        }
      }
    } catch (error) {
      // comes again, and is then the first
      if (taken === 0) throw error
    }
    return taken
  }
  const takeOne = async (lane: Lane, record: KafkaRecord, stop: AbortSignal): Promise<boolean> => {
    if (lane.tracker.has(record.offset)) return true
    const accepted = await accept(lane, record, stop)
    if (!accepted) return false
    const done = lane.tracker.take(record.offset)
    commitSoon()
    if (accepted === 'nothing') settle(lane, done)
    else void accepted.done.then(() => settle(lane, done))
    return true
  }
  const accept = async (
    lane: Lane,
    record: KafkaRecord,
    stop: AbortSignal,
  ): Promise<Receipt | 'nothing' | undefined> => {
    if (record.value === null) {
      io.count('skipped', 'tombstone')
      return 'nothing'
    }
    const how = { ...emitOptions(lane, record, options), signal: stop }
    while (!stop.aborted) {
      try {
        return await io.emit(record.value, how)
      } catch (error) {
        const verdict = stop.aborted ? 'stop' : verdictOn(error)
        if (verdict === 'refused') return refuse(lane, record, error)
        if (verdict === 'stop') return void pause(lane)
        if (verdict !== 'later') throw error
        await sleep(waitOf(error), undefined, { signal: stop }).catch(() => {})
      }
    }
    return undefined
  }
  const refuse = (lane: Lane, { offset }: KafkaRecord, error: unknown): 'nothing' => {
    io.count('rejected', error instanceof YarakError ? error.reason : 'invalid')
    io.log.warn('record refused', { ...at(lane), offset, error: messageOf(error) })
    return 'nothing'
  }

  return {
    assign(partitions) {
      assigned = partitions
      const ours = new Set(partitions.map(keyOf))
      for (const [key, lane] of lanes) {
        lane.rejoined = true
        if (ours.has(key)) continue
        lanes.delete(key)
        if (lane.paused) consumer.resume(lane)
      }
      if (stopping) partitions.forEach(consumer.pause)
    },
    async take(batch) {
      const work = takeBatch(batch)
      taking.add(work)
      return work.finally(() => taking.delete(work))
    },
    async drain() {
      stopping = true
      for (const at of assigned) consumer.pause(at)
      const settled = Promise.withResolvers<void>()
      idle = settled.resolve
      const waiting = Promise.allSettled(taking).then(() => (isIdle() ? undefined : settled.promise))
      await Promise.race([waiting, sleep(options.drain, undefined, { ref: false })])
      await commit()
    },
    close() {
      clearTimeout(timer)
      lanes.clear()
    },
  }
}

const at = ({ topic, partition }: TopicPartition): TopicPartition => ({ topic, partition })

/** What the gateway's refusal means for the record. */
const verdictOn = (error: unknown): 'refused' | 'later' | 'stop' | 'unknown' => {
  if (!(error instanceof YarakError)) return 'unknown'
  if (error.code === 'overloaded') return 'later'
  if (error.code === 'closing') return 'stop'
  return error.code === 'invalid' || error.code === 'too_large' || error.code === 'unauthorized' ? 'refused' : 'unknown'
}

const waitOf = (error: unknown): number => (error instanceof YarakError ? error.retryAfter : undefined) ?? NO_ROOM

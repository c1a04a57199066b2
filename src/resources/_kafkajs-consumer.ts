/** A group member on kafkajs: commits by hand, sends heartbeats during a batch, and says when it is lost. */
import type { Consumer, ConsumerRunConfig, EachBatchPayload, KafkaMessage } from 'kafkajs'
import { messageOf } from '../plugin.ts'
import { reasonOf } from './_kafka-batch.ts'
import { kafkaError } from './_kafka-errors.ts'
import { type Anchor, createAnchor } from './_kafkajs-anchor.ts'
import type { Connected, Opened } from './_kafkajs.ts'
import type { ConsumerOptions, KafkaConsumer, KafkaRecord, TopicPartition, TopicPartitionOffset } from './kafka.ts'

/** Milliseconds: how long the broker holds a fetch, and so how long a resumed partition waits. */
const MAX_WAIT = 500

/** Partitions whose batches are handled at the same time. */
const CONCURRENCY = 8

/** Retries within a running consumer; then it is lost, and the caller makes another one. */
const RETRY = { initialRetryTime: 300, retries: 5, restartOnFailure: () => Promise.resolve(false) }

/** Milliseconds without a fetch, a heartbeat or a join after which a consumer that says nothing is taken for lost. */
const STALLED = 180_000

export const createKafkajsConsumer = (connected: Connected, options: ConsumerOptions): KafkaConsumer => {
  const { open, brokers, log } = connected
  const ended = Promise.withResolvers<void>()
  let watch: Watch | undefined
  let consumer: Consumer | undefined
  let commit: Commit | undefined
  let closing = false

  const start = async ({ kafka }: Opened): Promise<void> => {
    if (closing) return
    consumer = kafka.consumer(consumerOptions(options))
    const anchor = createAnchor(kafka, consumer, options, log)
    const { sign } = (watch = createWatch((error) => ended.reject(error)))
    const { CRASH, FETCH, HEARTBEAT, GROUP_JOIN } = consumer.events
    consumer.on(CRASH, ({ payload }) => ended.reject(payload.error))
    consumer.on(FETCH, sign)
    consumer.on(HEARTBEAT, sign)
    consumer.on(GROUP_JOIN, ({ payload }) => {
      sign()
      const partitions = partitionsOf(payload.memberAssignment)
      options.onAssigned(partitions)
      void anchor.join(partitions)
    })
    try {
      await consumer.connect()
      await anchor.prepare()
      await consumer.subscribe({ topics: [...options.topics], fromBeginning: true })
      if (!closing) await consumer.run(runOptions(consumer, anchor))
    } finally {
      // closed while it connected: the connection that came about after all goes too
      if (closing) await quit()
    }
  }
  const runOptions = (member: Consumer, anchor: Anchor): ConsumerRunConfig => ({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: CONCURRENCY,
    eachBatch(payload) {
      commit = payload.commitOffsetsIfNecessary
      return withHeartbeats(payload, options, async (lost) => {
        if (!(await skipped(member, anchor, payload))) await handleBatch(payload, options, lost)
      })
    },
  })
  const quit = async (): Promise<void> => {
    await consumer?.disconnect().catch((error: unknown) => log.debug('disconnect', { error: messageOf(error) }))
  }

  return {
    async run() {
      ended.promise.catch(() => {})
      try {
        await Promise.race([open().then(start), ended.promise])
        await ended.promise
      } catch (error) {
        if (!closing) throw kafkaError(error, brokers, `reading ${options.topics.join(', ')}`)
      } finally {
        watch?.stop()
        await quit()
      }
    },
    pause: ({ topic, partition }) => inGroup(() => consumer?.pause([{ topic, partitions: [partition] }])),
    resume: ({ topic, partition }) => inGroup(() => consumer?.resume([{ topic, partitions: [partition] }])),
    async commit(offsets) {
      try {
        await commit?.({ topics: offsets.map(toTopic) })
      } catch (error) {
        throw kafkaError(error, brokers, 'committing')
      }
    },
    async close() {
      closing = true
      await quit()
      ended.resolve()
    },
  }
}

/** kafkajs throws when there is no group any more; a lost member has nothing to pause. */
const inGroup = (work: () => void): void => {
  try {
    work()
  } catch (error) {
    if ((error as Error).name !== 'KafkaJSNonRetriableError') throw error
  }
}

/**
 * The batch's own commit: bound to the member and tried once, in the group's present generation. `consumer.commitOffsets`
 * tries again for seconds, so that it could write for a partition that has been given to another member meanwhile.
 */
type Commit = EachBatchPayload['commitOffsetsIfNecessary']

const toTopic = ({ topic, partition, offset }: TopicPartitionOffset) => ({
  topic,
  partitions: [{ partition, offset: String(offset) }],
})

const consumerOptions = ({ groupId, sessionTimeout }: ConsumerOptions) => ({
  groupId,
  sessionTimeout,
  heartbeatInterval: heartbeatEvery(sessionTimeout),
  maxWaitTimeInMs: MAX_WAIT,
  allowAutoTopicCreation: false,
  retry: RETRY,
})

const heartbeatEvery = (sessionTimeout: number): number => Math.max(1, Math.floor(sessionTimeout / 10))

const partitionsOf = (assignment: Readonly<Record<string, readonly number[]>>): TopicPartition[] =>
  Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))

/** Goes to where the group is to begin, when what came lies before it. */
const skipped = async (consumer: Consumer, anchor: Anchor, { batch }: EachBatchPayload): Promise<boolean> => {
  const { topic, partition } = batch
  const start = await anchor.begin({ topic, partition })
  if (start === undefined || Number(batch.firstOffset() ?? start) >= start) return false
  consumer.seek({ topic, partition, offset: String(start) })
  return true
}

/** @param work gets a signal that fires when a heartbeat says that the group has moved on */
const withHeartbeats = async (
  { heartbeat }: EachBatchPayload,
  { sessionTimeout }: ConsumerOptions,
  work: (lost: AbortSignal) => Promise<void>,
): Promise<void> => {
  const lost = new AbortController()
  const beat = () => void heartbeat().catch((error: unknown) => lost.abort(error))
  const timer = setInterval(beat, heartbeatEvery(sessionTimeout))
  try {
    await work(lost.signal)
  } finally {
    clearInterval(timer)
  }
  // kafkajs joins the group again when it sees why the heartbeat failed
  lost.signal.throwIfAborted()
}

const handleBatch = async (
  { batch, resolveOffset }: EachBatchPayload,
  { onBatch }: ConsumerOptions,
  signal: AbortSignal,
): Promise<void> => {
  const { topic, partition } = batch
  const records = batch.messages.map(toRecord)
  const taken = await onBatch({ topic, partition, records, lag: Number(batch.offsetLag()), signal })
  const last = batch.messages[taken - 1]
  if (last) resolveOffset(last.offset)
}

const toRecord = ({ offset, key, value, headers }: KafkaMessage): KafkaRecord => {
  const unreadable = reasonOf(value)
  return {
    offset: Number(offset),
    key,
    value,
    headers: textsOf(headers ?? {}),
    ...(unreadable !== undefined && { unreadable }),
  }
}

const textsOf = (headers: NonNullable<KafkaMessage['headers']>): Record<string, string> => {
  const texts: Record<string, string> = {}
  for (const [name, values] of Object.entries(headers)) {
    const value = Array.isArray(values) ? values[0] : values
    if (value !== undefined) texts[name] = value.toString()
  }
  return texts
}

interface Watch {
  sign(): void
  stop(): void
}

/** Notices a consumer that neither works nor crashes (tulios/kafkajs#659). */
const createWatch = (lost: (error: Error) => void): Watch => {
  let last = Date.now()
  const check = () => {
    if (Date.now() - last > STALLED) lost(new Error(`nothing was heard of the group for ${STALLED / 1_000} s`))
  }
  const timer = setInterval(check, STALLED / 10).unref()
  return { sign: () => void (last = Date.now()), stop: () => clearInterval(timer) }
}

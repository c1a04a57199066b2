/** A bounded queue before an exporter, of which every item is counted once: exported, or lost for a reason. */
import { type Env, numberOf, type Tell } from './env.ts'

/** What the SDK's exporters have in common. */
export interface Exporter<T> {
  export(items: T[], done: (result: { code: number; error?: Error }) => void): void
  shutdown(): Promise<void>
}

export type Loss = 'queue_full' | 'failed' | 'timed_out' | 'stopped'

export interface Account {
  /** So many items were exported, or lost. */
  (count: number, loss?: Loss, error?: unknown): void
  /** The queue ran full: once until it was empty again. */
  full(): void
}

/** Characters that may wait beside {@link BatchLimits.queue}: a sender chooses how long some texts are. */
const ROOM = 128 * 1_024 * 1_024
/** Characters of one export, but for an item that is longer; collectors take 4 MiB over gRPC. */
const LOAD = 2 * 1_024 * 1_024

export interface BatchLimits {
  /** Items that wait; beyond it they are lost. */
  readonly queue: number
  /** Items of one export. */
  readonly batch: number
  /** Longest wait for a full batch, in milliseconds. */
  readonly delay: number
  /** Longest export, in milliseconds. */
  readonly timeout: number
}

export interface Batches<T> {
  add(item: T): void
  /** Exports all that waits. */
  flush(): Promise<void>
  /** Takes nothing more, exports what waits, and ends the exporter. Never rejects. */
  shutdown(): Promise<void>
  /** Gives up what waits and what is under way. */
  abandon(): void
}

/**
 * One export at a time: a collector that is slow or dead costs this queue and one batch, and no other exporter's time.
 *
 * The SDK's own processors lose items without a word: at the stop they export all batches at once, of which the
 * exporter refuses those beyond 30.
 * @param lengthOf characters of an item; default none
 */
export const createBatches = <T>(
  exporter: Exporter<T>,
  limits: BatchLimits,
  account: Account,
  lengthOf: (item: T) => number = () => 0,
): Batches<T> => {
  let waiting: T[] = []
  let length = 0
  let sending: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let all = false
  let full = false
  let closed: Promise<void> | undefined
  let giveUp = (): void => {}

  const isFull = (): boolean => waiting.length >= limits.batch || length >= LOAD
  const takeBatch = (): T[] => {
    let [count, load] = [0, 0]
    for (; count < limits.batch && count < waiting.length; count++) {
      const own = lengthOf(waiting[count] as T)
      if (count > 0 && load + own > LOAD) break
      load += own
    }
    length -= load
    return waiting.splice(0, count)
  }
  const sendOne = async (): Promise<void> => {
    const batch = takeBatch()
    const given = Promise.withResolvers<Outcome>()
    giveUp = () => given.resolve({ loss: 'stopped' })
    const { loss, error } = await Promise.race([sent(exporter, batch, limits.timeout), given.promise])
    account(batch.length, loss, error)
    full &&= waiting.length > 0
  }
  const sendAll = async (): Promise<void> => {
    do await sendOne()
    while (isFull() || (all && waiting.length > 0))
  }
  const send = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    return (sending ??= sendAll().finally(() => {
      sending = undefined
      all = false
      arm()
    }))
  }
  const arm = (): void => {
    if (sending || waiting.length === 0) return
    if (isFull()) void send()
    else timer ??= setTimeout(() => void send(), limits.delay).unref()
  }
  const lose = (): void => {
    account(1, 'queue_full')
    if (!full) account.full()
    full = true
  }
  const flush = async (): Promise<void> => {
    while (sending || waiting.length > 0) {
      all = true
      await send()
    }
  }
  return {
    add(item) {
      if (closed) return account(1, 'stopped')
      const own = lengthOf(item)
      if (waiting.length >= limits.queue || length + own > ROOM) return lose()
      length += own
      waiting.push(item)
      arm()
    },
    flush,
    shutdown: () => (closed ??= flush().then(() => exporter.shutdown().catch(() => {}))),
    abandon() {
      closed ??= Promise.resolve()
      if (waiting.length > 0) account(waiting.length, 'stopped')
      waiting = []
      length = 0
      clearTimeout(timer)
      giveUp()
    },
  }
}

interface Outcome {
  /** None: exported. */
  readonly loss?: Loss
  readonly error?: unknown
}

/** What became of one export; whatever an exporter says too late is not heard. */
const sent = <T>(exporter: Exporter<T>, batch: T[], timeout: number): Promise<Outcome> =>
  new Promise<Outcome>((resolve) => {
    const late = setTimeout(() => resolve({ loss: 'timed_out', error: new Error('no answer') }), timeout).unref()
    const end = (outcome: Outcome): void => {
      clearTimeout(late)
      resolve(outcome)
    }
    try {
      exporter.export(batch, ({ code, error }) => end(code === 0 && !error ? {} : failure(error)))
    } catch (error) {
      end(failure(error))
    }
  })

/** DEADLINE_EXCEEDED of gRPC, or what the exporter over HTTP says. */
const failure = (error: unknown): Outcome => {
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string }
  return { loss: code === 4 || /timed? ?out/i.test(message) ? 'timed_out' : 'failed', error }
}

/**
 * `OTEL_BSP_*` of spans, `OTEL_BLRP_*` of log records. The queue is larger than the specification's 2,048, and the delay
 * shorter than its 5 s: alerts come in bursts.
 */
export const limitsOf = (env: Env, prefix: 'OTEL_BSP' | 'OTEL_BLRP', tell: Tell): BatchLimits => {
  const queue = numberOf(env, `${prefix}_MAX_QUEUE_SIZE`, 65_536, tell)
  return {
    queue,
    batch: Math.min(queue, numberOf(env, `${prefix}_MAX_EXPORT_BATCH_SIZE`, 2_048, tell)),
    delay: numberOf(env, `${prefix}_SCHEDULE_DELAY`, 1_000, tell, 0),
    timeout: numberOf(env, `${prefix}_EXPORT_TIMEOUT`, 30_000, tell),
  }
}

/** A batch of the Kafka output: cut into requests, and put together again when some of it failed. */
import { type FailedItem, inChunks, YarakError } from '../src/plugin.ts'
import type { OutgoingRecord } from '../src/resources/kafka.ts'

/** A record, and where it was in the batch. */
export interface Item {
  readonly index: number
  readonly record: OutgoingRecord
}

/** Bytes of one request, below the brokers' default limit of 1 MiB for what one partition takes at once. */
const REQUEST = 512 * 1024

/** Cuts a batch so that no request is refused for its size, but for a record that is too large by itself. */
export const requestsOf = (items: readonly Item[]): Item[][] =>
  inChunks(items, { count: Infinity, size: REQUEST }, ({ record }) => Buffer.byteLength(record.value))

/** A record that was not written. */
export interface Failed extends FailedItem {
  readonly error: YarakError
}

/** Writes in order, and stops at the first failure that may pass: what is behind it must not overtake it. */
export const writeAll = async (
  requests: readonly (readonly Item[])[],
  write: (items: readonly Item[]) => Promise<void>,
): Promise<Failed[]> => {
  const failed: Failed[] = []
  const todo = [...requests]
  for (let items = todo.shift(); items; items = todo.shift()) {
    try {
      await write(items)
    } catch (error) {
      if (!(error instanceof YarakError)) throw error
      if (!error.permanent) return [...failed, ...[items, ...todo].flat().map((item) => failedItem(item, error))]
      const half = Math.ceil(items.length / 2)
      if (items.length > 1) todo.unshift(items.slice(0, half), items.slice(half))
      else failed.push(...items.map((item) => failedItem(item, error)))
    }
  }
  return failed
}

const failedItem = ({ index }: Item, error: YarakError): Failed => ({
  index,
  permanent: error.permanent,
  reason: error.reason,
  error,
})

/** The error of the whole batch: that of the last item, which is the one that may pass if any. */
export const failure = (failed: readonly Failed[], of: number, topic: string): YarakError => {
  const last = failed.at(-1)?.error ?? new YarakError('failed', `writing to ${topic}`)
  const count = of > 1 ? `${failed.length} of ${of} records: ` : ''
  return new YarakError(last.code, `${count}${last.message}`, {
    cause: last,
    reason: last.reason,
    permanent: last.permanent,
    failed: failed.map(({ index, permanent, reason }) => ({ index, permanent, reason })),
  })
}

/** Batches: cut to what the other side takes, and taken apart when it refuses one as a whole. */
import { asYarakError, type FailedItem, messageOf, YarakError } from './errors.ts'

/** Answers by which a server refuses a batch for what is in it. */
const FOR_WHAT_IS_IN_IT: ReadonlySet<string> = new Set(['400', '413', '422'])

const isOfItems = ({ reason }: YarakError): boolean => FOR_WHAT_IS_IN_IT.has(reason)

/**
 * Sends all at once; when that is refused for what is in it, each alone.
 * @param send throws a permanent YarakError when what it got is refused
 * @param isOfThem tells whether a permanent error is for what is in them. Default: its reason is the status 400, 413 or 422
 * @throws YarakError with `failed` naming those that were not sent
 */
export const wholeOrEach = async <T>(
  items: readonly T[],
  send: (some: readonly T[]) => Promise<void>,
  isOfThem: (error: YarakError) => boolean = isOfItems,
): Promise<void> => {
  try {
    await send(items)
  } catch (error) {
    const isRefused = error instanceof YarakError && error.permanent && isOfThem(error)
    if (!isRefused || items.length < 2) throw error
    await each(items, send)
  }
}

/** Stops at the first failure that may pass, so that what is behind it does not overtake it. */
const each = async <T>(items: readonly T[], send: (some: readonly T[]) => Promise<void>): Promise<void> => {
  const failed: FailedItem[] = []
  let last: YarakError | undefined
  for (const [index, item] of items.entries()) {
    if (last && !last.permanent) {
      failed.push({ index, permanent: false, reason: last.reason })
      continue
    }
    try {
      await send([item])
    } catch (error) {
      last = asYarakError(error)
      const { permanent, reason } = last
      failed.push({ index, permanent, reason: permanent ? messageOf(last) : reason })
    }
  }
  if (!last) return
  const { code, reason, permanent, retryAfter } = last
  const message = `${failed.length} of ${items.length}: ${messageOf(last)}`
  throw new YarakError(code, message, {
    ...{ cause: last, reason, permanent, failed },
    ...(retryAfter !== undefined && { retryAfter }),
  })
}

/** What a part of a batch may be. */
export interface ChunkLimits {
  readonly count: number
  /** In the unit of `sizeOf`, commonly bytes. */
  readonly size: number
}

/**
 * Cuts a list into parts within the limits, in order. What is too large by itself is a part of its own.
 * @example inChunks(records, { count: 500, size: 5 * 1024 * 1024 }, (one) => Buffer.byteLength(one.data))
 */
export const inChunks = <T>(items: readonly T[], limits: ChunkLimits, sizeOf: (item: T) => number): T[][] => {
  const chunks: T[][] = []
  let size = Infinity
  for (const item of items) {
    const own = sizeOf(item)
    const last = chunks.at(-1)
    if (last && last.length < limits.count && size + own <= limits.size) {
      last.push(item)
      size += own
    } else {
      chunks.push([item])
      size = own
    }
  }
  return chunks
}

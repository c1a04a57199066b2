/** A batch that goes out in several requests, and answers that refuse some of its items. */
import { type FailedItem, YarakError } from '../src/plugin.ts'

/**
 * The error for items that were refused one by one; undefined when there are none.
 * @example const error = refused(failed, items.length, 'records'); if (error) throw error
 */
export const refused = (failed: readonly FailedItem[], of: number, what: string): YarakError | undefined => {
  const [first] = failed
  if (!first) return undefined
  const passing = failed.find(({ permanent }) => !permanent)
  return new YarakError('failed', `${failed.length} of ${of} ${what} were not taken: ${first.reason}`, {
    permanent: passing === undefined,
    reason: passing?.reason ?? 'rejected',
    failed,
  })
}

/**
 * Sends part after part. What a part's error says of its items is said of the batch's; after a part that could not be sent
 * for a reason that may pass, the rest is left for the next try.
 * @param places where each item was in the batch, when the parts are not in its order
 * @throws YarakError with `failed`, unless the one part there is failed as a whole
 */
export const sendParts = async <T>(
  parts: readonly (readonly T[])[],
  send: (part: readonly T[]) => Promise<unknown>,
  places?: readonly number[],
): Promise<void> => {
  const failed: FailedItem[] = []
  let last: YarakError | undefined
  let start = 0
  for (const part of parts) {
    const error = isDown(last) ? last : await errorOf(() => send(part))
    if (error) failed.push(...itemsOf(error, part.length, start))
    last = error ?? last
    start += part.length
  }
  if (!last) return
  if (parts.length === 1 && (!places || !last.failed)) throw last
  throw summary(
    last,
    failed.map((item) => ({ ...item, index: places?.[item.index] ?? item.index })),
    start,
  )
}

const isDown = (error: YarakError | undefined): boolean => error !== undefined && !error.failed && !error.permanent

const errorOf = async (send: () => Promise<unknown>): Promise<YarakError | undefined> => {
  try {
    await send()
    return undefined
  } catch (error) {
    if (error instanceof YarakError) return error
    throw error
  }
}

const itemsOf = ({ failed, permanent, reason, message }: YarakError, count: number, start: number): FailedItem[] => {
  const own =
    failed ?? Array.from({ length: count }, (_, index) => ({ index, permanent, reason: permanent ? message : reason }))
  return own.map((item) => ({ ...item, index: start + item.index }))
}

const summary = (last: YarakError, failed: readonly FailedItem[], of: number): YarakError =>
  new YarakError(last.code, `${failed.length} of ${of} were not delivered: ${last.message}`, {
    cause: last,
    permanent: failed.every(({ permanent }) => permanent),
    reason: last.reason,
    failed,
    ...(last.retryAfter !== undefined && { retryAfter: last.retryAfter }),
  })

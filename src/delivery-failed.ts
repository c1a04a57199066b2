/** What of a batch failed, and whether it is tried again. */
import { type ErrorOptions, YarakError } from './errors.ts'
import type { Item } from './shelf.ts'

/** Ends the items that were delivered or never can be; gives back those to try again. */
export const sortFailed = (items: readonly Item[], error: YarakError, end: End): readonly Item[] => {
  if (!error.failed) {
    if (error.permanent) for (const item of items) end(item, 'dead_lettered', error)
    return error.permanent ? [] : items
  }
  const failed = new Map(error.failed.map((one) => [one.index, one]))
  return items.filter((item, index) => {
    const one = failed.get(index)
    if (!one) end(item, 'delivered')
    else if (one.permanent) end(item, 'dead_lettered', new YarakError('failed', one.reason, { reason: 'rejected' }))
    return one !== undefined && !one.permanent
  })
}

/** What of a batch was delivered before its time was over. */
export const partOf = (thrown: unknown): ErrorOptions =>
  thrown instanceof YarakError && thrown.failed ? { failed: thrown.failed } : {}

type End = (item: Item, how: 'delivered' | 'dead_lettered', error?: YarakError) => void

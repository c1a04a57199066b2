/** Saves something now and then while it changes, and once more at the end. */
import { messageOf, type Log } from '../src/plugin.ts'

export interface Saver {
  /** Says that there is something new to save. */
  changed(): void
  /** Saves what is new, after the save that is under way. Never rejects. */
  flush(): Promise<void>
}

/**
 * Calls `save` at most once per `interval` milliseconds, never twice at a time. A save that fails is logged once until
 * one succeeds, and tried again with the next change.
 */
export const createSaver = (save: () => Promise<void>, log: Log, interval = 500): Saver => {
  let timer: NodeJS.Timeout | undefined
  let last: Promise<void> = Promise.resolve()
  let isNew = false
  let failing = false

  const run = async (): Promise<void> => {
    if (!isNew) return
    isNew = false
    try {
      await save()
      failing = false
    } catch (error) {
      isNew = true
      if (!failing) log.warn('the checkpoint could not be saved', { error: messageOf(error) })
      failing = true
    }
  }

  const next = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    return (last = last.then(run))
  }

  return {
    changed() {
      isNew = true
      timer ??= setTimeout(() => void next(), interval)
    },
    flush: next,
  }
}

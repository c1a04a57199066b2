/** Notices that an earlier run, or an output that was replaced, left in the journal. */
import type { Counters } from './counters.ts'
import type { Delivery } from './deliver.ts'
import type { Journal } from './journal/index.ts'
import type { Log } from './plugin.ts'

export interface Leftovers {
  /**
   * Gives them to their outputs; those of outputs that are not there any more become dead letters.
   * @param output only what this one, which was replaced or removed, has left. Default: all that an earlier run left
   */
  takeUp(output?: string): Promise<void>
}

interface Host {
  readonly counters: Counters
  readonly journal: Journal
  readonly log: Log
  outputs(): readonly Delivery[]
}

/** Notices read at a time. */
const PAGE = 100

export const createLeftovers = ({ counters, journal, log, outputs }: Host): Leftovers => {
  const buryAll = async (output: string): Promise<void> => {
    log.warn('notices wait for an output that is not configured any more: they are dead letters now', { output })
    for (;;) {
      const page = await journal.kept(output, 0, PAGE)
      for (const { id, body } of page) {
        const message = `the output ${output} is not configured any more`
        journal.bury({ at: Date.now(), kind: 'notice', from: output, reason: 'output-removed', message, body })
        journal.drop({ output, id })
        counters.add('yarak_notices_dead_lettered_total', { output, reason: 'output-removed' })
      }
      if (page.length < PAGE) return
    }
  }

  return {
    async takeUp(only) {
      const waiting = Object.entries(await journal.waiting())
      for (const [id, notices] of waiting) {
        if (only !== undefined && only !== id) continue
        // what this run has offered is counted already
        if (only === undefined) counters.add('yarak_notices_restored_total', { output: id }, notices)
        const output = outputs().find((one) => one.id === id)
        if (output) output.restore(notices)
        else await buryAll(id)
      }
    },
  }
}

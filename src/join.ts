/** Events that ask for a response which runs, or has just succeeded, join it instead of running it again. */
import type { Outcome, Report } from './plugin.ts'
import type { Span } from './telemetry.ts'

/** A response that others may join. */
export interface Leader {
  /** The response's id. */
  readonly id: string
  readonly span: Span
  /** Never rejects. */
  readonly report: Promise<Report>
}

export interface Joins {
  /** The response to join; undefined: there is none, or what it answers is not known. */
  find(rule: string, target: string | undefined): Leader | undefined
  /** @param window milliseconds from now in which others join, when the response succeeds; while it runs they do anyway */
  lead(rule: string, target: string | undefined, window: number, leader: Leader): void
}

interface Entry extends Leader {
  readonly until: number
  running: boolean
}

/** What leaves the target as the rule wants it. */
const OPENS_WINDOW: readonly Outcome[] = ['succeeded', 'gone']

/** @param now milliseconds, monotonic */
export const createJoins = (now: () => number = () => performance.now()): Joins => {
  const entries = new Map<string, Entry>()
  const keyOf = (rule: string, target: string): string => `${target} ${rule}`
  const isOver = (entry: Entry): boolean => !entry.running && now() >= entry.until

  /** The oldest first, up to the first whose window is open. */
  const forget = (): void => {
    for (const [key, entry] of entries) {
      if (entry.running) continue
      if (!isOver(entry)) return
      entries.delete(key)
    }
  }

  return {
    find(rule, target) {
      if (target === undefined) return undefined
      const entry = entries.get(keyOf(rule, target))
      return entry && !isOver(entry) ? entry : undefined
    },
    lead(rule, target, window, leader) {
      if (target === undefined || window <= 0) return
      forget()
      const key = keyOf(rule, target)
      const entry: Entry = { ...leader, until: now() + window, running: true }
      entries.delete(key)
      entries.set(key, entry)
      void leader.report.then(({ outcome }) => {
        entry.running = false
        if (!OPENS_WINDOW.includes(outcome) && entries.get(key) === entry) entries.delete(key)
      })
    },
  }
}

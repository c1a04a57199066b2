/** What every journal holds in memory: the facts by event, and which events were settled a short while ago. */
import type { Facts } from './index.ts'

/** How long facts are held that nobody adds to, and settled ids, in milliseconds; and how many of the latter. */
const DAY = 86_400_000
const AGE = { facts: 7 * DAY, settled: 15 * 60_000 } as const
const SETTLED = 20_000

export interface FactStore {
  of(event: string): Facts | undefined
  note(event: string, key: string, value: unknown, at: number): void
  forget(event: string): void
}

/** Those of an event that is never settled here, as when another process took over its source, go with time. */
export const createFacts = (): FactStore => {
  const byEvent = new Map<string, { at: number; readonly values: Map<string, unknown> }>()
  return {
    of: (event) => byEvent.get(event)?.values,
    note(event, key, value, at) {
      const facts = byEvent.get(event) ?? { at, values: new Map<string, unknown>() }
      facts.at = at
      facts.values.set(key, value)
      byEvent.delete(event)
      byEvent.set(event, facts)
      for (const [oldest, { at: noted }] of byEvent) {
        if (noted >= at - AGE.facts) break
        byEvent.delete(oldest)
      }
    },
    forget: (event) => void byEvent.delete(event),
  }
}

export interface SettledIds {
  add(event: string, at: number): void
  has(event: string): boolean
}

export const createSettled = (): SettledIds => {
  const ids = new Map<string, number>()
  return {
    add(event, at) {
      ids.delete(event)
      ids.set(event, at)
      const oldest = ids.size > SETTLED ? ids.keys().next().value : undefined
      if (oldest !== undefined) ids.delete(oldest)
    },
    has: (event) => (ids.get(event) ?? -Infinity) > Date.now() - AGE.settled,
  }
}

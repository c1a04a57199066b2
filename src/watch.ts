/** Looks that are taken again and again, so that what goes wrong or right shows though nobody uses it. */
import { pause } from './backoff.ts'
import type { Journal } from './journal/index.ts'

/**
 * Looks every so many milliseconds, give or take a fifth so that many processes do not look at once, and never while the
 * last look is still going on. Resolves when the signal has fired.
 */
export const lookAgain = async (every: number, signal: AbortSignal, look: () => Promise<unknown>): Promise<void> => {
  for (;;) {
    await pause(every * (0.8 + 0.4 * Math.random()), signal)
    if (signal.aborted) return
    await look()
  }
}

/**
 * A journal whose disk failed tries it again only when something is asked of it; whoever is not ready gets no alerts, so
 * it must not take one.
 */
export const watchJournal = (
  journal: Pick<Journal, 'health' | 'read'>,
  every: number,
  signal: AbortSignal,
): Promise<void> =>
  lookAgain(every, signal, async () => {
    if (journal.health().mode === 'degraded') await journal.read([])
  })

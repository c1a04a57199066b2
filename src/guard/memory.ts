/** What the guard remembers over reloads, restarts and crashes: what was let through, and whether the breaker is open. */
import type { Mode, State } from '../plugin.ts'
import { type BreakerState, CLOSED, isOpen } from './breaker.ts'
import type { Charge } from './budget.ts'

/** What was counted in one mode. */
export interface Tally {
  charges: readonly Charge[]
  breaker: BreakerState
  /** Resolves when what an earlier run counted is known. Rejects when it cannot be read; the next call tries again. */
  ready(): Promise<void>
  /** Resolves when what was counted is durable. */
  save(): Promise<void>
}

/** Made once for a gateway; the guards of all its generations share it. */
export interface GuardMemory {
  /** Observe mode counts for itself, so that it shows what would be refused and uses nothing up. */
  of(mode: Mode): Tally
  /** Whether the breaker of a mode is open now. */
  isOpen(mode: Mode): boolean
}

/** @param state where enforce mode counts; default in memory only */
export const createGuardMemory = (state?: State): GuardMemory => {
  const tallies: Record<Mode, Tally> = {
    enforce: state ? durable(state) : forgetful(),
    observe: forgetful(),
  }
  return {
    of: (mode) => tallies[mode],
    isOpen: (mode) => isOpen(tallies[mode].breaker, Date.now()),
  }
}

const forgetful = (): Tally => ({ charges: [], breaker: CLOSED, ready: async () => {}, save: async () => {} })

const KEY = 'tally'

interface Saved {
  readonly charges: readonly Charge[]
  readonly breaker: BreakerState
}

const durable = (state: State): Tally => {
  let loading: Promise<void> | undefined

  const load = async (): Promise<void> => {
    const saved = (await state.get(KEY)) as Saved | undefined
    if (saved) Object.assign(tally, notLater(saved, Date.now()))
  }
  const tally: Tally = {
    ...forgetful(),
    ready: () =>
      (loading ??= load().catch((error: unknown) => {
        loading = undefined
        throw error
      })),
    save: () => state.set(KEY, { charges: tally.charges, breaker: tally.breaker } satisfies Saved),
  }
  return tally
}

/** A clock that was set back must not let a charge count for longer than its window. */
const notLater = ({ charges, breaker }: Saved, now: number): Saved => ({
  charges: charges.map((charge) => ({ ...charge, at: Math.min(charge.at, now) })),
  breaker: { ...breaker, asked: breaker.asked.map(([id, at]) => [id, Math.min(at, now)] as const) },
})

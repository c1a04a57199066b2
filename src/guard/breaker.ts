/** Opens when too many changing steps are asked for. Pure: times are given, the state is data. */

/** What is remembered of a breaker; JSON. */
export interface BreakerState {
  /** Steps that were asked for lately: id and milliseconds since the epoch, the last one last. */
  readonly asked: readonly (readonly [id: string, at: number])[]
  /** Open until then at least. */
  readonly until?: number
}

/** In milliseconds; the limit is this process's share. */
export interface BreakerSettings {
  readonly limit: number
  readonly window: number
  readonly cooldown: number
}

export const CLOSED: BreakerState = { asked: [] }

/**
 * The state after one more step was asked for; whoever asks again is counted once. While more than `limit` are asked for
 * within the window an open breaker stays open, also beyond its cooldown.
 */
export const ask = (state: BreakerState, id: string, now: number, settings: BreakerSettings): BreakerState => {
  const { limit, window, cooldown } = settings
  if (limit === Number.POSITIVE_INFINITY) return CLOSED
  const asked = [...state.asked.filter(([other, at]) => other !== id && at > now - window), [id, now] as const]
  const isOver = asked.length > limit
  const until = state.until === undefined ? undefined : Math.min(state.until, now + cooldown)
  // one beyond the limit is enough to tell
  const kept = { asked: isOver ? asked.slice(-(limit + 1)) : asked }
  if (until !== undefined && now < until) return { ...kept, until }
  return isOver ? { ...kept, until: now + cooldown } : kept
}

export const isOpen = ({ until }: BreakerState, now: number): boolean => until !== undefined && now < until

/** A claim in our hands: written by whoever knows its last version, renewed, and given up before another may take it. */
import type { Claim, Claims, LiveClaim } from './agreement.ts'
import { pause } from './backoff.ts'
import { YarakError } from './errors.ts'

export interface HoldHost {
  readonly claims: Claims
  /** Milliseconds that a claim is ours after each renewal. */
  readonly lasts: number
  /** Milliseconds on a clock that never jumps; no other's is trusted. */
  now(): number
}

interface Held {
  readonly id: string
  /** Who we are, unlike all others. */
  readonly holder: string
  /** What it is to be now. */
  content(): Omit<Claim, 'lasts'>
  note(what: 'taken' | 'taken-over' | 'lost'): void
}

export interface Hold {
  /** Fires, as `interrupted` with the reason `handed-over`, when it is not ours any more, or could not be renewed. */
  readonly signal: AbortSignal
  readonly isOurs: boolean
  /** It was to be written: so it may be, also when nobody answered. */
  readonly isTried: boolean
  /**
   * Makes it, or writes all that is known by the time it is written; from then on it is renewed.
   * @throws YarakError `handed-over` when it is another's; else it can be tried again
   */
  write(): Promise<void>
  /** The same in a moment, unless it is at rest by then. */
  soon(): void
  /** Takes it from whoever had it. @returns false: somebody was faster */
  take(live: LiveClaim): Promise<boolean>
  /** Gives it up when its time is over and no timer has said so yet, as when the process was asleep. */
  giveUpInTime(): void
  /** It is not renewed any more. */
  rest(): void
  /** Begins as if it had never been ours, when no write is on its way any more. */
  anew(): Promise<void>
}

/** Of the time that a claim lasts: when it is renewed, and when one that could not be renewed is given up. */
const RENEW = 1 / 5
const GIVE_UP = 2 / 3

/** Milliseconds. */
const SOON = 200

const lostBy = (): YarakError =>
  new YarakError('interrupted', 'another replica goes on with it', { reason: 'handed-over', permanent: true })

export const isLost = (error: unknown): boolean => error instanceof YarakError && error.reason === 'handed-over'

export const createHold = ({ claims, lasts, now }: HoldHost, { id, holder, content, note }: Held): Hold => {
  /** As it was written last; undefined: it is not ours. */
  let version: string | undefined
  let isTried = false
  /** It may be ours by a write that was not answered, with facts that nobody here goes on from. */
  let isTaking = false
  /** When it is given up. */
  let until = Infinity
  let lost = new AbortController()
  let renewing = new AbortController()

  const lose = (): void => {
    if (lost.signal.aborted) return
    renewing.abort()
    version = undefined
    lost.abort(lostBy())
    note('lost')
  }

  /** Time counts from when it was sent: nobody saw it before that. */
  const written = (its: string, sent: number): void => {
    const isFirst = version === undefined
    version = its
    until = sent + lasts * GIVE_UP
    if (isFirst && !renewing.signal.aborted) keep(renewing.signal)
  }

  const put = async (): Promise<void> => {
    lost.signal.throwIfAborted()
    if (isTaking) throw lostBy()
    isTried = true
    const sent = now()
    const claim = { ...content(), lasts }
    const before = version
    const its = before === undefined ? await claims.create(id, claim) : await claims.replace(id, claim, before)
    if (its !== undefined) {
      written(its, sent)
      if (before === undefined) note('taken')
      return
    }
    const live = await claims.read(id)
    if (live?.holder !== holder) throw lostBy()
    // our own, of a write that was not answered
    written(live.version, sent)
    return put()
  }

  let writing: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  const write = (): Promise<void> => {
    if (next) return next
    const turn = (): Promise<void> => {
      next = undefined
      return put()
    }
    writing = next = writing.then(turn, turn)
    next.catch((error: unknown) => {
      if (isLost(error)) lose()
    })
    return next
  }

  const keep = (signal: AbortSignal): void => {
    const renew = async (): Promise<void> => {
      for (;;) {
        await pause(lasts * RENEW, signal)
        if (signal.aborted) return
        await write().catch(() => {})
      }
    }
    const watch = async (): Promise<void> => {
      while (!signal.aborted && now() < until) await pause(until - now(), signal)
      if (!signal.aborted) lose()
    }
    void renew()
    void watch()
  }

  const anew = async (): Promise<void> => {
    renewing.abort()
    await writing.catch(() => {})
    renewing = new AbortController()
    lost = new AbortController()
    version = undefined
    isTried = false
    isTaking = false
    until = Infinity
  }

  return {
    get signal() {
      return lost.signal
    },
    get isOurs() {
      return version !== undefined
    },
    get isTried() {
      return isTried
    },
    write,
    soon() {
      const { signal } = renewing
      void pause(SOON, signal).then(() => (signal.aborted ? undefined : write().catch(() => {})))
    },
    async take(live) {
      await anew()
      const sent = now()
      isTaking = true
      const its = await claims.replace(id, { ...live, ...content(), facts: live.facts, lasts }, live.version)
      isTaking = false
      if (its === undefined) return false
      isTried = true
      written(its, sent)
      note('taken-over')
      return true
    },
    giveUpInTime() {
      if (now() >= until) lose()
    },
    rest: () => renewing.abort(),
    anew,
  }
}

/**
 * Who of several processes answers an event by a rule, when its source may have given it to more than one of them. It is
 * agreed on before the first change, and what was done stands in the claim, so that another can go on after a crash.
 */
import { randomUUID } from 'node:crypto'
import type { LiveClaim } from './agreement.ts'
import { orAborted, pause } from './backoff.ts'
import { type Facts, factsText, NO_FACTS, readFacts, stepFact } from './claim-facts.ts'
import { createHold, type HoldHost, isLost } from './claim-hold.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import type { Past } from './past.ts'
import type { Report, StepReport } from './plugin.ts'

export interface ClaimHost extends HoldHost {
  /** Who we are, for people; it is made unique. */
  readonly who: string
}

/** A response that is to be claimed. */
export interface Claimable {
  readonly id: string
  readonly traceparent: string | undefined
  /** What is known of it here. */
  readonly past: Past
  /** Milliseconds: the deadline of its chain. So long it is waited for a place that does not answer. */
  readonly patience: number
  /** Everything is to end. */
  readonly interrupt: AbortSignal
  /** The same without secrets. */
  clean(report: Report): Report
  /** Told of what becomes of the claim. */
  note(what: ClaimEvent): void
}

export type ClaimEvent = 'taken' | 'taken-over' | 'waits' | 'lost'

/** What a run of the chain is given. */
export interface Attempt {
  readonly past: Past
  /** Fires when everything is to end, or the claim is another's. */
  readonly signal: AbortSignal
  /** The span of whoever began it and did not end it. */
  readonly traceparent?: string | undefined
}

export interface Answer {
  readonly report: Report
  /** Another process made it. */
  readonly elsewhere: boolean
  /** It has told of it too. */
  readonly told: boolean
  /** Call it when the outputs have been told. Never rejects: whoever finds it not settled tells them again. */
  settle(): Promise<void>
}

/** Milliseconds between the first two looks at another's claim, between the last two, between two tries to close, and for a last word. */
const LOOK = { first: 100, last: 3_000 } as const
const AGAIN = 200
const LAST_WORD = 2_000

/**
 * Runs a response where nobody else does, and takes over what somebody began and does not go on with. It is claimed at
 * the first change: what changes nothing leaves no claim.
 * @param run runs the chain; called again when the claim was lost, and came back
 */
export const answerOnce = async (
  about: Claimable,
  host: ClaimHost,
  run: (attempt: Attempt) => Promise<Report>,
): Promise<Answer> => {
  const claim = createClaim(about, host)
  for (let made: Report | undefined; ;) {
    const found = await claim.find(made !== undefined)
    if (typeof found === 'object') return found
    if (made && (found === 'unknown' || about.interrupt.aborted)) {
      await claim.release()
      return { report: made, elsewhere: false, told: false, settle: async () => {} }
    }
    made = await run(claim.attempt())
    if (await claim.close(made)) return { report: made, elsewhere: false, told: false, settle: claim.settle }
  }
}

const createClaim = (about: Claimable, host: ClaimHost) => {
  const { id, past, interrupt, note } = about
  const { claims, now } = host
  const holder = `${host.who}_${randomUUID()}`
  let facts: Facts = NO_FACTS
  /** When the response has ended. */
  let report: Report | undefined
  let state = { holder, settled: false }
  /** The span of whoever had it before. */
  let resumes: string | undefined
  const text = (): string => factsText(report ? { ...NO_FACTS, traceparent: facts.traceparent, report } : facts)
  const hold = createHold(host, { id, holder, note, content: () => ({ ...state, facts: text() }) })

  const take = async (live: LiveClaim, known: Facts): Promise<boolean> => {
    if (!(await hold.take(live))) return false
    facts = known
    resumes = known.traceparent
    return true
  }

  /**
   * @param again it was ours: what nobody can be asked about is not begun
   * @returns `unknown` when it can neither be had nor be waited for
   */
  const find = async (again: boolean): Promise<'go' | 'unknown' | Answer> => {
    if (again) await hold.anew()
    report = undefined
    let isClaimed = again
    const seen: Seen = {}
    let answered = now()
    for (let wait: number = LOOK.first; !interrupt.aborted; wait = Math.min(2 * wait, LOOK.last)) {
      try {
        const live = await claims.read(id)
        if (!live) return 'go'
        isClaimed = true
        const known = readFacts(live.facts)
        const isFree = live.holder === '' || live.holder === holder || hasRunOut(live, seen, now())
        if (known.report && (live.settled || isFree)) return theirs(known.report, live)
        if (isFree && (await take(live, known))) return 'go'
        answered = now()
        if (wait === LOOK.first) note('waits')
      } catch {
        if (!isClaimed) return 'go'
        if (now() - answered > about.patience) return 'unknown'
      }
      await pause(wait, interrupt)
    }
    return 'go'
  }

  const theirs = (made: Report, live: LiveClaim): Answer => ({
    ...(live.holder === holder
      ? { report: made, elsewhere: false }
      : { report: { ...made, handedOverTo: nameOf(live) }, elsewhere: true }),
    told: live.settled,
    async settle() {
      if (!live.settled) await claims.replace(id, { ...live, settled: true }, live.version).catch(() => {})
    },
  })

  const claimed: Past = {
    report: () => undefined,
    ended: (step) => past.ended(step) ?? facts.ended[step],
    begun: (step) => facts.begun[step] ?? past.begun(step),
    async begin(step, begun) {
      const { signal } = hold
      signal.throwIfAborted()
      const { [step]: before, ...others } = facts.begun
      const traceparent = facts.traceparent ?? about.traceparent
      facts = { ...facts, traceparent, begun: { ...others, [step]: begun } }
      try {
        await orAborted(hold.write(), signal)
      } catch (error) {
        if (isLost(error)) throw error
        const { [step]: _, ...rest } = facts.begun
        facts = { ...facts, begun: before ? { ...rest, [step]: before } : rest }
        const why = `it cannot be claimed, so nothing is changed: ${messageOf(error)}`
        throw new YarakError('refused', why, {
          reason: 'no-claim',
          retryAfter: asYarakError(error).retryAfter,
          cause: error,
        })
      }
      await past.begin(step, begun)
      hold.giveUpInTime()
      signal.throwIfAborted()
    },
    end(step) {
      past.end(step)
      if (step.outcome === 'interrupted') return
      facts = { ...facts, ended: { ...facts.ended, [step.id]: cleanStep(step) } }
      if (hold.isOurs && facts.begun[step.id]) hold.soon()
    },
    close: (report) => past.close(report),
  }

  const cleanStep = (step: StepReport): StepReport => {
    const [clean = step] = about.clean({ steps: [step] } as unknown as Report).steps
    return stepFact(step, clean)
  }

  /** Lets another go on at once. */
  const release = async (): Promise<void> => {
    state = { holder: '', settled: false }
    hold.rest()
    if (hold.isOurs) await Promise.race([hold.write().catch(() => {}), pause(LAST_WORD)])
  }

  /** @returns false: it is not ours any more */
  const close = async (made: Report): Promise<boolean> => {
    const { signal } = hold
    if (interrupt.aborted && made.outcome === 'interrupted') return release().then(() => true)
    if (signal.aborted) return false
    if (hold.isTried || Object.keys(facts.begun).length > 0) {
      report = { ...made, steps: made.steps.map(cleanStep) }
      while (!(await written(signal))) await pause(AGAIN, signal)
      if (signal.aborted) return false
    }
    hold.rest()
    past.close(made)
    return true
  }

  /** True also when there is no use in trying again: it is another's, was never ours, or is never taken. */
  const written = async (signal: AbortSignal): Promise<boolean> => {
    try {
      await orAborted(hold.write(), signal)
      return true
    } catch (error) {
      return signal.aborted || !hold.isOurs || asYarakError(error).permanent
    }
  }

  return {
    find,
    close,
    release,
    attempt: (): Attempt => ({
      past: claimed,
      signal: AbortSignal.any([interrupt, hold.signal]),
      traceparent: resumes,
    }),
    async settle(): Promise<void> {
      state = { ...state, settled: true }
      if (hold.isOurs) await hold.write().catch(() => {})
    },
  }
}

/** The name that was made unique. */
const nameOf = ({ holder }: LiveClaim): string => holder.replace(/_[^_]*$/, '')

interface Seen {
  version?: string
  at?: number
}

/** It has not changed for as long as it lasts, since we first saw it so. */
const hasRunOut = ({ version, lasts }: LiveClaim, seen: Seen, now: number): boolean => {
  if (seen.version !== version) Object.assign(seen, { version, at: now })
  return now >= (seen.at ?? now) + lasts
}

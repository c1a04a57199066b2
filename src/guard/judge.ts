/** Asks everything that may speak against a step: its event, its target, the breaker, the budgets, in this order. */
import type { Counters } from '../counters.ts'
import type { Change, Log, Mode, Subject } from '../plugin.ts'
import { createCount } from './count.ts'
import type { GuardMemory } from './memory.ts'
import { createProtection, replicaRefusal } from './protect.ts'
import type { GuardSettings } from './settings.ts'

/** Why a step may not run. */
export interface Refusal {
  /** A short stable word for metrics and traces. */
  readonly reason: string
  readonly message: string
}

/** What is to be judged. */
export interface Question {
  /** The type of the action, and the rule that asks for it. */
  readonly action: string
  readonly rule: string
  /** The step and its response: tried again, resumed, or on several things it is counted once. Default: another one. */
  readonly id?: string
  readonly change: Change
  /** `observe`: nothing will be changed, so it uses no budget; but it is told what would be refused. */
  readonly mode: Mode
  /** The live target; undefined: it could not be found. */
  readonly subject: Subject | undefined
  /** The action acts on the event's target. */
  readonly needsSubject: boolean
  /** How the event's sender proved who it is. */
  readonly authenticated: string | undefined
  /** Milliseconds from the event to the start of its response; negative: the event is from the future. */
  readonly age: number
  /** The event came by an input that several clusters share, and whether it is of ours is not known. */
  readonly clusterUnknown?: boolean
}

export interface Guard {
  /** @returns why not, or undefined when the step may run; then, in enforce mode, it is durably counted */
  judge(question: Question): Promise<Refusal | undefined>
}

/** What a guard that counts needs. Without it, it judges each step as if it were the only one. */
export interface GuardHost {
  readonly memory: GuardMemory
  readonly counters: Counters
  readonly log: Log
}

/**
 * A guard by these settings.
 * @example await createGuard(readGuards({ protectedNamespaces: ['vault'] })).judge(question) // { reason, message }
 */
export const createGuard = (settings: GuardSettings, host?: GuardHost): Guard => {
  const protects = createProtection(settings)
  const count = host && createCount(settings, host)

  const speaksAgainst = (question: Question): Refusal | undefined => {
    const { subject, needsSubject, change, mode } = question
    const unfit = unfitEvent(question, settings.maxEventAge)
    if (unfit || !needsSubject) return unfit
    if (!subject) return NO_TARGET
    const refusal = protects(subject, { claimed: mode === 'observe' })
    return refusal ?? (change === 'destructive' ? replicaRefusal(settings.minHealthyReplicas, subject) : undefined)
  }

  return {
    async judge(question) {
      if (question.change === 'nothing') return undefined
      const refusal = speaksAgainst(question) ?? (await count?.(question))
      if (refusal) host?.counters.add('yarak_guard_refusals_total', { reason: refusal.reason })
      return refusal
    },
  }
}

/** Milliseconds that the clock of a sender may be ahead. */
export const AHEAD = 60_000

const unfitEvent = (question: Question, maxAge: number): Refusal | undefined => {
  const { change, authenticated, age, clusterUnknown } = question
  if (clusterUnknown) return UNKNOWN_CLUSTER
  if (change !== 'destructive') return undefined
  if (!authenticated) return UNAUTHENTICATED
  if (age > maxAge) return stale(age, maxAge)
  // an age that is no number cannot be judged
  return age >= -AHEAD ? undefined : CLOCK
}

const stale = (age: number, most: number): Refusal => ({
  reason: 'stale',
  message: `the event is ${Math.round(age / 1_000)} s old, and nothing is destroyed for one older than ${most / 1_000} s`,
})

const NO_TARGET: Refusal = { reason: 'no-target', message: 'the event names no target that can be found' }

const CLOCK: Refusal = {
  reason: 'clock',
  message: 'the event is from the future: the clock of its sender is wrong, or ours',
}

const UNKNOWN_CLUSTER: Refusal = {
  reason: 'unknown-cluster',
  message: 'the event comes by an input that several clusters share, and does not tell whether it is of this one',
}

const UNAUTHENTICATED: Refusal = {
  reason: 'unauthenticated-source',
  message: 'the sender of the event did not prove who it is: set up authentication at its input, or `trust: true`',
}

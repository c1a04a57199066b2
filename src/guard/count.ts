/** Counts the steps that nothing else refuses: by the breaker what is asked for, by the budgets what is let through. */
import { randomUUID } from 'node:crypto'
import { messageOf } from '../errors.ts'
import type { Log, Mode } from '../plugin.ts'
import { ask, isOpen } from './breaker.ts'
import { type Charge, charged, exhausted, readyBudgets, type ReadyBudget, scopesOf, shareOf } from './budget.ts'
import type { GuardHost, Question, Refusal } from './judge.ts'
import type { Tally } from './memory.ts'
import type { GuardSettings } from './settings.ts'

/** @returns what judges and counts a step: why not, or undefined when it may run; in enforce mode that is durable then */
export const createCount = (settings: GuardSettings, { memory, log }: Pick<GuardHost, 'memory' | 'log'>) => {
  const { replicas, breaker } = settings
  const budgets = readyBudgets(settings.budgets, replicas)
  const limits = { ...breaker, limit: shareOf(breaker.limit, replicas) }

  /** At once, so that no two steps take the last place. */
  const take = (tally: Tally, question: Question, now: number): Refusal | undefined => {
    const id = question.id ?? randomUUID()
    const before = tally.breaker
    tally.breaker = ask(before, id, now, limits)
    const open = isOpen(tally.breaker, now)
    if (open !== (before.until !== undefined)) tellBreaker(log, open, question.mode)
    return open ? BREAKER : charge(tally, budgets, { ...question, id, now })
  }

  return async (question: Question): Promise<Refusal | undefined> => {
    const tally = memory.of(question.mode)
    try {
      await tally.ready()
    } catch (error) {
      return unsure('what was counted before cannot be read', error)
    }
    const wasOpen = isOpen(tally.breaker, Date.now())
    const before = { ...tally }
    const refusal = take(tally, question, Date.now())
    if (refusal && (wasOpen || refusal !== BREAKER)) return refusal
    if (tally.breaker === before.breaker && tally.charges === before.charges) return refusal
    try {
      await tally.save()
    } catch (error) {
      // what can be taken back goes on by what is in memory: a disk that is full must not stop all answers
      if (question.change === 'destructive') return unsure('that it is counted cannot be kept', error)
    }
    return refusal
  }
}

/** Charges are bounded; where there are more, none is let through. */
const MOST = 10_000

const charge = (
  tally: Tally,
  budgets: readonly ReadyBudget[],
  { id, now, action, change, subject }: Question & { readonly id: string; readonly now: number },
): Refusal | undefined => {
  const one: Charge = { at: now, id, action, change, keys: scopesOf(subject) }
  if (!budgets.some((budget) => budget.counts(one) && one.keys[budget.scope] !== undefined)) return undefined
  const full = exhausted(budgets, tally.charges, one)
  if (full) return overspent(full, one)
  const charges = charged(budgets, tally.charges, one)
  if (charges.length > MOST) return { reason: 'budget', message: `more than ${MOST} steps are counted already` }
  tally.charges = charges
  return undefined
}

const tellBreaker = (log: Log, open: boolean, mode: Mode): void =>
  open
    ? log.error('too many changing steps are asked for: for a while every one is refused, and only notices go out', {
        reason: BREAKER.reason,
        mode,
      })
    : log.info('changing steps are run again', { reason: BREAKER.reason, mode })

const overspent = ({ scope, limit, window, changes }: ReadyBudget, { keys }: Charge): Refusal => {
  const whose = keys[scope] ? `${scope} ${keys[scope]}` : 'cluster'
  const what = changes ? `${changes} steps` : 'changing steps'
  return { reason: 'budget', message: `${limit} ${what} in ${window / 1_000} s are the budget of the ${whose}` }
}

const unsure = (what: string, error: unknown): Refusal => ({
  reason: 'budget',
  message: `${what}: ${messageOf(error)}`,
})

const BREAKER: Refusal = {
  reason: 'breaker',
  message: 'too many changing steps were asked for: for a while none is run',
}

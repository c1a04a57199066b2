/** Which steps were let through lately, and whether one more fits into the budgets. Pure: times are given. */
import type { Change, Subject } from '../plugin.ts'
import { globTest } from '../rules/glob.ts'
import type { Budget, BudgetScope } from './settings.ts'

/** One step that was let through, on one thing. */
export interface Charge {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The step: tried again, resumed, or on several things it is still one. */
  readonly id: string
  readonly action: string
  readonly change: Change
  /** What it is on in each scope that it touches. */
  readonly keys: Readonly<Partial<Record<BudgetScope, string>>>
}

/** What a thing belongs to. A step that is on nothing known still is one of the cluster. */
export const scopesOf = (subject: Subject | undefined): Charge['keys'] => {
  if (!subject) return { cluster: '' }
  const { kind, name, namespace } = subject
  const inNamespace = kind === 'Namespace' ? name : namespace
  const onNode = kind === 'Node' ? name : subject.node
  return {
    ...(kind === 'Pod' && { pod: subject.uid ?? subject.key }),
    ...(kind !== 'Node' && kind !== 'Namespace' && { workload: workloadOf(subject) }),
    ...(inNamespace !== undefined && { namespace: inNamespace }),
    ...(onNode !== undefined && { node: onNode }),
    cluster: '',
  }
}

/** The topmost owner; of what nobody owns, itself. */
const workloadOf = ({ kind, name, key, namespace = '', owners = [] }: Subject): string => {
  const top = owners.at(-1) ?? { kind, name: name ?? key }
  return `${namespace}/${top.kind}/${top.name}`
}

/** A budget, ready to be asked. */
export interface ReadyBudget extends Budget {
  readonly counts: (charge: Pick<Charge, 'action' | 'change'>) => boolean
}

/** @param replicas how many processes share the limits */
export const readyBudgets = (budgets: readonly Budget[], replicas: number): ReadyBudget[] =>
  budgets.map((budget) => {
    const isAction = globTest(budget.action)
    const { changes = undefined } = budget
    return {
      ...budget,
      limit: shareOf(budget.limit, replicas),
      counts: ({ action, change }) => (changes ?? change) === change && isAction(action),
    }
  })

/** Of a limit that is shared, at least 1; none stays none. */
export const shareOf = (limit: number, replicas: number): number =>
  limit === 0 ? 0 : Math.max(1, Math.floor(limit / replicas))

/** The first budget into which the charge does not fit. */
export const exhausted = (
  budgets: readonly ReadyBudget[],
  charges: readonly Charge[],
  charge: Charge,
): ReadyBudget | undefined => budgets.find((budget) => !fits(budget, charges, charge))

const fits = ({ counts, scope, limit, window }: ReadyBudget, charges: readonly Charge[], charge: Charge): boolean => {
  const key = charge.keys[scope]
  if (key === undefined || !counts(charge)) return true
  const others = new Set<string>()
  for (const one of charges) {
    if (one.at > charge.at - window && one.id !== charge.id && one.keys[scope] === key && counts(one))
      others.add(one.id)
  }
  return others.size < limit
}

/** Charges are remembered at least so long, in milliseconds: a reload may lengthen a window. */
const LEAST = 3_600_000

/** The charges with one more, without those that no budget counts any more. Of a step on one thing the last counts. */
export const charged = (
  budgets: readonly ReadyBudget[],
  charges: readonly Charge[],
  charge: Charge,
): readonly Charge[] => {
  const until = charge.at - Math.max(LEAST, ...budgets.map(({ window }) => window))
  return [...charges.filter((one) => one.at > until && !isSame(one, charge)), charge]
}

const isSame = (one: Charge, other: Charge): boolean =>
  one.id === other.id && JSON.stringify(one.keys) === JSON.stringify(other.keys)

/** What is probably not meant, in rules that are not wrong. */
import type { RuleInput } from '../rules/rule.ts'
import { lintChain } from './chain.ts'
import { lintConflicts } from './conflict.ts'
import { lintOrder } from './order.ts'
import { canHold } from './reach.ts'
import type { Finding } from './steps.ts'

export type { Finding } from './steps.ts'

/** @example lintRules(rules).map(({ rule, message }) => `${rule.name}: ${message}`) */
export const lintRules = (rules: readonly RuleInput[]): Finding[] => [
  ...rules.flatMap((rule) => [...lintReach(rule), ...lintOrder(rule), ...lintChain(rule)]),
  ...lintConflicts(rules),
]

const lintReach = (rule: RuleInput): Finding[] =>
  canHold([rule]) ? [] : [{ rule, message: 'it can never match: what it asks for excludes itself' }]

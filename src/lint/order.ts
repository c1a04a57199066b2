/** Steps in an order that loses evidence, or the target. */
import type { RuleInput } from '../rules/rule.ts'
import { type Finding, type LintStep, needsRemoved, stepsOf } from './steps.ts'

/** A destructive step before anything has been kept or told, or a step about what an earlier one has removed. */
export const lintOrder = (rule: RuleInput): Finding[] => {
  const steps = stepsOf(rule)
  return steps.flatMap((step, i) => [...withoutEvidence(rule, steps, i), ...afterRemoval(rule, steps, step, i)])
}

/** Any step that changes nothing keeps or tells something. */
const withoutEvidence = (rule: RuleInput, steps: readonly LintStep[], i: number): Finding[] => {
  const isFirst = steps.findIndex(({ changes }) => changes === 'destructive') === i
  if (!isFirst || steps.slice(0, i).some((one) => one.changes === 'nothing' && isBefore(one, steps[i]))) return []
  const { type } = steps[i] as LintStep
  return [
    { rule, step: i, message: `${type} destroys evidence, and no step before it keeps any; put evidence:save before` },
  ]
}

const afterRemoval = (rule: RuleInput, steps: readonly LintStep[], step: LintStep, i: number): Finding[] => {
  const remover = steps.slice(0, i).find((one) => needsRemoved(step, one) && isBefore(one, step))
  if (!remover || step.asks.includes(remover.id) || (step.list === 'onFailure' && remover.list === 'steps')) return []
  return [{ rule, step: i, message: `${step.type} needs what ${remover.type} before it removes; put it before` }]
}

/** Not at the same time. */
const isBefore = (one: LintStep, other: LintStep | undefined): boolean =>
  one.list !== other?.list || one.stage < other.stage

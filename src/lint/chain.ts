/** What in the course of a chain is probably not meant. */
import type { RuleInput } from '../rules/rule.ts'
import { type Finding, type LintStep, type List, stepsOf } from './steps.ts'

/** Destruction where little is known, jumps over nothing, and pauses that an attacker can use. */
export const lintChain = (rule: RuleInput): Finding[] => {
  const steps = stepsOf(rule)
  return steps.flatMap((step, i) =>
    [destruction(step), emptyJump(step, steps), delay(step)].flatMap((message) =>
      message === undefined ? [] : [{ rule, step: i, message }],
    ),
  )
}

const WHEN: Readonly<Partial<Record<List, string>>> = {
  onFailure: '`onFailure` runs when a step has failed, whatever it was',
  finally: '`finally` runs whatever happened, also when every step was refused or skipped',
}

const destruction = ({ type, list, changes, asks }: LintStep): string | undefined =>
  changes === 'destructive' && WHEN[list] !== undefined && asks.length === 0
    ? `${type} destroys something here, and ${WHEN[list]}; ask by \`if\` how the steps ended`
    : undefined

const emptyJump = ({ onError, list, stage }: LintStep, steps: readonly LintStep[]): string | undefined => {
  const target = steps.find(({ id }) => id === onError)
  return target?.list === list && target.stage === stage + 1
    ? `onError: ${onError} comes next anyway, so it does what \`continue\` does`
    : undefined
}

const delay = ({ type, list, changes, paused }: LintStep): string | undefined =>
  list === 'steps' && changes === 'destructive' && paused > 0
    ? `${type} waits ${paused / 1_000} s for the pauses before it, in which the attacker goes on; isolate the target first`
    : undefined

/** Which rules, and which sides of the checks in their conditions, the events of the tests have seen. */
import type { Scope } from '../names.ts'
import { explainCondition } from '../rules/condition.ts'
import type { ExplainedPart } from '../rules/explain-condition.ts'
import { compileSelection } from '../rules/matcher.ts'
import { parsed } from '../rules/parsed.ts'
import type { RuleInput } from '../rules/rule.ts'

/** How often a check of a condition was true, and how often false. */
export interface CoveredCheck {
  readonly check: string
  readonly true: number
  readonly false: number
}

export interface CoveredRule {
  readonly rule: string
  readonly origin?: string
  /** Events that matched, and that did not. */
  readonly matched: number
  readonly unmatched: number
  readonly checks: readonly CoveredCheck[]
}

export interface Coverage {
  /** Adds the events of one case. */
  add(rules: readonly RuleInput[], scopes: readonly Scope[]): void
  list(): CoveredRule[]
}

interface Tally {
  readonly rule: RuleInput
  matched: number
  unmatched: number
  /** By the place of the check in the condition. */
  readonly checks: { readonly check: string; true: number; false: number }[]
}

/** Rules are told apart by name and place. */
export const createCoverage = (): Coverage => {
  const tallies = new Map<string, Tally>()
  return {
    add(rules, scopes) {
      for (const rule of rules) {
        const key = `${rule.origin ?? ''} ${rule.name}`
        const tally = tallies.get(key) ?? { rule, matched: 0, unmatched: 0, checks: [] }
        tallies.set(key, tally)
        for (const scope of scopes) count(tally, scope)
      }
    },
    list: () =>
      [...tallies.values()].map(({ rule: { name, origin }, ...rest }) => ({
        rule: name,
        ...(origin !== undefined && { origin }),
        ...rest,
      })),
  }
}

const count = (tally: Tally, scope: Scope): void => {
  const { rule, checks } = tally
  tally[compileSelection(rule)(scope) ? 'matched' : 'unmatched']++
  if (rule.condition === undefined) return
  for (const [i, { text, holds }] of leavesOf(explainCondition(parsed(rule.condition), scope)).entries()) {
    const check = (checks[i] ??= { check: text, true: 0, false: 0 })
    check[holds ? 'true' : 'false']++
  }
}

const leavesOf = (part: ExplainedPart): ExplainedPart[] =>
  part.parts.length === 0 ? [part] : part.parts.flatMap(leavesOf)

/** How many rules matched some event, and how many sides of checks were seen. */
export const totalsOf = (rules: readonly CoveredRule[]) => {
  const checks = rules.flatMap((rule) => rule.checks)
  const sides = checks.flatMap((check) => [check.true, check.false])
  return {
    rules: { covered: rules.filter(({ matched }) => matched > 0).length, all: rules.length },
    branches: { covered: sides.filter((times) => times > 0).length, all: sides.length },
  }
}

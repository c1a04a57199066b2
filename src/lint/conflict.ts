/** Rules that stand in each other's way. */
import type { RuleInput } from '../rules/rule.ts'
import { boundRules, canHold } from './reach.ts'
import { type Finding, type LintStep, needsRemoved, stepsOf } from './steps.ts'

/** Pairs that are looked at, at most. */
const MOST = 10_000

interface Facts {
  readonly rule: RuleInput
  readonly steps: readonly LintStep[]
}

/** A rule that needs what an earlier rule, bound to the same Falco rule, removes: it comes too late. */
export const lintConflicts = (rules: readonly RuleInput[]): Finding[] => {
  const byName = new Map<string, Facts[]>()
  for (const rule of rules) {
    const facts = { rule, steps: stepsOf(rule) }
    for (const name of boundRules(rule) ?? []) byName.set(name, [...(byName.get(name) ?? []), facts])
  }
  const found = new Map<string, Finding>()
  let pairs = 0
  for (const [name, bound] of byName) {
    for (const [i, first] of bound.entries()) {
      if (!first.steps.some(({ removes }) => removes)) continue
      for (const second of bound.slice(i + 1)) {
        if (++pairs > MOST) return [...found.values()]
        const finding = tooLate(first, second, name)
        if (finding) found.set(`${first.rule.name}\0${second.rule.name}`, finding)
      }
    }
  }
  return [...found.values()]
}

const tooLate = (first: Facts, second: Facts, name: string): Finding | undefined => {
  const remover = first.steps.find(({ removes }) => removes)
  const step = second.steps.findIndex((one) => !one.removes && needsRemoved(one, remover))
  const needs = second.steps[step]
  if (!remover || !needs || !canHold([first.rule, second.rule])) return undefined
  const place = first.rule.origin === undefined ? '' : ` at ${first.rule.origin}`
  const message =
    `${needs.type} comes too late for events of ${JSON.stringify(name)}: ${remover.type} of the rule ` +
    `${JSON.stringify(first.rule.name)}${place} removes its target first; put this rule before that one`
  return { rule: second.rule, step, message }
}

/** What a test case expects against what came of it. */
import { isDeepStrictEqual } from 'node:util'
import type { CaseResult, RanStep } from './run-case.ts'
import type { Expected } from './test-file.ts'

/** A difference. */
export interface Difference {
  /** `rules`, `steps.mark.outcome`, ... */
  readonly what: string
  readonly expected: unknown
  readonly actual: unknown
}

/** @example compareCase({ rules: ['Shell'] }, result)[0]?.what // 'rules' */
export const compareCase = (expected: Expected, result: CaseResult): Difference[] => [
  ...sameSet('rules', expected.rules, result.rules),
  ...(expected.steps ?? []).flatMap((step) => compareStep(step, result.steps)),
  ...compareRefused(expected.refused, result.steps),
  ...sameSet('notices', expected.notices, result.notices),
]

const sameSet = (what: string, expected: readonly string[] | undefined, actual: readonly string[]): Difference[] =>
  expected === undefined || isDeepStrictEqual(new Set(expected), new Set(actual)) ? [] : [{ what, expected, actual }]

type ExpectedStep = NonNullable<Expected['steps']>[number]

const compareStep = ({ id, rule, ...wanted }: ExpectedStep, steps: readonly RanStep[]): Difference[] => {
  const named = steps.filter((step) => step.id === id && (rule === undefined || step.rule === rule))
  const all = named.map((step) => differencesOf(`steps.${id}`, wanted, step))
  if (all.length === 0) return [{ what: `steps.${id}`, expected: 'a step', actual: steps.map((step) => step.id) }]
  return all.some((one) => one.length === 0) ? [] : (all[0] ?? [])
}

const differencesOf = (what: string, wanted: Omit<ExpectedStep, 'id' | 'rule'>, step: RanStep): Difference[] => {
  const found: Difference[] = []
  if (wanted.outcome !== undefined && wanted.outcome !== step.outcome) {
    const why = step.outcome === 'succeeded' ? '' : `: ${step.summary}`
    found.push({ what: `${what}.outcome`, expected: wanted.outcome, actual: `${step.outcome}${why}` })
  }
  if (wanted.with !== undefined && !covers(wanted.with, step.with)) {
    found.push({ what: `${what}.with`, expected: wanted.with, actual: step.with ?? null })
  }
  return found
}

/** Every member that is given is there and the same; a list is compared as a whole. */
const covers = (wanted: unknown, actual: unknown): boolean => {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return isDeepStrictEqual(wanted, actual)
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false
  return Object.entries(wanted).every(([key, value]) => covers(value, (actual as Record<string, unknown>)[key]))
}

type Refused = NonNullable<Expected['refused']>[number]

const compareRefused = (expected: readonly Refused[] | undefined, steps: readonly RanStep[]): Difference[] => {
  if (expected === undefined) return []
  const left = steps.filter(({ outcome }) => outcome === 'refused')
  const actual = left.map(({ id, error }) => ({ step: id, reason: error?.reason }))
  for (const wanted of expected) {
    const at = left.findIndex((step) => isRefusal(step, wanted))
    if (at < 0) return [{ what: 'refused', expected, actual }]
    left.splice(at, 1)
  }
  return left.length === 0 ? [] : [{ what: 'refused', expected, actual }]
}

const isRefusal = ({ id, rule, error }: RanStep, wanted: Refused): boolean =>
  id === wanted.step &&
  (wanted.rule === undefined || wanted.rule === rule) &&
  (wanted.reason === undefined || wanted.reason === error?.reason)

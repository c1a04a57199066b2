/** Test results as people read them. */
import { printProblems } from '../config/problems.ts'
import { toJson } from '../event.ts'
import { type CoveredRule, totalsOf } from './coverage.ts'
import type { RanCase, RanFile } from './run-file.ts'

/** What is wrong with a case, a difference after another. */
export const failureText = ({ differences, notes }: RanCase): string =>
  [
    ...differences.flatMap(({ what, expected, actual }) => [
      what,
      `  - expected ${valueText(expected)}`,
      `  + actual   ${valueText(actual)}`,
    ]),
    ...notes,
  ].join('\n')

const valueText = (value: unknown): string => (typeof value === 'string' ? value : toJson(value))

export const fileText = ({ file, problems, cases }: RanFile): string =>
  [`${file}\n`, printProblems(problems), ...cases.map(caseText)].join('')

const caseText = (one: RanCase): string =>
  one.ok ? `  ✔ ${one.name}\n` : `  ✘ ${one.name}\n${failureText(one).replaceAll(/^/gm, '      ')}\n`

/** Each rule with what the tests have not seen of it. */
export const coverageText = (rules: readonly CoveredRule[], table: (rows: string[][]) => string): string => {
  const totals = totalsOf(rules)
  const rows = rules.map((one) => [one.rule, String(one.matched), String(one.unmatched), sidesOf(one), unseenOf(one)])
  return [
    table([['rule', 'matched', 'not', 'branches', 'not seen'], ...rows]),
    `rules ${totals.rules.covered} of ${totals.rules.all}, branches ${totals.branches.covered} of ${totals.branches.all}`,
    '',
  ].join('\n')
}

const sidesOf = (rule: CoveredRule): string => {
  const { covered, all } = totalsOf([rule]).branches
  return all === 0 ? '' : `${covered}/${all}`
}

const unseenOf = ({ matched, checks }: CoveredRule): string =>
  [
    ...(matched === 0 ? ['a match'] : []),
    ...checks.flatMap((one) => [
      ...(one.true === 0 ? [`${one.check}: true`] : []),
      ...(one.false === 0 ? [`${one.check}: false`] : []),
    ]),
  ].join('\n')

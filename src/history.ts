/** Which responses are worth keeping once they are over. */
import type { Chain } from './chain.ts'
import type { Outcome, Report } from './plugin.ts'

interface Answered {
  readonly name: string
  readonly chain: Pick<Chain, 'steps'>
}

/** Those that changed something, or would have, and those that did not succeed. */
export const historyOf = (reports: readonly Report[], rules: readonly Answered[]): readonly Report[] => {
  const byName = new Map(rules.map((rule) => [rule.name, rule]))
  return reports.filter((report) => isBad(report) || changed(report, byName.get(report.rule)))
}

const FINE: readonly Outcome[] = ['succeeded', 'skipped', 'gone']

const isBad = ({ outcome }: Report): boolean => !FINE.includes(outcome)

const changed = ({ steps }: Report, rule: Answered | undefined): boolean => {
  const changing = rule?.chain.steps.filter(({ use }) => use.plugin.changes !== 'nothing').map(({ id }) => id) ?? []
  return steps.some(({ id, outcome }) => outcome === 'succeeded' && changing.includes(id))
}

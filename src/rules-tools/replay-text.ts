/** A replay as people read it. */
import type { Example, RuleDifference } from './replay-difference.ts'
import type { ReplayedRule } from './replay.ts'

type Table = (rows: string[][]) => string

/** Rules with the most events first. */
export const replayTable = (rules: readonly ReplayedRule[], table: Table): string => {
  const sorted = [...rules].sort((a, b) => b.events - a.events)
  const rows = sorted.map(({ rule, events, responses, joined, outcomes, refused, failed }) => [
    rule,
    ...[events, responses, joined].map(String),
    countsText(outcomes),
    countsText(refused),
    countsText(failed),
  ])
  return table([['rule', 'events', 'responses', 'joined', 'outcomes', 'refused', 'failed'], ...rows])
}

const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, times]) => `${name} ${times}`)
    .join(', ')

/** @param short cuts a text of an event to one line */
export const differenceText = (rules: readonly RuleDifference[], short: (text: string) => string): string =>
  rules.length === 0 ? 'No difference.\n' : rules.map((one) => ruleText(one, short)).join('')

const MARKS = { more: '+', fewer: '-', changed: '~' } as const

const ruleText = (
  { rule, more, fewer, changed, examples }: RuleDifference,
  short: (text: string) => string,
): string => {
  const counts = [
    ...(more > 0 ? [`${more} more`] : []),
    ...(fewer > 0 ? [`${fewer} fewer`] : []),
    ...(changed > 0 ? [`${changed} answered otherwise`] : []),
  ]
  return [`${rule}: ${counts.join(', ')}`, ...examples.flatMap((one) => exampleLines(one, short)), ''].join('\n')
}

const exampleLines = (
  { kind, time, rule, target, output, before, after }: Example,
  short: (text: string) => string,
) => [
  `  ${MARKS[kind]} ${time} ${short(rule)}, ${short(target ?? 'no target')}: ${short(output)}`,
  ...(kind === 'changed' ? [`      before: ${before ?? ''}`, `      after:  ${after ?? ''}`] : []),
]

/** An explained event as people read it. */
import { type FieldValue, textOf, toJson } from '../event.ts'
import type { Target } from '../target.ts'
import type { ExplainedEvent, ExplainedRule } from './explain.ts'
import { permissionText } from '../permissions.ts'
import type { PlannedEntry, PlannedIf, PlannedStep } from './plan.ts'

/** Rules that match first. */
export const explainText = ({ event, target, rules, permissions }: ExplainedEvent): string => {
  const sorted = [...rules].sort((a, b) => Number(b.matched) - Number(a.matched))
  return [
    `event   ${event.rule} (${event.priority}, ${event.source}, ${event.time})`,
    `target  ${targetText(target)}`,
    '',
    ...(rules.length === 0 ? ['There are no rules.'] : sorted.flatMap(ruleLines)),
    ...(permissions.length > 0 ? ['', 'Kubernetes permissions of the rules that match:'] : []),
    ...permissions.map((one) => `  ${permissionText(one)}`),
    '',
  ].join('\n')
}

const targetText = ({ key, ...parts }: Target): string => {
  const known = Object.entries(parts).map(([name, value]) => `${name} ${String(value)}`)
  return `${key ?? 'none'}${known.length > 0 ? ` (${known.join(', ')})` : ''}`
}

const ruleLines = (rule: ExplainedRule): string[] => {
  const place = rule.origin === undefined ? '' : `  ${rule.origin}`
  if (!rule.matched) return [`✘ ${rule.rule}${place}`, ...falseLines(rule)]
  const observed = rule.mode === 'observe' ? '  (observe: nothing is changed)' : ''
  const absent = rule.why.throughAbsent.map((name) => `    ! matches only because ${name} is absent`)
  const notify = rule.notify?.length ? [`    notify ${rule.notify.join(', ')}`] : []
  return [
    `✔ ${rule.rule}${place}${observed}`,
    ...absent,
    ...entryLines(rule.steps),
    ...headed('when a step fails that stops the others', rule.onFailure),
    ...headed('at the end, whatever happened', rule.finally),
    ...notify,
  ]
}

const headed = (title: string, entries: readonly PlannedEntry[] = []): string[] =>
  entries.length > 0 ? [`    ${title}:`, ...entryLines(entries)] : []

const entryLines = (entries: readonly PlannedEntry[] = []): string[] =>
  entries.flatMap((entry, i) => {
    const number = `${i + 1}`
    if ('wait' in entry) {
      const id = entry.id === 'wait' ? '' : ` (${entry.id})`
      return [`    ${number}. wait ${entry.wait / 1_000} s${id}`, ...ifLines(entry.if)]
    }
    if (!('parallel' in entry)) return stepLines(entry, number)
    const members = entry.parallel.flatMap((step, j) => stepLines(step, `${number}.${j + 1}`))
    return [`    ${number}. at the same time`, ...members.map((line) => `   ${line}`)]
  })

const falseLines = ({ why: { falsePart = '', actual = [] } }: ExplainedRule): string[] => [
  `    false: ${falsePart}`,
  ...actual.map((one) => `    ${one.name}: ${'absent' in one ? 'absent' : valueText(one.value)}`),
]

const valueText = (value: FieldValue): string => (typeof value === 'string' ? JSON.stringify(value) : textOf(value))

const ifLines = (condition: PlannedIf | undefined): string[] =>
  condition ? [`       if ${condition.text}: ${IF[condition.verdict]}`] : []

const contextLine = (name: string): string => `       context.${name}: not known before the run`

const stepLines = (step: PlannedStep, number: string): string[] => {
  const id = step.id === step.action.replaceAll(':', '-') ? '' : ` (${step.id})`
  return [
    `    ${number}. ${step.action}${id}, changes ${step.changes}`,
    ...ifLines(step.if),
    ...(step.contexts ?? []).map(contextLine),
    ...(isEmpty(step.with) ? [] : [`       with ${toJson(step.with)}${step.open ? ', the rest in the run' : ''}`]),
    ...(step.store === undefined ? [] : [`       files go to ${step.store}`]),
    ...(step.onError === undefined ? [] : [`       when it fails: ${jumpText(step.onError)}`]),
    ...(step.dryRun ? ['       dryRun: it is only shown'] : []),
    ...step.faults.map((fault) => `       would fail: ${fault}`),
    ...(step.guard.allowed ? [] : [`       refused: ${step.guard.message ?? ''} (${step.guard.reason ?? 'refused'})`]),
  ]
}

const IF = { holds: 'holds', 'does not hold': 'does not hold, so it is skipped', later: 'known in the run' }

const jumpText = (onError: string): string => (onError === 'continue' ? 'continue' : `go on at ${onError}`)

const isEmpty = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || Object.keys(value).length === 0

/** An explained event as people read it. */
import { type FieldValue, textOf, toJson } from '../event.ts'
import type { Target } from '../target.ts'
import type { ExplainedEvent, ExplainedRule } from './explain.ts'
import { permissionText } from './permissions.ts'
import type { PlannedStep } from './plan.ts'

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
  return [`✔ ${rule.rule}${place}${observed}`, ...absent, ...(rule.steps ?? []).flatMap(stepLines), ...notify]
}

const falseLines = ({ why: { falsePart = '', actual = [] } }: ExplainedRule): string[] => [
  `    false: ${falsePart}`,
  ...actual.map((one) => `    ${one.name}: ${'absent' in one ? 'absent' : valueText(one.value)}`),
]

const valueText = (value: FieldValue): string => (typeof value === 'string' ? JSON.stringify(value) : textOf(value))

const stepLines = (step: PlannedStep, i: number): string[] => {
  const id = step.id === step.action.replaceAll(':', '-') ? '' : ` (${step.id})`
  return [
    `    ${i + 1}. ${step.action}${id}, changes ${step.changes}`,
    ...(step.if ? [`       if ${step.if.text}: ${IF[step.if.verdict]}`] : []),
    ...(isEmpty(step.with)
      ? []
      : [`       with ${toJson(step.with)}${step.open ? ', the rest when earlier steps end' : ''}`]),
    ...step.faults.map((fault) => `       would fail: ${fault}`),
    ...(step.guard.allowed ? [] : [`       refused: ${step.guard.message ?? ''} (${step.guard.reason ?? 'refused'})`]),
  ]
}

const IF = { holds: 'holds', 'does not hold': 'does not hold, so it is skipped', later: 'known when earlier steps end' }

const isEmpty = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || Object.keys(value).length === 0

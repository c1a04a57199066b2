/** Why a rule matches an event, or does not. */
import type { FieldValue } from '../event.ts'
import type { Scope } from '../names.ts'
import { explainCondition } from '../rules/condition.ts'
import type { Actual as Found } from '../rules/explain-condition.ts'
import { compileSelection, type Selection } from '../rules/matcher.ts'
import { parsed } from '../rules/parsed.ts'

/** What an event has of a field. */
export type Actual = { readonly name: string } & ({ readonly value: FieldValue } | { readonly absent: true })

/** What decides whether a rule matches. */
export interface Why {
  readonly matched: boolean
  /** The first part that does not hold, as written: `match.priority: >=warning`, or a part of the condition. */
  readonly falsePart?: string
  /** What that part looks at, and what the event has there. */
  readonly actual?: readonly Actual[]
  /** Fields that are absent and without which the rule would not match. */
  readonly throughAbsent: readonly string[]
}

/** @example whyOf({ condition: 'proc.name = sh' }, { event }).falsePart // 'proc.name = sh' */
export const whyOf = (selection: Selection, scope: Scope): Why => {
  const matched = compileSelection(selection)(scope)
  const explained = selection.condition === undefined ? undefined : explainCondition(parsed(selection.condition), scope)
  if (matched) return { matched, throughAbsent: explained?.throughAbsent ?? [] }
  const of = falseCriterion(selection, scope) ?? explained?.firstFalse
  if (!of) return { matched, falsePart: INTERNAL, actual: [{ name: 'source', value: 'internal' }], throughAbsent: [] }
  return { matched, falsePart: of.text, actual: of.actual.map(shown), throughAbsent: [] }
}

const INTERNAL = "Falco's own reports match only where `source` is asked to be internal"

/** The first criterion of `match` that does not hold. */
const falseCriterion = ({ match = {} }: Selection, scope: Scope) => {
  const found = Object.entries(match).find(([key, value]) => {
    const own = { [key]: value, ...(scope.event.source === 'internal' && key !== 'source' && { source: 'internal' }) }
    return value !== undefined && !compileSelection({ match: own })(scope)
  })
  if (!found) return undefined
  const [key, value] = found
  return { text: `match.${key}: ${criterionText(value)}`, actual: actualOf(key, value, scope) }
}

const criterionText = (value: unknown): string => (Array.isArray(value) ? value.join(' | ') : String(value))

const actualOf = (key: string, value: unknown, { event }: Scope): Found[] => {
  if (key === 'output_fields')
    return fieldsOf(value as readonly string[]).map((name) => ({ name, value: event.field(name) }))
  const name = key === 'rules' ? 'rule' : key
  return [{ name, value: event[name as 'rule' | 'source' | 'priority' | 'tags'] }]
}

const shown = ({ name, value }: Found): Actual =>
  value === undefined || value === null ? { name, absent: true } : { name, value }

/** The names in `field=value` and `field!=value`, each once. */
const fieldsOf = (entries: readonly string[]): string[] => [
  ...new Set(entries.flatMap((entry) => entry.split(',')).map((piece) => piece.split(/!?=/)[0]?.trim() ?? '')),
]

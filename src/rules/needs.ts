/** The fields of an event that a rule looks at. */
import { RESERVED, type Scope } from '../names.ts'
import { type Check, checksIn, type Condition, type Name } from './condition.ts'
import { namesOf } from './ast.ts'
import { answeredBy, fieldName } from './fields.ts'
import { parsed } from './parsed.ts'
import { actionSteps, pausesOf, type RuleInput } from './rule.ts'
import { isTemplate } from '../settings.ts'
import { fieldReader } from './transform.ts'

/** Fields of which one is needed, and by what. */
export interface Need {
  /** Any of these will do. */
  readonly anyOf: readonly (readonly string[])[]
  readonly by: string
  /** Which step; undefined: the selection. */
  readonly step?: number
}

/** A check that asks whether a field is there can do without. */
export const needsOf = (rule: RuleInput): Need[] => [
  ...(rule.match?.output_fields ?? []).flatMap((entry) => entry.split(',').map(outputField)),
  ...(rule.condition === undefined ? [] : conditionNeeds(parsed(rule.condition), 'the condition')),
  ...pausesOf(rule).flatMap(({ if: holds }) =>
    holds === undefined ? [] : conditionNeeds(parsed(holds), "a pause's `if`"),
  ),
  ...actionSteps(rule).flatMap(({ action, if: holds }, i) => {
    const own = holds === undefined ? [] : conditionNeeds(parsed(holds), 'an `if`', i)
    const target = action.plugin.target ? [{ anyOf: TARGET, by: `the target of ${action.plugin.type}`, step: i }] : []
    return [...own, ...templateNames(action.config).map((name) => need(name, 'a template', i)), ...target]
  }),
]

/** What tells a pod. */
const TARGET = [
  ['k8s.ns.name', 'k8s.pod.name'],
  ['k8smeta.ns.name', 'k8smeta.pod.name'],
  ['container.id'],
  ['container.full_id'],
  ['ka.target.namespace', 'ka.target.name'],
]

const outputField = (piece: string): Need => need(piece.split(/!?=/)[0]?.trim() ?? '', 'match.output_fields')

const need = (name: string, by: string, step?: number): Need => {
  const field = fieldName(name)
  const others = answeredBy(field).map((one) => [one])
  return { anyOf: [[field], ...others], by, ...(step !== undefined && { step }) }
}

const conditionNeeds = (condition: Condition, by: string, step?: number): Need[] => {
  const checks = [...checksIn(condition)]
  const asked = new Set(checks.filter(({ operator }) => operator === 'exists').map(({ name }) => name))
  return checks
    .flatMap((check: Check): Name[] => [...namesOf(check)])
    .filter(({ name }) => isField(name) && !asked.has(name))
    .map(({ name }) => need(name, by, step))
}

const isField = (name: string): boolean => !RESERVED.includes(/^[\w-]+/.exec(fieldName(name))?.[0] ?? '')

const PATH = /\{\{-?\s*([A-Za-z_][\w-]*(?:\.[\w-]+|\[(?:"[^"]*"|'[^']*'|\d+)\])*)\s*([^}]*)\}\}/g

/** The fields in the templates of a value; those with a default can do without. */
const templateNames = (value: unknown): string[] => {
  if (isTemplate(value)) {
    return [...value.matchAll(PATH)]
      .filter(([, name = '', filters = '']) => isField(name) && !/\|\s*default\b/.test(filters))
      .map(([, name = '']) => name)
  }
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(templateNames) : []
}

/**
 * Which fields a rule looks at and an event does not have; made ready once for each rule.
 * @example missingFields(rule)({ event }) // ['k8s.ns.name']
 */
export const missingFields = (rule: RuleInput): ((scope: Scope) => string[]) => {
  const looked = needsOf(rule).filter(({ by }) => !by.startsWith('the target'))
  const names = new Set(looked.flatMap(({ anyOf }) => anyOf[0]?.[0] ?? []))
  const readers = [...names].map((name) => ({ name, read: fieldReader(name) }))
  return (scope) => readers.filter(({ read }) => read(scope) === undefined).map(({ name }) => name)
}

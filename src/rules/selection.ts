/** What selects events, a rule's or an output's: read once, made ready once, asked of every event. */
import { YarakError } from '../errors.ts'
import { parsePriority, PRIORITIES, type Priority, textOf } from '../event.ts'
import { parseName } from '../names.ts'
import { isPresent, priorityTest } from './compare.ts'
import { type Condition, ConditionError, namesIn, type Predicate, predicate } from './condition.ts'
import { parsed } from './parsed.ts'
import type { RuleInput } from './rule.ts'

/** A `match`, a condition, both or neither. */
export type Selection = Pick<RuleInput, 'match' | 'condition'>

/** A selection as it was read. All that is here must hold of an event; with nothing here, every event is selected. */
export interface Criteria {
  /** The names of Falco rules, one of which the event must have. */
  readonly rules?: readonly string[]
  readonly source?: string
  readonly priorities?: readonly Priority[]
  /** Alternatives, each of tags that the event must have. */
  readonly tags?: readonly (readonly string[])[]
  /** Alternatives, each of fields that must all be as told. */
  readonly fields?: readonly (readonly FieldCriterion[])[]
  readonly condition?: Condition
}

/** A field that has this text, or is there and has another. */
export interface FieldCriterion {
  readonly name: string
  readonly text: string
  readonly differs: boolean
}

/**
 * Reads a selection.
 * @throws YarakError `config` naming what is wrong
 */
export const readSelection = ({ match = {}, condition }: Selection): Criteria => ({
  ...(match.rules?.length && { rules: match.rules }),
  ...(match.source && { source: match.source }),
  ...(match.priority && { priorities: readPriorities(match.priority) }),
  ...(match.tags?.length && { tags: match.tags.map((entry) => entry.split(',').map((tag) => tag.trim())) }),
  ...(match.output_fields?.length && { fields: match.output_fields.map((entry) => entry.split(',').map(readField)) }),
  ...(condition !== undefined && { condition: readCondition(condition) }),
})

/** @example readPriorities('>=alert') // ['Emergency', 'Alert'] */
const readPriorities = (text: string): Priority[] => {
  const [, comparator, word = ''] = /^(<=|>=|<|>|=)?\s*([A-Za-z]+)$/.exec(text.trim()) ?? []
  if (!parsePriority(word)) {
    throw new YarakError('config', `match.priority: ${text} names none of ${PRIORITIES.join(', ')}`)
  }
  return PRIORITIES.filter(priorityTest((comparator ?? '=') as '<=' | '>=' | '<' | '>' | '=', [word]))
}

const readField = (piece: string): FieldCriterion => {
  const [, name, operator, quoted] = /^\s*([^=!\s]+)\s*(!?=)\s*(.*?)\s*$/s.exec(piece) ?? []
  if (!name || quoted === undefined) {
    throw new YarakError('config', `match.output_fields: ${JSON.stringify(piece)} is not field=value or field!=value`)
  }
  return { name, text: /^"(.*)"$/s.exec(quoted)?.[1] ?? quoted, differs: operator === '!=' }
}

/** Roots of names that have no value before a response runs. */
const LATER: readonly string[] = ['steps', 'response', 'context']

const readCondition = (given: string | Condition): Condition => {
  const condition = parsed(given)
  const later = [...namesIn(condition)].find(({ name }) => LATER.includes(String(parseName(name)[0])))
  if (later) throw new ConditionError(`${later.name} is only known in a step's if, not in a condition`, later.offset)
  return condition
}

/**
 * Makes a selection ready to be asked.
 * @throws YarakError `config` naming what is wrong
 * @example compileSelection({ match: { priority: '>=warning' } })({ event })
 */
export const compileSelection = (selection: Selection): Predicate => compileCriteria(readSelection(selection))

/** Makes criteria ready to be asked. */
export const compileCriteria = (criteria: Criteria): Predicate => {
  const { rules, source, priorities, tags, fields, condition } = criteria
  const tests = [
    ...(rules ? [ruleTest(rules)] : []),
    ...(source === undefined ? [] : [sourceTest(source)]),
    ...(priorities ? [prioritiesTest(priorities)] : []),
    ...(tags ? [tagsTest(tags)] : []),
    ...(fields ? [fieldsTest(fields)] : []),
    ...(condition ? [predicate(condition)] : []),
  ]
  const internal = asksForInternal(criteria)
  return (scope) => (internal || scope.event.source !== 'internal') && tests.every((test) => test(scope))
}

/** Falco's own reports (`source: internal`) reach only those who ask for them by that source. */
const asksForInternal = ({ source, condition }: Criteria): boolean =>
  source === 'internal' ||
  (condition !== undefined &&
    [...namesIn(condition)].some(({ name, values }) => name === 'source' && values.includes('internal')))

const ruleTest = (rules: readonly string[]): Predicate => {
  const names = new Set(rules)
  return ({ event }) => names.has(event.rule)
}

const sourceTest =
  (source: string): Predicate =>
  ({ event }) =>
    event.source === source

const prioritiesTest =
  (priorities: readonly Priority[]): Predicate =>
  ({ event }) =>
    priorities.includes(event.priority)

const tagsTest =
  (alternatives: readonly (readonly string[])[]): Predicate =>
  ({ event }) =>
    alternatives.some((tags) => tags.every((tag) => event.tags.includes(tag)))

const fieldsTest = (alternatives: readonly (readonly FieldCriterion[])[]): Predicate => {
  const tests = alternatives.map((fields) => fields.map(fieldTest))
  return (scope) => tests.some((all) => all.every((test) => test(scope)))
}

const fieldTest =
  ({ name, text, differs }: FieldCriterion): Predicate =>
  ({ event }) => {
    const value = event.field(name)
    return isPresent(value) && (textOf(value) === text) !== differs
  }

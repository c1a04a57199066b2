/** Which rules an event matches. Rules bound to Falco rule names are found by name; only candidates are asked. */
import { YarakError } from '../errors.ts'
import { parsePriority, PRIORITIES, severity, textOf } from '../event.ts'
import { parseName, type Scope } from '../names.ts'
import { isPresent } from './compare.ts'
import { ConditionError, namesIn, parseCondition, predicate, type Predicate } from './condition.ts'
import type { Match, RuleInput } from './rule.ts'

export interface Matcher<R> {
  /** The matching rules in the order they were given. */
  match(scope: Scope): R[]
  /** How many rules there are. */
  readonly size: number
}

/** What selects events: a rule, or the filter of an output. */
export type Selection = Pick<RuleInput, 'match' | 'condition'>

/**
 * Makes a selection ready to be asked.
 * @throws YarakError `config` naming what is wrong
 */
export const compileSelection = ({ match = {}, condition }: Selection): Predicate => {
  const tests = [
    ...(match.rules ? [ruleTest(match.rules)] : []),
    ...(match.source ? [sourceTest(match.source)] : []),
    ...(match.priority ? [priorityTest(match.priority)] : []),
    ...(match.tags?.length ? [tagsTest(match.tags)] : []),
    ...(match.output_fields?.length ? [fieldsTest(match.output_fields)] : []),
  ]
  const parsed = condition === undefined ? undefined : parseCondition(condition)
  if (parsed) {
    const steps = [...namesIn(parsed)].find(({ name }) => ['steps', 'response'].includes(String(parseName(name)[0])))
    if (steps) throw new ConditionError(`${steps.name} is only known in a step's if, not in a condition`, steps.offset)
    tests.push(predicate(parsed))
  }
  const internal = namesInternal(match, parsed)
  return (scope) => (internal || scope.event.source !== 'internal') && tests.every((test) => test(scope))
}

/** Falco's own reports (`source: internal`) reach only those who ask for them by that source. */
const namesInternal = (match: Match, condition: ReturnType<typeof parseCondition> | undefined): boolean =>
  match.source === 'internal' ||
  (condition !== undefined &&
    [...namesIn(condition)].some(({ name, values }) => name === 'source' && values.includes('internal')))

const ruleTest = (rules: readonly string[]): Predicate => {
  const names = new Set(rules)
  return ({ event }) => names.size === 0 || names.has(event.rule)
}

const sourceTest =
  (source: string): Predicate =>
  ({ event }) =>
    event.source === source

const priorityTest = (text: string): Predicate => {
  const [, comparator = '', word = ''] = /^(<=|>=|<|>|=)?\s*([A-Za-z]+)$/.exec(text.trim()) ?? []
  const limit = parsePriority(word)
  if (!limit) throw new YarakError('config', `match.priority: ${text} names none of ${PRIORITIES.join(', ')}`)
  const rank = severity(limit)
  const own = ({ event }: Scope): number => severity(event.priority)
  switch (comparator) {
    case '<':
      return (scope) => own(scope) < rank
    case '<=':
      return (scope) => own(scope) <= rank
    case '>':
      return (scope) => own(scope) > rank
    case '>=':
      return (scope) => own(scope) >= rank
    default:
      return (scope) => own(scope) === rank
  }
}

/** An alternative per entry; within an entry all tags separated by commas. */
const tagsTest = (entries: readonly string[]): Predicate => {
  const alternatives = entries.map((entry) => entry.split(',').map((tag) => tag.trim()))
  return ({ event }) => alternatives.some((tags) => tags.every((tag) => event.tags.includes(tag)))
}

/** An alternative per entry; within an entry all of `field=value` and `field!=value` separated by commas. */
const fieldsTest = (entries: readonly string[]): Predicate => {
  const alternatives = entries.map((entry) => entry.split(',').map(fieldTest))
  return (scope) => alternatives.some((tests) => tests.every((test) => test(scope)))
}

const fieldTest = (piece: string): Predicate => {
  const [, name, operator, quoted] = /^\s*([^=!\s]+)\s*(!?=)\s*(.*?)\s*$/s.exec(piece) ?? []
  if (!name || quoted === undefined) {
    throw new YarakError('config', `match.output_fields: ${JSON.stringify(piece)} is not field=value or field!=value`)
  }
  const wanted = /^"(.*)"$/s.exec(quoted)?.[1] ?? quoted
  return ({ event }) => {
    const value = event.field(name)
    return isPresent(value) && (textOf(value) === wanted) === (operator === '=')
  }
}

/** Builds the index. */
export const createMatcher = <R extends Selection>(rules: readonly R[]): Matcher<R> => {
  const entries = rules.map((rule, order) => ({ rule, order, holds: compileSelection(rule) }))
  const byName = new Map<string, typeof entries>()
  const anyName: typeof entries = []
  for (const entry of entries) {
    const names = entry.rule.match?.rules
    if (!names?.length) anyName.push(entry)
    for (const name of new Set(names)) byName.set(name, [...(byName.get(name) ?? []), entry])
  }
  return {
    size: entries.length,
    match(scope) {
      const named = byName.get(scope.event.rule) ?? []
      return [...named, ...anyName]
        .filter(({ holds }) => holds(scope))
        .sort((a, b) => a.order - b.order)
        .map(({ rule }) => rule)
    },
  }
}

/**
 * A Talon rule's `match` -> our `match` and a condition that decide the same. Follows `CompareRule` of
 * falcosecurity/falco-talon `internal/rules/rules.go`: a field is compared as text, and `!=` holds where it is absent.
 */
import { parsePriority, PRIORITIES } from '../event.ts'
import { parseName, RESERVED } from '../names.ts'
import type { Condition, Operator } from './condition.ts'
import { intendedField, isAddressField, isIdentity, isOptionalIdentity } from './fields.ts'
import type { Match } from './rule.ts'
import type { Placed, TalonMatch, Tell } from './talon-read.ts'

/** What selects events, in our terms. */
export interface Selection {
  readonly match?: Match
  readonly condition?: Condition
}

/** A `match` in our terms; undefined when something in it is wrong, which is told. */
export const selectionOf = (match: TalonMatch, tell: Tell): Selection | undefined => {
  const priority = match.priority && priorityOf(match.priority, tell)
  const tags = match.tags.map((entry) => tagsOf(entry, tell))
  const fields = match.fields.map((entry) => fieldsOf(entry, tell))
  if (match.source?.value === 'syscalls') {
    tell(match.source.spot, 'match.source: no event is of syscalls; Falco says syscall', 'warning')
  }
  if ((match.priority && !priority) || !tags.every(isGood) || !fields.every(isGood)) return undefined
  const criteria: Match = {
    ...(match.rules.length > 0 && { rules: match.rules.map(({ value }) => value) }),
    ...(priority !== undefined && { priority }),
    ...(tags.length > 0 && { tags }),
    ...(match.source && { source: match.source.value }),
  }
  return {
    ...(Object.keys(criteria).length > 0 && { match: criteria }),
    ...(fields.length > 0 && { condition: anyOf(fields.map((tests) => allOf(tests.map(conditionOf)))) }),
  }
}

const isGood = <T>(one: T | undefined): one is T => one !== undefined

const PRIORITY = /^(<=|>=|<|>|=)?([a-z]+)$/i

const priorityOf = ({ value, spot }: Placed<string>, tell: Tell): string | undefined => {
  const word = PRIORITY.exec(value)?.[2] ?? ''
  if (parsePriority(word)) return value
  const spaces = /\s/.test(value) ? ', and no space' : ''
  tell(spot, `match.priority: ${value} is not one of ${PRIORITIES.join(', ')} after an optional comparator${spaces}`)
  return undefined
}

/** All tags of an entry, spaces removed. */
const tagsOf = ({ value, spot }: Placed<string>, tell: Tell): string | undefined => {
  const tags = value.replaceAll(' ', '').split(',')
  if (!tags.includes('')) return tags.join(',')
  tell(spot, `match.tags: ${JSON.stringify(value)} holds an empty tag`)
  return undefined
}

/** A field compared with a text, or only asked for. */
interface FieldTest {
  readonly key: string
  readonly negated: boolean
  /** Undefined: whether the field is absent. */
  readonly value: string | undefined
}

/** All comparisons of an entry. */
const fieldsOf = ({ value, spot }: Placed<string>, tell: Tell): FieldTest[] | undefined => {
  const pieces = value.replaceAll(', ', ',').split(',')
  const tests = pieces.map((piece) => fieldOf(piece, (message, severity) => tell(spot, message, severity)))
  return tests.every(isGood) ? tests : undefined
}

const PIECE = /^([\w./:[\]-]+)(!?==?)(.*)$/s

const fieldOf = (piece: string, tell: (message: string, severity?: 'warning') => void): FieldTest | undefined => {
  const [, key = '', operator = '', quoted = ''] = PIECE.exec(piece) ?? []
  const title = `match.output_fields: ${JSON.stringify(piece)}`
  if (key === '') {
    tell(`${title} is not field=value or field!=value; no space may stand around the field, no comma in the value`)
    return undefined
  }
  const value = quoted.replaceAll('"', '')
  const negated = operator.startsWith('!')
  for (const note of notesOn(key, operator, value)) tell(`${title}: ${note}`, 'warning')
  return { key, negated, value: isAbsence(key, value) ? undefined : value }
}

/** Where a comparison does not do what Talon does, or hardly what is meant. */
const notesOn = (key: string, operator: string, value: string): string[] => {
  const negated = operator.startsWith('!')
  const unreadable = operator.endsWith('==') || value.includes('=') || (negated && value.includes('!'))
  const meant = intendedField(key)
  return [
    ...(unreadable ? ['Falco Talon cannot read a value with = or !; here it is compared as it is written'] : []),
    ...(isAddressField(key) && value.includes('/')
      ? ['Falco Talon compares the text; here it is all addresses of the range']
      : []),
    ...(meant === undefined ? [] : [`Falco has no such field; did you mean \`${meant}\`?`]),
    ...(isAbsence(key, value) && !(negated && value === '<NA>')
      ? [`taken as ${negated ? 'present' : 'absent'}, in whatever way the event says so`]
      : []),
  ]
}

/** Texts by which an event says that a field has no value. */
const isAbsence = (key: string, value: string): boolean =>
  value === '<NA>' || value === '<nil>' || (isIdentity(key) && (value === '' || value === 'N/A'))

/** A comparison as a condition: in ours `!=` is false where the field is absent, `not` is not. */
const conditionOf = ({ key, negated, value }: FieldTest): Condition =>
  value === undefined
    ? notWhen(!negated, check(nameOf(key), 'exists'))
    : notWhen(negated, check(nameOf(key), '=', [value]))

/** Tells of entries that an event matches because it does not say what it is about. */
export const warnOfAbsence = ({ fields }: TalonMatch, tell: Tell): void => {
  for (const { value, spot } of fields) {
    const tests = fieldsOf({ value, spot }, () => {}) ?? []
    const needed = new Set(tests.filter((test) => test.negated === (test.value === undefined)).map(({ key }) => key))
    const open = tests.filter(({ key, negated }) => negated && isOptionalIdentity(key) && !needed.has(key))
    for (const name of new Set(open.map(({ key }) => key))) {
      const message = `an event without ${name} matches too, as in Falco Talon; \`${name}!=<NA>\` beside it leaves that out`
      tell(spot, `match.output_fields: ${message}`, 'warning')
    }
  }
}

const BARE = /^[a-z]\w*(?:\.\w+)+(?:\[[^\]"']+\])?$/i

/** A field as conditions and templates name it. */
export const nameOf = (key: string): string =>
  BARE.test(key) && !RESERVED.includes(String(parseName(key)[0])) && intendedField(key) === undefined
    ? key
    : `fields["${key}"]`

const check = (name: string, operator: Operator, values: readonly string[] = []): Condition => ({
  kind: 'check',
  name,
  operator,
  values,
  offset: 0,
})

const notWhen = (negated: boolean, item: Condition): Condition => (negated ? { kind: 'not', item } : item)

const joined = (kind: 'and' | 'or', parts: readonly Condition[]): Condition => {
  const [first, ...rest] = parts
  return first && rest.length === 0 ? first : { kind, items: parts }
}

const allOf = (parts: readonly Condition[]): Condition => joined('and', parts)
const anyOf = (parts: readonly Condition[]): Condition => joined('or', parts)

/** A whole selection as one condition. */
const asCondition = ({ match = {}, condition }: Selection): Condition => {
  const { rules, priority, tags, source } = match
  const parts = [
    ...(rules ? [check('rule', 'in', rules)] : []),
    ...(source === undefined ? [] : [check('source', '=', [source])]),
    ...(priority === undefined ? [] : [priorityCheck(priority)]),
    ...(tags ? [anyOf(tags.map(tagsCheck))] : []),
    ...(condition ? [condition] : []),
  ]
  return parts.length > 0 ? allOf(parts) : check('rule', 'exists')
}

const priorityCheck = (priority: string): Condition => {
  const [, comparator = '=', word = ''] = PRIORITY.exec(priority) ?? []
  return check('priority', comparator as Operator, [word])
}

const tagsCheck = (entry: string): Condition => allOf(entry.split(',').map((tag) => check('tags', 'intersects', [tag])))

/**
 * What is left of a selection after rules that end the matter: in Talon a rule with `continue: false` keeps the event
 * from those after it.
 */
export const without = (selection: Selection, ending: readonly Selection[]): Selection => {
  const rivals = ending.filter((other) => mayOverlap(selection, other))
  if (rivals.length === 0) return selection
  const { condition } = selection
  const rest = rivals.map((other) => notWhen(true, asCondition(other)))
  return { ...selection, condition: allOf([...(condition ? [condition] : []), ...rest]) }
}

const mayOverlap = ({ match: a }: Selection, { match: b }: Selection): boolean =>
  !a?.rules || !b?.rules || a.rules.some((name) => b.rules?.includes(name))

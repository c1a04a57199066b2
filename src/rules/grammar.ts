/**
 * Falco's grammar of conditions, by recursive descent: `or` of `and` of `not`, parentheses, checks, macros.
 * Source: falcosecurity/libs, userspace/libsinsp/filter/parser.h. Ours beyond it: a name without a dot before an operator
 * is a member of the event, names may hold dashes and several brackets, a priority compares by severity.
 */
import { RESERVED } from '../names.ts'
import { nearest, suggestion } from '../suggest.ts'
import {
  type Check,
  checksIn,
  type Condition,
  ConditionError,
  type Definitions,
  type Expression,
  LISTING,
  type Modifier,
  MODIFIERS,
  movedTo,
  namesInExpression,
  NUMERIC,
  type Operator,
  TEXTUAL,
} from './ast.ts'
import { checkName, expected, MAX_DEPTH, readCall, readItems, readRight, takeName, tooDeep } from './expression.ts'
import { createScanner, type Scanner } from './scanner.ts'
import { rightFault, valueFault } from './values.ts'

const MAX_LENGTH = 100_000
/** Macros of macros grow without bound. */
const MAX_CHECKS = 25_000
const MAX_MACRO_DEPTH = 500

const NOTHING: Definitions = { lists: new Map(), macros: new Map() }

/** What is being read. */
interface Reading {
  readonly scan: Scanner
  readonly definitions: Definitions
  /** How many checks macros have brought. */
  checks: number
}

/**
 * Reads a condition.
 * @throws ConditionError with the place of what is wrong
 * @example parseCondition('spawned_process and proc.name in (shells)', definitions)
 */
export const parseCondition = (text: string, definitions: Definitions = NOTHING): Condition => {
  if (text.length > MAX_LENGTH) throw new ConditionError(`a condition is at most ${MAX_LENGTH} characters`, 0)
  const reading: Reading = { scan: createScanner(text), definitions, checks: 0 }
  const condition = readOr(reading, 0)
  if (!reading.scan.isEnd()) throw expected(reading.scan, 'and, or, or the end')
  return condition
}

const AND = /and(?=[\s(]|$)/y
const OR = /or(?=[\s(]|$)/y
const NOT = /not(?=[\s(]|$)/y
const KEYWORD = /(?:and|or|not)(?=[\s()]|$)/y
const OPEN = /\(/y
const CLOSE = /\)/y

const readOr = (reading: Reading, depth: number): Condition => {
  if (depth > MAX_DEPTH) throw tooDeep(reading.scan.offset())
  return readChain(reading, 'or', OR, () => readChain(reading, 'and', AND, () => readNot(reading, depth)))
}

const readChain = ({ scan }: Reading, kind: 'and' | 'or', word: RegExp, inner: () => Condition): Condition => {
  const first = inner()
  const items = [first]
  while (scan.take(word) !== undefined) items.push(inner())
  return items.length === 1 ? first : { kind, items }
}

const readNot = (reading: Reading, depth: number): Condition => {
  let negated = false
  while (reading.scan.take(NOT) !== undefined) negated = !negated
  const item = reading.scan.take(OPEN) === undefined ? readCheck(reading) : readGroup(reading, depth)
  return negated ? { kind: 'not', item } : item
}

const readGroup = (reading: Reading, depth: number): Condition => {
  const inner = readOr(reading, depth + 1)
  if (reading.scan.take(CLOSE) === undefined) throw expected(reading.scan, 'a closing parenthesis')
  return inner
}

const readCheck = (reading: Reading): Condition => {
  const { scan } = reading
  const offset = scan.offset()
  const left = readCall(scan)
  if (left) return readComparison(reading, { name: firstName(left, offset), offset, left }, takeOperator(scan))
  const keyword = scan.take(KEYWORD)
  if (keyword !== undefined) throw new ConditionError(`expected a field, found ${keyword}`, offset)
  const name = takeName(scan)
  if (name === undefined) throw expected(scan, 'a field')
  const operator = takeOperator(scan)
  if (!operator && isIdentifier(name)) return readMacro(reading, name, offset)
  if (operator) checkName(name, offset)
  return readComparison(reading, { name, offset }, operator)
}

const firstName = (left: Expression, offset: number): string => {
  const [first] = namesInExpression(left)
  if (!first) throw new ConditionError('a check looks at a field, and here is none', offset)
  return first.name
}

const isIdentifier = (name: string): boolean => /^[A-Za-z_]\w*$/.test(name) && !RESERVED.includes(name)

/** The condition of a macro, as if it stood here in parentheses. */
const readMacro = (reading: Reading, name: string, offset: number): Condition => {
  const { macros } = reading.definitions
  const macro = macros.get(name)
  const next = reading.scan.found()
  if (!macro && !/^(?:and|or|\)|the end)$/.test(next)) throw noOperator(reading.scan, name)
  if (!macro) throw new ConditionError(`no macro is named ${name}${suggestion(name, macros.keys())}`, offset)
  for (const _ of checksIn(macro)) reading.checks++
  if (reading.checks > MAX_CHECKS) throw new ConditionError(`macros make more than ${MAX_CHECKS} checks of it`, offset)
  if (depthOf(macro) > MAX_MACRO_DEPTH) {
    throw new ConditionError(`macros nest more than ${MAX_MACRO_DEPTH} levels deep`, offset)
  }
  return movedTo(macro, offset)
}

const depthOf = (condition: Condition): number => {
  if (condition.kind === 'check') return 0
  return 1 + Math.max(...(condition.kind === 'not' ? [condition.item] : condition.items).map(depthOf))
}

const wordPattern = (words: readonly string[], after = ''): RegExp => new RegExp(`(?:${words.join('|')})${after}`, 'y')

const OPERATORS: readonly Operator[] = [...NUMERIC, ...TEXTUAL, ...LISTING, 'exists']
const isWord = (operator: string): boolean => /^[a-z]/.test(operator)
const SYMBOL = wordPattern(OPERATORS.filter((one) => !isWord(one)))
const WORD = wordPattern(OPERATORS.filter(isWord), String.raw`(?![\w.-])`)
/** A modifier is one only before a list or its name: `= anyof and ...` compares with the word. */
const MODIFIER = wordPattern(MODIFIERS, String.raw`(?=\s*\(|\s+(?!(?:and|or|not)(?![A-Za-z0-9]))[A-Za-z])`)
const BARE = /[^()"'\s=,]+/y
const LIST_NAME = /[A-Za-z_][\w-]*/y

const takeOperator = (scan: Scanner): Operator | undefined =>
  (scan.take(SYMBOL) ?? scan.take(WORD)) as Operator | undefined

const noOperator = (scan: Scanner, name: string): ConditionError => {
  const meant = nearest(scan.found(), OPERATORS.filter(isWord))
  const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`
  return new ConditionError(`${expected(scan, `an operator after ${name}`).message}${hint}`, scan.offset())
}

type Left = Pick<Check, 'name' | 'offset' | 'left'>

const readComparison = (reading: Reading, left: Left, operator: Operator | undefined): Check => {
  const { scan } = reading
  if (operator === undefined) throw noOperator(scan, left.name)
  const check = { kind: 'check', ...left, operator, values: [] } as const
  if (operator === 'exists') return check
  const isTextual = (TEXTUAL as readonly Operator[]).includes(operator)
  const modifier = isTextual ? (scan.take(MODIFIER) as Modifier | undefined) : undefined
  if (modifier) return { ...check, modifier, values: readList(reading, check) }
  const isList = (LISTING as readonly Operator[]).includes(operator)
  const at = scan.offset()
  const right = readRight(scan)
  const fault = right && rightFault(operator)
  if (fault) throw new ConditionError(fault, at)
  if (right) return { ...check, right }
  return { ...check, values: isList ? readList(reading, check) : [readValue(reading, check)] }
}

/** A list in parentheses, or the name of one. */
const readList = (reading: Reading, check: Check): string[] => {
  const { scan, definitions } = reading
  const offset = scan.offset()
  if (scan.take(OPEN) !== undefined) return readItems(scan, () => readItem(reading, check)).flat()
  const name = scan.take(LIST_NAME)
  if (name === undefined) throw expected(scan, 'a list in parentheses, or the name of a list')
  const list = definitions.lists.get(name)
  if (!list) throw noList(name, definitions, offset)
  return checkedValues(check, list.map(itemText), offset)
}

const noList = (name: string, { lists }: Definitions, offset: number): ConditionError => {
  const hint = suggestion(name, lists.keys()) || `; a list of one value is (${name})`
  return new ConditionError(`no list is named ${name}${hint}`, offset)
}

/** Falco's lists go into conditions as text, so an item may bring quotes of its own: `'"10.0.0.0/8"'`. */
const itemText = (item: string): string => {
  if (!/^["']/.test(item)) return item
  const scan = createScanner(item)
  try {
    const text = scan.quoted()
    return text !== undefined && scan.isEnd() ? text : item
  } catch {
    return item
  }
}

/** A value, or the items of the list that a bare word names. */
const readItem = (reading: Reading, check: Check): readonly string[] => {
  const { scan, definitions } = reading
  const offset = scan.offset()
  const value = scan.quoted()
  const word = value ?? scan.take(BARE)
  if (word === undefined) throw expected(scan, 'a value')
  const list = value === undefined ? definitions.lists.get(word) : undefined
  return checkedValues(check, list?.map(itemText) ?? [word], offset)
}

const readValue = ({ scan }: Reading, check: Check): string => {
  const offset = scan.offset()
  const value = scan.quoted() ?? scan.take(BARE)
  if (value === undefined) throw expected(scan, 'a value')
  checkedValues(check, [value], offset)
  return value
}

const checkedValues = (check: Check, values: readonly string[], offset: number): string[] => {
  for (const value of values) {
    const fault = valueFault(check, value)
    if (fault !== undefined) throw new ConditionError(fault, offset)
  }
  return [...values]
}

/**
 * Falco's condition language over an event, as a predicate.
 * Follows the grammar of falcosecurity/libs `filter/parser`: `or` of `and` of `not`, parentheses, checks.
 * A comparison on an absent field is false, also `!=`; `not` is plain negation.
 */
import { YarakError } from '../errors.ts'
import { type FieldValue, parsePriority, PRIORITIES } from '../event.ts'
import { compileName, parseName, type Scope } from '../names.ts'
import { isOrdering, isPresent, priorityTest, type Test, valueTest } from './compare.ts'

/** Operators with a value. */
const BINARY = [
  '=',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'contains',
  'icontains',
  'startswith',
  'endswith',
  'glob',
] as const
/** Operators with a list. */
const LISTS = ['in', 'intersects'] as const

export type Operator = (typeof BINARY)[number] | (typeof LISTS)[number] | 'exists'

/** A parsed condition. `offset` is where it starts in the text. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly items: readonly Condition[] }
  | { readonly kind: 'not'; readonly item: Condition }
  | Check

/** A name compared with values. */
export interface Check {
  readonly kind: 'check'
  readonly name: string
  readonly operator: Operator
  readonly values: readonly string[]
  readonly offset: number
}

export type Predicate = (scope: Scope) => boolean

/** An error in a condition, with its place in the text. */
export class ConditionError extends YarakError {
  /** 0-based, in characters. */
  readonly offset: number
  constructor(message: string, offset: number) {
    super('config', message, { permanent: true })
    this.offset = offset
  }
}

interface Token {
  readonly text: string
  readonly offset: number
  /** A bare word may be a name or an operator; a quoted one is a value only. */
  readonly kind: 'word' | 'quoted' | 'symbol' | 'end'
}

const MAX_DEPTH = 100
const MAX_LENGTH = 100_000

const TOKEN =
  /\s*(?:(==|!=|<=|>=|=|<|>|\(|\)|,)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|((?:[^\s=!<>(),"'[]|\[(?:"[^"]*"|'[^']*'|[^\]]*)\]|!(?!=))+))/sy

const unescape = (text: string): string => text.replaceAll(/\\(.)/gs, '$1')

const tokenize = (text: string): Token[] => {
  if (text.length > MAX_LENGTH) throw new ConditionError(`a condition is at most ${MAX_LENGTH} characters`, 0)
  const tokens: Token[] = []
  const end = text.trimEnd().length
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (!match) throw unreadable(text, from)
    const offset = from + (/^\s*/.exec(match[0])?.[0].length ?? 0)
    const quoted = match[2] ?? match[3]
    if (match[1] !== undefined) tokens.push({ kind: 'symbol', text: match[1], offset })
    else if (quoted !== undefined) tokens.push({ kind: 'quoted', text: unescape(quoted), offset })
    else tokens.push({ kind: 'word', text: match[4] ?? '', offset })
  }
  return [...tokens, { kind: 'end', text: 'the end', offset: end }]
}

const unreadable = (text: string, from: number): ConditionError => {
  const offset = from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0)
  const char = text[offset] ?? ''
  return new ConditionError(/["']/.test(char) ? 'this quote is never closed' : `${char} is not expected here`, offset)
}

/**
 * Reads a condition.
 * @throws ConditionError with the place of what is wrong
 */
export const parseCondition = (text: string): Condition => {
  const tokens = tokenize(text)
  let at = 0
  const peek = (): Token => tokens[at] as Token
  const next = (): Token => tokens[at++] as Token
  const isWord = (word: string): boolean => peek().kind === 'word' && peek().text === word
  const isSymbol = (symbol: string): boolean => peek().kind === 'symbol' && peek().text === symbol
  const expected = (what: string): ConditionError =>
    new ConditionError(`expected ${what}, found ${peek().text}`, peek().offset)

  const chain = (kind: 'and' | 'or', inner: (depth: number) => Condition, depth: number): Condition => {
    const items = [inner(depth)]
    while (isWord(kind)) {
      next()
      items.push(inner(depth))
    }
    return items.length === 1 ? (items[0] as Condition) : { kind, items }
  }
  const or = (depth: number): Condition => {
    if (depth > MAX_DEPTH) throw new ConditionError(`more than ${MAX_DEPTH} levels of nesting`, peek().offset)
    return chain('or', and, depth)
  }
  const and = (depth: number): Condition => chain('and', unary, depth)
  const unary = (depth: number): Condition => {
    let negations = 0
    while (isWord('not')) {
      next()
      negations++
    }
    const item = isSymbol('(') ? group(depth) : check()
    return negations % 2 === 1 ? { kind: 'not', item } : item
  }
  const group = (depth: number): Condition => {
    next()
    const inner = or(depth + 1)
    if (!isSymbol(')')) throw expected('a closing parenthesis')
    next()
    return inner
  }
  const check = (): Condition => {
    if (peek().kind !== 'word') throw expected('a field')
    const { text: name, offset } = next()
    if (parseName(name).length === 0) throw new ConditionError(`${name} is not a field name`, offset)
    const operator = operatorOf(peek())
    if (!operator) throw expected(`an operator after ${name}`)
    next()
    const values = operator === 'exists' ? [] : isList(operator) ? list() : [value()]
    return { kind: 'check', name, operator, values, offset }
  }
  const value = (): string => {
    const token = peek()
    if (token.kind !== 'word' && token.kind !== 'quoted') throw expected('a value')
    next()
    return token.text
  }
  const list = (): string[] => {
    if (!isSymbol('(')) throw expected('a list in parentheses')
    next()
    const values: string[] = []
    while (!isSymbol(')')) {
      values.push(value())
      if (isSymbol(',')) next()
      else if (!isSymbol(')')) throw expected('a comma or a closing parenthesis')
    }
    next()
    return values
  }

  const condition = or(0)
  if (peek().kind !== 'end') throw expected('and, or, or the end')
  return condition
}

const OPERATORS: ReadonlySet<string> = new Set([...BINARY, ...LISTS, 'exists'])

const operatorOf = ({ kind, text }: Token): Operator | undefined =>
  kind !== 'quoted' && kind !== 'end' && OPERATORS.has(text) ? (text as Operator) : undefined

const isList = (operator: Operator): boolean => operator === 'in' || operator === 'intersects'

/** Every name a condition looks at. */
export function* namesIn(condition: Condition): Generator<Check> {
  if (condition.kind === 'check') yield condition
  else if (condition.kind === 'not') yield* namesIn(condition.item)
  else for (const item of condition.items) yield* namesIn(item)
}

/**
 * Makes a condition ready to be asked.
 * @example compileCondition('k8s.ns.name != kube-system and proc.name in (sh, bash)')({ event })
 */
export const compileCondition = (text: string): Predicate => predicate(parseCondition(text))

export const predicate = (condition: Condition): Predicate => {
  if (condition.kind === 'not') {
    const item = predicate(condition.item)
    return (scope) => !item(scope)
  }
  if (condition.kind === 'check') return checkPredicate(condition)
  const items = condition.items.map(predicate)
  return condition.kind === 'and'
    ? (scope) => items.every((item) => item(scope))
    : (scope) => items.some((item) => item(scope))
}

const testOf = ({ name, operator, values, offset }: Check): Test => {
  if (name !== 'priority' || !isOrdering(operator)) return valueTest(operator, values)
  const wrong = values.find((value) => !parsePriority(value))
  if (wrong !== undefined) throw new ConditionError(`${wrong} is not a priority: ${PRIORITIES.join(', ')}`, offset)
  return priorityTest(operator, values)
}

const checkPredicate = (check: Check): Predicate => {
  const get = compileName(check.name)
  const test = testOf(check)
  return (scope) => {
    const value = get(scope)
    return isPresent(value) && test(value as FieldValue)
  }
}

/** The functions of Go's text/template, in Liquid. */
import { type Condition, NOTHING, textValue, truth, type Value } from './go-template-values.ts'

/** What a function may do while it is translated. */
export interface Functions {
  fail(message: string): never
  /** Gives a value that is no path and no literal a name. */
  simple(value: Value): Value
  /** The member of a map or list. */
  keyed(of: Value, key: Value): Value
  /** Assigns a value; gives its name. */
  name(value: Value): string
  write(liquid: string): void
}

type Translate = (args: readonly Value[], at: Functions) => Value

/** Always there and a text. */
const TEXTS: readonly string[] = ['rule', 'priority', 'output', 'source', 'time']

/** A value as a text: what is missing is empty. */
const asText = (value: Value, at: Functions): Value => {
  if (value.kind === 'event') return at.fail('the event as a whole is no text; name its members')
  if (value.pieces) return at.simple(value)
  if (value.constant !== undefined) return textValue(String(value.constant))
  if (TEXTS.includes(value.text)) return value
  if (value.kind === 'list') {
    const words = at.simple({ kind: 'text', text: `${value.text} | join: " "`, filtered: true }).text
    return { kind: 'text', text: `"[" | append: ${words} | append: "]"`, filtered: true }
  }
  return { kind: 'text', text: `${(value.test ? at.simple(value) : value).text} | append: ""`, filtered: true }
}

/** A text that can stand on either side of an operator. */
const comparable = (value: Value, at: Functions): string => at.simple(asText(value, at)).text

/** A condition without `and` and `or`. */
const single = (value: Value, at: Functions): Condition => {
  const condition = truth(value.filtered ? at.simple(value) : value)
  return condition.joined ? truth(at.simple({ kind: 'bool', text: '', test: condition })) : condition
}

const test = (text: string, opposite: string): Value => ({ kind: 'bool', text, test: { text, opposite } })

const joined =
  (word: 'and' | 'or'): Translate =>
  (args, at) => {
    const text = args.map((one) => conditionOf(one, word, at)).join(` ${word} `)
    return { kind: 'bool', text, test: { text, joined: word, opposite: '' } }
  }

const conditionOf = (value: Value, word: 'and' | 'or', at: Functions): string => {
  const plain = value.filtered ? at.simple(value) : value
  const condition = truth(plain)
  return condition.joined === undefined || condition.joined === word ? condition.text : single(plain, at).text
}

const isBool = ({ kind }: Value): boolean => kind === 'bool'

/** The first that is true, else the last: for truth values a condition, for others the value itself. */
const or: Translate = (args, at) => {
  const [first = NOTHING, ...rest] = args
  if (rest.length === 0) return first
  if (args.every(isBool)) return joined('or')(args, at)
  if (first.constant !== undefined) return first.constant ? first : or(rest, at)
  if (args.some(({ kind }) => kind === 'int' || kind === 'bool' || kind === 'event')) return pick(args, at, 'opposite')
  const others = rest.map((one) => ` | default: ${at.simple(one).text}`)
  return { kind: sameKind(args), text: `${first.text}${others.join('')}`, filtered: true }
}

const and: Translate = (args, at) =>
  args.length > 1 && args.every(isBool) ? joined('and')(args, at) : pick(args, at, 'text')

/** Goes on to the next value while the one before is true (`text`) or is not (`opposite`). */
const pick = ([first = NOTHING, ...rest]: readonly Value[], at: Functions, goOn: 'text' | 'opposite'): Value => {
  if (rest.length === 0) return first
  const name = at.name(at.simple(first))
  let { kind } = first
  for (const one of rest) {
    const condition = single({ kind, text: name }, at)
    const value = at.simple(one)
    at.write(`{% if ${condition[goOn]} %}{% assign ${name} = ${value.text} %}{% endif %}`)
    kind = kind === value.kind ? kind : 'any'
  }
  return { kind, text: name }
}

const sameKind = ([first, ...rest]: readonly Value[]): Value['kind'] =>
  first && rest.every(({ kind }) => kind === first.kind) ? first.kind : 'any'

const OPPOSITES = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const

const compare =
  (operator: keyof typeof OPPOSITES): Translate =>
  ([left, right, ...more], at) => {
    if (!left || !right || more.length > 0) return at.fail('a comparison takes two values')
    const ints = left.kind === 'int' && right.kind === 'int'
    if (!ints && [left, right].some(({ kind }) => kind === 'int' || kind === 'bool'))
      return at.fail('fields are texts to Go, whose order with a number has no meaning')
    const [one, other] = [left, right].map((value) => (ints ? at.simple(value).text : comparable(value, at)))
    return test(`${one} ${operator} ${other}`, `${one} ${OPPOSITES[operator]} ${other}`)
  }

const eq: Translate = (args, at) => {
  const [left, ...others] = args
  if (!left || others.length === 0) return at.fail('`eq` takes two values or more')
  if (left.text === 'priority' && others.some(({ kind }) => kind === 'int'))
    return at.fail('a priority is compared by its name')
  const same = comparable(left, at)
  const tests = others.map((one) => comparable(one, at)).map((one) => test(`${same} == ${one}`, `${same} != ${one}`))
  return tests.length === 1 ? (tests[0] ?? NOTHING) : joined('or')(tests, at)
}

const not: Translate = ([value, ...more], at) => {
  if (!value || more.length > 0) return at.fail('`not` takes one value')
  const { text, opposite } = single(value, at)
  return test(opposite, text)
}

const ne: Translate = (args, at) => (args.length === 2 ? not([eq(args, at)], at) : at.fail('`ne` takes two values'))

const len: Translate = ([value, ...more], at) => {
  if (!value || more.length > 0 || value.kind === 'int' || value.kind === 'bool' || value.kind === 'event')
    return at.fail('`len` takes a text, a list or a map')
  return { kind: 'int', text: `${value.text}${value.kind === 'map' ? ' | keys' : ''} | size`, filtered: true }
}

const index: Translate = ([of, ...keys], at) => {
  if (!of) return at.fail('`index` takes a value and its keys')
  return keys.reduce<Value>((value, key) => {
    if (value.kind !== 'map' && value.kind !== 'list' && value.kind !== 'any')
      return at.fail('`index` takes from a map or a list, such as `.OutputFields` or `.Tags`')
    return at.keyed(value, key)
  }, of)
}

/** Values one after another: printed piece by piece, or joined where one value is wanted. */
const concatenated = (pieces: readonly Value[]): Value =>
  pieces.every(({ constant }) => constant !== undefined)
    ? textValue(pieces.map(({ constant }) => String(constant)).join(''))
    : { kind: 'text', text: '', filtered: true, pieces }

/** Pieces as one value. */
export const joinPieces = (pieces: readonly Value[], at: Functions): Value => {
  const texts = pieces.map((one) => ` | append: ${comparable(one, at)}`)
  return { kind: 'text', text: `""${texts.join('')}`, filtered: true }
}

const VERB = /%(?:([%svdq])|.?)/gs

const printf: Translate = ([format, ...args], at) => {
  if (typeof format?.constant !== 'string') return at.fail('`printf` takes its format as a text in quotes')
  const pieces: Value[] = []
  let end = 0
  let used = 0
  for (const match of format.constant.matchAll(VERB)) {
    pieces.push(textValue(format.constant.slice(end, match.index)))
    end = match.index + match[0].length
    const [whole, verb] = match
    const value = verb === '%' ? textValue('%') : args[used++]
    if (verb === undefined) return at.fail(`\`${whole}\` of \`printf\` has no counterpart; there are %s, %v, %d and %q`)
    if (value === undefined) return at.fail(`\`printf\` lacks a value for ${whole}`)
    pieces.push(verb === 'q' ? quotedText(value, at) : value)
  }
  if (used < args.length) return at.fail('`printf` has more values than its format')
  return concatenated([...pieces, textValue(format.constant.slice(end))].filter(({ constant }) => constant !== ''))
}

const quotedText = (value: Value, at: Functions): Value => ({
  kind: 'text',
  text: `${comparable(value, at)} | json`,
  filtered: true,
})

const print: Translate = (args) => concatenated(args)

const println: Translate = (args) =>
  concatenated([...args.flatMap((one, i) => (i === 0 ? [one] : [textValue(' '), one])), textValue('\n')])

const filter =
  (name: string): Translate =>
  (args, at) => ({ kind: 'text', text: `${comparable(concatenated(args), at)} | ${name}`, filtered: true })

const BY_NAME: Readonly<Record<string, Translate>> = {
  ...{ and, or, not, eq, ne, len, index, printf, print, println },
  lt: compare('<'),
  le: compare('<='),
  gt: compare('>'),
  ge: compare('>='),
  html: filter('html'),
  urlquery: filter('url'),
}

export const FUNCTIONS: readonly string[] = Object.keys(BY_NAME)

/** The value of a call. */
export const callFunction = (name: string, args: readonly Value[], at: Functions): Value =>
  BY_NAME[name]?.(
    args.map((one) => (one.pieces ? at.simple(one) : one)),
    at,
  ) ?? at.fail(`the function \`${name}\` has no counterpart`)

/** The grammar of what is compared: fields, and transformers over them. */
import { RESERVED } from '../names.ts'
import { ConditionError, type Expression, type Transformer, TRANSFORMERS } from './ast.ts'
import { intendedField } from './fields.ts'
import type { Scanner } from './scanner.ts'

/** Levels of nesting of a condition, transformers too. */
export const MAX_DEPTH = 100

export const tooDeep = (offset: number): ConditionError =>
  new ConditionError(`more than ${MAX_DEPTH} levels of nesting`, offset)

/** The error of finding something else. */
export const expected = (scan: Scanner, what: string): ConditionError =>
  new ConditionError(`expected ${what}, found ${scan.found()}`, scan.offset())

const NAME = /[A-Za-z_][\w-]*(?:\.[\w-]+|\[(?:"[^"]*"|'[^']*'|[^\][\s"']+)\])*/y
const BRACKET = /\[/y
const CALL = new RegExp(`(?:${TRANSFORMERS.join('|')})\\(`, 'y')
const VAL = /val\(/y
const OPTION = /\[(?:"[^"]"|'[^']'|[^\][\s"'])\]/y
const NUMBER = /0[xX][0-9a-fA-F]+|[+-]?\d+\.?\d*(?:[eE][+-]\d+)?/y
const OPEN = /\(/y
const CLOSE = /\)/y
const COMMA = /,/y

/** Takes a name as it is written. */
export const takeName = (scan: Scanner): string | undefined => {
  const name = scan.take(NAME)
  const offset = scan.offset()
  if (name !== undefined && scan.take(BRACKET)) throw new ConditionError(`${name}[ is never closed by ]`, offset)
  return name
}

/** Refuses a name that looks like another one mistyped. */
export const checkName = (name: string, offset: number): void => {
  const meant = intendedField(name)
  if (meant === undefined) return
  const kind = RESERVED.includes(meant) ? 'a member of an event' : 'a field of Falco'
  const message = `${name} is not ${kind}: did you mean \`${meant}\`?`
  throw new ConditionError(`${message} If not, write fields["${name.replaceAll('"', '')}"]`, offset)
}

/** A transformer with its arguments; undefined when none is next. */
export const readCall = (scan: Scanner, depth = 0): Expression | undefined => {
  const offset = scan.offset()
  const name = scan.take(CALL)
  if (name === undefined) return undefined
  if (depth > MAX_DEPTH) throw tooDeep(offset)
  const transformer = name.slice(0, -1) as Transformer
  const args = readArgs(scan, depth)
  const option = scan.take(OPTION)?.replaceAll(/^\[["']?|["']?\]$/g, '')
  const fault = argsFault(transformer, args, option)
  if (fault) throw new ConditionError(fault, offset)
  return { kind: 'call', transformer, args, ...(option !== undefined && { option }) }
}

/** What stands on the right of an operator instead of a value: `val(field)` or a transformer. */
export const readRight = (scan: Scanner): Expression | undefined => {
  if (scan.take(VAL) === undefined) return readCall(scan)
  const field = readField(scan)
  if (!field) throw expected(scan, 'a field')
  if (scan.take(CLOSE) === undefined) throw expected(scan, 'a closing parenthesis')
  return field
}

/** Items with commas between, up to the closing parenthesis; the opening one is taken. */
export const readItems = <T>(scan: Scanner, item: () => T): T[] => {
  const items: T[] = []
  if (scan.take(CLOSE) !== undefined) return items
  do items.push(item())
  while (scan.take(COMMA) !== undefined)
  if (scan.take(CLOSE) === undefined) throw expected(scan, 'a comma or a closing parenthesis')
  return items
}

const readArgs = (scan: Scanner, depth: number): Expression[] =>
  readItems(scan, () =>
    scan.take(OPEN) === undefined
      ? readArg(scan, depth)
      : { kind: 'list', items: readItems(scan, () => readArg(scan, depth)) },
  )

const readArg = (scan: Scanner, depth: number): Expression => {
  const text = scan.take(NUMBER) ?? scan.quoted()
  if (text !== undefined) return { kind: 'literal', text }
  const inner = readCall(scan, depth + 1) ?? readField(scan)
  if (!inner) throw expected(scan, 'a field, a transformer, a text in quotes or a number')
  return inner
}

const readField = (scan: Scanner): Expression | undefined => {
  const offset = scan.offset()
  const name = takeName(scan)
  if (name === undefined) return undefined
  checkName(name, offset)
  return { kind: 'field', name, offset }
}

const argsFault = (transformer: Transformer, args: readonly Expression[], option?: string): string | undefined => {
  if (option !== undefined && transformer !== 'getopt') return `${transformer}() takes no [${option}]`
  switch (transformer) {
    case 'join':
      return args.length === 2 ? undefined : 'join() takes a separator and a list'
    case 'getopt':
      return args.length === 2 ? undefined : 'getopt() takes a list of arguments and the allowed options'
    case 'concat':
      return args.length >= 2 ? undefined : 'concat() takes at least two texts'
    default:
      return args.length === 1 ? undefined : `${transformer}() takes one value`
  }
}

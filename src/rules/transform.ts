/** The values of expressions: fields, and what transformers make of them. */
import { type FieldValue, textOf } from '../event.ts'
import { compileName, type Scope } from '../names.ts'
import type { Expression, Transformer } from './ast.ts'
import { isPresent, isPresentIdentity } from './compare.ts'
import { answeredBy, isIdentity } from './fields.ts'
import { readOption, readOptions } from './getopt.ts'

/** Looks a value up; undefined when it is absent. */
export type Reader = (scope: Scope) => FieldValue | undefined

/**
 * Makes the lookup of a field ready. Absent are a missing field, null and `<NA>`; of a field that says what an event is
 * about also `""` and `N/A`. Falco's fields for either end of a connection are answered by those of the ends.
 */
export const fieldReader = (name: string): Reader => {
  const get = compileName(name)
  const present = isIdentity(name) ? isPresentIdentity : isPresent
  const others = answeredBy(name).map(fieldReader)
  const read: Reader = (scope) => {
    const value = get(scope)
    return present(value) ? (value as FieldValue) : undefined
  }
  if (others.length === 0) return read
  return (scope) => read(scope) ?? either(others.flatMap((other) => other(scope) ?? []))
}

const either = (values: readonly FieldValue[]): FieldValue | undefined => (values.length > 0 ? values : undefined)

/** Makes an expression ready; it is absent when a part of it is. */
export const expressionReader = (expression: Expression): Reader => {
  switch (expression.kind) {
    case 'field':
      return fieldReader(expression.name)
    case 'literal':
      return () => expression.text
    case 'list':
      return listReader(expression.items.map(expressionReader))
    case 'call': {
      const args = listReader(expression.args.map(expressionReader))
      const { transformer, option } = expression
      return (scope) => {
        const values = args(scope)
        return values && apply(transformer, values, option)
      }
    }
  }
}

const listReader =
  (readers: readonly Reader[]) =>
  (scope: Scope): FieldValue[] | undefined => {
    const values = readers.map((read) => read(scope))
    return values.every((value) => value !== undefined) ? values : undefined
  }

const apply = (transformer: Transformer, args: readonly FieldValue[], option?: string): FieldValue | undefined => {
  const [first = '', second = ''] = args
  switch (transformer) {
    case 'toupper':
      return each(first, (text) => text.toUpperCase())
    case 'tolower':
      return each(first, (text) => text.toLowerCase())
    case 'basename':
      return each(first, (text) => text.slice(text.lastIndexOf('/') + 1))
    case 'b64':
      return each(first, fromBase64)
    case 'len':
      return Array.isArray(first) ? first.length : Buffer.byteLength(textOf(first))
    case 'concat':
      return args.map(textOf).join('')
    case 'join':
      return listOf(second).map(textOf).join(textOf(first))
    case 'getopt':
      return options(wordsOf(first), textOf(second), option)
  }
}

const options = (args: readonly string[], allowed: string, option?: string): FieldValue | undefined =>
  option === undefined ? readOptions(args, allowed) : readOption(args, allowed, option)

/** A list member by member; absent when the text cannot be transformed. */
const each = (value: FieldValue, transform: (text: string) => string | undefined): FieldValue | undefined => {
  const values = listOf(value).map((one) => transform(textOf(one)))
  if (!values.every((one) => one !== undefined)) return undefined
  return Array.isArray(value) ? values : values[0]
}

/** Decodes, with or without padding. */
const fromBase64 = (text: string): string | undefined =>
  /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.replace(/=+$/, '').length % 4 !== 1
    ? Buffer.from(text, 'base64').toString()
    : undefined

const listOf = (value: FieldValue): readonly FieldValue[] =>
  Array.isArray(value) ? (value as readonly FieldValue[]) : [value]

/** Falco has the arguments of a process as a list; its JSON has them in one text, with blanks between. */
const wordsOf = (value: FieldValue): string[] =>
  typeof value === 'string' ? value.split(/\s+/).filter((word) => word !== '') : listOf(value).map(textOf)

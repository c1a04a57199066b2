/** Pieces of Liquid that a Go template is translated into. */

/** What is known of a value: it decides how it is printed, compared and taken as true. */
export type Kind = 'event' | 'map' | 'list' | 'any' | 'text' | 'int' | 'bool'

/** A value of a Go template, in Liquid. */
export interface Value {
  readonly kind: Kind
  /** A path or a literal; with `filtered` one with filters. */
  readonly text: string
  readonly filtered?: true
  /** It is a condition. */
  readonly test?: Condition
  /** A literal's value. */
  readonly constant?: string | number | boolean
  /** It is these, one after another. */
  readonly pieces?: readonly Value[]
}

/** A Liquid literal; what could end it or the tag around it is escaped. */
export const quoted = (text: string): string =>
  `"${text.replaceAll(/["\\{}%\p{Cc}]/gu, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`

export const textValue = (constant: string): Value => ({ kind: 'text', text: quoted(constant), constant })

export const NOTHING: Value = textValue('')

/** A text that Liquid leaves as it is. Half of a tag at the end could be made whole by what follows. */
export const literalText = (text: string): string => text.replaceAll(/\{(?=[{%]|$)/g, '{% raw %}{{% endraw %}')

/** Such keys need no escape in `path["key"]`, also where a path is read without Liquid. */
export const isPlainKey = (key: string): boolean => /^[^"'\\{}%\p{Cc}]+$/u.test(key)

/** A condition; one without `and` and `or` has an opposite. */
export interface Condition {
  readonly text: string
  readonly joined?: 'and' | 'or'
  readonly opposite: string
}

/** The condition that a value is true in Go: it is not empty, and not `false`. */
export const truth = ({ kind, text, constant, test }: Value): Condition => {
  if (constant !== undefined) return { text: String(Boolean(constant)), opposite: String(!constant) }
  if (test) return test
  if (kind === 'bool') return { text, opposite: `${text} == false` }
  if (kind === 'int') return { text: `${text} != 0`, opposite: `${text} == 0` }
  return { text: `${text} and ${text} != empty`, joined: 'and', opposite: '' }
}

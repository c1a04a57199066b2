/** One file read: its value, and for each part of it where it stands and where it comes from. */

export type Path = readonly (string | number)[]

/** Offsets into the text; the end is excluded. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Where a value stands and what it comes from. */
export interface Place {
  readonly key?: Span
  readonly value: Span
  /** `env NAME`, `file PATH`, or undefined for the text of the file itself. */
  readonly from?: string
  /** The whole scalar is one `${...}`: it may become a number or a truth value. */
  readonly reference?: boolean
  /** A reference in it could not be resolved; that has been told. */
  readonly broken?: boolean
  /** A scalar's decoded text, to find a part of it in the source. */
  readonly text?: string
}

/** A parsed file. */
export interface Document {
  /** As the user named it. */
  readonly file: string
  readonly text: string
  /** Plain data; references are resolved. Undefined for an empty file. */
  readonly value: unknown
  /** False when the YAML is broken and `value` is not to be used. */
  readonly parsed: boolean
  readonly places: ReadonlyMap<string, Place>
  /** No part of it comes from a reference. */
  readonly plain?: boolean
  /** Parts of the text that are never shown. Filled while the settings are checked. */
  readonly secrets: Set<Span>
}

/** The key of a path in {@link Document.places}. */
export const placeKey = (path: Path): string => JSON.stringify(path)

export const placeOf = (document: Document, path: Path): Place | undefined => document.places.get(placeKey(path))

/** The span of what a path names; of its nearest parent when it is not there. */
export const spanOf = (
  document: Document,
  path: Path,
  options: { key?: boolean; offset?: number | undefined } = {},
): Span => {
  for (let taken = path.length; taken >= 0; taken--) {
    const place = placeOf(document, path.slice(0, taken))
    if (!place) continue
    if (taken < path.length || options.key) return firstLine(document, place.key ?? place.value)
    return options.offset === undefined
      ? firstLine(document, place.value)
      : partOf(document, place.value, place.text ?? '', options.offset)
  }
  return { start: 0, end: 0 }
}

const firstLine = ({ text }: Document, { start, end }: Span): Span => {
  const cut = text.slice(start, end).search(/[ \t]*\r?\n/)
  return { start, end: cut < 0 ? end : start + cut }
}

/**
 * Where the character `offset` of a decoded scalar stands in the source: YAML folds and indents white space but keeps
 * the words, so the n-th same word of the one is the n-th of the other.
 */
const partOf = ({ text }: Document, { start, end }: Span, decoded: string, offset: number): Span => {
  const word = /^(?:\$\{[^}\n]*\}?|[\w.-]+|\S)/.exec(decoded.slice(offset))?.[0]
  const raw = text.slice(start, end)
  if (word === undefined) {
    const last = start + raw.trimEnd().length
    return { start: Math.max(start, last - 1), end: last }
  }
  const before = decoded.slice(0, offset).split(word).length - 1
  let at = raw.indexOf(word)
  for (let seen = 0; seen < before && at >= 0; seen++) at = raw.indexOf(word, at + word.length)
  return at < 0 ? { start, end } : { start: start + at, end: start + at + word.length }
}

/** The line of a path, from 1. */
export const lineOf = (document: Document, path: Path): number =>
  document.text.slice(0, spanOf(document, path, { key: true }).start).split('\n').length

/** Gives the line of an offset, from 1. */
export type LineFinder = (offset: number) => number

/** For many offsets of one text. */
export const lineFinder = (text: string): LineFinder => {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

/** A path as people write it: `outputs.slack.headers`, `steps[1].with`. */
export const pathText = (path: Path): string =>
  path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('')

/** Reads a condition's text token by token; which tokens are possible depends on the place, as in Falco's parser. */
import { ConditionError } from './ast.ts'

export interface Scanner {
  /** Where the next token starts, 0-based in characters. Blanks are skipped. */
  offset(): number
  isEnd(): boolean
  /** Takes the token when it is next: a sticky pattern; undefined when it is not. */
  take(pattern: RegExp): string | undefined
  /** Takes a text in quotes, without them and with its escapes read; undefined when no quote is next. */
  quoted(): string | undefined
  /** What is next, for a message. */
  found(): string
}

const BLANKS = /\s*/y
const NEXT = /[\w.-]+|[^\s]/y

export const createScanner = (text: string): Scanner => {
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  const offset = (): number => (at += match(BLANKS)?.length ?? 0)
  const take = (pattern: RegExp): string | undefined => {
    offset()
    const token = match(pattern)
    at += token?.length ?? 0
    return token
  }
  return {
    offset,
    take,
    isEnd: () => offset() === text.length,
    found: () => (offset() === text.length ? 'the end' : (match(NEXT) ?? 'the end')),
    quoted() {
      const start = offset()
      const quote = text[start]
      if (quote !== '"' && quote !== "'") return undefined
      const end = closing(text, start)
      if (end < 0) throw unclosed(text, start)
      at = end + 1
      return unescaped(text, start, end)
    },
  }
}

/** A quote behind a backslash never closes, whatever stands before that backslash: so does Falco. */
const closing = (text: string, start: number): number => {
  const quote = text[start] as string
  let end = text.indexOf(quote, start + 1)
  while (end > 0 && text[end - 1] === '\\') end = text.indexOf(quote, end + 1)
  return end
}

const unclosed = (text: string, start: number): ConditionError =>
  new ConditionError(
    `this quote is never closed${/\\["']\W*$/.test(text) ? String.raw`; write a backslash at the end as \x5c` : ''}`,
    start,
  )

/** Falco's escapes; `\ ` is a backslash there too. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  [' ', '\\'],
  ['\\', '\\'],
  ['/', '/'],
])

const unescaped = (text: string, start: number, end: number): string => {
  let result = ''
  for (let at = start + 1; at < end; at++) {
    const char = text[at] as string
    if (char !== '\\') {
      result += char
      continue
    }
    const escape = text[++at] as string
    const hex = escape === 'x' ? /^[0-9a-fA-F]{2}/.exec(text.slice(at + 1, end))?.[0] : undefined
    const plain = escape === text[start] ? escape : ESCAPES.get(escape)
    if (hex === undefined && plain === undefined) throw notAnEscape(escape, at - 1)
    if (hex !== undefined) at += 2
    result += hex === undefined ? plain : String.fromCharCode(Number.parseInt(hex, 16))
  }
  return result
}

const notAnEscape = (escape: string, offset: number): ConditionError => {
  const known = String.raw`\\ \n \t \r \b \f \/ \xHH and the quote itself`
  return new ConditionError(`\\${escape} is no escape: there are ${known}; a backslash is \\\\`, offset)
}

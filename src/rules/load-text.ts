/** A condition put together of the texts that override each other, and the way back from a place in it to its file. */
import { type NotedDefinitions, readCondition, type ReadCondition } from '../config/expressions.ts'
import { type Tell, titleOf } from './load-items.ts'
import type { Piece } from './load-merge.ts'

/** A condition as it reads when all is appended. */
export interface ConditionText {
  readonly text: string
  readonly parts: readonly { readonly piece: Piece; readonly start: number }[]
}

/** Falco appends as text, with a space between; undefined when there is none, or one of the wrong type. */
export const conditionText = (pieces: readonly Piece[] = []): ConditionText | undefined => {
  if (pieces.length === 0 || pieces.some(({ value }) => typeof value !== 'string')) return undefined
  const texts = pieces.map(({ value }) => value as string)
  let start = 0
  const parts = pieces.map((piece, i) => {
    const part = { piece, start }
    start += (texts[i] ?? '').length + 1
    return part
  })
  return { text: texts.join(' '), parts }
}

/** Tells something about a place in the text, where it stands in the files. */
export const tellInText = (
  { parts }: ConditionText,
  problems: Tell,
  { message, offset, warning = false }: { message: string; offset?: number; warning?: boolean },
): void => {
  const part = parts.findLast(({ start }) => start <= (offset ?? 0)) ?? parts[0]
  if (!part) return
  const { item, path, value } = part.piece
  const inside = offset === undefined ? undefined : Math.min(offset - part.start, String(value).length)
  const where = { path, offset: inside }
  problems.add(item.document, where, `${titleOf(item)}condition: ${message}`, warning ? 'warning' : 'error')
}

/** What the text means; when it cannot be read, that is told. */
export const readText = (whole: ConditionText, definitions: NotedDefinitions, problems: Tell): ReadCondition => {
  const read = readCondition(whole.text, definitions)
  if (read.fault) tellInText(whole, problems, read.fault)
  else warnOfBinding(whole, problems)
  return read
}

/** Told once. `a or b` with `and c` appended is `a or (b and c)`: what was meant as a restriction leaves a branch open. */
const warnOfBinding = (whole: ConditionText, problems: Tell): void => {
  const { text, parts } = whole
  const or = parts.length > 1 ? openOr(text) : undefined
  const part = parts.find(({ piece, start }, i) => i > 0 && or !== undefined && or < start && beginsWithAnd(piece))
  if (!part) return
  const message =
    `this \`and\` holds only for the last branch of the \`or\` before it, as in Falco; ` +
    `put the condition at ${parts[0]?.piece.item.origin ?? ''} in parentheses, or replace it`
  tellInText(whole, problems, { message, offset: part.start, warning: true })
}

const beginsWithAnd = ({ value }: Piece): boolean => /^\s*and(?![\w.-])/.test(String(value))

/** Where the first `or` outside of all parentheses stands. */
const openOr = (text: string): number | undefined => {
  let depth = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[()]|[^\s()"']+/gs)) {
    if (token === '(') depth++
    else if (token === ')') depth--
    else if (token === 'or' && depth === 0) return index
  }
  return undefined
}

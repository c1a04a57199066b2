/** Cuts a body into the JSON texts of its events, without parsing numbers: every digit stays. */

const NEWLINE_INSIDE = /\n\s*\S/

/**
 * @param ndjson the sender said so by the content type
 * @returns one text for a single event; several for a JSON array or newline-delimited JSON
 */
export const splitBody = (
  body: string,
  ndjson: boolean,
): { readonly batch: boolean; readonly texts: readonly string[] } => {
  const text = body.trim()
  const items = text.startsWith('[') ? splitArray(text) : undefined
  if (items) return { batch: true, texts: items }
  if (ndjson || (NEWLINE_INSIDE.test(text) && isLines(text))) return { batch: true, texts: linesOf(text) }
  return { batch: false, texts: [text] }
}

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

/** More than one line, and the first is an event of its own: not one pretty-printed object. */
const isLines = (text: string): boolean => isJson(text.slice(0, text.indexOf('\n')))

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The texts of the items of a JSON array; undefined when the brackets do not add up. */
export const splitArray = (text: string): string[] | undefined => {
  const items: string[] = []
  let depth = 0
  let start = 1
  let i = 0
  const take = (end: number): void => {
    const item = text.slice(start, end).trim()
    if (item) items.push(item)
    start = end + 1
  }
  for (; i < text.length; i++) {
    const char = text[i]
    if (char === '"') i = endOfString(text, i)
    else if (char === '[' || char === '{') depth++
    else if (char === ']' || char === '}') depth--
    else if (char === ',' && depth === 1) take(i)
    if (depth === 0) break
  }
  if (depth !== 0 || text.slice(i + 1).trim() !== '') return undefined
  take(i)
  return items
}

/** The index of the quote that closes the string opened at `from`. */
const endOfString = (text: string, from: number): number => {
  let i = from + 1
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i
}

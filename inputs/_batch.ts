/** Cuts a body into the JSON texts of its events, without parsing numbers: every digit stays. */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a

const opens = (char: number): boolean => char === 0x5b || char === 0x7b
const closes = (char: number): boolean => char === 0x5d || char === 0x7d

/**
 * The events of a body that is not lines: of a JSON array, of objects one right after another, or the one it is.
 * @returns a single text that may be anything when it is none of these
 */
export const splitBody = (body: string): { readonly batch: boolean; readonly texts: readonly string[] } => {
  const text = body.startsWith('{') ? body : body.trim()
  const items = splitArray(text) ?? (text.includes('}{') ? splitStream(text) : undefined)
  return items ? { batch: true, texts: items } : { batch: false, texts: [text] }
}

/** The texts of the items of a JSON array; undefined when it is none, or its brackets do not add up. */
export const splitArray = (text: string): string[] | undefined => {
  const end = text.startsWith('[') ? endOfValue(text, 0) : undefined
  if (end === undefined || text.slice(end).trim() !== '') return undefined
  return pieces(text, end - 1)
}

/** The texts of the members of a JSON object by name; undefined when it is none. Of one name the last counts. */
export const splitMembers = (text: string): ReadonlyMap<string, string> | undefined => {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{') || endOfValue(trimmed, 0) !== trimmed.length) return undefined
  const members = pieces(trimmed, trimmed.length - 1).map(memberOf)
  return members.every((one) => one !== undefined) ? new Map(members) : undefined
}

/** The texts of objects that follow each other with nothing in between; undefined when it is one, or something else. */
const splitStream = (text: string): string[] | undefined => {
  const items: string[] = []
  for (let from = 0; from < text.length;) {
    const end = text.startsWith('{', from) ? endOfValue(text, from) : undefined
    if (end === undefined) return undefined
    items.push(text.slice(from, end))
    from = end
    while (from < text.length && text.charCodeAt(from) <= 0x20) from++
  }
  return items.length > 1 ? items : undefined
}

const memberOf = (piece: string): [string, string] | undefined => {
  if (!piece.startsWith('"')) return undefined
  const end = endOfString(piece, 0) + 1
  const colon = piece.slice(end).search(/\S/) + end
  if (piece.charCodeAt(colon) !== COLON) return undefined
  try {
    return [JSON.parse(piece.slice(0, end)) as string, piece.slice(colon + 1).trim()]
  } catch {
    return undefined
  }
}

/** What stands between the commas of the array or object that ends at `last`. */
const pieces = (text: string, last: number): string[] => {
  const found: string[] = []
  let depth = 0
  let start = 1
  const take = (end: number): void => {
    const piece = text.slice(start, end).trim()
    if (piece) found.push(piece)
    start = end + 1
  }
  for (let i = 0; i < last; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) i = endOfString(text, i)
    else if (opens(char)) depth++
    else if (closes(char)) depth--
    else if (char === COMMA && depth === 1) take(i)
  }
  take(last)
  return found
}

/** The index after the bracket that closes the one at `from`; undefined when none does. */
const endOfValue = (text: string, from: number): number | undefined => {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) i = endOfString(text, i)
    else if (opens(char)) depth++
    else if (closes(char) && --depth === 0) return i + 1
  }
  return undefined
}

/** The index of the quote that closes the string opened at `from`; the length of the text when none does. */
const endOfString = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at
  }
  return text.length
}

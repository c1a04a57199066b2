/** Texts of strangers on a terminal. */

/** What could move the cursor, recolour the screen or turn the direction of reading; tab and line feed are left. */
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** The text with what a terminal would obey written out. */
export const printable = (text: string): string =>
  text.replaceAll(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** The text on one line, cut to a length. */
export const oneLine = (text: string, length: number): string => {
  const flat = printable(text.replaceAll(/\s+/g, ' ').trim())
  return flat.length <= length ? flat : `${flat.slice(0, length - 1)}…`
}

/** UTC, to the second. */
export const timeText = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ')

/** JSON that a terminal shows as it is. */
export const jsonText = (value: unknown): string => `${printable(JSON.stringify(value, null, 2))}\n`

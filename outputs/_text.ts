/** Text that came with an event, made fit for where it goes: shortened with a mark, or safe to print. */

const MARK = '… [cut]'

/**
 * At most `max` UTF-16 units of a text; a longer one ends in `… [cut]`. Never half of a character: a lone surrogate
 * becomes U+FFFD.
 * @param escape applied to what is kept; the limit holds for the escaped text, and no `&entity;` is cut in two
 * @example clip('abcdefghijkl', 10) // 'abc… [cut]'
 */
export const clip = (text: string, max: number, escape: (text: string) => string = (same) => same): string => {
  const whole = escape(text.slice(0, max + 1).toWellFormed())
  if (text.length <= max && whole.length <= max) return whole
  const kept = whole.slice(0, Math.max(0, max - MARK.length))
  return `${kept.replace(/&[a-z]{0,4}$|[\uD800-\uDBFF]$/, '')}${MARK}`.slice(0, max)
}

/** What a terminal could obey or what turns the reading direction: C0, DEL, C1, separators of lines, bidi marks. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const NAMES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const hex = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/**
 * A text on one line that no terminal obeys: control and direction characters are written as `\n` or `\u001b`.
 * @example printable('a\u001b[2Jb') // 'a\\u001b[2Jb'
 */
export const printable = (text: string): string => text.replaceAll(UNSAFE, (one) => NAMES[one] ?? hex(one))

/**
 * JSON text whose strings hold no control or direction character, only their escapes: the same value, safe to `cat`.
 * Takes text without line breaks between its members, as `toJson(value)` gives.
 */
export const printableJson = (json: string): string => json.replaceAll(UNSAFE, hex)

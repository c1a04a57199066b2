/** Texts of strangers on a terminal: what they may do to it, and how many columns they take. */

/** What a terminal would obey, or what turns the direction of reading; all but joiners, which emoji and scripts need. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu

/**
 * The text on one line, with what could move the cursor, recolour the screen or hide something written out.
 * @example plainLine('a\n\u001b[2J') // 'a \\u001b[2J'
 */
export const plainLine = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, ' ')
    .replaceAll(UNSAFE, (char) => {
      const code = (char.codePointAt(0) ?? 0).toString(16)
      return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
    })

const ASCII = /^[ -~]*$/

/** What takes two columns: East Asian Width W and F (Unicode Standard Annex 11). */
const WIDE =
  /^[\u1100-\u115f\u231a\u231b\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u

const EMOJI = /^(?:\p{Emoji_Presentation}|\p{Regional_Indicator}{2})|\p{Extended_Pictographic}\ufe0f|\u20e3$/u

const NOTHING = /^[\p{M}\p{Cf}\p{Cc}]/u

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })

const columnsOf = (grapheme: string): number =>
  NOTHING.test(grapheme) ? 0 : WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1

/**
 * How many columns of a terminal a text takes.
 * @example textWidth('日本') // 4
 */
export const textWidth = (text: string): number => {
  if (ASCII.test(text)) return text.length
  let width = 0
  for (const { segment } of GRAPHEMES.segment(text)) width += columnsOf(segment)
  return width
}

/**
 * The beginning of a text, in at most so many columns; no character is cut in two.
 * @example cutText('terminal', 5) // 'term…'
 */
export const cutText = (text: string, columns: number): string => {
  if (text.length * 2 <= columns || textWidth(text) <= columns) return text
  let width = 1
  let cut = ''
  for (const { segment } of GRAPHEMES.segment(text)) {
    width += columnsOf(segment)
    if (width > columns) break
    cut += segment
  }
  return `${cut}…`
}

/** @example bytesText(1536) // '1.5 KiB' */
export const bytesText = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1)
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]}`
}

/** Numbers in texts, with every digit of an integer kept. */

/** A bigint of more digits takes long to read; no field has them. */
const MAX_DIGITS = 1_000

/**
 * The number that a text is, as Falco writes them: `12`, `-1`, `0x1f`, `1.5`, `1e+3`; undefined when it is none.
 * @example exactNumber('1769860800123456789') // 1769860800123456789n
 */
export const exactNumber = (text: string): number | bigint | undefined => {
  if (text.length > MAX_DIGITS) return undefined
  if (/^[+-]?\d+$/.test(text)) return BigInt(text.replace('+', ''))
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return BigInt(text)
  return /^[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined
}

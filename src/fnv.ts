/** FNV-1a, a hash that gives every program the same id for the same text. No defence against anybody. */

const PRIME = (1n << 88n) | 0x13bn
const OFFSET = 0x6c62272e07bb014262b821756295c58dn

/**
 * FNV-1a of 128 bits over the text's UTF-8, as 32 hexadecimal digits.
 *
 * Source: RFC 9923 (The FNV Non-Cryptographic Hash Algorithm).
 * @example fnv128('42') // '088094c785ab1be95aa073305569c06b'
 */
export const fnv128 = (text: string): string => {
  let hash = OFFSET
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(128, (hash ^ BigInt(byte)) * PRIME)
  return hash.toString(16).padStart(32, '0')
}

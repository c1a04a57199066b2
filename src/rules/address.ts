/** IP addresses and ranges, IPv4 and IPv6. */
import { isIP } from 'node:net'

/**
 * Whether a text is an address inside a range, or the same address; undefined when the range is neither. An IPv4 address
 * written as IPv6 (`::ffff:10.0.0.1`), as a socket of both families has it, is the IPv4 address.
 * @example addressTest('10.0.0.0/8')?.('10.1.2.3') // true
 * @example addressTest('::1')?.('0:0:0:0:0:0:0:1') // true
 */
export const addressTest = (range: string): ((text: string) => boolean) | undefined => {
  const [, address = '', written] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? []
  const network = bytesOf(address)
  if (!network) return undefined
  const most = network.length * 8
  const mapped = address.includes(':') && network.length === 4 ? 96 : 0
  const bits = written === undefined ? most : Number(written) - mapped
  if (bits < 0 || bits > most) return undefined
  return (text) => {
    const own = bytesOf(text)
    return own?.length === network.length && sharePrefix(own, network, bits)
  }
}

const sharePrefix = (a: readonly number[], b: readonly number[], bits: number): boolean => {
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false
  const shift = 8 - (bits & 7)
  return shift === 8 || (a[whole] ?? 0) >> shift === (b[whole] ?? 0) >> shift
}

/** The 4 or 16 bytes of an address; undefined when it is none. */
const bytesOf = (text: string): readonly number[] | undefined => {
  switch (isIP(text)) {
    case 4:
      return text.split('.').map(Number)
    case 6:
      return unmapped(ipv6Bytes(text))
    default:
      return undefined
  }
}

const ipv6Bytes = (text: string): readonly number[] => {
  const [head = [], tail] = text.replace(/%.*$/, '').split('::').map(groupBytes)
  return tail ? [...head, ...Array<number>(16 - head.length - tail.length).fill(0), ...tail] : head
}

/** Groups of two bytes; the last one may be an IPv4 address. */
const groupBytes = (text: string): number[] =>
  text.split(':').flatMap((group) => {
    if (group === '') return []
    if (group.includes('.')) return group.split('.').map(Number)
    const number = Number.parseInt(group, 16)
    return [number >> 8, number & 255]
  })

const unmapped = (bytes: readonly number[]): readonly number[] =>
  bytes.every((byte, i) => i >= 12 || byte === (i < 10 ? 0 : 255)) ? bytes.slice(12) : bytes

/** Points in time as databases of metrics and traces have them. */

/**
 * Nanoseconds since 1970 of an RFC 3339 time, with every digit up to the ninth.
 * @example nanosOf('2026-01-31T12:00:00.123456789Z') // 1769860800123456789n
 */
export const nanosOf = (time: string): bigint => {
  const [, fraction = ''] = /\.(\d+)/.exec(time) ?? []
  const seconds = Date.parse(time.replace(/\.\d+/, '')) / 1_000
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
}

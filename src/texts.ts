/** Every text in a value of JSON. */

/**
 * The value with each of its texts changed; names of members stay, and so do errors.
 * @example mapTexts({ a: ['x', 1] }, (text) => text.toUpperCase()) // { a: ['X', 1] }
 */
export const mapTexts = <T>(value: T, change: (text: string) => string): T => {
  const of = (one: unknown): unknown => {
    if (typeof one === 'string') return change(one)
    if (Array.isArray(one)) return one.map(of)
    if (typeof one !== 'object' || one === null || one instanceof Error) return one
    return Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, of(inner)]))
  }
  return of(value) as T
}

/** Settings as their leaves: each in turn becomes a template. */

export type Path = readonly (string | number)[]

/** Every leaf of a value, in order. */
export const leavesOf = (value: unknown, path: Path = []): readonly Path[] => {
  if (typeof value !== 'object' || value === null) return [path]
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return entries.flatMap(([key, inner]) => leavesOf(inner, [...path, key]))
}

/** The value with another leaf at a path. */
export const withLeaf = (value: unknown, [key, ...rest]: Path, leaf: string): unknown => {
  if (key === undefined) return leaf
  const inner = withLeaf((value as Readonly<Record<string, unknown>>)[key], rest, leaf)
  if (Array.isArray(value)) return value.with(Number(key), inner)
  return { ...(value as object), [key]: inner }
}

/** @example nameOf(['patch', 0, 'op']) // 'patch.0.op' */
export const nameOf = (path: Path): string => path.join('.')

/** Every text in a JSON value, keys too. */
export const textsIn = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  const keys = Array.isArray(value) ? [] : Object.keys(value)
  return [...keys, ...Object.values(value).flatMap(textsIn)]
}

/** The same of a text that may be JSON. */
export const textsOf = (text: string): readonly string[] => {
  try {
    return [text, ...textsIn(JSON.parse(text))]
  } catch {
    return [text]
  }
}

/** Every object in a JSON value. */
export const objectsIn = (value: unknown): readonly Readonly<Record<string, unknown>>[] => {
  if (typeof value !== 'object' || value === null) return []
  return [value as Readonly<Record<string, unknown>>, ...Object.values(value).flatMap(objectsIn)]
}

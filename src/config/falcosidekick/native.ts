/** The native configuration while it is being put together, with the place that each part comes from. */
import { type Document, type Path, type Place, placeKey, placeOf } from '../document.ts'
import type { Found } from './source.ts'

/** What a variable gave stays a reference to it where nothing but its type was changed. */
const placed = ({ place, value, path }: Found, part: unknown): Place =>
  path === undefined && String(part) === value && typeof part !== 'object' ? { ...place, reference: true } : place

/** A tree of settings. */
export interface Native {
  readonly value: Record<string, unknown>
  readonly places: Map<string, Place>
  /** Sets a value; maps on the way are made. */
  set(path: readonly string[], value: unknown, found?: Found): void
  has(path: readonly string[]): boolean
}

export const createNative = (document: Document): Native => {
  const value: Record<string, unknown> = {}
  const places = new Map<string, Place>()

  /** Parts of a value that have the same name in the file stand there. */
  const locate = (path: Path, part: unknown, place: Place, from: Path | undefined): void => {
    places.set(placeKey(path), place)
    if (typeof part !== 'object' || part === null || !from) return
    for (const [name, inner] of Object.entries(part)) {
      const key = Array.isArray(part) ? Number(name) : name
      const own = placeOf(document, [...from, key])
      if (own) locate([...path, key], inner, own, [...from, key])
    }
  }

  return {
    value,
    places,
    set(path, part, found) {
      const last = path.at(-1) ?? ''
      let map = value
      for (const key of path.slice(0, -1)) map = (map[key] ??= {}) as Record<string, unknown>
      map[last] = part
      if (found) locate(path, part, placed(found, part), found.path)
    },
    has: (path) =>
      path.reduce<unknown>((map, key) => (map as Record<string, unknown> | undefined)?.[key], value) !== undefined,
  }
}

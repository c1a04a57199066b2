/** The values of another chart -> those of ours: what stays, what is called otherwise, what there is nothing for. */
import { isDeepStrictEqual } from 'node:util'
import { type Document, type Path, type Place, placeKey, placeOf } from '../document.ts'
import type { Problems } from '../problems.ts'

/** What becomes of one value, and of all below it. */
export interface Row {
  /** Its path: `service.port`. */
  readonly key: string
  /** Ours. Without it the value has no counterpart, or is read by itself. */
  readonly to?: string
  /** As ours has it; undefined leaves it out. Default: as it is. */
  readonly as?: (value: unknown) => unknown
  /** What to say where it is set. */
  readonly tell?: string
  /** What the other chart has by itself, when that is not empty: of this nothing is said, and it is not taken over. */
  readonly usual?: unknown
  /** Whether it says anything. Default: always. */
  readonly when?: (value: unknown) => boolean
}

export type Values = Record<string, unknown>

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A value by its path; undefined when it is not there. */
export const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, key) => (isMap(inner) ? inner[key] : undefined), value)

/** Whether there is no more in a value than empty texts, lists and maps. */
export const isBlank = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.values(value).every(isBlank))

/** The same, or it is off: such are most defaults of charts. */
export const isEmpty = (value: unknown): boolean =>
  value === false || isBlank(value) || (typeof value === 'object' && Object.values(value ?? {}).every(isEmpty))

/** A number or a switch that is written as text, which Helm takes too, as what it says. */
export const plain = (value: unknown): unknown =>
  typeof value === 'string' && /^(true|false|0|[1-9]\d{0,9})$/.test(value) ? JSON.parse(value) : value

/** Sets a value; maps on the way are made, and what stands there and is none is left alone. */
export const put = (values: Values, path: string, value: unknown): void => {
  const keys = split(path)
  const last = keys.pop() ?? ''
  let map = values
  for (const key of keys) {
    const inner = (map[key] ??= {})
    if (!isMap(inner)) return
    map = inner
  }
  map[last] = isMap(map[last]) && isMap(value) ? { ...map[last], ...value } : value
}

/** Dots in a key are written as `\.`. */
const split = (path: string): string[] => path.split(/(?<!\\)\./).map((part) => part.replaceAll('\\.', '.'))

/**
 * Moves what the rows say into `values`, and tells of what has no counterpart, the same of several at once, and of what
 * the chart does not know.
 */
export const move = (document: Document, rows: readonly Row[], values: Values, problems: Problems): void => {
  const told = new Map<string, Path[]>()
  const walk = (value: unknown, path: Path): void => {
    const name = path.join('.')
    const row = rows.find(({ key }) => key === name)
    if (row) return moveRow(row, value, path)
    const isSection = path.length === 0 || rows.some(({ key }) => key.startsWith(`${name}.`))
    if (isMap(value) && isSection) for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key])
    else if (!isSection) problems.add(document, { path, key: true }, `${name} is no value of that chart`, 'warning')
    else if (!isEmpty(value)) problems.add(document, { path }, `${name} must be a map, as in that chart`)
  }
  const moveRow = (
    { to, as = (one) => one, tell, usual, when = () => true }: Row,
    value: unknown,
    path: Path,
  ): void => {
    if (isEmpty(value) || !when(value) || (usual !== undefined && isDeepStrictEqual(value, usual))) return
    const moved = to === undefined ? undefined : as(value)
    if (to !== undefined && moved !== undefined) put(values, to, moved)
    if (tell !== undefined) told.set(tell, [...(told.get(tell) ?? []), path])
  }
  walk(document.value, [])
  for (const [tell, [first = [], ...more]] of told) {
    const names = [first, ...more].map((path) => path.join('.')).join(', ')
    problems.add(document, { path: first, key: true }, `${names}: ${tell}`, 'warning')
  }
}

/** Which key stands for which, by the path; undefined leaves it out. */
export type Rename = (path: Path, value: unknown) => string | undefined

/** A part of a document as a document of its own, its keys called otherwise; each place is that in the file. */
export const reroot = (document: Document, from: Path, rename: Rename = (path) => String(path.at(-1))): Document => {
  const places = new Map<string, Place>()
  const copy = (value: unknown, path: Path, to: Path): unknown => {
    const place = placeOf(document, [...from, ...path])
    if (place) places.set(placeKey(to), place)
    if (Array.isArray(value)) return value.map((item, i) => copy(item, [...path, i], [...to, i]))
    if (!isMap(value)) return value
    const copied: Values = {}
    for (const [key, inner] of Object.entries(value)) {
      const name = rename([...path, key], inner)
      if (name !== undefined) copied[name] = copy(inner, [...path, key], [...to, name])
    }
    return copied
  }
  const part = valueAt(document.value, from)
  return { ...document, value: copy(isMap(part) ? part : {}, [], []), places }
}

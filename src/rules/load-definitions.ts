/** Lists and macros of all files -> what conditions are compiled with. */
import { placeOf } from '../config/document.ts'
import type { NotedDefinitions } from '../config/expressions.ts'
import type { Condition } from './condition.ts'
import { type Tell, titleOf } from './load-items.ts'
import { type Entry, listOf, type Merged, type Piece, tellForm } from './load-merge.ts'
import { Named } from './load-named.ts'
import { conditionText, readText } from './load-text.ts'

/** The lists and macros of all files. */
export interface FileDefinitions extends NotedDefinitions {
  /** Warns of those that nothing named. */
  tellUnused(problems: Tell): void
}

/** Reads the lists and macros, in any order; what is wrong with them is told at their place. */
export const readDefinitions = ({ list, macro }: Merged, problems: Tell): FileDefinitions => {
  for (const entry of [...list.values(), ...macro.values()]) tellForm(entry, problems)
  const lists: Named<readonly string[]> = new Named(list, {
    kind: 'list',
    nothing: [],
    make: (entry) => expand(entry, lists, problems),
    sizeOf: (values) => values.length,
    limit: 1_000_000,
  })
  const macros: Named<Condition> = new Named(macro, {
    kind: 'macro',
    nothing: NEVER,
    make: (entry) => {
      const text = conditionText(entry.pieces.get('condition'))
      return (text && readText(text, definitions, problems))?.condition ?? NEVER
    },
    sizeOf,
    limit: 10_000,
  })
  const definitions: NotedDefinitions = {
    lists,
    macros,
    put: (parse) => {
      const before = lists.count + macros.count
      const value = lists.within(() => macros.within(parse))
      return { value, named: lists.count + macros.count > before }
    },
  }
  lists.makeAll()
  macros.makeAll()
  return {
    ...definitions,
    tellUnused: (to) => {
      for (const { item } of [...lists.unused(), ...macros.unused()]) {
        const where = { path: [...item.path, item.kind] }
        to.add(item.document, where, `${titleOf(item)}nothing names this ${item.kind}`, 'warning')
      }
    },
  }
}

/** In place of a macro that cannot be read: it holds for nothing. */
const NEVER: Condition = { kind: 'or', items: [] }

/** Comparisons, and what joins them. */
const sizeOf = (condition: Condition): number => {
  if (condition.kind === 'check') return 1
  const items = condition.kind === 'not' ? [condition.item] : condition.items
  return items.reduce((size, item) => size + sizeOf(item), 1)
}

/** The values of a list with those of the lists it names; each once. A list's own name in it is a plain value. */
const expand = (entry: Entry, lists: ReadonlyMap<string, readonly string[]>, problems: Tell): string[] => {
  const values = new Set<string>()
  for (const piece of listOf(entry, 'items')) {
    const text = textOf(piece)
    if (text === entry.item.name || !lists.has(text)) values.add(unquoted(text))
    else for (const value of inner(text, piece, lists, problems)) values.add(value)
  }
  return [...values]
}

const inner = (
  name: string,
  { item, path }: Piece,
  lists: ReadonlyMap<string, readonly string[]>,
  problems: Tell,
): readonly string[] => {
  try {
    return lists.get(name) ?? []
  } catch (error) {
    problems.add(item.document, { path }, `${titleOf(item)}${(error as Error).message}`)
    return []
  }
}

/** Numbers and truth values as they are written: `0644`, `1e3`, `yes`. */
const textOf = ({ value, item, path }: Piece): string => {
  const place = placeOf(item.document, path)
  return typeof value === 'string' || !place || place.from
    ? String(value)
    : item.document.text.slice(place.value.start, place.value.end)
}

/** An item may hold quotes of its own, as those with spaces do in Falco's rules. */
const unquoted = (text: string): string => {
  const inside = /^"((?:[^"\\]|\\.)*)"$|^'((?:[^'\\]|\\.)*)'$/s.exec(text)
  return inside ? (inside[1] ?? inside[2] ?? '').replaceAll(/\\(.)/gs, '$1') : text
}

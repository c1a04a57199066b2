/**
 * The items of all files, in order -> what they make together, as Falco merges them: an item replaces an earlier one of
 * its name, unless it says how its keys change that one. A replaced item keeps its place in the order.
 */
import type { Path } from '../config/document.ts'
import { suggestion } from '../config/suggest.ts'
import { type How, type Item, type Kind, type Tell, titleOf } from './load-items.ts'

/** A value, and where it stands. */
export interface Piece {
  readonly value: unknown
  readonly item: Item
  readonly path: Path
}

/** What one name stands for. Its keys hold the pieces they are made of, in order. */
export interface Entry {
  /** The item that began it. */
  readonly item: Item
  /** That one and those that change it. */
  readonly items: Item[]
  /** The criteria of `match` are keys of their own: `match.tags`. */
  readonly pieces: Map<string, Piece[]>
}

export type Entries = Map<string, Entry>

export interface Merged {
  readonly rule: Entries
  readonly list: Entries
  readonly macro: Entries
  readonly action: Entries
  /** Rules that a later one replaces. */
  readonly replaced: Entry[]
}

/** @example mergeItems(files.flatMap(readItems), problems).rule.get('Shell') */
export const mergeItems = (items: readonly Item[], problems: Tell): Merged => {
  const merged: Merged = { rule: new Map(), list: new Map(), macro: new Map(), action: new Map(), replaced: [] }
  for (const item of items) {
    if (item.changes) change(merged, item, item.changes, problems)
    else define(merged, item, problems)
  }
  return merged
}

/** The last value of a key. */
export const valueOf = ({ pieces }: Entry, key: string): unknown => pieces.get(key)?.at(-1)?.value

/** The entries of a key's lists, each with its place. */
export const listOf = ({ pieces }: Entry, key: string): Piece[] =>
  (pieces.get(key) ?? []).flatMap(({ value, item, path }) =>
    Array.isArray(value) ? value.map((one: unknown, i) => ({ value: one, item, path: [...path, i] })) : [],
  )

const define = (merged: Merged, item: Item, problems: Tell): void => {
  const entries = merged[item.kind]
  const before = entries.get(item.name)
  const entry: Entry = { item, items: [item], pieces: new Map() }
  for (const key of Object.keys(item.value)) set(entry, item, key)
  entries.set(item.name, entry)
  if (!before) return
  const again = `defined again at ${item.origin}`
  for (const other of before.items.slice(1)) noEffect(other, [], again, problems)
  if (item.kind !== 'rule') return tellForm(before, problems)
  merged.replaced.push(before)
  const message = `replaces the rule of this name at ${before.item.origin}; to change that one, use \`override\``
  problems.add(item.document, { path: [...item.path, 'rule'] }, `${titleOf(item)}${message}`, 'warning')
}

/** Tells what is wrong with the form of an entry's items. */
export const tellForm = ({ items }: Entry, problems: Tell): void => {
  for (const { faults } of items) faults.release(problems)
}

/** Among more names than these, the nearest is not looked for. */
const MANY = 1_000

const change = (merged: Merged, item: Item, changes: Readonly<Record<string, How>>, problems: Tell): void => {
  const entry = merged[item.kind].get(item.name)
  if (!entry) {
    item.faults.release(problems)
    const known = merged[item.kind]
    const more = known.size <= MANY ? suggestion(item.name, known.keys()) : ''
    const message = `there is no ${item.kind} of this name before it that it could change${more}`
    return problems.add(item.document, { path: [...item.path, item.kind] }, `${titleOf(item)}${message}`)
  }
  entry.items.push(item)
  for (const [key, how] of Object.entries(changes)) {
    if (how === 'append') append(entry, item, key, problems)
    else {
      drop(entry, item, key, problems)
      set(entry, item, key)
    }
  }
}

/** Other names of keys. */
const SAME: Readonly<Record<string, string>> = { desc: 'description', tags: 'match.tags', priority: 'match.priority' }

const nameOf = (kind: Kind, key: string): string => (kind === 'rule' ? (SAME[key] ?? key) : key)

const pieceOf = (item: Item, key: string): Piece => ({ value: item.value[key], item, path: [...item.path, key] })

const set = (entry: Entry, item: Item, key: string): void => {
  const piece = pieceOf(item, key)
  entry.pieces.set(nameOf(item.kind, key), [piece])
  if (key !== 'match' || typeof piece.value !== 'object' || piece.value === null) return
  for (const [criterion, value] of Object.entries(piece.value)) {
    entry.pieces.set(`match.${criterion}`, [{ value, item, path: [...piece.path, criterion] }])
  }
}

/** What would be another meaning than more of the same: a criterion where there was none. */
const NEEDS_FIRST: Readonly<Record<string, string>> = { condition: 'condition', tags: 'match.tags' }

const append = (entry: Entry, item: Item, key: string, problems: Tell): void => {
  const before = entry.pieces.get(nameOf(item.kind, key))
  if (before) return void before.push(pieceOf(item, key))
  if (!(key in NEEDS_FIRST)) return set(entry, item, key)
  const message = `${key}: the ${item.kind} at ${entry.item.origin} has no ${NEEDS_FIRST[key]} to append to; use replace`
  problems.add(item.document, { path: [...item.path, key], key: true }, `${titleOf(item)}${message}`)
}

const drop = (entry: Entry, item: Item, key: string, problems: Tell): void => {
  const name = nameOf(item.kind, key)
  const gone = [...entry.pieces].filter(([one]) => one === name || one.startsWith(`${name}.`))
  for (const [one, pieces] of gone) {
    entry.pieces.delete(one)
    for (const { item: from, path } of pieces) {
      const key = String(path[from.path.length])
      if (from !== entry.item) noEffect(from, [key], `replaced at ${item.origin}`, problems)
    }
  }
}

const noEffect = (item: Item, path: Path, why: string, problems: Tell): void => {
  const what = path.length > 0 ? String(path[0]) : 'this change'
  const where = path.length > 0 ? [...item.path, ...path] : [...item.path, item.kind]
  const message = `${titleOf(item)}${what} has no effect, it is ${why}`
  problems.add(item.document, { path: where, key: path.length > 0 }, message, 'warning')
}

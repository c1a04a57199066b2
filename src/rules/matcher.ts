/** Which rules an event matches: an index, so that the cost does not grow with the number of rules. */
import type { FieldValue } from '../event.ts'
import type { Scope } from '../names.ts'
import { type Key, keyOf, type Lookup, lookupOf, offerOf } from './anchors.ts'
import type { Predicate } from './condition.ts'
import { compileCriteria, readSelection, type Selection } from './selection.ts'
import { mostSelective, subjectId } from './selectivity.ts'

export { compileSelection, type Selection } from './selection.ts'

export interface Matcher<R> {
  /** The matching rules in the order they were given. */
  match(scope: Scope): R[]
  /** How many rules there are. */
  readonly size: number
}

interface Entry<R> {
  readonly rule: R
  readonly order: number
  readonly holds: Predicate
  /** The last turn in which it was asked: it can be found by several anchors. */
  asked: number
}

/** The rules that are filed under the values of one subject. */
interface Drawer<R> {
  readonly read: Lookup
  readonly entries: Map<Key, Entry<R>[]>
}

/**
 * Builds the index. Each rule is filed under the most selective values that an event must have to match it; those found
 * by an event's values are asked, and those that can be filed under nothing.
 * @throws YarakError `config` naming what is wrong with a rule
 * @example createMatcher([{ name: 'Shell', match: { rules: ['Terminal shell in container'] } }]).match({ event })
 */
export const createMatcher = <R extends Selection>(rules: readonly R[]): Matcher<R> => {
  const { drawers, everywhere } = filed(rules)
  let turn = 0
  const ask = (entries: readonly Entry<R>[] | undefined, scope: Scope, found: Entry<R>[]): void => {
    if (!entries) return
    for (const entry of entries) {
      if (entry.asked === turn) continue
      entry.asked = turn
      if (entry.holds(scope)) found.push(entry)
    }
  }
  return {
    size: rules.length,
    match(scope) {
      const found: Entry<R>[] = []
      turn++
      for (const { read, entries } of drawers) {
        const value = read(scope)
        if (Array.isArray(value)) for (const one of value as FieldValue[]) ask(entries.get(keyOf(one)), scope, found)
        else if (value !== undefined) ask(entries.get(keyOf(value)), scope, found)
      }
      ask(everywhere, scope, found)
      return found.sort((a, b) => a.order - b.order).map(({ rule }) => rule)
    },
  }
}

interface Filed<R> {
  readonly drawers: readonly Drawer<R>[]
  /** Those that must be asked of every event. */
  readonly everywhere: readonly Entry<R>[]
}

const filed = <R extends Selection>(rules: readonly R[]): Filed<R> => {
  const criteria = rules.map(readSelection)
  const drawers = new Map<string, Drawer<R>>()
  const everywhere: Entry<R>[] = []
  for (const [order, anchors] of mostSelective(criteria.map(offerOf)).entries()) {
    const entry = { rule: rules[order] as R, order, holds: compileCriteria(criteria[order] ?? {}), asked: 0 }
    if (!anchors) everywhere.push(entry)
    for (const { subject, keys } of anchors ?? []) {
      const id = subjectId(subject)
      const drawer = drawers.get(id) ?? { read: lookupOf(subject), entries: new Map<Key, Entry<R>[]>() }
      drawers.set(id, drawer)
      for (const key of keys) put(drawer.entries, key, entry)
    }
  }
  return { drawers: [...drawers.values()], everywhere }
}

/** The branches of an `or` may offer the same value: the last one in a list may be this. */
const put = <R>(entries: Drawer<R>['entries'], key: Key, entry: Entry<R>): void => {
  const list = entries.get(key)
  if (!list) entries.set(key, [entry])
  else if (list.at(-1) !== entry) list.push(entry)
}

/**
 * The one resolver of names, for conditions, `if`, templates and filters.
 * Reserved roots win; any other name is a Falco field, dots included; `fields["x"]` reaches any field.
 */
import { type FalcoEvent, type FieldValue } from './event.ts'
import type { StepReport } from './plugin.ts'
import type { Target } from './target.ts'

/** What names can be looked up in. */
export interface Scope {
  readonly event: FalcoEvent
  readonly target?: Target
  readonly cluster?: string
  readonly steps?: Readonly<Record<string, StepReport>>
  readonly response?: { readonly id: string; readonly trace?: string | undefined; readonly mode: string }
  readonly context?: Readonly<Record<string, unknown>>
}

/** A name cut into its parts; `[x]` and `["x"]` are parts of their own, marked as indexes. */
export type NamePath = readonly (string | number)[]

type Root = (scope: Scope) => unknown

const ROOTS: ReadonlyMap<string, Root> = new Map<string, Root>([
  ['rule', (scope) => scope.event.rule],
  ['priority', (scope) => scope.event.priority],
  ['source', (scope) => scope.event.source],
  ['tags', (scope) => scope.event.tags],
  ['hostname', (scope) => scope.event.hostname],
  ['output', (scope) => scope.event.output],
  ['time', (scope) => scope.event.time],
  ['uuid', (scope) => scope.event.uuid],
  ['input', (scope) => scope.event.input],
  ['fields', (scope) => scope.event.fields],
  ['target', (scope) => scope.target],
  ['cluster', (scope) => scope.cluster],
  ['steps', (scope) => scope.steps],
  ['response', (scope) => scope.response],
  ['context', (scope) => scope.context],
])

/** The names that are not Falco fields. */
export const RESERVED: readonly string[] = [...ROOTS.keys()]

/**
 * Looks up a path of parts; undefined when there is nothing.
 * @example lookup(['k8s', 'pod', 'name'], scope)
 */
export const lookup = (path: NamePath, scope: Scope): unknown => {
  const [first, ...rest] = path
  if (first === undefined) return undefined
  if (isFieldPath(path)) return fieldAt(rest, scope.event)
  const root = ROOTS.get(String(first))
  return root ? walk(root(scope), rest) : fieldAt(path, scope.event)
}

const walk = (value: unknown, path: NamePath): unknown => {
  let inner = value
  for (const part of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, part)) {
      return part === 'size' && path.at(-1) === part && Array.isArray(inner) ? inner.length : undefined
    }
    inner = (inner as Record<string | number, unknown>)[part]
  }
  return inner
}

/** A flat name that an event may have, in its spellings, and the path that is then left to walk. */
interface Candidate {
  readonly names: readonly string[]
  readonly rest: NamePath
}

/** Falco's fields are flat names with dots; the longest name that is there wins, the rest is walked. */
const candidatesOf = (path: NamePath): Candidate[] =>
  path.map((_, left) => {
    const head = path.slice(0, path.length - left)
    const names = head.length > 1 ? [head.join('.'), bracketed(head)] : [String(head[0])]
    return { names, rest: path.slice(head.length) }
  })

const fieldAt = (path: NamePath, event: FalcoEvent): FieldValue | undefined => firstField(candidatesOf(path), event)

const firstField = (candidates: readonly Candidate[], event: FalcoEvent): FieldValue | undefined => {
  for (const { names, rest } of candidates) {
    for (const name of names) {
      const value = event.field(name)
      if (value !== undefined && value !== null) return rest.length === 0 ? value : (walk(value, rest) as FieldValue)
    }
  }
  return undefined
}

/** `proc.aname[2]`, `k8s.pod.label[app]`: the last part as Falco writes an argument. */
const bracketed = (path: NamePath): string => `${path.slice(0, -1).join('.')}[${path.at(-1)}]`

/**
 * Cuts a name as written in a condition into a path.
 * @example parseName('steps.mark.outcome') // ['steps', 'mark', 'outcome']
 * @example parseName('fields["x.y"]') // ['fields', 'x.y']
 */
export const parseName = (name: string): NamePath => {
  const parts: (string | number)[] = []
  for (const match of name.matchAll(/([^.[\]]+)|\[(?:"([^"]*)"|'([^']*)'|([^\]]*))\]/g)) {
    const bare = match[4]
    parts.push(
      bare !== undefined && /^\d+$/.test(bare) ? Number(bare) : (match[1] ?? match[2] ?? match[3] ?? bare ?? ''),
    )
  }
  return parts
}

/** A lookup made ready once: names without reserved roots are tried as one flat field first. */
export const compileName = (name: string): ((scope: Scope) => unknown) => {
  const path = parseName(name)
  if (isFieldPath(path)) {
    const candidates = candidatesOf(path.slice(1))
    return ({ event }) => firstField(candidates, event)
  }
  if (ROOTS.has(String(path[0]))) return (scope) => lookup(path, scope)
  const candidates = candidatesOf(path)
  return ({ event }) => event.field(name) ?? firstField(candidates, event)
}

const isFieldPath = (path: NamePath): boolean => path[0] === 'fields' && path.length > 1

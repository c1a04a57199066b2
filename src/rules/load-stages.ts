/** The entries of a list of steps in files: where each is told of, which run together, and what their ids are. */
import type { Tell } from './load-items.ts'
import type { Piece } from './load-merge.ts'

export type Raw = Record<string, unknown>

/** A step as it stands in a file. */
export interface Placed extends Piece {
  /** How messages begin: `rule "A": ` and `steps[0]`. */
  readonly title: string
  readonly label: string
  readonly problems: Tell
  /** The step that became this one and those after it. */
  readonly outer?: Placed
}

/** A step with its id. */
export interface Identified extends Placed {
  readonly id: string
}

/** What runs at the same time. */
export interface Stage<P extends Placed = Identified> {
  readonly members: readonly P[]
  readonly group: boolean
}

export const isMap = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const stageOf = (step: Placed): Stage<Placed> => {
  const inner = isMap(step.value) ? step.value['parallel'] : undefined
  if (!Array.isArray(inner)) return { members: [step], group: false }
  const members = inner.map((value: unknown, i) => ({
    ...step,
    value,
    path: [...step.path, 'parallel', i],
    label: `${step.label}.parallel[${i}]`,
  }))
  return { members, group: true }
}

/**
 * The stages of all lists of a rule with the ids of their steps, as `chain.ts` gives them: the action's name, with a
 * number from the second one on. A given id must be the only one.
 */
export const identify = (lists: readonly (readonly Stage<Placed>[])[]): (readonly Stage[])[] => {
  const taken = new Map<string, Placed>()
  const name = (step: Placed): Identified => ({ ...step, id: takeId(step, taken) })
  return lists.map((stages) => stages.map(({ members, group }) => ({ members: members.map(name), group })))
}

const takeId = (step: Placed, taken: Map<string, Placed>): string => {
  const given = givenId(step)
  const first = given === undefined ? undefined : taken.get(given)
  if (first) tellTwice(step, first, String(given))
  const name = nameOf(step.value)
  const id = given ?? (name === '' ? '' : unused(name, taken))
  if (!first) taken.set(id, step)
  return id
}

const givenId = ({ value }: Placed): string | undefined =>
  isMap(value) && typeof value['id'] === 'string' ? value['id'] : undefined

const nameOf = (value: unknown): string => {
  if (!isMap(value)) return ''
  if (typeof value['action'] === 'string') return value['action'].replaceAll(/[^A-Za-z0-9_-]/g, '-')
  return 'wait' in value ? 'wait' : ''
}

/** @example unused('log', new Set(['log'])) // 'log-2' */
export const unused = (name: string, taken: { has(id: string): boolean }): string => {
  if (!taken.has(name)) return name
  for (let n = 2; ; n++) if (!taken.has(`${name}-${n}`)) return `${name}-${n}`
}

const tellTwice = ({ item, path, title, label, problems }: Placed, first: Placed, id: string): void => {
  const where = first.item === item ? '' : ` at ${first.item.origin}`
  problems.add(
    item.document,
    { path: [...path, 'id'] },
    `${title}${label}.id: ${first.label}${where} is named ${id} too`,
  )
}

export const idsIn = (stages: readonly Stage[]): string[] =>
  stages.flatMap(({ members }) => members.flatMap(({ id }) => (id === '' ? [] : [id])))

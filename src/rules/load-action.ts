/** Actions that files compose of others: a step that names one becomes its steps, with its parameters put in. */
import type { Document, Path } from '../config/document.ts'
import { suggestion } from '../config/suggest.ts'
import type { Tell } from './load-items.ts'
import { titleOf } from './load-items.ts'
import { type Entry, listOf, type Piece, valueOf } from './load-merge.ts'
import { isMap, type Placed, type Raw, unused } from './load-stages.ts'
import { conditionFault, STEP_NAME, type StepMaker, tell, tellFault } from './load-step.ts'

/** An action that is composed of steps. */
export interface Composed {
  readonly entry: Entry
  /** The ids of its steps, in order. */
  readonly ids: readonly string[]
  /** Nothing is wrong with it. */
  readonly sound: boolean
}

export interface ComposedActions extends ReadonlyMap<string, Composed> {
  /** Those that a step has named. */
  readonly used: Set<string>
}

/** What a parameter stands for, and where that is written. */
export interface Given {
  readonly value: unknown
  readonly document: Document
  readonly path: Path
}

/** A leaf that holds a parameter. */
interface Moved {
  readonly at: Path
  readonly from: Given
}

/** The parameters that an action declares. */
export const paramsOf = (entry: Entry): Readonly<Record<string, unknown>> => {
  const params = valueOf(entry, 'params')
  return isMap(params) ? params : {}
}

/** The steps of a list, those of composed actions in place of the steps that name them. */
export const unfold = (steps: readonly Placed[], several: Map<string, string>, maker: StepMaker): readonly Placed[] =>
  steps.flatMap((step) => {
    const type = isMap(step.value) ? step.value['action'] : undefined
    const composed = typeof type === 'string' ? maker.composed.get(type) : undefined
    return composed ? expand(step, composed, several, maker) : [step]
  })

const KEYS = ['action', 'with', 'id', 'if']

const expand = (step: Placed, composed: Composed, several: Map<string, string>, maker: StepMaker): Placed[] => {
  const raw = step.value as Raw
  const { name } = composed.entry.item
  maker.composed.used.add(name)
  const strange = Object.keys(raw).filter((key) => !KEYS.includes(key))
  for (const key of strange) {
    tell(step, [key], `.${key}: ${name} is composed of steps; set it at those`, { key: true })
  }
  const given = givenTo(step, composed)
  const { if: condition } = raw
  const fault = typeof condition === 'string' ? conditionFault(condition, maker) : undefined
  if (fault) tellFault(step, ['if'], fault)
  if (strange.length > 0 || !given || fault || !composed.sound) return [{ ...step, value: undefined }]
  const id = typeof raw['id'] === 'string' ? raw['id'] : unused(name, several)
  several.set(id, `${id}-${composed.ids[0]}`)
  return stepsOf(step, composed, given, { id, condition })
}

/** What the parameters are; undefined when one is missing or not known. */
const givenTo = (step: Placed, { entry }: Composed): ReadonlyMap<string, Given> | undefined => {
  const { with: settings } = step.value as Raw
  const own = isMap(settings) ? settings : {}
  const params = paramsOf(entry)
  const { name } = entry.item
  const unknown = Object.keys(own).filter((key) => !Object.hasOwn(params, key))
  for (const key of unknown) {
    const known = suggestion(key, Object.keys(params))
    tell(step, ['with', key], `.with.${key} is not a parameter of ${name}${known}`, { key: true })
  }
  const here = Object.entries(own).map(([key, value]): [string, Given] => [
    key,
    { value, document: step.item.document, path: [...step.path, 'with', key] },
  ])
  const given = new Map([...defaultsOf(entry), ...here])
  const missing = Object.keys(params).filter((key) => !given.has(key))
  for (const key of missing) tell(step, ['with'], `.with: ${name} needs the parameter ${key}`)
  return unknown.length + missing.length > 0 ? undefined : given
}

/** The parameters that have a default. */
export const defaultsOf = (entry: Entry): ReadonlyMap<string, Given> => {
  const { document, path } = entry.item
  return new Map(
    Object.entries(paramsOf(entry)).flatMap(([key, param]): [string, Given][] =>
      isMap(param) && 'default' in param
        ? [[key, { value: param['default'], document, path: [...path, 'params', key, 'default'] }]]
        : [],
    ),
  )
}

interface Use {
  readonly id: string
  /** Of the step that names the action. */
  readonly condition: unknown
}

const stepsOf = (
  step: Placed,
  { entry, ids }: Composed,
  given: ReadonlyMap<string, Given>,
  { id: outer, condition }: Use,
): Placed[] => {
  const names = new Map(ids.map((id) => [id, `${outer}-${id}`]))
  const left = [...names.values()]
  const finish = (raw: unknown): unknown => {
    if (!isMap(raw)) return raw
    if (Array.isArray(raw['parallel'])) return { parallel: raw['parallel'].map(finish) }
    const both = [condition, raw['if']].flatMap((one) => (typeof one === 'string' ? [`(${one})`] : []))
    return { ...raw, id: left.shift(), ...(both.length > 0 && { if: both.join(' and ') }) }
  }
  return insert(entry, given, step, (raw) => renamed(raw, names)).map((piece, i) => ({
    ...piece,
    value: finish(piece.value),
    ...(i === 0 && { outer: step }),
  }))
}

/** The steps of a composed action with parameters put in; what is wrong with these is told where they are given. */
export const insert = (
  entry: Entry,
  given: ReadonlyMap<string, Given>,
  told: Pick<Placed, 'problems'> & Partial<Placed>,
  change: (raw: unknown) => unknown = (raw) => raw,
): Placed[] => {
  const moved: Moved[] = []
  const place = (piece: Piece): Placed => ({
    ...piece,
    value: fill(change(piece.value), piece.path, { given, moved }),
    title: titleOf(entry.item),
    label: `steps[${piece.path.at(-1)}]`,
    problems: redirected(moved, told),
  })
  return listOf(entry, 'steps').map(place)
}

/** To where a parameter is given; what is about none, to the step that names the action, if there is one. */
const redirected = (moved: readonly Moved[], { problems, item, path, title, label }: Partial<Placed>): Tell => ({
  add(document, where, message, severity) {
    const inner = 'path' in where ? where.path : []
    const found = moved.find(({ at }) => at.every((part, i) => part === inner[i]))
    if (found) {
      const { from, at } = found
      problems?.add(from.document, { path: [...from.path, ...inner.slice(at.length)] }, message, severity)
    } else if (!item || !path) problems?.add(document, where, message, severity)
    else if (severity !== 'warning') problems?.add(item.document, { path }, `${title}${label}: ${message}`)
  },
})

const PARAM = /\{\{-?\s*params\.(\w+)\s*-?\}\}/g
const ONE_PARAM = /^\{\{-?\s*params\.(\w+)\s*-?\}\}$/

interface Filling {
  readonly given: ReadonlyMap<string, Given>
  readonly moved: Moved[]
}

const fill = (value: unknown, at: Path, filling: Filling): unknown => {
  if (typeof value === 'string') return fillText(value, at, filling)
  if (Array.isArray(value)) return value.map((one, i) => fill(one, [...at, i], filling))
  if (!isMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner, [...at, key], filling)]))
}

/** A parameter alone keeps its type. */
const fillText = (text: string, at: Path, { given, moved }: Filling): unknown => {
  for (const [, name = ''] of text.matchAll(PARAM)) {
    const from = given.get(name)
    if (from) moved.push({ at, from })
  }
  const whole = given.get(ONE_PARAM.exec(text)?.[1] ?? '')
  if (whole) return whole.value
  return text.replaceAll(PARAM, (tag, name: string) => (given.has(name) ? textOf(given.get(name)?.value) : tag))
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** What is wrong with the use of parameters in a text: which one, and where. */
export const paramFault = (text: string, known: readonly string[]) => {
  for (const { 0: tag, index: offset } of text.matchAll(/\{[{%][^]*?[%}]\}/g)) {
    if (!/\bparams\b/.test(tag)) continue
    const name = ONE_PARAM.exec(tag)?.[1]
    if (name === undefined) return { message: `of params, only {{ params.<name> }} alone is replaced`, offset }
    if (!known.includes(name)) {
      return { message: `params.${name} is not declared${suggestion(name, known)}`, offset }
    }
  }
  return undefined
}

/** The steps of a composed action are known by other names where it is used. */
const renamed = (value: unknown, names: ReadonlyMap<string, string>): unknown => {
  if (!isMap(value)) return value
  const rename = (text: string): string =>
    text.replaceAll(STEP_NAME, (found, name: string) => (names.has(name) ? `steps.${names.get(name)}` : found))
  const inTags = (inner: unknown): unknown => {
    if (typeof inner === 'string') return inner.replaceAll(/\{[{%][^]*?[%}]\}/g, rename)
    if (Array.isArray(inner)) return inner.map(inTags)
    return isMap(inner) ? Object.fromEntries(Object.entries(inner).map(([key, one]) => [key, inTags(one)])) : inner
  }
  const { parallel, if: condition, onError, with: settings } = value
  if (Array.isArray(parallel)) return { parallel: parallel.map((one) => renamed(one, names)) }
  return {
    ...value,
    ...(typeof condition === 'string' && { if: rename(condition) }),
    ...(typeof onError === 'string' && { onError: names.get(onError) ?? onError }),
    ...(settings !== undefined && { with: inTags(settings) }),
  }
}

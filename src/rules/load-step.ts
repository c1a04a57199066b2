/** A step in files: its action looked up, its settings checked, its templates and conditions compiled. */
import { checkValue, type SchemaOf } from '../config/check.ts'
import type { Path } from '../config/document.ts'
import { type NotedDefinitions, readCondition, type TextChecks, type TextFault } from '../config/expressions.ts'
import type { Severity } from '../config/problems.ts'
import { suggestion } from '../config/suggest.ts'
import type { Action, Use } from '../plugin.ts'
import { isTemplate } from '../settings.ts'
import type { ComposedActions } from './load-action.ts'
import { contextsOfCondition, contextsOfTemplate, type NamedContext } from './contexts.ts'
import type { Tell } from './load-items.ts'
import { isMap, type Placed, type Raw } from './load-stages.ts'
import type { FullStep, StepInput } from './rule.ts'

/** What steps are made with. */
export interface StepMaker {
  readonly actions: ReadonlyMap<string, Action>
  /** Actions that files compose of others. */
  readonly composed: ComposedActions
  /** The ids of the outputs; undefined: not known. */
  readonly outputs: ReadonlySet<string> | undefined
  /** Those that keep files. */
  readonly stores: ReadonlyMap<string, unknown> | undefined
  /** What may be named as `context.<type>`; undefined: not known. */
  readonly contexts: readonly string[] | undefined
  readonly checks: TextChecks
  readonly definitions: NotedDefinitions
  readonly problems: Tell
  readonly schemaOf: SchemaOf
  /** The steps are those of a composed action, whose parameters are not known yet. */
  readonly open?: boolean
}

/** The ids of the steps around one. */
export interface Around {
  readonly before: readonly string[]
  /** Those of its group. */
  readonly peers: readonly string[]
  /** Those after it in its list, and names of several steps with the first of them. */
  readonly later: ReadonlyMap<string, string>
}

/** Undefined when it cannot be made. Faults of form (a wrong key, a wrong type) are told elsewhere. */
export const readStep = (step: Placed, around: Around, maker: StepMaker): StepInput | undefined => {
  const { value: raw } = step
  if (!isMap(raw)) return undefined
  const holds = readIf(step, raw['if'], around, maker)
  const condition = holds !== undefined && { if: holds }
  if (step.outer) tellNames(step.outer, ['if'], (step.outer.value as Raw)['if'], around)
  if ('wait' in raw) return { ...(raw as { wait: string }), ...condition }
  checkTemplates(step, raw['with'], around, maker)
  const goesOn = readJump(step, raw['onError'], around, maker)
  const action = readAction(step, raw, maker)
  const { action: _type, with: _settings, onError: _jump, ...rest } = raw
  return action && { ...rest, ...condition, ...(goesOn !== undefined && { onError: goesOn }), action }
}

const readAction = (step: Placed, raw: Raw, maker: StepMaker): FullStep['action'] | undefined => {
  const { action: type, with: settings } = raw
  if (typeof type !== 'string') return undefined
  const { item, path, title, label, problems } = step
  const { actions, composed, schemaOf } = maker
  const action = actions.get(type)
  if (!action) {
    const why = composed.has(type)
      ? 'is composed of several steps; it can stand neither in a group nor in another composed action'
      : `is not a known action${suggestion(type, [...actions.keys(), ...composed.keys()])}`
    tell(step, ['action'], `: ${type} ${why}`)
    return undefined
  }
  checkStore(step, action, maker)
  const checked = checkValue({
    document: item.document,
    path: [...path, 'with'],
    schema: action.config,
    value: settings ?? {},
    problems,
    name: `${title}${label}.with`,
    templates: true,
    schemaOf,
  })
  const use: Use<Action> = { id: action.type, plugin: action, config: checked?.value }
  return checked && use
}

/** Tells something about a part of a step. */
export const tell = (
  { item, path, title, label, problems }: Placed,
  at: Path,
  message: string,
  more: { readonly severity?: Severity; readonly offset?: number | undefined; readonly key?: boolean } = {},
): void => {
  const { severity, ...where } = more
  problems.add(item.document, { path: [...path, ...at], ...where }, `${title}${label}${message}`, severity)
}

export const tellFault = (step: Placed, at: Path, { message, offset }: TextFault): void =>
  tell(step, at, `.${at[0]}: ${message}`, { offset })

/** Parameters in it are put in where the action is used. */
const isOpen = (text: string, { open = false }: StepMaker): boolean => open && isTemplate(text)

const checkStore = (step: Placed, { type, saves }: Action, maker: StepMaker): void => {
  const { store } = step.value as Raw
  const { outputs, stores } = maker
  const known = [...(stores?.keys() ?? [])]
  if (store === undefined && saves === 'always') {
    const names = known.length > 0 ? `, one of ${known.join(', ')}` : ', an output that keeps files'
    tell(step, ['action'], `: ${type} makes files: name a \`store\`${names}`)
  }
  if (typeof store !== 'string' || !outputs || isOpen(store, maker) || known.includes(store)) return
  const why = outputs.has(store) ? 'keeps no files' : 'is not a configured output'
  tell(step, ['store'], `.store: ${store} ${why}${suggestion(store, known)}`)
}

/** The condition of a step, for the engine. */
const readIf = (step: Placed, text: unknown, around: Around, maker: StepMaker): FullStep['if'] => {
  if (typeof text !== 'string' || isOpen(text, maker)) return undefined
  const fault = conditionFault(text, maker)
  const { condition, setting } = readCondition(text, maker.definitions)
  if (fault) tellFault(step, ['if'], fault)
  else tellNames(step, ['if'], text, around)
  const named = condition ? contextsOfCondition(condition) : []
  if (isMap(step.value) && !('wait' in step.value)) checkContexts(step, ['if'], named, maker)
  else if (named[0]) tellFault(step, ['if'], { ...named[0], message: 'a pause looks up no context' })
  return setting
}

/** What is wrong with a condition of a step. */
export const conditionFault = (text: string, { definitions, checks }: StepMaker): TextFault | undefined => {
  const { setting, fault } = readCondition(text, definitions)
  return fault ?? checks.condition(setting)
}

/** Templates must compile, and name only contexts that there are, and steps that come before. */
const checkTemplates = (step: Placed, settings: unknown, around: Around, maker: StepMaker): void => {
  for (const { at, text } of templatesIn(settings, ['with'])) {
    const fault = maker.checks.template(text)
    if (fault) tellFault(step, at, fault)
    else tellNames(step, at, text, around)
    checkContexts(step, at, contextsOfTemplate(text), maker)
  }
}

const checkContexts = (step: Placed, at: Path, named: readonly NamedContext[], { contexts }: StepMaker): void => {
  const unknown = contexts && named.find(({ name }) => !contexts.includes(name))
  if (!unknown) return
  const { name, offset } = unknown
  tell(step, at, `.${at[0]}: there is no context ${name}${suggestion(name, contexts)}`, { offset })
}

/** Where a failure of a step leads; a name that stands for several steps is the first of them. */
const readJump = (step: Placed, onError: unknown, { later }: Around, maker: StepMaker): string | undefined => {
  if (typeof onError !== 'string' || isOpen(onError, maker)) return undefined
  if (onError === 'stop' || onError === 'continue') return onError
  const id = later.get(onError)
  if (id === undefined) {
    const known = suggestion(onError, ['stop', 'continue', ...later.keys()])
    tell(step, ['onError'], `.onError: no later step of the list has the id ${onError}${known}`)
  }
  return id
}

/** What a name of a step looks like, in conditions and templates. */
export const STEP_NAME = /(?<![\w."'-])steps\.([A-Za-z][\w-]*)/g

/** A step of the same group has no result yet, ever; another one may be meant to be added. */
const tellNames = (step: Placed, at: Path, text: unknown, { before, peers }: Around): void => {
  if (typeof text !== 'string') return
  for (const { 1: name = '', index: offset } of text.matchAll(STEP_NAME)) {
    if (before.includes(name)) continue
    if (peers.includes(name)) {
      const message = 'runs at the same time; only steps before the group have a result'
      tell(step, at, `.${at[0]}: steps.${name}: ${message}`, { offset })
    } else {
      const message = `no step before this one has that id${suggestion(name, before)}`
      tell(step, at, `.${at[0]}: steps.${name}: ${message}`, { offset, severity: 'warning' })
    }
    return
  }
}

function* templatesIn(value: unknown, at: Path): Generator<{ at: Path; text: string }> {
  if (isTemplate(value)) yield { at, text: value }
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      yield* templatesIn(inner, [...at, Array.isArray(value) ? Number(key) : key])
    }
  }
}

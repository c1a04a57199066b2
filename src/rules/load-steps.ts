/** The steps of a rule in files: the action looked up, its settings checked, its templates and conditions compiled. */
import { checkValue, type SchemaOf } from '../config/check.ts'
import type { Path } from '../config/document.ts'
import { type NotedDefinitions, readCondition, type TextChecks, type TextFault } from '../config/expressions.ts'
import { suggestion } from '../config/suggest.ts'
import type { Action, Change, Use } from '../plugin.ts'
import { isTemplate } from '../settings.ts'
import type { Tell } from './load-items.ts'
import type { Piece } from './load-merge.ts'
import type { RuleInput } from './rule.ts'

/** What steps are made with. */
export interface StepMaker {
  readonly actions: ReadonlyMap<string, Action>
  readonly checks: TextChecks
  readonly definitions: NotedDefinitions
  readonly problems: Tell
  readonly schemaOf: SchemaOf
}

type Raw = Record<string, unknown>

/** The steps, and the most that any of them does. */
export interface ReadSteps {
  /** Undefined when one cannot be made. */
  readonly steps: RuleInput['steps'] | undefined
  readonly changes: Change
}

/** Faults of form (a wrong key, a wrong type) are told elsewhere. */
export const readSteps = (pieces: readonly Piece[], title: string, maker: StepMaker): ReadSteps => {
  const all = pieces.map((piece): Placed => ({ ...piece, name: `${title}steps[${piece.path.at(-1)}]` }))
  checkIds(all, maker)
  const steps = all.map((step, i) => readStep(step, idsBefore(all, i), maker))
  const whole = steps.filter((step) => step !== undefined)
  return { steps: whole.length === steps.length ? whole : undefined, changes: worstOf(whole) }
}

/** A step as it stands in a file. */
interface Placed extends Piece {
  /** How messages begin. */
  readonly name: string
}

const isMap = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A step without an id gets one from its action, as in `chain.ts`: the name, and a number from the second one on. */
const idOf = ({ value }: Placed, taken: readonly string[]): string => {
  const { id, action } = isMap(value) ? value : {}
  if (typeof id === 'string' || typeof action !== 'string') return typeof id === 'string' ? id : ''
  const name = action.replaceAll(/[^A-Za-z0-9_-]/g, '-')
  if (!taken.includes(name)) return name
  for (let n = 2; ; n++) if (!taken.includes(`${name}-${n}`)) return `${name}-${n}`
}

const idsBefore = (steps: readonly Placed[], end: number): string[] =>
  steps.slice(0, end).reduce<string[]>((taken, step) => [...taken, idOf(step, taken)], [])

/** Two steps that only share the action's name are told apart by the engine; a given id must be the only one. */
const checkIds = (steps: readonly Placed[], { problems }: StepMaker): void => {
  const ids = idsBefore(steps, steps.length)
  for (const [i, step] of steps.entries()) {
    const given = isMap(step.value) ? step.value['id'] : undefined
    const j = ids.findIndex((id, at) => at !== i && id === given)
    const first = steps[j]
    if (typeof given !== 'string' || !first || (j > i && isMap(first.value) && 'id' in first.value)) continue
    const where = first.item === step.item ? '' : ` at ${first.item.origin}`
    const message = `${step.name}.id: steps[${first.path.at(-1)}]${where} is named ${given} too`
    problems.add(step.item.document, { path: [...step.path, 'id'] }, message)
  }
}

const readStep = (step: Placed, before: readonly string[], maker: StepMaker) => {
  const { value: raw, item, path, name } = step
  if (!isMap(raw)) return undefined
  const { action: type, with: settings, ...rest } = raw
  const holds = readIf(step, raw['if'], before, maker)
  checkTemplates(step, settings, before, maker)
  if (typeof type !== 'string') return undefined
  const { actions, problems, schemaOf } = maker
  const action = actions.get(type)
  if (!action) {
    const message = `${name}: ${type} is not a known action${suggestion(type, actions.keys())}`
    problems.add(item.document, { path: [...path, 'action'] }, message)
    return undefined
  }
  const checked = checkValue({
    document: item.document,
    path: [...path, 'with'],
    schema: action.config,
    value: settings ?? {},
    problems,
    name: `${name}.with`,
    templates: true,
    schemaOf,
  })
  const use: Use<Action> = { id: action.type, plugin: action, config: checked?.value }
  return checked && { ...rest, ...(holds !== undefined && { if: holds }), action: use }
}

const readIf = (
  step: Placed,
  text: unknown,
  before: readonly string[],
  { definitions, checks, problems }: StepMaker,
) => {
  if (typeof text !== 'string') return undefined
  const { setting, fault } = readCondition(text, definitions)
  const wrong = fault ?? checks.condition(setting)
  tell(step, ['if'], problems, wrong ?? laterStep(text, before))
  return setting
}

/** Templates must compile, and name only steps that come before. */
const checkTemplates = (
  step: Placed,
  settings: unknown,
  before: readonly string[],
  { checks, problems }: StepMaker,
): void => {
  for (const { at, text } of templatesIn(settings, ['with'])) {
    tell(step, at, problems, checks.template(text) ?? laterStep(text, before))
  }
}

type Fault = TextFault & { readonly warning?: true }

const tell = ({ item, path, name }: Placed, at: Path, problems: Tell, fault: Fault | undefined): void => {
  if (!fault) return
  const { message, offset, warning } = fault
  const where = { path: [...path, ...at], offset }
  problems.add(item.document, where, `${name}.${at[0]}: ${message}`, warning ? 'warning' : 'error')
}

const laterStep = (text: string, before: readonly string[]): Fault | undefined => {
  for (const match of text.matchAll(/(?<![\w."'-])steps\.([A-Za-z][\w-]*)/g)) {
    const name = match[1] ?? ''
    if (before.includes(name)) continue
    const message = `steps.${name}: no step before this one has that id${suggestion(name, before)}`
    return { message, offset: match.index, warning: true }
  }
  return undefined
}

function* templatesIn(value: unknown, at: Path): Generator<{ at: Path; text: string }> {
  if (isTemplate(value)) yield { at, text: value }
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      yield* templatesIn(inner, [...at, Array.isArray(value) ? Number(key) : key])
    }
  }
}

const CHANGES: readonly Change[] = ['nothing', 'reversible', 'destructive']

/** The most that any step does. */
const worstOf = (steps: readonly { readonly action: Use<Action> }[]): Change =>
  CHANGES[Math.max(0, ...steps.map(({ action }) => CHANGES.indexOf(changeOf(action))))] ?? 'nothing'

/** What depends on settings that are not known before they are rendered counts as the worst. */
const changeOf = ({ plugin: { changes, config: schema }, config }: Use<Action>): Change => {
  if (typeof changes !== 'function') return changes
  const settings = schema.safeParse(config)
  return settings.success ? changes(settings.data) : 'destructive'
}

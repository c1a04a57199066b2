/** The `steps` of a rule in a file: the action looked up, its settings checked, its templates and conditions compiled. */
import { checkValue } from '../config/check.ts'
import { type Document, type Path } from '../config/document.ts'
import type { TextChecks } from '../config/expressions.ts'
import type { Problems } from '../config/problems.ts'
import { suggestion } from '../config/suggest.ts'
import type { Action, Use } from '../plugin.ts'
import { isTemplate } from '../settings.ts'
import type { RuleInput } from './rule.ts'

/** Where the steps stand, and what they are checked with. */
export interface StepsContext {
  readonly document: Document
  readonly path: Path
  /** How messages begin. */
  readonly title: string
  readonly value: unknown
  readonly actions: readonly Action[]
  readonly checks: TextChecks
  readonly problems: Problems
}

type Raw = Record<string, unknown>

/** The steps, or undefined when one cannot be made. Faults of form (a wrong key, a wrong type) are told elsewhere. */
export const readSteps = (context: StepsContext): RuleInput['steps'] | undefined => {
  if (!Array.isArray(context.value)) return undefined
  const raw = context.value as unknown[]
  checkIds(context, raw)
  const steps = raw.map((step, i) => (isMap(step) ? readStep(context, step, i, idsBefore(raw, i)) : undefined))
  return steps.every((step) => step !== undefined) ? steps : undefined
}

const isMap = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value)

const idOf = (step: unknown): string => {
  const { id, action } = isMap(step) ? step : {}
  return typeof id === 'string' ? id : typeof action === 'string' ? action : ''
}

const idsBefore = (steps: readonly unknown[], end: number): string[] => steps.slice(0, end).map(idOf)

/** Two steps that only share the action's name are told apart by the engine; a given id must be the only one. */
const checkIds = ({ document, path, title, problems }: StepsContext, steps: readonly unknown[]): void => {
  for (const [i, step] of steps.entries()) {
    const given = isMap(step) ? step['id'] : undefined
    const first = steps.findIndex((other, j) => j !== i && idOf(other) === given)
    if (typeof given !== 'string' || first < 0 || (first > i && isMap(steps[first]) && 'id' in steps[first])) continue
    problems.add(
      document,
      { path: [...path, i, 'id'] },
      `${title}steps[${i}].id: steps[${first}] is named ${given} too`,
    )
  }
}

const readStep = (context: StepsContext, raw: Raw, i: number, before: readonly string[]) => {
  const { document, path, title, actions, problems } = context
  const { action: type, with: settings, ...rest } = raw
  checkTexts(context, raw, i, before)
  if (typeof type !== 'string') return undefined
  const action = actions.find((one) => one.type === type)
  const name = `${title}steps[${i}]`
  if (!action) {
    const more = suggestion(
      type,
      actions.map((one) => one.type),
    )
    problems.add(document, { path: [...path, i, 'action'] }, `${name}: ${type} is not a known action${more}`)
    return undefined
  }
  const at = [...path, i, 'with']
  const value = settings ?? {}
  const checked = checkValue({
    document,
    path: at,
    schema: action.config,
    value,
    problems,
    name: `${name}.with`,
    templates: true,
  })
  const use: Use<Action> = { id: action.type, plugin: action, config: checked?.value }
  return checked && { ...rest, action: use }
}

/** Conditions and templates must compile, and name only steps that come before. */
const checkTexts = (context: StepsContext, raw: Raw, i: number, before: readonly string[]): void => {
  const { path, checks } = context
  if (typeof raw['if'] === 'string') {
    const text = raw['if']
    tell(context, [...path, i, 'if'], `steps[${i}].if`, checks.condition(text) ?? laterStep(text, before))
  }
  for (const { at, text } of templatesIn(raw['with'], [...path, i, 'with'])) {
    tell(context, at, `steps[${i}].with`, checks.template(text) ?? laterStep(text, before))
  }
}

type Fault = { readonly message: string; readonly offset?: number; readonly warning?: true }

const tell = (
  { document, title, problems }: StepsContext,
  path: Path,
  name: string,
  fault: Fault | undefined,
): void => {
  if (!fault) return
  const { message, offset, warning } = fault
  problems.add(document, { path, offset }, `${title}${name}: ${message}`, warning ? 'warning' : 'error')
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

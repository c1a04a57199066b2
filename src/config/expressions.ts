/** The check of texts in the languages that rules hold: conditions, selections and templates. */
import { messageOf, YarakError } from '../errors.ts'
import { type Condition, ConditionError, type Definitions, parseCondition, predicate } from '../rules/condition.ts'
import { compileSelection, type Selection } from '../rules/matcher.ts'
import { parsed } from '../rules/parsed.ts'
import type { Match } from '../rules/rule.ts'
import { createTemplates } from '../template.ts'
import type { Document, Path } from './document.ts'
import type { Problems } from './problems.ts'

/** What is wrong with a text, and where in it when that is known (0-based). */
export interface TextFault {
  readonly message: string
  readonly offset?: number
}

/** Judges texts; undefined is good. */
export interface TextChecks {
  /** A leaf of `with` that holds `{{` or `{%`. */
  template(text: string): TextFault | undefined
  /** The `if` of a step. */
  condition(condition: string | Condition): TextFault | undefined
  /** What selects events: a `match` or a `condition`. */
  selection(selection: Selection): TextFault | undefined
}

/** The checks by the compilers that the engine uses. */
export const textChecks = (): TextChecks => {
  const templates = createTemplates()
  return {
    template: (text) =>
      placed(
        text,
        fault(() => templates.compile(text)),
      ),
    condition: (condition) => fault(() => predicate(parsed(condition))),
    selection: (selection) => fault(() => compileSelection(selection)),
  }
}

/** Lists and macros of rules files. */
export interface NotedDefinitions extends Definitions {
  /**
   * Parses one condition with them. `named`: whether it asked for any.
   * @throws YarakError `config` when all that they put in would be too large
   */
  put<T>(parse: () => T): { readonly value: T; readonly named: boolean }
}

/** A condition as it was read, or what is wrong with its text. */
export type ReadCondition =
  | {
      readonly condition: Condition
      /** For the engine: the text where that stands for itself, else with its lists and macros put in. */
      readonly setting: string | Condition
      readonly fault?: undefined
    }
  | { readonly condition?: undefined; readonly setting?: undefined; readonly fault: TextFault }

/** How deep comparisons may stand in a condition with its macros put in. */
const MAX_DEPTH = 500

/**
 * Reads a condition with the lists and macros that it may name.
 * @example readCondition('spawned and proc.name in (shells)', { lists, macros }).condition
 */
export const readCondition = (text: string, definitions?: NotedDefinitions): ReadCondition => {
  const parse = (): Condition => parseCondition(text, definitions)
  try {
    const { value: condition, named } = definitions?.put(parse) ?? { value: parse(), named: false }
    if (!fits(condition, MAX_DEPTH)) return { fault: { message: 'with its macros put in, it is nested too deeply' } }
    return { condition, setting: named ? condition : text }
  } catch (error) {
    return { fault: faultOf(error) }
  }
}

const fits = (condition: Condition, depth: number): boolean => {
  if (condition.kind === 'check') return true
  const items = condition.kind === 'not' ? [condition.item] : condition.items
  return depth > 0 && items.every((item) => fits(item, depth - 1))
}

const fault = (compile: () => unknown): TextFault | undefined => {
  try {
    compile()
    return undefined
  } catch (error) {
    return faultOf(error)
  }
}

const faultOf = (error: unknown): TextFault => {
  const message = error instanceof YarakError ? error.message : messageOf(error)
  return error instanceof ConditionError ? { message, offset: error.offset } : { message }
}

/** A template's fault names its line and column. */
const placed = (text: string, found: TextFault | undefined): TextFault | undefined => {
  const [prefix, line, column] = /^template, line (\d+), column (\d+): /.exec(found?.message ?? '') ?? []
  if (!found || prefix === undefined) return found
  const before = text.split('\n').slice(0, Number(line) - 1)
  const offset = before.reduce((sum, one) => sum + one.length + 1, 0) + Number(column) - 1
  return { message: found.message.slice(prefix.length), offset }
}

/** What {@link readSelection} reads. */
export interface SelectionPlace {
  readonly document: Document
  readonly path: Path
  readonly name: string
  readonly problems: Problems
  readonly checks: TextChecks
  readonly definitions: NotedDefinitions | undefined
}

/** Tells what is wrong with the `match` and the `condition` that stand at a path; gives the condition for the engine. */
export const readSelection = (
  { document, path, name, problems, checks, definitions }: SelectionPlace,
  { match, condition }: { match?: Match | undefined; condition?: string | undefined },
): string | Condition | undefined => {
  const matched = match && checks.selection({ match })
  if (matched) {
    const key = /^match\.(\w+)/.exec(matched.message)?.[1]
    problems.add(document, { path: [...path, 'match', ...(key ? [key] : [])] }, `${name}${matched.message}`)
  }
  if (condition === undefined) return undefined
  const read = readCondition(condition, definitions)
  const held = read.fault ?? checks.selection({ condition: read.condition })
  if (held) {
    problems.add(document, { path: [...path, 'condition'], offset: held.offset }, `${name}condition: ${held.message}`)
  }
  return held ? undefined : read.setting
}

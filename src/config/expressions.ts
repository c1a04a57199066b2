/** The check of texts in the languages that rules hold: conditions, selections and templates. */
import { messageOf, YarakError } from '../errors.ts'
import { compileCondition, ConditionError } from '../rules/condition.ts'
import { compileSelection } from '../rules/matcher.ts'
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
  condition(text: string): TextFault | undefined
  /** What selects events: a `match` or a `condition`. */
  selection(selection: { match?: Match; condition?: string }): TextFault | undefined
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
    condition: (text) => fault(() => compileCondition(text)),
    selection: (selection) => fault(() => compileSelection(selection)),
  }
}

const fault = (compile: () => unknown): TextFault | undefined => {
  try {
    compile()
    return undefined
  } catch (error) {
    const message = error instanceof YarakError ? error.message : messageOf(error)
    return error instanceof ConditionError ? { message, offset: error.offset } : { message }
  }
}

/** A template's fault names its line and column. */
const placed = (text: string, found: TextFault | undefined): TextFault | undefined => {
  const [prefix, line, column] = /^template, line (\d+), column (\d+): /.exec(found?.message ?? '') ?? []
  if (!found || prefix === undefined) return found
  const before = text.split('\n').slice(0, Number(line) - 1)
  const offset = before.reduce((sum, one) => sum + one.length + 1, 0) + Number(column) - 1
  return { message: found.message.slice(prefix.length), offset }
}

/** Tells what is wrong with the `match` and the `condition` that stand at a path. */
export const checkSelection = (
  { document, path, name, problems }: { document: Document; path: Path; name: string; problems: Problems },
  { match, condition }: { match?: Match | undefined; condition?: string | undefined },
  checks: TextChecks,
): void => {
  const matched = match && checks.selection({ match })
  const held = condition === undefined ? undefined : checks.selection({ condition })
  if (matched) {
    const key = /^match\.(\w+)/.exec(matched.message)?.[1]
    problems.add(document, { path: [...path, 'match', ...(key ? [key] : [])] }, `${name}${matched.message}`)
  }
  if (held) {
    problems.add(document, { path: [...path, 'condition'], offset: held.offset }, `${name}condition: ${held.message}`)
  }
}

/** Rules alone, without the configuration that they are part of: what `notify` may name is then not known. */
import type { Document } from '../config/document.ts'
import { textChecks } from '../config/expressions.ts'
import { beside, type Files } from '../config/files.ts'
import type { ConfigProblem, Problems } from '../config/problems.ts'
import type { Action } from '../plugin.ts'
import { openRules } from '../rules/load.ts'
import type { RuleInput } from '../rules/rule.ts'

/** What rules are read with. */
export interface RuleSource {
  readonly actions: readonly Action[]
  /** What steps may name as `context.<type>`. */
  readonly contexts: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly files: Files
  readonly problems: Problems
}

const COMMAND_LINE = 'command line'

/** The document that files named on the command line stand for. */
export const asDocument = (rules: readonly string[]): Document => ({
  file: COMMAND_LINE,
  text: '',
  value: { rules },
  parsed: true,
  places: new Map(),
  secrets: new Set(),
})

/**
 * The rules that the `rules` list of a document names; what is wrong is told to `problems`.
 * @example readRules(asDocument(['rules.yaml']), { actions, contexts: ['pod'], env, files, problems })
 */
export const readRules = (document: Document, source: RuleSource): RuleInput[] => {
  const { env, files } = source
  const references = { env, file: (path: string) => files.read(beside(document.file, path)) }
  return openRules(document, { ...source, outputs: undefined, checks: textChecks(), references }).rules()
}

/** Whoever typed an option has no file to look into. */
export const withoutPlace = (problem: ConfigProblem): ConfigProblem => {
  const { excerpt: _, ...rest } = problem
  return problem.file === COMMAND_LINE ? { ...rest, line: 1, column: 1 } : problem
}

export const hasErrors = (problems: readonly ConfigProblem[]): boolean =>
  problems.some(({ severity }) => severity === 'error')

/** What the commands that only look at rules load: rules files alone, or a configuration. */
import { systemFiles } from '../config/files.ts'
import { createProblems, printProblems } from '../config/problems.ts'
import { type GuardSettings, guardSettings } from '../guard.ts'
import type { Mode } from '../plugin.ts'
import type { RuleInput } from '../rules/rule.ts'
import { asDocument, hasErrors, readRules, withoutPlace } from '../rules-tools/read-rules.ts'
import { Exit, type Terminal } from './terminal.ts'

export interface RuleFlags {
  readonly rules?: readonly string[]
  readonly config?: string
}

export interface LoadedRules {
  readonly rules: readonly RuleInput[]
  readonly mode: Mode
  readonly guards: GuardSettings
  readonly cluster?: string | undefined
}

/** Loads, or ends the command; rules alone need only the actions, a configuration every plugin. */
export const loadRules = async (flags: RuleFlags, terminal: Terminal): Promise<LoadedRules> => {
  if (flags.rules && flags.config) {
    terminal.err('yarak: --config names the rules itself; leave out --rules\n')
    throw new Exit(2)
  }
  if (flags.rules) {
    return { rules: await rulesIn(flags.rules, terminal), mode: 'enforce', guards: guardSettings.parse({}) }
  }
  const { loadOrExit } = await import('./load.ts')
  return loadOrExit(flags.config === undefined ? {} : { config: flags.config }, terminal)
}

/** The rules of files, or ends the command; problems are told on standard error. */
export const rulesIn = async (names: readonly string[], terminal: Terminal): Promise<RuleInput[]> => {
  const { actions } = await import('../actions/index.ts')
  const problems = createProblems()
  const rules = readRules(asDocument(names), { actions, env: terminal.env, files: systemFiles(), problems })
  const found = problems.list().map(withoutPlace)
  terminal.err(printProblems(found))
  if (hasErrors(found)) throw new Exit(1)
  return rules
}

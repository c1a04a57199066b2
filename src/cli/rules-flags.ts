/** What the commands that only look at rules load: rules files alone, or a configuration. */
import { systemFiles } from '../config/files.ts'
import { createProblems, printProblems } from '../config/problems.ts'
import { ownCluster } from '../cluster.ts'
import { type GuardSettings, guardSettings } from '../guard.ts'
import type { Context, Mode, Use } from '../plugin.ts'
import type { RuleInput } from '../rules/rule.ts'
import { usesOf } from '../rules-tools/contexts.ts'
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
  readonly contexts: readonly Use<Context>[]
}

/** Loads, or ends the command; rules alone need only the actions, a configuration every plugin. */
export const loadRules = async (flags: RuleFlags, terminal: Terminal): Promise<LoadedRules> => {
  if (flags.rules && flags.config) {
    terminal.err('yarak: --config names the rules itself; leave out --rules\n')
    throw new Exit(2)
  }
  if (flags.rules) {
    const contexts = usesOf((await import('../contexts/index.ts')).contexts)
    const rules = await rulesIn(flags.rules, contexts, terminal)
    return { rules, contexts, mode: 'enforce', guards: guardSettings.parse({}) }
  }
  const { loadOrExit } = await import('./load.ts')
  const loaded = await loadOrExit(flags.config === undefined ? {} : { config: flags.config }, terminal)
  return { ...loaded, cluster: ownCluster(loaded.cluster)?.name }
}

/** The rules of files, or ends the command; problems are told on standard error. */
export const rulesIn = async (
  names: readonly string[],
  contexts: readonly Use<Context>[],
  terminal: Terminal,
): Promise<RuleInput[]> => {
  const { actions } = await import('../actions/index.ts')
  const problems = createProblems()
  const known = contexts.map(({ plugin }) => plugin.type)
  const source = { actions, contexts: known, env: terminal.env, files: systemFiles(), problems }
  const rules = readRules(asDocument(names), source)
  const found = problems.list().map(withoutPlace)
  terminal.err(printProblems(found))
  if (hasErrors(found)) throw new Exit(1)
  return rules
}

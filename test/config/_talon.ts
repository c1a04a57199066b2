/** Falco Talon's configuration read from text, as people see the outcome. */
import { builtin } from '../../src/builtin.ts'
import { withOrigins } from '../../src/config/falcosidekick/index.ts'
import type { LoadedConfig } from '../../src/config/index.ts'
import { createProblems } from '../../src/config/problems.ts'
import { readDocument } from '../../src/config/read.ts'
import { loadTalonConfig } from '../../src/config/talon/index.ts'
import { readTalon } from '../../src/rules/talon-read.ts'
import { brief, memory } from './_kit.ts'

type Env = Readonly<Record<string, string>>

export const RULES = '/etc/falco-talon/rules.yaml'

interface Given {
  readonly env?: Env
  /** The rules files that the configuration names. */
  readonly files?: Readonly<Record<string, string>>
  /** A rules file that is given beside it. */
  readonly rules?: string
}

export const load = (text: string, { env = {}, files = { [RULES]: '' }, rules }: Given = {}): LoadedConfig => {
  const problems = withOrigins(createProblems())
  const read = (name: string, content: string) => readDocument(name, content, problems, { references: undefined })
  const given = rules === undefined ? undefined : [readTalon(read('given.yaml', rules), problems)]
  const options = { env, plugins: builtin, files: memory(files), rules: given }
  return loadTalonConfig(read('config.yaml', text), options, problems)
}

/** The file of ours that it stands for. */
export const native = (text: string, given?: Given): Record<string, unknown> =>
  load(text, given).document.value as Record<string, unknown>

export const outputs = (text: string, given?: Given): Record<string, unknown> =>
  (native(text, given)['outputs'] ?? {}) as Record<string, unknown>

/** What is told, without what is told of every configuration. */
export const problems = (text: string, given?: Given): string[] =>
  brief(load(text, given).problems).filter((one) => !/ (?:mode: nothing|inputs\.http: nothing)/.test(one))

/** Falcosidekick's configuration read from text, as people see the outcome. */
import { builtin } from '../../../src/builtin.ts'
import { loadFalcosidekick } from '../../../src/config/falcosidekick/index.ts'
import type { LoadedConfig } from '../../../src/config/index.ts'
import { brief } from '../_kit.ts'

type Env = Readonly<Record<string, string>>

export const load = (text: string | undefined, env: Env = {}): LoadedConfig =>
  loadFalcosidekick({ ...(text !== undefined && { file: 'config.yaml', text }), env, plugins: builtin })

/** The file of ours that it stands for. */
export const native = (text: string | undefined, env: Env = {}): Record<string, unknown> =>
  load(text, env).document.value as Record<string, unknown>

/** The settings of one output. */
export const output = (text: string | undefined, id: string, env: Env = {}): unknown =>
  (native(text, env)['outputs'] as Record<string, unknown> | undefined)?.[id]

export const problems = (text: string | undefined, env: Env = {}): string[] => brief(load(text, env).problems)

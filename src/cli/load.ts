/** Finds and loads what a command works on: a configuration file, or files named on the command line. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { relative } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { builtin } from '../builtin.ts'
import {
  type ConfigOptions,
  type ConfigProblem,
  type Files,
  type LoadedConfig,
  loadWithPlugins,
  type Plugins,
  printProblems,
  systemFiles,
} from '../config/index.ts'
import { loadFalcosidekick } from '../config/falcosidekick/index.ts'
import { whyNot } from '../config/files.ts'
import { type GatewayOptions, withInput } from '../options.ts'
import type { RuleInput } from '../rules/rule.ts'
import { ownPlace } from './self.ts'
import { Exit, type Terminal } from './terminal.ts'

export { configOption, falcosidekickOption, modeOption, pluginsOption, repeatable } from './options.ts'

export interface LoadFlags {
  readonly config?: string
  /** Falcosidekick's file; true: only its environment variables. */
  readonly falcosidekick?: string | true
  readonly rules?: readonly string[]
  readonly file?: readonly string[]
  readonly once?: boolean
  readonly mode?: 'observe' | 'enforce'
}

/** The configuration that comes with Yarak: the demo. */
export const shippedConfig = (): string => {
  const here = ['../../config/yarak.yaml', '../../../config/yarak.yaml'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const found = here.find((path) => existsSync(path)) ?? here[0] ?? ''
  const near = relative('.', found)
  return near.startsWith('..') ? found : near
}

/** Where a configuration is looked for when none is named. */
export const CONFIG_PLACES = ['yarak.yaml', '/etc/yarak/yarak.yaml']

/** Loads; tells every problem on standard error. `options` is undefined when any is an error. */
export const load = async (flags: LoadFlags, terminal: Terminal, files?: Files): Promise<LoadedConfig> => {
  const loaded = await loadQuietly(flags, terminal, files)
  if (loaded.problems.length > 0) terminal.err(printProblems(loaded.problems))
  return loaded
}

/** Loads, and leaves the problems to the caller. */
export const loadQuietly = async (
  flags: LoadFlags,
  terminal: Terminal,
  files = systemFiles(),
): Promise<LoadedConfig> => {
  if (flags.falcosidekick !== undefined) return loadPeer(flags, terminal, files)
  return flags.file || flags.rules ? loadFlags(flags, terminal, files) : loadFile(flags, terminal, files)
}

/** Loads, or ends the command with exit code 1. */
export const loadOrExit = async (flags: LoadFlags, terminal: Terminal, files?: Files): Promise<ConfigOptions> => {
  const { options } = await loadedOrExit(flags, terminal, files)
  return options
}

/** The same, with the declarations that it was read with. */
export const loadedOrExit = async (flags: LoadFlags, terminal: Terminal, files?: Files) => {
  const { options, plugins } = await load(flags, terminal, files)
  if (!options) throw new Exit(1)
  return { options, plugins }
}

/** The part of a configuration that the gateway itself is made of. */
export const gatewayOptions = (options: ConfigOptions): GatewayOptions => {
  const {
    mode,
    cluster,
    redact,
    traceUrl,
    metrics,
    enrich,
    dataDir,
    inputs,
    outputs,
    resources,
    contexts,
    rules,
    guards,
    claims,
    telemetry: { console: _, ...telemetry },
  } = options
  return {
    mode,
    dataDir,
    inputs,
    outputs,
    resources,
    contexts,
    rules,
    guards,
    telemetry,
    ...(claims && { claims }),
    ...(cluster !== undefined && { cluster }),
    ...(redact && { redact }),
    ...(metrics && { metrics }),
    ...(enrich && { enrich }),
    ...(traceUrl !== undefined && { traceUrl }),
  }
}

/** All declarations that a configuration can name: the built-in ones, and of a file that is named those it imports. */
export const pluginsOf = async ({ config }: LoadFlags, terminal: Terminal): Promise<Plugins> => {
  if (config === undefined) return builtin
  const { plugins, problems, document } = await loadQuietly({ config }, terminal)
  const faults = problems.filter(({ message }) => !document.parsed || message.startsWith('plugins'))
  if (faults.length === 0) return plugins
  terminal.err(printProblems(faults))
  throw new Exit(1)
}

/** Falcosidekick's configuration, of its file or of the environment alone. */
const loadPeer = (flags: LoadFlags, { env, err }: Terminal, files: Files): LoadedConfig => {
  const { falcosidekick: given, config, file, rules } = flags
  if (config !== undefined || file || rules) {
    err('yarak: --falcosidekick goes without --config, --file and --rules\n')
    throw new Exit(2)
  }
  const loaded = loadFalcosidekick({ file: given === true ? undefined : given, env, plugins: builtin, files })
  return withFlags(loaded, flags, env)
}

/** What stands for standard input. */
const STDIN = '-'

const loadFile = async (flags: LoadFlags, { env }: Terminal, files: Files): Promise<LoadedConfig> => {
  const { config } = flags
  const file = config ?? CONFIG_PLACES.find((path) => existsSync(path)) ?? shippedConfig()
  const input = file === STDIN && { file: 'standard input', text: await textOf(process.stdin) }
  return withFlags(await loadWithPlugins({ file, ...input, env, plugins: builtin, files }), flags, env)
}

/** With what the command line says over it. */
const withFlags = (loaded: LoadedConfig, { mode, once }: LoadFlags, env: Terminal['env']): LoadedConfig => {
  const { options } = loaded
  if (!options) return loaded
  const guards = { ...ownPlace(env), ...options.guards }
  return { ...loaded, options: { ...options, guards, ...(mode && { mode }), ...(once && readOnce(options)) } }
}

/** The inputs, those that follow files ending at the end of them. */
const readOnce = ({ inputs }: ConfigOptions): Pick<ConfigOptions, 'inputs'> => ({
  inputs: inputs.map((input) =>
    withInput(input, (use) =>
      use.plugin.type === 'file' ? { ...use, config: { ...(use.config as object), once: true } } : use,
    ),
  ),
})

/** The name of the file that options stand for. */
const COMMAND_LINE = 'command line'

/** Files named on the command line, as the configuration they stand for. */
const loadFlags = async (flags: LoadFlags, terminal: Terminal, files: Files): Promise<LoadedConfig> => {
  const { file, rules = [], once = false, mode, config } = flags
  if (config) {
    terminal.err('yarak: --config names the inputs and rules itself; leave out --file and --rules\n')
    throw new Exit(2)
  }
  const text = JSON.stringify({
    version: 1,
    mode: mode ?? 'observe',
    rules: rules.map(literal),
    ...(file && { inputs: { file: { path: file.map(literal), from: 'beginning', once } } }),
    telemetry: { console: true },
  })
  const loaded = await loadWithPlugins({
    file: COMMAND_LINE,
    text,
    env: terminal.env,
    plugins: builtin,
    files,
    anyNotify: true,
  })
  const missing = once ? (file ?? []).flatMap(unreadable) : []
  const problems = [...loaded.problems.map(withoutPlace), ...missing]
  const options = missing.length > 0 ? undefined : loaded.options
  return { ...loaded, problems, options: options && { ...options, rules: options.rules.map(untold) } }
}

/** A trial has no outputs, so the rules that name some tell nobody. */
const untold = ({ notify: _, ...rule }: RuleInput): RuleInput => rule

/** Text that stands for itself, whatever it holds. */
const literal = (text: string): string => text.replaceAll('${', () => '$${')

/** Whoever typed an option has no file to look into. */
const withoutPlace = (problem: ConfigProblem): ConfigProblem =>
  problem.file === COMMAND_LINE ? { ...onCommandLine(problem.message), severity: problem.severity } : problem

/** A file that is followed may still come; one that is read once must be there. */
const unreadable = (file: string): ConfigProblem[] => {
  if (!existsSync(file) && /[*?{]/.test(file)) return []
  try {
    accessSync(file, constants.R_OK)
    if (statSync(file).isFile()) return []
    return [onCommandLine(`${file} is not a regular file`)]
  } catch (error) {
    return [onCommandLine(`cannot read ${file}: ${whyNot(error)}`)]
  }
}

const onCommandLine = (message: string): ConfigProblem => ({
  severity: 'error',
  message,
  file: COMMAND_LINE,
  line: 1,
  column: 1,
})

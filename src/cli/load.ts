/** Finds and loads what a command works on: a configuration file, or files named on the command line. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, Option } from 'commander'
import { builtin } from '../builtin.ts'
import {
  type ConfigOptions,
  type ConfigProblem,
  type LoadedConfig,
  loadConfig,
  printProblems,
} from '../config/index.ts'
import { whyNot } from '../config/files.ts'
import { Exit, type Terminal } from './terminal.ts'

export interface LoadFlags {
  readonly config?: string
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
const PLACES = ['yarak.yaml', '/etc/yarak/yarak.yaml']

export const configOption = (): Option =>
  new Option('-c, --config <file>', 'configuration file (default: ./yarak.yaml, /etc/yarak/yarak.yaml, else the demo)')

export const modeOption = (): Option =>
  new Option('--mode <mode>', 'observe shows what would be done, enforce does it').choices(['observe', 'enforce'])

/** Adds a repeatable option. */
export const repeatable = (command: Command, flags: string, description: string): Command =>
  command.option(flags, description, (value: string, all: readonly string[] = []) => [...all, value])

/** Loads; tells every problem on standard error. `options` is undefined when any is an error. */
export const load = (flags: LoadFlags, terminal: Terminal): LoadedConfig => {
  const loaded = flags.file || flags.rules ? loadFlags(flags, terminal) : loadFile(flags, terminal)
  if (loaded.problems.length > 0) terminal.err(printProblems(loaded.problems))
  return loaded
}

/** Loads, or ends the command with exit code 1. */
export const loadOrExit = (flags: LoadFlags, terminal: Terminal) => {
  const { options } = load(flags, terminal)
  if (!options) throw new Exit(1)
  return options
}

const loadFile = ({ config, mode, once }: LoadFlags, { env }: Terminal): LoadedConfig => {
  const file = config ?? PLACES.find((path) => existsSync(path)) ?? shippedConfig()
  const loaded = loadConfig({ file, env, plugins: builtin })
  const { options } = loaded
  return options
    ? { ...loaded, options: { ...options, ...(mode && { mode }), ...(once && readOnce(options)) } }
    : loaded
}

/** The inputs, those that follow files ending at the end of them. */
const readOnce = ({ inputs }: ConfigOptions): Pick<ConfigOptions, 'inputs'> => ({
  inputs: inputs.map((use) =>
    use.plugin.type === 'file' ? { ...use, config: { ...(use.config as object), once: true } } : use,
  ),
})

/** The name of the file that options stand for. */
const COMMAND_LINE = 'command line'

/** Files named on the command line, as the configuration they stand for. */
const loadFlags = ({ file, rules = [], once = false, mode, config }: LoadFlags, terminal: Terminal): LoadedConfig => {
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
  const loaded = loadConfig({ file: COMMAND_LINE, text, env: terminal.env, plugins: builtin })
  const missing = once ? (file ?? []).flatMap(unreadable) : []
  const problems = [...loaded.problems.map(withoutPlace), ...missing]
  return { ...loaded, problems, options: missing.length > 0 ? undefined : loaded.options }
}

/** Text that stands for itself, whatever it holds. */
const literal = (text: string): string => text.replaceAll('${', () => '$${')

/** Whoever typed an option has no file to look into. */
const withoutPlace = (problem: ConfigProblem): ConfigProblem =>
  problem.file === COMMAND_LINE ? { ...onCommandLine(problem.message), severity: problem.severity } : problem

/** A file that is followed may still come; one that is read once must be there. */
const unreadable = (file: string): ConfigProblem[] => {
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

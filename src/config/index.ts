/**
 * A configuration file and the rules it names -> the options of a gateway, with every problem of all files at once.
 * The engine knows nothing of this: files are only another way to write its options.
 */
import type { ClusterInput } from '../cluster.ts'
import type { metricsSettings } from '../compat-metrics.ts'
import type { RedactSettings } from '../redact.ts'
import type { EnrichSettings } from '../enrich.ts'
import type { z } from 'zod'
import { messageOf } from '../errors.ts'
import type { GuardSettings } from '../guard.ts'
import { inputOf, type InputInput } from '../options.ts'
import type { Context, Mode, Resource, Use } from '../plugin.ts'
import { openRules } from '../rules/load.ts'
import type { RuleInput } from '../rules/rule.ts'
import type { TraceSettings } from '../trace-settings.ts'
import { type adminSettings, checkAdmin } from './admin.ts'
import { checkValue } from './check.ts'
import type { Document } from './document.ts'
import { textChecks, type TextChecks } from './expressions.ts'
import { beside, type Files, systemFiles } from './files.ts'
import { importPlugins, type PluginFault } from './imports.ts'
import type { References } from './interpolate.ts'
import type { Listener } from './listen.ts'
import { checkLevels, type logSettings } from './log.ts'
import { checkListeners } from './listeners.ts'
import { isOfOtherVersion } from './migrate.ts'
import {
  contextNames,
  type OutputUse,
  type Plugins,
  readContexts,
  readInputs,
  readOutputs,
  checkLeaders,
  claimsIn,
  readUses,
  storesIn,
} from './plugins.ts'
import { type ConfigProblem, createProblems, type Problems } from './problems.ts'
import { readDocument } from './read.ts'
import { fileSettings } from './settings.ts'

export { printConfig } from './print.ts'
export { type ConfigProblem, createProblems, printProblems } from './problems.ts'
export { importPlugins } from './imports.ts'
export type { OutputUse, Plugins } from './plugins.ts'
export { adminClients, adminListeners, adminSocket, auditPath } from './admin.ts'
export { type Address, addressText, type Listener, listenerText, parseAddress } from './listen.ts'
export { configSchema } from './schema.ts'
export { type Files, systemFiles } from './files.ts'
export { watchedFiles, type WatchedFiles } from './watched.ts'

/** What a file says, checked: the options of `createGateway`, and what the listeners are made of. */
export interface ConfigOptions {
  readonly version: 1
  readonly mode: Mode
  readonly cluster?: ClusterInput | undefined
  /** Where replicas agree on who answers what. */
  readonly claims?: Resource | undefined
  readonly redact?: RedactSettings | undefined
  readonly traceUrl?: string | undefined
  readonly metrics?: z.output<typeof metricsSettings> | undefined
  readonly listen: readonly Listener[]
  /** Milliseconds. */
  readonly stopTimeout: number
  readonly dataDir: string
  readonly inputs: readonly InputInput[]
  readonly outputs: readonly OutputUse[]
  readonly resources: readonly Use<Resource>[]
  readonly contexts: readonly Use<Context>[]
  /** The files and packages that further declarations come from. */
  readonly plugins: readonly string[]
  readonly rules: readonly RuleInput[]
  readonly guards: GuardSettings
  readonly enrich?: EnrichSettings | undefined
  readonly journal: { readonly enabled: boolean; readonly maxSize: number }
  readonly admin: z.output<typeof adminSettings>
  readonly telemetry: TraceSettings & { readonly console: boolean }
  readonly log: z.output<typeof logSettings>
}

/** A loaded file. */
export interface LoadedConfig {
  /** Undefined when any problem is an error. */
  readonly options: ConfigOptions | undefined
  /** Errors and warnings, sorted; for `printProblems`. */
  readonly problems: readonly ConfigProblem[]
  /** The file with the place and origin of each value, for `printConfig`. */
  readonly document: Document
  readonly plugins: Plugins
}

/** What to load, and with what. */
export interface LoadOptions {
  /** The path, also the name in messages. */
  readonly file: string
  /** The text, when it does not come from that path. */
  readonly text?: string
  /** For `${env:NAME}`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly plugins: Plugins
  /** What is wrong with the entries of `plugins:`, as `importPlugins` found. */
  readonly faults?: readonly PluginFault[]
  /** Rules may name outputs that are not configured. Default false. */
  readonly anyNotify?: boolean
  /** Default: the files of this machine. */
  readonly files?: Files
  /** Default: the compilers of the engine. */
  readonly checks?: TextChecks
}

/**
 * Loads a configuration file and its rules. Never throws for what stands in a file.
 * @example
 * const { options, problems } = loadConfig({ file: 'yarak.yaml', env, plugins })
 * if (!options) fail(printProblems(problems))
 */
export const loadConfig = (load: LoadOptions): LoadedConfig => {
  const problems = createProblems()
  const { file, env, files = systemFiles() } = load
  const references = { env, file: (path: string) => files.read(beside(file, path)) }
  return loadDocument(open(load, files, problems, references), load, problems)
}

/** {@link loadConfig} for what has been read already. */
export const loadDocument = (document: Document, load: LoadOptions, problems: Problems): LoadedConfig => {
  const { file, plugins, env, files = systemFiles(), checks = textChecks() } = load
  const references = { env, file: (path: string) => files.read(beside(file, path)) }
  for (const { index, message } of load.faults ?? []) problems.add(document, { path: ['plugins', index] }, message)
  const value = document.parsed ? rootOf(document, problems) : undefined
  if (!value || isOfOtherVersion(document, problems))
    return { options: undefined, problems: problems.list(), document, plugins }

  const known = new Set(Object.keys((value['outputs'] as object | null | undefined) ?? {}))
  const outputIds = load.anyNotify ? undefined : known
  const stores = load.anyNotify ? undefined : storesIn(value, plugins.outputs)
  const names = { outputs: outputIds, stores, contexts: contextNames(value, plugins.contexts) }
  const shared = { problems, checks, files, references, actions: plugins.actions, ...names }
  const ruleFiles = Array.isArray(value['rules']) ? openRules(document, shared) : undefined
  const context = { document, problems, checks, definitions: ruleFiles?.definitions }
  const top = checkValue({ document, problems, path: [], schema: fileSettings, value })
  const inputs = readInputs(context, plugins.inputs)
  const outputs = readOutputs(context, plugins.outputs)
  const resources = readUses(context, 'resources', plugins.resources)
  const contexts = readContexts(context, plugins.contexts)
  const rules = ruleFiles?.rules() ?? []
  const settings = top && fileSettings.parse(top.value)
  const listen = settings && checkListeners({ ...context, files, inputs: inputs.map(inputOf) }, settings.listen)
  const admin = settings && checkAdmin({ ...context, files }, settings, listen ?? [])
  if (settings) {
    const types = Object.values(plugins).flatMap((all: readonly { type: string }[]) => all.map(({ type }) => type))
    const ids = [...inputs.map((input) => inputOf(input).id), ...outputs.map(({ output }) => output.id)]
    checkLevels(context, settings.log.levels, [...types, ...ids])
  }
  const claims = settings?.claims === undefined ? undefined : claimsIn(settings.claims, context, plugins)
  if (settings) checkLeaders(inputs, settings.claims !== undefined, context)
  const found = problems.list()
  const failed = !settings || found.some(({ severity }) => severity === 'error')
  const uses = { inputs, outputs, resources, contexts, rules, plugins: settings?.plugins ?? [] }
  const options = failed || !admin ? undefined : { ...settings, ...uses, claims, admin, listen: listen ?? [] }
  return { options, problems: found, document, plugins }
}

/**
 * {@link loadConfig} with what the file names under `plugins:`. That code is imported, and so runs.
 * @example const { options, problems, plugins } = await loadWithPlugins({ file: 'yarak.yaml', env, plugins: builtin })
 */
export const loadWithPlugins = async (load: LoadOptions): Promise<LoadedConfig> =>
  loadConfig({ ...load, ...(await importPlugins(readAlone(load), load.plugins)) })

/** The file alone; what is wrong with it is told by who loads it. */
const readAlone = (load: LoadOptions): Document => {
  const { file, env, files = systemFiles() } = load
  return open(load, files, createProblems(), { env, file: (path) => files.read(beside(file, path)) })
}

const open = ({ file, text }: LoadOptions, files: Files, problems: Problems, references: References): Document => {
  try {
    return readDocument(file, text ?? files.read(file), problems, { references, hints: true })
  } catch (error) {
    problems.addFile(file, `cannot read it: ${messageOf(error)}`)
    return { file, text: '', value: undefined, parsed: false, places: new Map(), secrets: new Set() }
  }
}

const rootOf = (document: Document, problems: Problems): Record<string, unknown> | undefined => {
  const { value } = document
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  const message = Array.isArray(value)
    ? 'a configuration is a map that begins with `version: 1`; this is a list, as a rules file is'
    : value === null || value === undefined
      ? 'the file is empty; a configuration begins with `version: 1`'
      : 'a configuration is a map that begins with `version: 1`'
  problems.add(document, { path: [] }, message)
  return undefined
}

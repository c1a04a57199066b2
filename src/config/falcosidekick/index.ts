/**
 * Falcosidekick's configuration, from its file and its environment variables -> the options of a gateway, as a file of ours
 * gives them. What is wrong is told where it stands in Falcosidekick's file.
 *
 * Sources: `config.go`, `handlers.go` and `config_example.yaml` of Falcosidekick at 8807ab7 (August 2026).
 *
 * How viper's ways are taken: keys are found whatever their case, also with dots in them (`slack.webhookurl: ...`); names in
 * maps keep their case; a variable wins over the file, replaces a whole list or map, and counts as not set when it is empty;
 * variables bind for every key; the file that is named is the one that is read.
 */
import { messageOf } from '../../errors.ts'
import type { Document } from '../document.ts'
import { placeOf } from '../document.ts'
import { type Files, systemFiles } from '../files.ts'
import { type LoadedConfig, loadDocument } from '../index.ts'
import type { Plugins } from '../plugins.ts'
import { type ConfigProblem, createProblems, type Problems } from '../problems.ts'
import { readDocument } from '../read.ts'
import { listOf } from './convert.ts'
import { createNative, type Native } from './native.ts'
import { readOutputs } from './outputs.ts'
import { addedFields } from './rules.ts'
import { readServer } from './server.ts'
import { createSource, type Source, warnOfUnknown } from './source.ts'

/** What to read. */
export interface FalcosidekickOptions {
  /** The path of the file; undefined: only the environment is read. */
  readonly file?: string | undefined
  readonly text?: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly plugins: Plugins
  readonly files?: Files
}

/** Names the environment where there is no file. */
export const ENVIRONMENT = 'environment'

/**
 * Reads Falcosidekick's configuration. Never throws for what stands in it.
 * @example
 * const { options, problems } = loadFalcosidekick({ file: 'config.yaml', env, plugins: builtin })
 */
export const loadFalcosidekick = (options: FalcosidekickOptions): LoadedConfig => {
  const { file, env, plugins, files = systemFiles() } = options
  const problems = withOrigins(createProblems())
  const read = open(options, files, problems)
  if (!read.parsed) return { options: undefined, problems: problems.list(), document: read, plugins }
  const document = translate(read, options, problems)
  return loadDocument(document, { file: file ?? ENVIRONMENT, env, plugins, files }, problems)
}

const open = ({ file, text }: FalcosidekickOptions, files: Files, problems: Problems): Document => {
  const none: Document = {
    file: file ?? ENVIRONMENT,
    text: '',
    value: {},
    parsed: true,
    places: new Map(),
    secrets: new Set(),
  }
  if (file === undefined) return none
  try {
    const read = readDocument(file, text ?? files.read(file), problems, { references: undefined })
    if (!read.parsed || isMap(read.value)) return read
    if (read.value === null || read.value === undefined) return { ...read, value: {} }
    problems.add(read, { path: [] }, "Falcosidekick's configuration is a map, in YAML or JSON")
    return { ...read, parsed: false }
  } catch (error) {
    problems.addFile(file, `cannot read it: ${messageOf(error)}`)
    return { ...none, parsed: false }
  }
}

const isMap = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The document of a file of ours that says the same, with the places of the original. */
export const translate = (
  document: Document,
  { env, plugins }: Pick<FalcosidekickOptions, 'env' | 'plugins'>,
  problems: Problems,
): Document => {
  const source = createSource(document, env, problems)
  const native = createNative(document)
  native.set(['version'], 1)
  warnOfUnknown(source, problems)
  readServer({ source, native, problems })
  readOutputs({ source, native, problems, plugins: plugins.outputs })
  readMetrics(source, native)
  return { ...document, value: native.value, places: native.places, plain: true }
}

/** As `metrics.compat.extraLabels` takes them. */
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_.]*$/

/** Its dashboards go on working, with the labels that it would add. */
const readMetrics = (source: Source, native: Native): void => {
  const labels = source.find('prometheus.extralabels')
  const wanted = [...listOf(labels?.value ?? ''), ...addedFields(source)]
  const extraLabels = [...new Set(wanted)].filter((name) => LABEL.test(name))
  if (labels && extraLabels.length < new Set(wanted).size)
    source.warn(labels, 'names of labels have letters, digits, _ and . only; the others are left out')
  native.set(['metrics', 'compat'], extraLabels.length > 0 ? { extraLabels } : true, labels)
}

/** What a variable gave has no place in a file: its name is told instead. */
export const withOrigins = (problems: Problems): Problems => {
  const ofEnv: ConfigProblem[] = []
  return {
    ...problems,
    add(document, where, message, severity = 'error') {
      const from = 'path' in where ? placeOf(document, where.path)?.from : undefined
      const isPlaceless = 'start' in where && where.start === where.end
      if (from === undefined && !isPlaceless && document.text !== '')
        return problems.add(document, where, message, severity)
      const text = from === undefined || message.includes(from) ? message : `${from}: ${message}`
      ofEnv.push({ severity, message: text, file: ENVIRONMENT, line: 1, column: 1 })
    },
    list: () => [...problems.list(), ...new Map(ofEnv.map((one) => [one.message, one])).values()],
  }
}

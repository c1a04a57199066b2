/** The values of Falco Talon's chart -> values of ours that do the same. */
import { type NativeRule, translateTalon } from '../../rules/talon.ts'
import { readTalon, type TalonFile } from '../../rules/talon-read.ts'
import { messageOf } from '../../errors.ts'
import type { Document } from '../document.ts'
import { withOrigins } from '../falcosidekick/index.ts'
import { nativeValue } from '../falcosidekick/print.ts'
import { variableOf } from '../falcosidekick/source.ts'
import { type ConfigProblem, createProblems, type Problems } from '../problems.ts'
import { readDocument } from '../read.ts'
import { isBlank, isEmpty, isMap, move, plain, put, reroot, type Values, valueAt } from '../values/move.ts'
import { falcoNote, type ImportedValues, openValues, type ValuesFile } from '../values/read.ts'
import { replicasOf, withoutOff } from '../values/shared.ts'
import { entriesAt, type Variables, variablesOf, withoutUncertain } from '../values/variables.ts'
import { ACTIONS, CALLED, CONFIG_ROWS, ROWS, USUAL } from './chart.ts'
import { loadTalonConfig } from './index.ts'
import { KEYS } from './keys.ts'

export interface TalonValues extends ValuesFile {
  /** Rules files that are kept beside the values. */
  readonly rules: readonly string[]
}

/** The name of the rules file in the values. */
const RULES_FILE = 'talon.yaml'

/** The Service's port, as Falco knows it. */
const PORT = 2803

/**
 * Translates a values file with its rules. What a Secret holds stays in it: the pod gets its variables, the configuration
 * refers to them. Never throws for what stands in the files.
 * @returns only what is wrong when it cannot be read
 */
export const importTalonValues = (
  options: TalonValues,
): ImportedValues | { readonly problems: readonly ConfigProblem[] } => {
  const problems = withOrigins(createProblems())
  const opened = openValues(options, 'falco-talon', problems)
  if (!opened) return { problems: problems.list() }
  const { document, base } = opened
  const chart = reroot(document, base)
  const values: Values = {}
  move(chart, ROWS, values, problems)
  const entries = entriesAt(chart, ['extraEnv'], problems)
  const env = entries.filter(({ name }) => name !== 'LOG_LEVEL')
  const variables = variablesOf(env, [])
  const rules = readRules(chart, options, problems)
  const { value, secrets, translated } = readConfig(chart, options, variables, rules, problems)
  readAccount(chart, values)
  readOtel(chart, values, problems)
  readService(chart, values)
  return {
    values: {
      preset: 'both',
      replicas: readReplicas(chart, problems),
      config: withLevel(value, entries),
      ...(translated.length > 0 && { rules: { files: { [RULES_FILE]: translated } } }),
      ...(env.length > 0 && { env }),
      ...withoutOff(values),
    },
    notes: [
      `translated from ${options.file}, values of Falco Talon's chart, for the chart yarak`,
      falcoNote(valueAt(values, ['service', 'port'])),
    ],
    problems: problems.list(),
    secrets,
  }
}

// ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** As the chart puts them together: its own actions, then those of the values; the files beside come last. */
const readRules = (chart: Document, { file, files, rules }: TalonValues, problems: Problems): TalonFile[] => {
  const override = valueAt(chart.value, ['config', 'rulesOverride'])
  const read = (name: string, text: string): TalonFile[] => {
    const references = { env: {}, file: (path: string) => files.read(path) }
    const document = readDocument(name, text, problems, { references })
    return document.parsed ? [readTalon(document, problems)] : []
  }
  const beside = rules.flatMap((name) => {
    try {
      return read(name, files.read(name))
    } catch (error) {
      problems.addFile(name, `cannot read it: ${messageOf(error)}`)
      return []
    }
  })
  const embedded =
    typeof override === 'string' && override !== '' ? read(`${file} (config.rulesOverride)`, override) : []
  return [...read("the rules of Falco Talon's chart", ACTIONS), ...embedded, ...beside]
}

/** `${` stands for itself in a rules file when it is doubled. */
const escaped = <T>(value: T): T => {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${') as T
  if (Array.isArray(value)) return value.map(escaped) as T
  return isMap(value)
    ? (Object.fromEntries(Object.entries(value).map(([key, one]) => [key, escaped(one)])) as T)
    : value
}

// ── the configuration ───────────────────────────────────────────────────────────────────────────────────────────────

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** As Talon gets it; a header keeps its name. */
const configOf = (chart: Document, env: Variables['env']): Document => {
  const config = reroot(chart, ['config'], (path, value) => {
    const name = path.join('.')
    const isOwn = CONFIG_ROWS.some(({ key }) => key === name || name.startsWith(`${key}.`))
    if (isOwn || isBlank(value) || value === USUAL[name]) return undefined
    return (
      CALLED[name] ??
      (path.includes('customHeaders') && path.length > 3 ? String(path.at(-1)) : snake(String(path.at(-1))))
    )
  })
  const value = config.value as Values
  for (const key of KEYS)
    if (variableOf(key) in env && valueAt(value, key.split('.')) === undefined) put(value, key, null)
  return { ...config, value }
}

interface Read {
  readonly value: unknown
  readonly secrets: number
  readonly translated: readonly NativeRule[]
}

const readConfig = (
  chart: Document,
  { plugins, files }: TalonValues,
  variables: Variables,
  rules: readonly TalonFile[],
  problems: Problems,
): Read => {
  const config = configOf(chart, variables.env)
  const told = withoutUncertain(problems, variables)
  const { document } = loadTalonConfig(config, { env: variables.env, plugins, files, rules }, told)
  const { listen: _, ...kept } = document.value as Values
  const outputs = new Set(Object.keys(kept['outputs'] ?? {}))
  const found = translateTalon(rules, { actions: plugins.actions, outputs, problems })
  const { value, secrets } = nativeValue({ ...document, value: kept })
  return {
    value: variables.referring(value),
    secrets,
    translated: found.flatMap(({ rule }) => (rule ? [escaped(rule)] : [])),
  }
}

const LEVELS: Readonly<Record<string, string>> = { warning: 'warn', warn: 'warn', error: 'error', debug: 'debug' }

/** Talon's log is set by a variable. */
const withLevel = (config: unknown, entries: readonly Values[]): unknown => {
  const entry = entries.find(({ name }) => name === 'LOG_LEVEL')
  const level = LEVELS[String(entry?.['value']).toLowerCase()]
  return level === undefined
    ? config
    : { ...(config as Values), log: { ...(valueAt(config, ['log']) as Values), level } }
}

// ── around it ───────────────────────────────────────────────────────────────────────────────────────────────────────

const readAccount = ({ value }: Document, values: Values): void => {
  if (plain(valueAt(value, ['rbac', 'serviceAccount', 'create'])) === false) put(values, 'serviceAccount.create', false)
}

const readService = ({ value }: Document, values: Values): void => {
  const port = valueAt(value, ['service', 'port'])
  put(values, 'service.port', isEmpty(port) ? PORT : plain(port))
}

/** Of several pods of Talon one is at work. */
const readReplicas = (chart: Document, problems: Problems): unknown => {
  const replicas = replicasOf(chart)
  const elects = plain(valueAt(chart.value, ['config', 'deduplication', 'leaderElection'])) !== false
  if (!elects || replicas === 1) return replicas
  problems.add(
    chart,
    { path: ['replicaCount'], key: true },
    `replicaCount: of ${String(replicas)} pods of Falco Talon one is at work, so there is one here, which Kubernetes starts ` +
      'again; more of them share the work, best with Kafka in front, the target as key',
    'warning',
  )
  return 1
}

const readOtel = (chart: Document, values: Values, problems: Problems): void => {
  const path = ['config', 'otel']
  const otel = (valueAt(chart.value, path) ?? {}) as Values
  if (plain(otel['tracesEnabled']) !== true && plain(otel['metricsEnabled']) !== true) return
  const { collectorEndpoint, collectorPort, collectorUseInsecureGrpc } = otel
  if (isEmpty(collectorEndpoint))
    return problems.add(chart, { path, key: true }, 'config.otel: without collectorEndpoint nothing is sent', 'warning')
  const scheme = plain(collectorUseInsecureGrpc) === true ? 'http' : 'https'
  put(values, 'otlp', {
    endpoint: `${scheme}://${String(collectorEndpoint)}:${isEmpty(collectorPort) ? 4317 : String(collectorPort)}`,
    protocol: 'grpc',
  })
}

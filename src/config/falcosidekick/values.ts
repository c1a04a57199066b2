/** The values of Falcosidekick's chart -> values of ours that do the same. */
import { type Document, type Path, placeKey } from '../document.ts'
import { loadDocument } from '../index.ts'
import { type ConfigProblem, createProblems, type Problems } from '../problems.ts'
import { isBlank, isEmpty, isMap, move, plain, put, reroot, type Values, valueAt } from '../values/move.ts'
import { falcoNote, type ImportedValues, openValues, presetFor, type ValuesFile } from '../values/read.ts'
import { replicasOf, withoutOff } from '../values/shared.ts'
import { entriesAt, type Variables, variablesOf, withoutUncertain } from '../values/variables.ts'
import { CALLED, CONFIG_ROWS, ROWS, USUAL } from './chart.ts'
import { translate, withOrigins } from './index.ts'
import { defaultOf, SECTIONS } from './keys.ts'
import { nativeValue } from './print.ts'
import { variableOf } from './source.ts'

export interface FalcosidekickValues extends ValuesFile {
  /** Variables that are known to be in its `existingSecret`. */
  readonly secretKeys: readonly string[]
}

/**
 * Translates a values file. What a Secret holds stays in it: the pod gets its variables, the configuration refers to them.
 * Never throws for what stands in the file.
 * @returns undefined when it cannot be read
 */
export const importFalcosidekickValues = (
  options: FalcosidekickValues,
): ImportedValues | { readonly problems: readonly ConfigProblem[] } => {
  const problems = withOrigins(createProblems())
  const opened = openValues(options, 'falcosidekick', problems)
  if (!opened) return { problems: problems.list() }
  const { document, base } = opened
  const chart = reroot(document, base)
  const own = reroot(document, [...base, 'config'], (path) => (isOfChart(path) ? String(path.at(-1)) : undefined))
  const values: Values = {}
  move(chart, ROWS, values, problems)
  move(own, CONFIG_ROWS, values, problems)

  const entries = entriesAt(chart, ['config', 'extraEnv'], problems)
  const known = entries.map(({ name }) => name)
  const inferred = inferredOf(valueAt(chart.value, ['config'])).filter((name) => !known.includes(name))
  const names = [...new Set([...options.secretKeys, ...inferred])]
  const variables = variablesOf(entries, names)
  readIdentity(chart, values)
  readTls(chart, values, problems)
  const { value, secrets } = readConfig(configOf(document, base), options, variables, problems)
  const secret = valueAt(chart.value, ['config', 'existingSecret'])
  const env = [...regionOf(chart.value), ...entries]
  const service = {
    annotations: { 'prometheus.io/scrape': 'true', ...(valueAt(values, ['service', 'annotations']) as object) },
  }
  put(values, 'service', service)
  return {
    values: {
      preset: presetFor(value, options.plugins),
      replicas: replicasOf(chart),
      config: value,
      ...(!isEmpty(secret) && { envFrom: [{ secretRef: { name: secret } }] }),
      ...(env.length > 0 && { env }),
      ...withoutOff(values),
    },
    notes: notesOf(options, values, secret, names, inferred),
    problems: problems.list(),
    secrets,
  }
}

const notesOf = (
  { file }: FalcosidekickValues,
  values: Values,
  secret: unknown,
  names: readonly string[],
  inferred: readonly string[],
): string[] => {
  const port = valueAt(values, ['service', 'port']) ?? 2801
  const ofSecret = isEmpty(secret)
    ? []
    : [
        names.length > 0
          ? `taken to be in the Secret ${String(secret)}: ${names.join(', ')}`
          : `what is in the Secret ${String(secret)} is not known here`,
        ...(names.length === inferred.length
          ? [
              `further variables that it has are named by --secret-key; kubectl describe secret ${String(secret)} shows them`,
            ]
          : []),
      ]
  return [`translated from ${file}, values of Falcosidekick's chart, for the chart yarak`, falcoNote(port), ...ofSecret]
}

// ── the configuration ───────────────────────────────────────────────────────────────────────────────────────────────

const isOfChart = (path: Path): boolean => {
  const name = path.join('.')
  return CONFIG_ROWS.some(({ key }) => key === name || key.startsWith(`${name}.`) || name.startsWith(`${key}.`))
}

/** The chart sets it, and Falcosidekick looks there only outside of a cluster. */
const OUTSIDE = 'policyreport.kubeconfig'

/** As Falcosidekick gets it: an empty variable is none. */
const configOf = (document: Document, base: Path): Document => {
  const root = [...base, 'config']
  const useIrsa = plain(valueAt(document.value, [...root, 'aws', 'useirsa'])) !== false
  const isElsewhere = (name: string): boolean =>
    ['aws.region', 'aws.checkidentity', OUTSIDE].includes(name) ||
    (useIrsa && ['aws.rolearn', 'aws.externalid'].includes(name))
  const config = reroot(document, root, (path, value) => {
    const name = path.join('.')
    const isSection = CONFIG_ROWS.some(({ key }) => key.startsWith(`${name}.`))
    if ((isOfChart(path) && !isSection) || isElsewhere(name) || isBlank(value)) return undefined
    return CALLED[name] ?? String(path.at(-1))
  })
  const places = new Map(config.places)
  const value = config.value as Values
  for (const [key, usual] of Object.entries(USUAL)) {
    const path = key.split('.')
    if (valueAt(value, path) !== undefined) continue
    put(value, key, usual)
    places.set(placeKey(path), { value: { start: 0, end: 0 }, text: usual })
  }
  return { ...config, value, places }
}

const readConfig = (
  config: Document,
  { plugins, files, file }: FalcosidekickValues,
  variables: Variables,
  problems: Problems,
): { readonly value: unknown; readonly secrets: number } => {
  const { env, referring } = variables
  const told = withoutUncertain(problems, variables)
  const translated = translate(config, { env, plugins }, told)
  const { listen: _, ...kept } = translated.value as Values
  const document = { ...translated, value: kept }
  loadDocument(document, { file, env, plugins, files }, told)
  const { value, secrets } = nativeValue(document)
  return { value: referring(value), secrets }
}

// ── its variables ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Of all settings of AWS the SDK finds this one by the variable that the chart makes of it. */
const regionOf = (chart: unknown): readonly unknown[] => {
  const region = valueAt(chart, ['config', 'aws', 'region'])
  return isEmpty(region) ? [] : [{ name: 'AWS_REGION', value: region }]
}

/** Somebody has set it. */
const isTouched = (path: string, value: unknown): boolean =>
  !isEmpty(value) &&
  path !== OUTSIDE &&
  ![defaultOf(path), USUAL[path]].map(String).includes(String(value)) &&
  !(path.endsWith('.minimumpriority') && value === 'debug')

/**
 * The variables that a Secret must hold: of an output about which something is said, what it cannot be without, and the
 * password that goes with a user.
 */
const inferredOf = (config: unknown): string[] => {
  if (isEmpty(valueAt(config, ['existingSecret']))) return []
  return SECTIONS.flatMap(({ path, on, keys }) => {
    const given = lowered(valueAt(lowered(config, path.split('.').length), path.split('.')))
    const isSet = (key: string): boolean => isTouched(`${path}.${key}`, given[key])
    if (!Object.keys(given).some(isSet)) return []
    const withUser = (isSet('user') || isSet('username')) && 'password' in keys ? ['password'] : []
    return [...on, ...withUser].filter((key) => isEmpty(given[key])).map((key) => variableOf(`${path}.${key}`))
  })
}

/** With all keys in lower case, as deep as is asked for. */
const lowered = (value: unknown, depth = 1): Values =>
  isMap(value)
    ? Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [
          key.toLowerCase(),
          depth > 1 && isMap(inner) ? lowered(inner, depth - 1) : inner,
        ]),
      )
    : {}

// ── who it is, and its certificate ──────────────────────────────────────────────────────────────────────────────────

const readIdentity = ({ value }: Document, values: Values): void => {
  const { useirsa = true, rolearn } = (valueAt(value, ['config', 'aws']) ?? {}) as Values
  if (plain(useirsa) !== false && !isEmpty(rolearn))
    put(values, String.raw`serviceAccount.annotations.eks\.amazonaws\.com/role-arn`, rolearn)
  if (!isEmpty(valueAt(value, ['config', 'azure', 'workloadIdentityClientID'])))
    put(values, String.raw`podLabels.azure\.workload\.identity/use`, 'true')
}

const CERTIFICATE = 'yarak-tls'

const readTls = (chart: Document, values: Values, problems: Problems): void => {
  const path = ['config', 'tlsserver']
  const { deploy, existingSecret, mutualtls } = (valueAt(chart.value, path) ?? {}) as Values
  if (plain(deploy) !== true) return
  const name = isEmpty(existingSecret) ? CERTIFICATE : existingSecret
  put(values, 'tls', { secretName: name, ...(plain(mutualtls) === true && { clientAuth: 'require' }) })
  problems.add(
    chart,
    { path, key: true },
    `config.tlsserver: the Secret ${String(name)} must hold tls.crt and tls.key${plain(mutualtls) === true ? ', and ca.crt' : ''}, ` +
      'where that of Falcosidekick has server.crt and server.key: kubectl create secret generic ... ' +
      '--from-file=tls.crt=server.crt --from-file=tls.key=server.key. Health and metrics are at the port 2810',
    'warning',
  )
}

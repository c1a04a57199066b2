/** A configuration as it was read: with `effective` every default and where each value comes from. Secrets are `***`. */
import { Document as YamlDocument, isMap, isScalar, isSeq, type Node, type Pair, stringify } from 'yaml'
import { type JsonSchema, redactBy, settingsSchema } from '../describe.ts'
import type { Spec } from '../plugin.ts'
import { keysOf, ruleFile } from '../rules/file.ts'
import { type Document, lineOf, type Path, pathText, placeOf } from './document.ts'
import type { LoadedConfig } from './index.ts'
import { inputSchema, outputSchema, type Plugins } from './plugins.ts'
import { fileSettings } from './settings.ts'
import { convertReferences, withDefaults } from './walk.ts'

/** How a configuration is printed. */
export interface PrintOptions {
  /** Resolved, with defaults and origins. Default: as it stands in the file. */
  readonly effective?: boolean
  /** JSON instead of YAML: `{ config }`, and with `effective` `{ config, origins }`, origins by path. */
  readonly json?: boolean
}

/**
 * The text of a loaded configuration.
 * @example printConfig(loaded, { effective: true }) // 'mode: enforce # yarak.yaml:3\nlisten: 127.0.0.1:2801 # default\n'
 */
export const printConfig = (
  { document, plugins }: Pick<LoadedConfig, 'document' | 'plugins'>,
  options: PrintOptions = {},
): string => {
  const { effective = false, json = false } = options
  const schema = schemaOf(document, plugins)
  const value = effective ? complete(document, schema) : document.value
  const config = redactRules(redactBy([schema], value), plugins)
  const shown = effective ? config : restoreReferences(document, config, [])
  if (!effective) return json ? `${JSON.stringify({ config: shown }, null, 2)}\n` : stringify(shown)
  const origins = originsOf(document, shown)
  return json
    ? `${JSON.stringify({ config: shown, origins: Object.fromEntries(origins.map(({ path, origin }) => [pathText(path), origin])) }, null, 2)}\n`
    : withComments(shown, origins)
}

/** The schema of this very file: the top level with the plugins that it names. */
const schemaOf = ({ value }: Document, plugins: Plugins): JsonSchema => {
  const top = settingsSchema(fileSettings)
  const named = (section: string, known: readonly Spec[], schema: (spec: Spec) => JsonSchema): JsonSchema => ({
    type: 'object',
    properties: Object.fromEntries(
      Object.keys((value as Record<string, object | null>)[section] ?? {}).map((id) => {
        const spec = known.find(({ type }) => type === id.split('/')[0])
        return [id, spec ? schema(spec) : { writeOnly: true }]
      }),
    ),
  })
  const own = (spec: Spec): JsonSchema => settingsSchema(spec.config)
  const sections = {
    inputs: named('inputs', plugins.inputs, inputSchema),
    outputs: named('outputs', plugins.outputs, outputSchema),
    resources: named('resources', plugins.resources, own),
    contexts: named('contexts', plugins.contexts, own),
    rules: { type: 'array', items: settingsSchema(ruleFile) },
  }
  return { ...top, properties: { ...top.properties, ...sections } }
}

const SECTIONS = ['inputs', 'outputs', 'resources', 'contexts']

/** An id without settings has all its defaults. */
const complete = (document: Document, schema: JsonSchema): unknown => {
  const given = { ...(document.value as Record<string, unknown>) }
  for (const section of SECTIONS) {
    const entries = Object.entries((given[section] ?? {}) as Record<string, unknown>).map(([id, settings]) => [
      id,
      settings ?? {},
    ])
    if (section in given) given[section] = Object.fromEntries(entries)
  }
  const converted = convertReferences(document, [], schema, given) as Record<string, unknown>
  const whole = withDefaults(schema, converted) as Record<string, unknown>
  const rules = whole['rules'] as unknown[] | null | undefined
  const written = converted['rules'] as unknown[]
  return Array.isArray(rules) ? { ...whole, rules: rules.map((rule, i) => (isRule(rule) ? rule : written[i])) } : whole
}

/** Lists, macros and changes of rules have no defaults. */
const isRule = (item: unknown): boolean => {
  const keys = keysOf(item)
  return keys.has('steps') && !keys.has('override')
}

/** Not effective: what a reference gave is not shown, the reference is. */
const restoreReferences = (document: Document, value: unknown, path: Path): unknown => {
  const place = placeOf(document, path)
  if (place?.from !== undefined && place.text !== undefined) return place.text
  if (Array.isArray(value)) return value.map((item, i) => restoreReferences(document, item, [...path, i]))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, restoreReferences(document, item, [...path, key])]),
  )
}

/** Rules written in the file hide the secrets of their actions. */
const redactRules = (config: unknown, { actions }: Plugins): unknown => {
  const { rules, ...rest } = config as { rules?: unknown }
  if (!Array.isArray(rules)) return config
  return { ...rest, rules: rules.map((rule) => redactRule(rule, actions)) }
}

const redactRule = (rule: unknown, actions: readonly Spec[]): unknown => {
  if (typeof rule !== 'object' || rule === null) return rule
  const lists = Object.entries(rule).filter(([key, value]) => LISTS.includes(key) && Array.isArray(value))
  const shown = lists.map(([key, steps]) => [key, (steps as unknown[]).map((step) => redactStep(step, actions))])
  return { ...rule, ...(Object.fromEntries(shown) as object) }
}

const LISTS = ['steps', 'onFailure', 'finally']

const redactStep = (step: unknown, actions: readonly Spec[]): unknown => {
  if (typeof step !== 'object' || step === null) return step
  const { action: type, with: settings, parallel } = step as { action?: unknown; with?: unknown; parallel?: unknown }
  if (Array.isArray(parallel)) return { ...step, parallel: parallel.map((one) => redactStep(one, actions)) }
  const action = actions.find((one) => one.type === type)
  return settings === undefined || !action
    ? step
    : { ...step, with: redactBy([settingsSchema(action.config)], settings) }
}

interface Origin {
  readonly path: Path
  readonly origin: string
}

/** Where each leaf comes from: `yarak.yaml:12`, `env NAME`, `file /path` or `default`. */
const originsOf = (document: Document, value: unknown, path: Path = []): Origin[] => {
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    return Object.entries(value).flatMap(([key, inner]) =>
      originsOf(document, inner, [...path, Array.isArray(value) ? Number(key) : key]),
    )
  }
  return [{ path, origin: originOf(document, path) }]
}

const originOf = (document: Document, path: Path): string => {
  const place = placeOf(document, path)
  return place ? (place.from ?? `${document.file}:${lineOf(document, path)}`) : 'default'
}

const withComments = (config: unknown, origins: readonly Origin[]): string => {
  const yaml = new YamlDocument(config)
  for (const { path, origin } of origins) {
    const node = nodeAt(yaml.contents, path)
    if (node) node.comment = ` ${origin}`
  }
  const text = yaml.toString({ lineWidth: 0, flowCollectionPadding: false })
  return text.replaceAll(/([:-])\s*\n\s+(\{\}|\[\])\n\s+#/g, '$1 $2 #')
}

const nodeAt = (root: Node | null, path: Path): Node | undefined => {
  let node: unknown = root
  for (const part of path) {
    if (isMap(node)) node = node.items.find((pair: Pair) => isScalar(pair.key) && pair.key.value === part)?.value
    else if (isSeq(node)) node = node.items[Number(part)]
  }
  return node === null ? undefined : (node as Node)
}

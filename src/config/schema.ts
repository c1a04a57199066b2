/** The JSON Schema of whole files, for editors: names, types, defaults and descriptions of all that is installed. */
import type { z } from 'zod'
import { type JsonSchema, pluginSchema, settingsSchema } from '../describe.ts'
import type { Action, Spec } from '../plugin.ts'
import {
  actionFile,
  groupFile,
  IGNORED,
  listFile,
  macroFile,
  ruleChange,
  ruleFile,
  stepFile,
  waitFile,
} from '../rules/file.ts'
import { inputSchema, outputSchema, type Plugins } from './plugins.ts'
import { fileSettings } from './settings.ts'

const DRAFT = 'https://json-schema.org/draft/2020-12/schema'
const REFERENCE: JsonSchema = { type: 'string', pattern: String.raw`\$\{(env|file):` }
const TEMPLATE: JsonSchema = { type: 'string', pattern: String.raw`\{\{|\{%` }

/**
 * The schema of a configuration file.
 * @example writeFileSync('config/schema.json', JSON.stringify(configSchema(plugins), null, 2))
 */
export const configSchema = (plugins: Plugins): JsonSchema => {
  const top = settingsSchema(fileSettings)
  const sections = {
    inputs: section(plugins.inputs, (input) => ({
      ...pluginSchema(input),
      ...inputSchema(input),
      description: input.summary,
    })),
    outputs: section(plugins.outputs, (output) => ({
      ...pluginSchema(output),
      ...outputSchema(output),
      description: output.summary,
    })),
    resources: section(plugins.resources, pluginSchema),
    contexts: section(plugins.contexts, pluginSchema),
  }
  const properties = Object.fromEntries(
    Object.entries(top.properties ?? {}).map(([name, schema]) => [name, admitting(schema, REFERENCE)]),
  )
  for (const [name, schema] of Object.entries(sections)) {
    properties[name] = { description: top.properties?.[name]?.description, ...schema }
  }
  properties['rules'] = {
    description: top.properties?.['rules']?.description,
    type: ['array', 'null'],
    items: { anyOf: [{ type: 'string' }, { $ref: '#/$defs/item' }] },
  }
  return {
    $schema: DRAFT,
    title: 'Yarak configuration',
    ...top,
    properties,
    $defs: itemSchemas(plugins.actions),
  }
}

/** The schema of a rules file. */
export const rulesSchema = (actions: readonly Action[]): JsonSchema => ({
  $schema: DRAFT,
  title: 'Yarak rules',
  type: 'array',
  items: { $ref: '#/$defs/item' },
  $defs: itemSchemas(actions),
})

const section = <P extends Spec>(plugins: readonly P[], schemaOf: (plugin: P) => JsonSchema): JsonSchema => ({
  type: ['object', 'null'],
  patternProperties: Object.fromEntries(
    plugins.map((plugin) => [idPattern(plugin.type), nullable(admitting(schemaOf(plugin), REFERENCE))]),
  ),
  additionalProperties: false,
})

const idPattern = (type: string): string => `^${type.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}(/[a-z0-9-]+)?$`

/** A section left empty (`stdout:`) is no settings at all, where none is required. */
const nullable = (schema: JsonSchema): JsonSchema =>
  (schema.required?.length ?? 0) > 0 ? schema : { ...schema, type: ['object', 'null'] }

/** The items of a rules file. The older forms of a change load with a warning, and are left out. */
const itemSchemas = (actions: readonly Action[]): Record<string, JsonSchema> => {
  const step = admitting(settingsSchema(stepFile), REFERENCE)
  const change = ruleSchema(ruleChange)
  return {
    step: { anyOf: [...actions.map((action) => stepSchema(step, action)), composedSchema(step, actions)] },
    entry: { anyOf: [{ $ref: '#/$defs/step' }, groupSchema(), admitting(settingsSchema(waitFile), REFERENCE)] },
    item: {
      anyOf: [
        ruleSchema(ruleFile),
        { ...change, required: ['rule', 'override'] },
        settingsSchema(listFile),
        settingsSchema(macroFile),
        ruleSchema(actionFile),
        ...IGNORED.map((key) => ({ type: 'object', properties: { [key]: {} }, required: [key] })),
      ],
    },
  }
}

const ruleSchema = (source: z.ZodType): JsonSchema => {
  const rule = settingsSchema(source)
  const lists = ['steps', 'onFailure', 'finally'].flatMap((key) => {
    const list = rule.properties?.[key]
    return list ? [[key, { ...list, items: { $ref: '#/$defs/entry' } }] as const] : []
  })
  return { ...rule, properties: { ...rule.properties, ...Object.fromEntries(lists) } }
}

const groupSchema = (): JsonSchema => {
  const group = settingsSchema(groupFile)
  return { ...group, properties: { parallel: { ...group.properties?.['parallel'], items: { $ref: '#/$defs/step' } } } }
}

/** A step that names an action composed in a file: which there are is not known here. */
const composedSchema = (step: JsonSchema, actions: readonly Action[]): JsonSchema => {
  const others = actions.map(({ type }) => `${type}$`).join('|')
  const { id, if: holds, with: settings } = step.properties ?? {}
  const action: JsonSchema = { type: 'string', pattern: `^(?!${others})[a-z][a-z0-9-]*$` }
  return {
    ...step,
    description: 'An action composed of steps in a rules file.',
    properties: { action, ...(id && { id }), ...(holds && { if: holds }), ...(settings && { with: settings }) },
    required: ['action'],
  }
}

const stepSchema = (step: JsonSchema, action: Action): JsonSchema => {
  const settings = admitting(admitting(pluginSchema(action), TEMPLATE), REFERENCE)
  const needed = (settings.required?.length ?? 0) > 0
  return {
    ...step,
    description: action.summary,
    properties: { ...step.properties, action: { const: action.type }, with: nullable(settings) },
    required: needed ? ['action', 'with'] : ['action'],
  }
}

/** The schema with `also` allowed wherever a scalar stands that is not any text. */
const admitting = (schema: JsonSchema, also: JsonSchema): JsonSchema => {
  const result: JsonSchema = { ...schema }
  if (schema.properties) result.properties = mapValues(schema.properties, also)
  if (typeof schema.items === 'object') result.items = admitting(schema.items, also)
  if (typeof schema.additionalProperties === 'object') {
    result.additionalProperties = admitting(schema.additionalProperties, also)
  }
  for (const key of ['anyOf', 'oneOf', 'allOf'] as const) {
    if (schema[key]) result[key] = schema[key].map((one) => admitting(one, also))
  }
  return isNarrowScalar(schema) ? outside(result, also) : result
}

const mapValues = (properties: Record<string, JsonSchema>, also: JsonSchema): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, admitting(inner, also)]))

const isNarrowScalar = ({ type, pattern, enum: choices, format, const: only }: JsonSchema): boolean =>
  type === 'string'
    ? pattern !== undefined || choices !== undefined || format !== undefined || only !== undefined
    : type === 'number' || type === 'integer' || type === 'boolean' || only !== undefined

/** Keeps what editors show (description, default) outside of the choice. */
const outside = ({ description, default: fallback, writeOnly, ...rest }: JsonSchema, also: JsonSchema): JsonSchema => ({
  ...(description !== undefined && { description }),
  ...(fallback !== undefined && { default: fallback }),
  ...(writeOnly !== undefined && { writeOnly }),
  anyOf: [rest, also],
})

/** What can be derived from a declaration: JSON Schema, the rows of a settings table, redaction. Pure. */
import { z } from 'zod'
import type { Spec } from './plugin.ts'

/** A JSON Schema (draft 2020-12), as far as it is read here. */
export interface JsonSchema {
  [keyword: string]: unknown
  type?: string | string[]
  title?: string
  description?: string
  default?: unknown
  enum?: unknown[]
  const?: unknown
  format?: string
  pattern?: string
  writeOnly?: boolean
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: JsonSchema | boolean
  items?: JsonSchema | boolean
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  allOf?: JsonSchema[]
}

/**
 * The JSON Schema of what a user may write for a settings schema: before defaults and conversions.
 * Secrets are `writeOnly`. A schema that contains itself is refused.
 * @example settingsSchema(z.strictObject({ url: secret() })).properties.url // { type: 'string', minLength: 1, writeOnly: true }
 */
export const settingsSchema = (schema: z.ZodType): JsonSchema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    cycles: 'throw',
    override: ({ zodSchema, jsonSchema }) => tidy(zodSchema as unknown as z.ZodType, jsonSchema as JsonSchema),
  })
  return rest as JsonSchema
}

const tidy = (source: z.ZodType, schema: JsonSchema): void => {
  const fallback = source instanceof z.ZodDefault ? source.def.defaultValue : undefined
  // Left out by zod where the setting is converted, as a size is; kept when it could have been written so.
  if (fallback !== undefined && source.safeParse(fallback).success) schema.default ??= fallback
  if (schema['secret'] === true) schema.writeOnly = true
  delete schema['secret']
  delete schema['propertyNames']
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum']
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum']
}

/** The JSON Schema of a plugin's settings, with its type and summary. */
export const pluginSchema = ({ type, summary, config }: Spec): JsonSchema => ({
  title: type,
  ...settingsSchema(config),
  description: summary,
})

/** A schema and all its alternatives. */
export const branches = (schema: JsonSchema): JsonSchema[] => [
  schema,
  ...[schema.anyOf, schema.oneOf, schema.allOf].flatMap((list) => (list ?? []).flatMap(branches)),
]

/** The schemas that hold for a member or an item; several where there are alternatives, none where it is not known. */
export const innerSchemas = (schema: JsonSchema, key: string | number): JsonSchema[] =>
  branches(schema).flatMap((one) => {
    const inner =
      typeof key === 'number'
        ? one.items
        : one.properties && Object.hasOwn(one.properties, key)
          ? one.properties[key]
          : one.additionalProperties
    return typeof inner === 'object' ? [inner] : []
  })

/** True when a value that any of these schemas describes is never shown. */
export const isSecret = (schemas: readonly JsonSchema[]): boolean =>
  schemas.some((schema) => branches(schema).some((one) => one.writeOnly === true))

/**
 * A copy of settings that can be printed: secrets are `***`, and so is a password inside any address.
 * @example redact(slack.config, { webhookUrl: 'https://hooks.slack.com/x' }) // { webhookUrl: '***' }
 */
export const redact = (schema: z.ZodType, value: unknown): unknown => redactBy([settingsSchema(schema)], value)

/** {@link redact} by JSON Schemas, of which any may hold. */
export const redactBy = (schemas: readonly JsonSchema[], value: unknown): unknown => {
  if (value === undefined || value === null || value === '') return value
  if (isSecret(schemas)) return '***'
  if (typeof value === 'string') return hideUserinfo(value)
  if (Array.isArray(value)) return value.map((item, i) => redactBy(inner(schemas, i), item))
  if (typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactBy(inner(schemas, key), item)]))
}

const inner = (schemas: readonly JsonSchema[], key: string | number): JsonSchema[] =>
  schemas.flatMap((schema) => innerSchemas(schema, key))

const hideUserinfo = (text: string): string => text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi, '$1***@')

/** One line of a settings table. */
export interface SettingRow {
  /** `headers`, `tls.ca`, `routes[].match`; a map's keys are `<name>`. */
  readonly name: string
  readonly type: string
  /** As written in YAML; undefined when there is none. */
  readonly default: string | undefined
  readonly required: boolean
  readonly secret: boolean
  readonly description: string
}

/** Every setting of a schema, inner ones after the one that holds them. */
export const settingRows = (schema: JsonSchema, prefix = ''): SettingRow[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, setting]) => [
    row(`${prefix}${name}`, setting, schema.required?.includes(name) ?? false),
    ...innerRows(`${prefix}${name}`, setting),
  ])

const innerRows = (name: string, schema: JsonSchema): SettingRow[] =>
  branches(schema).flatMap((one) => [
    ...(one.properties && one === schema ? settingRows(one, `${name}.`) : []),
    ...(one.properties && one !== schema ? settingRows(one, `${name}.`) : []),
    ...(typeof one.items === 'object' ? innerRows(`${name}[]`, one.items) : []),
    ...(typeof one.additionalProperties === 'object' ? innerRows(`${name}.<name>`, one.additionalProperties) : []),
  ])

const row = (name: string, schema: JsonSchema, required: boolean): SettingRow => ({
  name,
  type: typeText(schema),
  default: schema.default === undefined ? undefined : JSON.stringify(schema.default),
  required,
  secret: isSecret([schema]),
  description: schema.description ?? '',
})

/** A type in the words of the docs: `text`, `list of numbers`, `a \| b`. */
export const typeText = (schema: JsonSchema): string => {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((one) => String(one)).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map(typeText))].join(' or ')
  if (schema.type === 'array') return typeof schema.items === 'object' ? `list of ${typeText(schema.items)}` : 'list'
  if (schema.type === 'object') {
    return typeof schema.additionalProperties === 'object' ? `map of ${typeText(schema.additionalProperties)}` : 'map'
  }
  return scalarText(schema)
}

const scalarText = ({ type, format, pattern }: JsonSchema): string => {
  if (format === 'uri') return 'URL'
  if (pattern?.includes('ms|s|m|h|d')) return 'duration'
  if (pattern?.includes('KiB|MiB|GiB')) return 'size'
  const names: Record<string, string> = { string: 'text', integer: 'whole number', boolean: 'true or false' }
  return (
    [type ?? []]
      .flat()
      .map((one) => names[one] ?? one)
      .join(' or ') || 'anything'
  )
}

/** The files of the Helm chart that are made from the declarations: the schema of its values, and the rights. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type JsonSchema, settingsSchema } from '../describe.ts'
import { asDocument, readRules } from '../rules-tools/read-rules.ts'
import type { RuleInput } from '../rules/rule.ts'
import { chartRights } from './chart-rights.ts'
import { chartValues } from './chart-values.ts'
import { systemFiles } from './files.ts'
import type { Plugins } from './plugins.ts'
import { createProblems } from './problems.ts'
import { configSchema } from './schema.ts'

/** By path from the root of the repository. */
export const chartFiles = (plugins: Plugins): Record<string, string> => ({
  'charts/yarak/files/rights.json': `${JSON.stringify(chartRights(plugins, builtinRules(plugins)))}\n`,
  'charts/yarak/values.schema.json': `${JSON.stringify(valuesSchema(plugins))}\n`,
})

/** Those in `config/rules` that answer Falco's own rules, by name. Those of the demo are not for a cluster. */
const builtinRules = ({ actions, contexts }: Plugins): Record<string, readonly RuleInput[]> => {
  const folder = join(import.meta.dirname, '../../config/rules')
  const names = readdirSync(folder).flatMap((file) => /^([a-z-]+)\.yaml$/.exec(file)?.[1] ?? [])
  const source = { actions, contexts: contexts.map(({ type }) => type), env: {}, files: systemFiles() }
  return Object.fromEntries(
    names
      .filter((name) => name !== 'demo')
      .sort()
      .map((name) => {
        const document = asDocument([join(folder, `${name}.yaml`)])
        return [name, readRules(document, { ...source, problems: createProblems() })]
      }),
  )
}

/**
 * The schema of the chart's values, draft-07: Helm 3 knows no later one. Rules are only known for maps or names of
 * files here, for of many alternatives Helm does not tell which one was meant; Yarak itself tells it.
 * @see https://helm.sh/docs/topics/charts/#schema-files
 */
export const valuesSchema = (plugins: Plugins): JsonSchema => {
  const { properties } = optional(settingsSchema(chartValues))
  const { $schema: _, $defs: __, required: ___, title: ____, ...config } = configSchema(plugins)
  const rules: JsonSchema = { type: ['array', 'null'], items: { type: ['string', 'object'] } }
  const given = { ...properties?.['config'], ...config, properties: { ...config.properties, rules } }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart yarak',
    type: 'object',
    additionalProperties: false,
    properties: { ...forHelm({ properties: { ...properties, config: given } }).properties, global: { type: 'object' } },
  }
}

/** A user gives a part of the values; the chart has the others. Items of lists are given whole. */
const optional = ({ required: _, ...schema }: JsonSchema): JsonSchema => ({
  ...schema,
  ...(schema.properties && {
    properties: Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, optional(inner)])),
  }),
})

/** Patterns of what RE2 does not know; Helm refuses a schema with such. */
const NOT_RE2 = /\(\?[=!<]|\\[1-9]|\[\^\]/

/** Without what only editors show (they have config/schema.json), and without what Helm cannot use. */
const forHelm = (schema: JsonSchema): JsonSchema => {
  const { pattern, default: _, writeOnly: __, title: ___, description: ____, ...rest } = schema
  const kept = Object.entries(rest).map(([key, value]) => [key, innerForHelm(key, value)])
  return {
    ...(Object.fromEntries(kept) as JsonSchema),
    ...(pattern !== undefined && !NOT_RE2.test(pattern) && { pattern }),
  }
}

const MAPS = ['properties', 'patternProperties']

const innerForHelm = (key: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || key === 'enum' || key === 'const') return value
  if (Array.isArray(value)) return value.map((one: unknown) => (isSchema(one) ? forHelm(one) : one))
  if (!MAPS.includes(key)) return forHelm(value as JsonSchema)
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, forHelm(inner as JsonSchema)]))
}

const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null

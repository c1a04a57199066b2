/** The sections `inputs`, `outputs` and `resources`: an id and its settings -> a plugin with its checked settings. */
import { z } from 'zod'
import { deliverySettings } from '../deliver.ts'
import { type JsonSchema, settingsSchema } from '../describe.ts'
import type { Action, Input, Output, Resource, Spec, Use } from '../plugin.ts'
import { checkValue } from './check.ts'
import type { Document } from './document.ts'
import { type NotedDefinitions, readSelection, type TextChecks } from './expressions.ts'
import type { Problems } from './problems.ts'
import { suggestion } from './suggest.ts'

/** The declarations that a file can name. */
export interface Plugins {
  readonly inputs: readonly Input[]
  readonly outputs: readonly Output[]
  readonly actions: readonly Action[]
  readonly resources: readonly Resource[]
}

/** An output with its own settings and those of its delivery, as `createGateway` takes it. */
export type OutputUse = { readonly output: Use<Output> } & z.input<typeof deliverySettings>

/** What sections are read with. */
export interface SectionContext {
  readonly document: Document
  readonly problems: Problems
  readonly checks: TextChecks
  /** Lists and macros that conditions may name. */
  readonly definitions: NotedDefinitions | undefined
}

type Section = 'inputs' | 'outputs' | 'resources'
type Settings = Record<string, unknown>

interface Entry<P extends Spec> {
  readonly id: string
  readonly plugin: P
  readonly path: readonly string[]
  readonly settings: unknown
}

const ID = /^([^/]+)(?:\/([a-z0-9-]+))?$/

/** The entries of a section whose type is known; the others are told. */
const entriesOf = <P extends Spec>(
  { document, problems }: SectionContext,
  section: Section,
  known: readonly P[],
): Entry<P>[] =>
  Object.entries(settingsOf(document.value, section)).flatMap(([id, settings]) => {
    const path = [section, id]
    const [, type] = ID.exec(id) ?? []
    const plugin = known.find((one) => one.type === type)
    if (plugin) return [{ id, plugin, path, settings: settings ?? {} }]
    const what = section.slice(0, -1)
    const wrong = type === undefined ? id.slice(0, id.indexOf('/')) : type
    const message = known.some((one) => one.type === wrong)
      ? `${id} is not a valid id; a label is of a-z, 0-9 and -, as in ${wrong}/secops`
      : `${wrong} is not a known ${what}${suggestion(
          wrong,
          known.map((one) => one.type),
        )}`
    problems.add(document, { path, key: true }, `${section}: ${message}`)
    return []
  })

const settingsOf = (value: unknown, section: Section): Settings => {
  const found = (value as Settings | undefined)?.[section]
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Settings) : {}
}

/** The inputs or resources of a file. */
export const readUses = <P extends Spec>(
  context: SectionContext,
  section: 'inputs' | 'resources',
  known: readonly P[],
): Use<P>[] =>
  entriesOf(context, section, known).flatMap(({ id, plugin, path, settings }) => {
    const checked = checkValue({ ...context, path, schema: plugin.config, value: settings })
    return checked ? [{ id, plugin, config: plugin.config.parse(checked.value) }] : []
  })

/** The settings of the delivery as written in a file: a condition is text. */
const deliveryFile = deliverySettings.extend({
  condition: z
    .string()
    .optional()
    .describe(deliverySettings.shape.condition.description ?? ''),
})

/** The outputs of a file: the settings of the delivery are taken out, the rest is the output's own. */
export const readOutputs = (context: SectionContext, known: readonly Output[]): OutputUse[] =>
  entriesOf(context, 'outputs', known).flatMap((entry) => {
    const [mine, own] = isMap(entry.settings) ? splitDelivery(entry.settings) : [{}, entry.settings]
    const { plugin, path, id } = entry
    const alsoKnown = Object.keys(deliverySettings.shape)
    const settings = checkValue({ ...context, path, schema: plugin.config, value: own, alsoKnown })
    const delivery = checkValue({ ...context, path, schema: deliveryFile, value: mine })
    if (!delivery) return []
    const given = delivery.value as Settings
    const condition = readSelection({ ...context, path, name: `outputs.${id}.` }, given)
    if (!settings) return []
    const output = { id, plugin, config: plugin.config.parse(settings.value) }
    return [{ ...given, ...(condition !== undefined && { condition }), output }]
  })

const isMap = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const splitDelivery = (settings: Settings): [delivery: Settings, own: Settings] => {
  const entries = Object.entries(settings)
  const isDelivery = ([key]: [string, unknown]): boolean => Object.hasOwn(deliverySettings.shape, key)
  return [
    Object.fromEntries(entries.filter(isDelivery)),
    Object.fromEntries(entries.filter((entry) => !isDelivery(entry))),
  ]
}

/** The JSON Schema of an output as written in a file: its own settings and those of the delivery. */
export const outputSchema = (output: Spec): JsonSchema => {
  const own = settingsSchema(output.config)
  return { ...own, properties: { ...own.properties, ...settingsSchema(deliveryFile).properties } }
}

/** The sections `inputs`, `outputs`, `resources` and `contexts`: an id and its settings -> a plugin with its checked settings. */
import { z } from 'zod'
import { whyNotLed } from '../claims.ts'
import { originSettings } from '../cluster.ts'
import { deliverySettings } from '../delivery-settings.ts'
import { type JsonSchema, settingsSchema } from '../describe.ts'
import type { Action, Context, Input, Output, Resource, Spec, Use } from '../plugin.ts'
import type { InputInput } from '../options.ts'
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
  readonly contexts: readonly Context[]
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

type Section = 'inputs' | 'outputs' | 'resources' | 'contexts'
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

/** The inputs, resources or contexts of a file. */
export const readUses = <P extends Spec>(
  context: SectionContext,
  section: Exclude<Section, 'outputs'>,
  known: readonly P[],
): Use<P>[] =>
  entriesOf(context, section, known).flatMap(({ id, plugin, path, settings }) => {
    const checked = checkValue({ ...context, path, schema: plugin.config, value: settings })
    return checked ? [{ id, plugin, config: plugin.config.parse(checked.value) }] : []
  })

/** The contexts of a file, and with their defaults those that it does not name. */
export const readContexts = (context: SectionContext, known: readonly Context[]): Use<Context>[] => {
  const named = readUses(context, 'contexts', known)
  const others = known.filter(({ type }) => !named.some(({ plugin }) => plugin.type === type))
  const defaults = others.flatMap((plugin) => {
    const { success, data } = plugin.config.safeParse({})
    return success ? [{ id: plugin.type, plugin, config: data }] : []
  })
  return [...named, ...defaults]
}

/** What steps may name as `context.<type>`; also those whose settings are wrong, which is told there. */
export const contextNames = (value: unknown, known: readonly Context[]): string[] => {
  const named = new Set(Object.keys(settingsOf(value, 'contexts')).map((id) => id.split('/')[0]))
  return known.flatMap(({ type, config }) => (named.has(type) || config.safeParse({}).success ? [type] : []))
}

/** The inputs of a file: the settings that every input has are taken out, the rest is the input's own. */
export const readInputs = (context: SectionContext, known: readonly Input[]): InputInput[] =>
  entriesOf(context, 'inputs', known).flatMap(({ id, plugin, path, settings: all }) => {
    const [common, own] = isMap(all) ? split(all, originSettings) : [{}, all]
    const alsoKnown = Object.keys(originSettings.shape)
    const settings = checkValue({ ...context, path, schema: plugin.config, value: own, alsoKnown })
    const origin = checkValue({ ...context, path, schema: originSettings, value: common })
    if (!settings || !origin) return []
    const input = { id, plugin, config: plugin.config.parse(settings.value) }
    return [Object.keys(common).length === 0 ? input : { ...originSettings.parse(origin.value), input }]
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
    const { plugin, path, id } = entry
    const [mine, own] = isMap(entry.settings)
      ? split(entry.settings, deliverySettings, plugin.config)
      : [{}, entry.settings]
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

/** The outputs of a file that keep files, by id, with their settings as written. */
export const storesIn = (value: unknown, known: readonly Output[]): ReadonlyMap<string, unknown> => {
  const types = new Set(known.filter(({ stores }) => stores).map(({ type }) => type))
  return new Map(Object.entries(settingsOf(value, 'outputs')).filter(([id]) => types.has(id.split('/')[0] ?? '')))
}

/** The resource in which it is agreed on who answers what. */
export const claimsIn = (
  name: string,
  { document, problems }: Pick<SectionContext, 'document' | 'problems'>,
  { resources }: Pick<Plugins, 'resources'>,
): Resource | undefined => {
  const able = resources.filter(({ agreement }) => agreement)
  const found = able.find(({ type }) => type === name)
  const names = able.map(({ type }) => type)
  if (!found)
    problems.add(document, { path: ['claims'] }, `claims must be one of ${names.join(', ')}${suggestion(name, names)}`)
  return found
}

/** What is led is read, and who leads is agreed on somewhere. */
export const checkLeaders = (
  inputs: readonly InputInput[],
  isAgreed: boolean,
  { document, problems }: Pick<SectionContext, 'document' | 'problems'>,
): void => {
  for (const given of inputs) {
    if (!('leader' in given && given.leader)) continue
    const path = ['inputs', given.input.id, 'leader']
    const wrong = whyNotLed(given.input.plugin, isAgreed)
    if (wrong) problems.add(document, { path }, `${path.join('.')} ${wrong}`)
  }
}

const isMap = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Those that every plugin of the kind has, and the plugin's own; what has the name of both is the plugin's. */
const split = (settings: Settings, { shape }: { readonly shape: object }, config?: z.ZodType): [Settings, Settings] => {
  const entries = Object.entries(settings)
  const theirs = config instanceof z.ZodObject ? config.shape : {}
  const isCommon = ([key]: [string, unknown]): boolean => Object.hasOwn(shape, key) && !Object.hasOwn(theirs, key)
  return [Object.fromEntries(entries.filter(isCommon)), Object.fromEntries(entries.filter((one) => !isCommon(one)))]
}

/** The JSON Schema of an input as written in a file: its own settings and those that every input has. */
export const inputSchema = (input: Spec): JsonSchema => {
  const own = settingsSchema(input.config)
  return { ...own, properties: { ...own.properties, ...settingsSchema(originSettings).properties } }
}

/** The JSON Schema of an output as written in a file: its own settings and those of the delivery. */
export const outputSchema = (output: Spec): JsonSchema => {
  const own = settingsSchema(output.config)
  return { ...own, properties: { ...settingsSchema(deliveryFile).properties, ...own.properties } }
}

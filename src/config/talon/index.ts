/**
 * Falco Talon's configuration, from its file and its environment variables -> a file of ours. What is wrong is told where
 * it stands in Talon's file.
 *
 * Source: `configuration/configuration.go` of Falco Talon at 19d3add (August 2026).
 */
import { readTalon, type TalonFile } from '../../rules/talon-read.ts'
import { type Document, type Path, placeOf } from '../document.ts'
import { createNative, type Native } from '../falcosidekick/native.ts'
import { createSource, type Source } from '../falcosidekick/source.ts'
import type { Files } from '../files.ts'
import { type LoadedConfig, loadDocument } from '../index.ts'
import type { Plugins } from '../plugins.ts'
import { createProblems, type Problems, SECRET_NAME } from '../problems.ts'
import { readDocument } from '../read.ts'
import { suggestion } from '../suggest.ts'
import { IN_FILE_ONLY, KEYS, SECTIONS } from './keys.ts'
import { readNotifiers } from './notifiers.ts'
import { readServer } from './server.ts'

/** What is read, and with what. */
export interface TalonConfigOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly plugins: Plugins
  readonly files: Files
  /** Stand in place of the rules files that the configuration names, as with Talon's `-r`. */
  readonly rules?: readonly TalonFile[] | undefined
}

/** What the parts of the translation work with. */
export interface Reading {
  readonly source: Source
  readonly native: Native
  readonly problems: Problems
  readonly plugins: Plugins
  /** Where the keys of the file stand, by their path in lower case. */
  readonly places: ReadonlyMap<string, Path>
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const TOP: ReadonlySet<string> = new Set(KEYS.map((key) => key.replace(/\..*/, '')))

/** Whether a file is Talon's configuration: a map with one of its keys. */
export const isTalonConfig = ({ value }: Document): boolean =>
  isMap(value) && Object.keys(value).some((key) => TOP.has(key.toLowerCase().replace(/\..*/, '')))

/**
 * Translates Talon's configuration. Rules files are named; of what is in them only the notifiers are looked at. Never
 * throws for what stands in it.
 * @example const { document, problems } = loadTalonConfig(read, { env, plugins: builtin, files }, problems)
 */
export const loadTalonConfig = (document: Document, options: TalonConfigOptions, problems: Problems): LoadedConfig => {
  const { env, plugins, files } = options
  const places = placesOf(document.value)
  const source = asTalonFinds(createSource(document, env, problems), places)
  const native = createNative(document)
  const reading = { source, native, problems, plugins, places }
  hideSecrets(document, places)
  native.set(['version'], 1)
  warnOfUnknown(reading)
  const rules = readServer(reading, options.rules !== undefined)
  readNotifiers(reading, options.rules ?? readRules(rules, files))
  const translated = { ...document, value: native.value, places: native.places, plain: true }
  const loaded = loadDocument(translated, { file: document.file, env, plugins, files }, problems)
  const value = rules.length > 0 ? { ...native.value, rules } : native.value
  return { ...loaded, document: { ...translated, value } }
}

/** All nodes of the file; keys are found whatever their case. */
const placesOf = (value: unknown, path: Path = []): Map<string, Path> => {
  const inner = isMap(value) ? Object.entries(value) : []
  return new Map(
    inner.flatMap(([key, one]) => [
      [[...path, key].join('.').toLowerCase(), [...path, key]] as const,
      ...placesOf(one, [...path, key]),
    ]),
  )
}

const ALSO_SECRET = /^notifiers\.webhook\.url$|\.custom_headers\./

/** Also of what is off, or mistyped: the line that is wrong may hold more than what is wrong. */
const hideSecrets = (document: Document, places: ReadonlyMap<string, Path>): void => {
  for (const [name, path] of places) {
    const place = placeOf(document, path)
    const isSecret = SECRET_NAME.test(name.replace(/.*\./, '')) || ALSO_SECRET.test(name) || !KEYS.includes(name)
    if (place && isSecret && (place.text !== undefined || !SECTIONS.has(name))) document.secrets.add(place.value)
  }
}

const asTalonFinds = (source: Source, places: ReadonlyMap<string, Path>): Source => ({
  ...source,
  find: (path) => (IN_FILE_ONLY.test(path) && !places.has(path) ? undefined : source.find(path)),
})

const warnOfUnknown = ({ source, problems, places }: Reading): void => {
  const { document } = source
  for (const [name, path] of places) {
    const section = SECTIONS.has(name) ? source.find(name) : undefined
    if (section && !isMap(section.value)) source.fail(section, 'must be a map')
    const parent = path.slice(0, -1).join('.').toLowerCase()
    if (KEYS.includes(name) || SECTIONS.has(name) || (parent !== '' && !SECTIONS.has(parent))) continue
    const message = `${path.join('.')} is not a key of Falco Talon and does nothing${suggestion(name, KEYS)}`
    problems.add(document, { path, key: true }, message, 'warning')
  }
}

/** The rules, as far as their files are on this machine; undefined when one is not. */
const readRules = (names: readonly string[], files: Files): TalonFile[] | undefined => {
  const aside = createProblems()
  const references = { env: {}, file: (path: string) => files.read(path) }
  try {
    return names.map((name) => readTalon(readDocument(name, files.read(name), aside, { references }), aside))
  } catch {
    return undefined
  }
}

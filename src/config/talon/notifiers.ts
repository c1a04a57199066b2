/** Talon's notifiers -> outputs of ours: told of all responses, or of those to the rules that name them. */
import { innerSchemas, isSecret, settingsSchema } from '../../describe.ts'
import type { Output } from '../../plugin.ts'
import type { TalonFile } from '../../rules/talon-read.ts'
import { convert, listOf, splitLogin, textOf } from '../falcosidekick/convert.ts'
import type { Found } from '../falcosidekick/source.ts'
import { suggestion } from '../suggest.ts'
import type { Reading } from './index.ts'
import { type Notifier, NOTIFIERS } from './keys.ts'

const NAMES = NOTIFIERS.map(({ name }) => name)

/**
 * Adds the outputs.
 * @param rules whose notifiers are told too; undefined: they are not known
 */
export const readNotifiers = (reading: Reading, rules: readonly TalonFile[] | undefined): void => {
  const always = defaultNotifiers(reading)
  const named = new Set(rules?.flatMap((file) => file.rules).flatMap(({ notifiers }) => notifiers.map(valueOf)))
  for (const notifier of NOTIFIERS) {
    const { name } = notifier
    const isSet = isWritten(reading, notifier)
    if (!always.has(name) && !isSet && !(named.has(name) && notifier.needs.length === 0)) continue
    if (isReady(reading, notifier, always)) readNotifier(reading, notifier, always.has(name) ? 'responses' : 'none')
  }
  if (!rules && !reading.native.has(['outputs', 'k8sevents'])) warnOfUnseen(reading)
}

/** As a map, or key by key with dots in their names. */
const isWritten = ({ places }: Reading, { name, keys }: Notifier): boolean =>
  places.has(`notifiers.${name}`) || Object.keys(keys).some((key) => places.has(`notifiers.${name}.${key}`))

const valueOf = <T>({ value }: { readonly value: T }): T => value

/** Names are compared as they are written: what Talon does not know it does not tell. */
const defaultNotifiers = ({ source, problems }: Reading): ReadonlySet<string> => {
  const found = source.find('default_notifiers')
  const names = found ? listOf(found.value) : []
  for (const [i, name] of names.entries()) {
    if (NAMES.includes(name) || !found) continue
    const meant = suggestion(name.toLowerCase(), NAMES)
    const message = `default_notifiers: ${name} is not a notifier of Falco Talon and is never told${meant}`
    if (Array.isArray(found.value) && found.path)
      problems.add(source.document, { path: [...found.path, i] }, message, 'warning')
    else source.warn(found, message)
  }
  return new Set(names)
}

const isGiven = (found: Found | undefined): found is Found => found !== undefined && found.value !== ''

const isReady = ({ source, problems, places }: Reading, { name, needs }: Notifier, always: ReadonlySet<string>) => {
  const missing = needs.filter((key) => !isGiven(source.find(`notifiers.${name}.${key}`)))
  if (missing.length === 0) return true
  const wanted = missing.map((key) => `notifiers.${name}.${key}`).join(', ')
  const path = places.get(`notifiers.${name}`) ?? places.get('default_notifiers') ?? []
  const what = always.has(name) ? 'is told of nothing' : 'is off'
  problems.add(source.document, { path, key: true }, `notifiers: ${name} ${what}: it needs ${wanted}`, 'warning')
  return false
}

const warnOfUnseen = ({ source, problems, places }: Reading): void => {
  const message =
    'not all rules files can be read here; if a rule names the notifier k8sevents, add `k8sevents: { tell: none }` to `outputs`'
  problems.add(source.document, { path: places.get('rules_files') ?? [], key: true }, message, 'warning')
}

const readNotifier = (reading: Reading, notifier: Notifier, tell: 'responses' | 'none'): void => {
  const { native, plugins } = reading
  const { name, keys } = notifier
  const plugin = plugins.outputs.find(({ type }) => type === name)
  if (!plugin) return
  native.set(['outputs', name], {}, reading.source.find(`notifiers.${name}`))
  for (const [key, setting] of Object.entries(keys)) readKey(reading, notifier, key, setting, plugin)
  native.set(['outputs', name, 'tell'], tell)
}

/** Of Slack an empty text is one: no name, no picture, no footer. */
const readKey = (reading: Reading, { name, defaults = {} }: Notifier, key: string, setting: string, plugin: Output) => {
  const { source, native } = reading
  const path = ['outputs', name, ...setting.split('.')]
  const found = source.find(`notifiers.${name}.${key}`)
  if (found && key === 'custom_headers') readHeaders(reading, path, found)
  else if (found && (found.value !== '' || (name === 'slack' && setting === 'username')))
    putFound(reading, path, `${name}.${key}`, plugin, found)
  else if (key in defaults && !(found && name === 'slack')) native.set(path, defaults[key])
}

/** What Talon takes for anything that it does not know. */
const CHOICES: Readonly<Record<string, (text: string) => string>> = {
  'slack.format': (text) => (text === 'short' ? 'text' : 'all'),
  'smtp.format': (text) => (text === 'text' ? 'text' : 'html'),
  'elasticsearch.suffix': (text) => (['monthly', 'annually', 'none'].includes(text) ? text : 'daily'),
}

const putFound = ({ source, native }: Reading, path: readonly string[], key: string, plugin: Output, found: Found) => {
  const [section, id = '', ...inner] = path
  const schemas = inner.reduce(
    (outer, name) => outer.flatMap((one) => innerSchemas(one, name)),
    [settingsSchema(plugin.config)],
  )
  const text = textOf(found, source.document)
  const login = key.endsWith('.url') && !isSecret(schemas) ? splitLogin(text) : undefined
  native.set(path, CHOICES[key]?.(text) ?? convert(schemas, login?.address ?? text), found)
  if (login) native.set([section ?? '', id, 'http', 'headers', 'authorization'], login.authorization, found)
}

/** Names of headers are in lower case, as Talon's configuration reader leaves them. */
const readHeaders = ({ source, native }: Reading, path: readonly string[], found: Found): void => {
  if (typeof found.value !== 'object' || found.value === null || Array.isArray(found.value))
    return source.warn(found, 'does nothing: it is no map')
  for (const [name, value] of Object.entries(found.value)) {
    const header = { ...found, value: value as unknown, path: found.path && [...found.path, name] }
    native.set([...path, name.toLowerCase()], String(value ?? ''), header)
  }
}

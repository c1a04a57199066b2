/** Sections of Falcosidekick -> outputs of ours. A key becomes the setting of its name, by the type that this has. */
import { isDeepStrictEqual } from 'node:util'
import { branches, isSecret, type JsonSchema, settingsSchema } from '../../describe.ts'
import { PRIORITIES } from '../../event.ts'
import type { Output } from '../../plugin.ts'
import { GoTemplateError, goTemplate } from '../go-template.ts'
import type { Problems } from '../problems.ts'
import { convert, pairsOf, splitLogin, textOf, wordOf } from './convert.ts'
import { type Section, SECTIONS } from './keys.ts'
import { outputNames } from './names.ts'
import type { Native } from './native.ts'
import { EXTRAS, type Reading, RENAMED, RULES, UNITS } from './rules.ts'
import type { Found, Source } from './source.ts'
import { putTls } from './tls.ts'

interface Context {
  readonly source: Source
  readonly native: Native
  readonly plugins: readonly Output[]
  readonly problems: Problems
}

/** A section that is on, with its output. */
export interface Reader extends Reading, Context {
  readonly section: Section
  readonly plugin: Output
  /** The output's own settings by their name in lower case. */
  readonly settings: ReadonlyMap<string, { readonly name: string; readonly schemas: readonly JsonSchema[] }>
}

/** Adds the outputs whose sections are on. */
export const readOutputs = (context: Context): void => {
  const on = SECTIONS.filter((section) => isOn(section, context.source))
  for (const section of on) {
    const plugin = context.plugins.find(({ type }) => type === section.path)
    if (plugin) readSection(openReader(context, section, plugin))
    else refuse(section, context)
  }
  if (context.native.has(['outputs', 'webui']))
    context.native.set(['outputs', 'webui', 'outputs'], outputNames(on.map(({ path }) => path)))
}

const isSet = (found: Found | undefined): found is Found => {
  if (found === undefined || found.value === '' || found.value === false) return false
  if (typeof found.value === 'object') return Object.keys(found.value ?? {}).length > 0
  return wordOf(found.value).toLowerCase() !== 'false'
}

/** A section is on when all that it needs is set. */
const isOn = ({ path, on }: Section, source: Source): boolean => {
  const found = on.map((key) => source.find(`${path}.${key}`))
  const given = found.filter(isSet)
  const missing = on.filter((_, i) => !isSet(found[i]))
  const [first] = given
  if (first && missing.length > 0)
    source.warn(first, `${path} is off: it also needs ${missing.map((key) => `${path}.${key}`).join(', ')}`)
  return missing.length === 0
}

const refuse = ({ path, on }: Section, { source }: Context): void => {
  const [first] = on.flatMap((key) => source.find(`${path}.${key}`) ?? [])
  const message =
    path === 'stan'
      ? 'NATS Streaming ended in 2023 and there is no such output; use `nats`, with JetStream where messages must last'
      : `there is no output ${path}`
  if (first) source.fail(first, message)
}

const openReader = (context: Context, section: Section, plugin: Output): Reader => {
  const { source, native } = context
  const base = ['outputs', section.path]
  const settings = settingsOf(settingsSchema(plugin.config))
  native.set(base, {}, source.find(`${section.path}.${section.on[0]}`))
  return {
    ...context,
    section,
    plugin,
    settings,
    path: section.path,
    find: (key) => given(source.find(`${section.path}.${key}`)),
    put: (setting, value, found) => native.set([...base, ...setting.split('.')], value, found),
    set: native.set,
    has: (setting) => settings.has(setting.toLowerCase()),
  }
}

/** An empty value is none. */
const given = (found: Found | undefined): Found | undefined => (found?.value === '' ? undefined : found)

const settingsOf = (schema: JsonSchema): Reader['settings'] => {
  const found = new Map<string, { name: string; schemas: JsonSchema[] }>()
  for (const { properties = {} } of branches(schema)) {
    for (const [name, one] of Object.entries(properties)) {
      const known = found.get(name.toLowerCase())
      found.set(name.toLowerCase(), { name, schemas: [...(known?.schemas ?? []), one] })
    }
  }
  return found
}

const readSection = (reader: Reader): void => {
  const { section } = reader
  for (const key of Object.keys(section.keys)) readKey(reader, key)
  EXTRAS[section.path]?.(reader)
  readPriority(reader)
  readConcurrency(reader)
  readHeaders(reader)
  readShared(reader)
  putTls(reader)
}

const TLS_KEYS: readonly string[] = ['tls', 'certfile', 'keyfile', 'cacertfile']

const readKey = (reader: Reader, key: string): void => {
  const { source, section, settings } = reader
  const path = `${section.path}.${key}`
  const whole = source.find(path)
  const found = given(whole)
  const rule = RULES[path]
  if (rule) return found && rule(reader, found)
  const other = RENAMED[path]
  const [first = '', second] = (other !== undefined && reader.has(other) ? other : key).split('.')
  const setting = settings.get(first.toLowerCase())
  if (TLS_KEYS.includes(key) && !takesBoolean(setting?.schemas)) return
  if (!setting) return found && source.warn(found, `does nothing: the output ${section.path} has no such setting`)
  const inner = second === undefined ? undefined : innerSetting(setting.schemas, second)
  const target = inner ? `${setting.name}.${inner.name}` : setting.name
  const schemas = inner?.schemas ?? setting.schemas
  if (key === 'messageformat') return found && readTemplate(reader, target, found)
  if (found) putFound(reader, target, schemas, found, path)
  else if (whole === undefined) putDefault(reader, target, schemas, key)
}

const takesBoolean = (schemas: readonly JsonSchema[] = []): boolean =>
  schemas.flatMap(branches).some(({ type }) => type === 'boolean')

const innerSetting = (schemas: readonly JsonSchema[], key: string) =>
  settingsOf({ anyOf: [...schemas] }).get(key.toLowerCase())

const putFound = (
  { source, put, plugin }: Reader,
  target: string,
  schemas: readonly JsonSchema[],
  found: Found,
  path: string,
): void => {
  const raw =
    typeof found.value === 'number' && !(takesNumber(schemas) && isExact(found.value))
      ? textOf(found, source.document)
      : found.value
  const value = convert(schemas, raw, UNITS[path])
  const login = plugin.http && !isSecret(schemas) && typeof value === 'string' ? splitLogin(value) : undefined
  put(target, login?.address ?? value, found)
  if (login) put('http.headers.authorization', login.authorization, found)
}

const isExact = (value: number): boolean => Number.isSafeInteger(value) || !Number.isInteger(value)

const takesNumber = (schemas: readonly JsonSchema[]): boolean =>
  schemas
    .flatMap(branches)
    .some(({ type, const: one }) => type === 'number' || type === 'integer' || typeof one === 'number')

/** Falcosidekick's default, where ours is another. */
const putDefault = ({ section, put }: Reader, target: string, schemas: readonly JsonSchema[], key: string): void => {
  const fallback = section.keys[key]
  if (fallback === undefined || fallback === '' || typeof fallback === 'object' || section.on.includes(key)) return
  const value = convert(schemas, fallback, UNITS[`${section.path}.${key}`])
  const own = schemas.map((one) => one.default).find((one) => one !== undefined)
  if (!isDeepStrictEqual(value, own) && !(own === undefined && (value === false || value === 0))) put(target, value)
}

const readTemplate = ({ source, problems, put }: Reader, target: string, found: Found): void => {
  const text = String(found.value)
  try {
    put(target, goTemplate(text, 'event'), found)
  } catch (error) {
    if (!(error instanceof GoTemplateError)) throw error
    const message = `${found.from}: the template cannot be translated: ${error.message}`
    problems.add(
      source.document,
      found.path ? { path: found.path, offset: error.offset } : { start: 0, end: 0 },
      message,
    )
  }
}

const FULL_NAME = new RegExp(PRIORITIES.join('|'), 'i')

const TEST_RULE = 'holds for events of the rule `Test rule` too, which Falcosidekick tells whatever their priority is'

/** As Falcosidekick checks it: what is not one of the eight names is no minimum at all, `info` too. */
const readPriority = ({ source, find, put }: Reader): void => {
  const found = find('minimumpriority')
  if (!found) return
  const text = String(found.value)
  const [name] = FULL_NAME.exec(text) ?? []
  const priority = PRIORITIES.find((one) => one.toLowerCase() === text.toLowerCase())
  if (priority) {
    source.warnOnce(found, TEST_RULE)
    return put('minimumPriority', priority, found)
  }
  const meant = name ?? (/^info/i.test(text) ? 'informational' : undefined)
  source.warn(
    found,
    `${text} is no priority, so that all events are told, as by Falcosidekick${meant ? `; ${meant} is one` : ''}`,
  )
}

/** More than one output may ever need. */
const UNLIMITED = 256

const readConcurrency = ({ source, find, put }: Reader): void => {
  const found = find('maxconcurrentrequests')
  if (!found) return
  const count = Number(textOf(found, source.document))
  if (!Number.isInteger(count) || count < 0) return source.fail(found, 'must be a number of requests')
  put('concurrency', count === 0 ? UNLIMITED : Math.min(count, UNLIMITED), found)
}

const readHeaders = ({ source, find, put, plugin, has }: Reader): void => {
  const found = find('customheaders')
  if (!found) return
  const value = headersOf(found, source)
  if (plugin.http || has('headers')) put(plugin.http ? 'http.headers' : 'headers', value, found)
  else source.warn(found, 'does nothing: this output sends no HTTP requests')
}

/** A map, `name:value,...`, or a JSON object as text. */
const headersOf = (found: Found, source: Source): Record<string, string> => {
  if (typeof found.value === 'object' && found.value !== null)
    return Object.fromEntries(Object.entries(found.value).map(([name, value]) => [name, String(value)]))
  const text = String(found.value)
  if (text.trimStart().startsWith('{')) {
    try {
      return JSON.parse(text) as Record<string, string>
    } catch {
      source.fail(found, 'is no JSON object')
      return {}
    }
  }
  const { pairs, wrong } = pairsOf(text)
  if (wrong.length > 0) source.warn(found, `${wrong.length} of its parts are no \`name:value\` and are left out`)
  return Object.fromEntries(pairs)
}

const SHARED: readonly (readonly [section: RegExp, key: string, setting: string])[] = [
  [/^gcp\./, 'gcp.credentials', 'credentials'],
  [/^yandex\./, 'yandex.accesskeyid', 'accessKeyId'],
  [/^yandex\./, 'yandex.secretaccesskey', 'secretAccessKey'],
  [/^yandex\./, 'yandex.region', 'region'],
]

/** What several sections of one vendor have in common. */
const readShared = ({ source, section, put, has }: Reader): void => {
  for (const [sections, key, setting] of SHARED) {
    const found = given(source.find(key))
    if (found && sections.test(section.path) && has(setting)) put(setting, textOf(found, source.document), found)
  }
}

/** What of Falcosidekick's configuration is of no output: where it listens, and what it adds to events. */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { goTemplate, GoTemplateError } from '../go-template.ts'
import type { Problems } from '../problems.ts'
import { booleanOf, listOf, pairsOf, textOf, wordOf } from './convert.ts'
import { GLOBAL } from './keys.ts'
import type { Native } from './native.ts'
import type { Found, Source } from './source.ts'

interface Context {
  readonly source: Source
  readonly native: Native
  readonly problems: Problems
}

/** Where it listens, what it takes in, and what it adds to events. */
export const readServer = (context: Context): void => {
  readListen(context)
  context.native.set(['inputs', 'http'], { catchAll: true })
  readEnrich(context)
  readOthers(context)
}

/** The text of a key, given or by default. */
const text = ({ source }: Context, key: string): string => {
  const found = source.find(key)
  return found ? textOf(found, source.document) : wordOf(GLOBAL[key] ?? '')
}

const truth = (context: Context, key: string): boolean => booleanOf(text(context, key)) ?? false

const items = ({ source }: Context, key: string): string[] => {
  const found = source.find(key)
  return found ? listOf(found.value) : []
}

const address = (context: Context, portKey: string): string => {
  const host = text(context, 'listenaddress')
  const port = Number(text(context, portKey))
  const found = context.source.find(portKey)
  if (found && !(Number.isInteger(port) && port > 0 && port <= 65_535))
    context.source.fail(found, 'must be a port, from 1 to 65535')
  const named = context.source.find('listenaddress')
  if (named && host !== '' && !isIP(host))
    context.source.fail(named, 'must be the address of an interface, as a number')
  return `${host === '' ? '[::]' : isIP(host) === 6 ? `[${host}]` : host}:${port}`
}

/** All that Falcosidekick serves; only these can be served without TLS. */
const ROUTES: readonly string[] = ['/', '/ping', '/test', '/healthz', '/metrics']

const readListen = (context: Context): void => {
  const { native, source } = context
  const main = address(context, 'listenport')
  const given = source.find('listenport') ?? source.find('listenaddress')
  if (!truth(context, 'tlsserver.deploy')) {
    const mutual = source.find('tlsserver.mutualtls')
    if (mutual && truth(context, 'tlsserver.mutualtls')) source.warn(mutual, 'does nothing without tlsserver.deploy')
    return native.set(['listen'], main, given)
  }
  const paths = items(context, 'tlsserver.notlspaths')
  const known = paths.filter((path) => ROUTES.includes(path))
  for (const path of paths) if (!ROUTES.includes(path)) warnOfPath(context, path)
  const secured = { address: main, tls: tlsOf(context), ...(known.length > 0 && { exceptPaths: known }) }
  const open = { address: address(context, 'tlsserver.notlsport'), paths: known }
  native.set(['listen'], known.length > 0 ? [secured, open] : secured, source.find('tlsserver.deploy'))
}

const warnOfPath = ({ source }: Context, path: string): void => {
  const found = source.find('tlsserver.notlspaths')
  if (found) source.warn(found, `${path} is none of ${ROUTES.join(', ')}`)
}

/** The files are looked for from where the program runs. */
const tlsOf = (context: Context) => ({
  certFile: resolve(text(context, 'tlsserver.certfile')),
  keyFile: resolve(text(context, 'tlsserver.keyfile')),
  ...(truth(context, 'tlsserver.mutualtls') && { caFile: resolve(text(context, 'tlsserver.cacertfile')) }),
})

const readEnrich = (context: Context): void => {
  const { native, source } = context
  const set = (name: string, value: unknown, found?: Found): void => native.set(['enrich', name], value, found)
  const fields = source.find('customfields')
  if (fields) set('fields', constants(context, fields), fields)
  const templated = source.find('templatedfields')
  if (templated) set('templatedFields', templates(context, templated), templated)
  const tags = source.find('customtags')
  if (tags)
    set(
      'tags',
      listOf(tags.value).flatMap((one) => variable(context, tags, one) ?? []),
      tags,
    )
  for (const [key, name] of [
    ['bracketreplacer', 'bracketReplacer'],
    ['outputfieldformat', 'outputFormat'],
  ] as const) {
    const found = source.find(key)
    if (found && found.value !== '') set(name, textOf(found, source.document), found)
  }
  set('sortTags', true)
}

/** The entries of a map, or of a text `name:value,...`. */
const entriesOf = ({ source }: Context, found: Found): [string, string][] => {
  if (typeof found.value === 'object' && found.value !== null)
    return Object.entries(found.value).map(([name, value]) => [name, String(value ?? '')])
  const { pairs, wrong } = pairsOf(String(found.value))
  if (wrong.length > 0) source.warn(found, `what is no \`name:value\` is left out: ${wrong.join(', ')}`)
  return pairs
}

/** A value that starts with `%` is that of a variable; undefined when this is not set. */
const variable = ({ source }: Context, found: Found, value: string): string | undefined => {
  if (!/^%[A-Za-z_]\w*$/.test(value)) return value
  const read = source.env[value.slice(1)]
  if (!read) source.warn(found, `the variable ${value.slice(1)} is not set`)
  return read || undefined
}

const constants = (context: Context, found: Found): Record<string, string> =>
  Object.fromEntries(
    entriesOf(context, found).flatMap(([name, value]): [string, string][] => {
      const known = variable(context, found, value)
      return known === undefined ? [] : [[name, known]]
    }),
  )

const templates = (context: Context, found: Found): Record<string, string> =>
  Object.fromEntries(
    entriesOf(context, found).flatMap(([name, value]) => {
      const translated = templateOf(context, found, name, value)
      return translated === undefined ? [] : [[name, translated]]
    }),
  )

const templateOf = ({ source, problems }: Context, found: Found, name: string, value: string): string | undefined => {
  try {
    return goTemplate(value, 'fields')
  } catch (error) {
    if (!(error instanceof GoTemplateError)) throw error
    const where = found.path ? { path: [...found.path, name], offset: error.offset } : { start: 0, end: 0 }
    problems.add(source.document, where, `${found.from}.${name}: the template cannot be translated: ${error.message}`)
    return undefined
  }
}

const NOT_THERE: readonly (readonly [key: string, why: string])[] = [
  ['aws.accesskeyid', 'does nothing, as in Falcosidekick; set AWS_ACCESS_KEY_ID'],
  ['aws.secretaccesskey', 'does nothing, as in Falcosidekick; set AWS_SECRET_ACCESS_KEY'],
  ['aws.region', 'does nothing, as in Falcosidekick; set AWS_REGION'],
  ['aws.rolearn', 'does nothing, as in Falcosidekick; in a file of ours it is `roleArn` of the output'],
  ['aws.externalid', 'does nothing, as in Falcosidekick; in a file of ours it is `externalId` of the output'],
  ['aws.checkidentity', 'does nothing: credentials are looked for when something is sent'],
  ['gcp.workloadidentity', 'does nothing: without credentials those of the workload are used'],
]

const readOthers = (context: Context): void => {
  const { source, native } = context
  for (const [key, why] of NOT_THERE) {
    const found = source.find(key)
    const isRead = key === 'aws.region' && found?.path === undefined
    if (found && found.value !== '' && found.value !== false && !isRead) source.warn(found, why)
  }
  const debug = source.find('debug')
  if (!debug || !truth(context, 'debug')) return
  native.set(['log', 'level'], 'debug', debug)
  source.warn(debug, 'more is logged, but not what is sent: that holds secrets')
}

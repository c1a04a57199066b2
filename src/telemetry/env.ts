/** The standard `OTEL_*` variables, read as the specification says: an empty one counts as not set. */
import { accessSync, constants } from 'node:fs'

export type Env = Readonly<Record<string, string | undefined>>
export type Signal = 'TRACES' | 'METRICS' | 'LOGS'
/** Told of a variable that cannot be used. Never of its value: endpoints and headers may hold secrets. */
export type Tell = (problem: string) => void

export const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** @example textOf({ OTEL_SERVICE_NAME: ' shop ' }, 'OTEL_SERVICE_NAME') // 'shop' */
export const textOf = (env: Env, name: string): string | undefined => env[name]?.trim() || undefined

/** The names in a list, each once; those that are not known are told. */
export const listOf = (env: Env, name: string, known: readonly string[], tell: Tell): string[] => {
  const names = (textOf(env, name) ?? '').split(',').map((one) => one.trim())
  const given = [...new Set(names.filter((one) => one !== ''))]
  const unknown = given.filter((one) => !known.includes(one))
  if (unknown.length > 0)
    tell(`${name}: ${unknown.join(', ')} is not known; there are ${known.slice(0, -1).join(', ')} and ${known.at(-1)}`)
  return given.filter((one) => known.includes(one))
}

/** Beyond it, in milliseconds, a timer of Node.js fires at once. */
const MOST = 2_147_483_647

/** A number from `least` on that a timer can take; anything else is told, and the default holds. */
export const numberOf = (env: Env, name: string, otherwise: number, tell: Tell, least = 1): number => {
  const text = textOf(env, name)
  if (text === undefined) return otherwise
  const number = Number(text)
  if (number >= least && number <= MOST) return number
  tell(`${name} is no number from ${least} to ${MOST}: ${otherwise} is used`)
  return otherwise
}

const KNOWN = ['otlp', 'console', 'none']

/** Exporters that the variables ask for and that can be had: an endpoint asks for OTLP, but for the log. */
export const exporterNames = (env: Env, signal: Signal, tell: Tell): string[] => {
  const variable = `OTEL_${signal}_EXPORTER`
  const implied = signal !== 'LOGS' && settingOf(env, signal, 'ENDPOINT')[1] !== undefined
  const given = textOf(env, variable) === undefined && implied ? { [variable]: 'otlp' } : env
  const names = listOf(given, variable, KNOWN, tell)
  if (names.includes('none')) return []
  return names.filter((name) => name !== 'otlp' || canSend(env, signal, tell))
}

/** Of a variable for one signal and the one for all, the one that is set. */
const settingOf = (env: Env, signal: Signal, name: string): readonly [string, string | undefined] => {
  const own = `OTEL_EXPORTER_OTLP_${signal}_${name}`
  return textOf(env, own) === undefined
    ? [`OTEL_EXPORTER_OTLP_${name}`, textOf(env, `OTEL_EXPORTER_OTLP_${name}`)]
    : [own, textOf(env, own)]
}

export const protocolOf = (env: Env, signal: Signal, tell: Tell): Protocol => {
  const [name] = settingOf(env, signal, 'PROTOCOL')
  const [found = 'http/protobuf'] = listOf(env, name, PROTOCOLS, tell)
  return found as Protocol
}

/** Milliseconds for one export. */
export const timeoutOf = (env: Env, signal: Signal, tell: Tell): number => {
  const [name] = settingOf(env, signal, 'TIMEOUT')
  return numberOf(env, name, 10_000, tell)
}

/** Tells what of the variables of OTLP cannot be used; false when nothing can be sent. */
const canSend = (env: Env, signal: Signal, tell: Tell): boolean => {
  const protocol = protocolOf(env, signal, tell)
  const setting = (name: string) => settingOf(env, signal, name)
  const [compression] = setting('COMPRESSION')
  listOf(env, compression, ['gzip', 'none'], tell)
  for (const what of ['CERTIFICATE', 'CLIENT_CERTIFICATE', 'CLIENT_KEY']) {
    const [name, path] = setting(what)
    if (path !== undefined && !isReadable(path)) tell(`${name} names a file that cannot be read: it is not used`)
  }
  const [headers, pairs] = setting('HEADERS')
  const usable = pairs === undefined || arePairs(pairs)
  if (!usable) tell(`${headers} is no list like name=value,other=value: ${NOTHING_SENT[signal]}`)
  const [endpoint, url] = setting('ENDPOINT')
  const reachable = url === undefined || isEndpoint(url, protocol)
  if (!reachable) tell(`${endpoint} is no URL that begins with http:// or https://: ${NOTHING_SENT[signal]}`)
  return usable && reachable
}

const NOTHING_SENT = {
  TRACES: 'no spans are exported',
  METRICS: 'no metrics are exported',
  LOGS: 'no log records are exported',
} as const

const isReadable = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i

/** gRPC does with a host and a port, which means TLS; and has sockets. */
const isEndpoint = (url: string, protocol: Protocol): boolean => {
  const grpc = protocol === 'grpc'
  const text = grpc && !SCHEME.test(url) && !url.startsWith('unix:') ? `https://${url}` : url
  const schemes = grpc ? ['http:', 'https:', 'unix:'] : ['http:', 'https:']
  return URL.canParse(text) && schemes.includes(new URL(text).protocol)
}

/** The specification has it as W3C Baggage: percent-encoded values. */
const PAIR = /^\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*=[\t\x20-\x7e]*$/

const arePairs = (text: string): boolean => text.split(',').every((pair) => pair.trim() === '' || PAIR.test(pair))

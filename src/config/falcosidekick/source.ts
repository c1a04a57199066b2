/** Where Falcosidekick's settings come from: the environment, else the file. Keys are found whatever their case. */
import type { Document, Path, Place } from '../document.ts'
import { placeOf } from '../document.ts'
import { suggestion } from '../suggest.ts'
import { type Problems } from '../problems.ts'
import { allKeys, defaultOf } from './keys.ts'

/** A value and where it stands. */
export interface Found {
  readonly value: unknown
  /** As people find it: a path in the file, or `env NAME`. */
  readonly from: string
  readonly place: Place
  /** Its path in the file; undefined: it is of the environment. */
  readonly path: Path | undefined
}

export interface Source {
  readonly document: Document
  readonly env: Readonly<Record<string, string | undefined>>
  /** The value of a key by its path in lower case, e.g. `slack.webhookurl`; undefined when nobody gave one. */
  find(path: string): Found | undefined
  /** Warns of a value where it stands. */
  warn(found: Found, message: string): void
  /** Warns where the first of many stands. */
  warnOnce(found: Found, message: string): void
  fail(found: Found, message: string): void
}

const NOWHERE = { start: 0, end: 0 }

/** The name of the variable for a key: `aws.s3.bucket` is `AWS_S3_BUCKET`. */
export const variableOf = (path: string): string => path.toUpperCase().replaceAll('.', '_')

/** What Kubernetes sets for each service of a namespace, e.g. `SYSLOG_PORT=tcp://10.0.0.1:514`. */
const SERVICE_LINK = /^(?:tcp|udp|sctp):\/\//

export const createSource = (
  document: Document,
  env: Readonly<Record<string, string | undefined>>,
  problems: Problems,
): Source => {
  const inFile = flattened(document.value)
  const told = new Set<string>()

  const tell = (severity: 'error' | 'warning') => (found: Found, message: string) =>
    problems.add(document, found.path ? { path: found.path } : NOWHERE, `${found.from}: ${message}`, severity)

  const ofFile = (path: string): Found | undefined => {
    const at = inFile.get(path)
    const place = at && placeOf(document, at.path)
    return place && at.value !== null && at.value !== undefined
      ? { value: at.value, from: at.path.join('.'), place, path: at.path }
      : undefined
  }

  const warn = tell('warning')
  return {
    document,
    env,
    find(path) {
      const name = variableOf(path)
      const text = Object.hasOwn(env, name) ? env[name] : undefined
      if (text === undefined || text === '') return ofFile(path)
      const found: Found = { value: text, from: `env ${name}`, place: fromEnv(name), path: undefined }
      if (!SERVICE_LINK.test(text) || !name.endsWith('_PORT')) return found
      if (!told.has(name)) warn(found, 'is set by Kubernetes for a service of that name and is not used')
      told.add(name)
      return ofFile(path)
    },
    warn,
    warnOnce(found, message) {
      if (!told.has(message)) warn(found, message)
      told.add(message)
    },
    fail: tell('error'),
  }
}

const fromEnv = (name: string): Place => ({ value: NOWHERE, from: `env ${name}`, text: `\${env:${name}}` })

type Flat = Map<string, { readonly path: Path; readonly value: unknown }>

/** All nodes of the file by their path in lower case; of two that differ in case the last. */
const flattened = (value: unknown, path: Path = [], found: Flat = new Map()): Flat => {
  if (path.length > 0) found.set(path.join('.').toLowerCase(), { path, value })
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    for (const [key, inner] of Object.entries(value)) flattened(inner, [...path, key], found)
  return found
}

/** Warns of each key of the file that Falcosidekick does not know. */
export const warnOfUnknown = (source: Source, problems: Problems): void => {
  const { document } = source
  const walk = (value: unknown, path: Path): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return
    for (const [key, inner] of Object.entries(value)) {
      const at = [...path, key]
      const name = at.join('.').toLowerCase()
      if (defaultOf(name) !== undefined) continue
      if (isSection(name) && (inner === null || typeof inner === 'object')) walk(inner, at)
      else problems.add(document, { path: at, key: true }, `${at.join('.')} ${unknown(name)}`, 'warning')
    }
  }
  walk(document.value, [])
}

const unknown = (name: string): string => `is not a key of Falcosidekick and does nothing${suggestion(name, allKeys())}`

const isSection = (name: string): boolean => allKeys().some((key) => key.startsWith(`${name}.`))

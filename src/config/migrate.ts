/**
 * A configuration of an older version -> one of the newest, with its comments and its order. What was not asked for is
 * not changed: a file without a `version` gets the line, and stays as it is otherwise.
 */
import { type Document as YamlDocument, isMap, isScalar, parseDocument } from 'yaml'
import type { Document } from './document.ts'
import type { Problems } from './problems.ts'

/** What brings a file of one version to the next. */
export interface Migration {
  /** What it does, for people: `inputs.tail is called inputs.file`. */
  readonly summary: string
  /** Changes the file. Never throws for what stands in it. */
  apply(yaml: YamlDocument): void
}

/** What brings version 1 to 2, that to 3, and so on. Each is forever; a new one goes to the end. */
export const MIGRATIONS: readonly Migration[] = []

/** A file brought up to date. */
export interface Migrated {
  readonly text: string
  /** What was done, for people; none: there was nothing to do. */
  readonly done: readonly string[]
}

/** The newest version that is known. */
const newestOf = (migrations: readonly Migration[]): number => migrations.length + 1

/**
 * Tells of a file that is of another version; false: it is of the newest, or its version is none at all, which the
 * settings are checked for.
 */
export const isOfOtherVersion = (document: Document, problems: Problems, migrations = MIGRATIONS): boolean => {
  const { version } = (document.value ?? {}) as { version?: unknown }
  const newest = newestOf(migrations)
  if (!isVersion(version) || version === newest) return false
  const remedy = version > newest ? 'run the newer Yarak' : '`yarak config migrate` brings it up to date'
  const message = `the configuration is of version ${version}, this program knows ${newest}: ${remedy}`
  problems.add(document, { path: ['version'] }, message)
  return true
}

const isVersion = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0

/**
 * Brings a file up to date.
 * @param document the file, read without its references
 * @returns undefined when it cannot be; why is among the problems
 * @example migrate(readDocument(file, text, problems, { references: undefined }), problems)?.text
 */
export const migrate = (document: Document, problems: Problems, migrations = MIGRATIONS): Migrated | undefined => {
  const { value, text } = document
  if (!document.parsed) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.add(document, { path: [] }, 'a configuration is a map')
    return undefined
  }
  const { version } = value as { version?: unknown }
  if (version === undefined) return withVersion(text, newestOf(migrations))
  if (!isVersion(version)) problems.add(document, { path: ['version'] }, 'version must be a whole number')
  else if (version <= newestOf(migrations)) return upFrom(version, text, migrations)
  else isOfOtherVersion(document, problems, migrations)
  return undefined
}

const upFrom = (version: number, text: string, migrations: readonly Migration[]): Migrated => {
  const due = migrations.slice(version - 1)
  if (due.length === 0) return { text, done: [] }
  const yaml = parseDocument(text)
  for (const { apply } of due) apply(yaml)
  yaml.set('version', newestOf(migrations))
  const lines = yaml.toString({ lineWidth: 0 })
  return {
    text: text.includes('\r\n') ? lines.replaceAll('\n', '\r\n') : lines,
    done: due.map(({ summary }) => summary),
  }
}

/** Into the text itself, so that all else stays as it was written. */
const withVersion = (text: string, version: number): Migrated => {
  const done = [`version: ${version} is written at the top`]
  const { contents } = parseDocument(text)
  if (!isMap(contents)) return { text, done: [] }
  const [start = 0] = contents.range ?? []
  if (contents.flow) {
    const comma = contents.items.length > 0 ? ',' : ''
    return { text: `${text.slice(0, start + 1)} "version": ${version}${comma}${text.slice(start + 1)}`, done }
  }
  const first = contents.items[0]?.key
  const at = headOf(text, isScalar(first) ? (first.range?.[0] ?? start) : start)
  const end = text.includes('\r\n') ? '\r\n' : '\n'
  return { text: `${text.slice(0, at)}version: ${version}${end}${text.slice(at)}`, done }
}

/** Where the line goes: above the first key, and above the comment that stands right on it unless it heads the file. */
const headOf = (text: string, key: number): number => {
  const line = text.lastIndexOf('\n', key - 1) + 1
  const [comment = ''] = /(?:[ \t]*#.*\n)*$/.exec(text.slice(0, line)) ?? []
  const above = line - comment.length
  return /\S/.test(text.slice(0, above)) ? above : line
}

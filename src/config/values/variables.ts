/** The environment variables that a chart gives its pods: some with their values, some of secrets that are not here. */
import type { Document, Path } from '../document.ts'
import type { Problems } from '../problems.ts'
import { isEmpty, isMap, type Values, valueAt } from './move.ts'

/** The variables as they stand there, as `env` of a container. */
export const entriesAt = (document: Document, path: Path, problems: Problems): readonly Values[] => {
  const entries = valueAt(document.value, path)
  if (Array.isArray(entries)) return entries.filter(isMap)
  if (!isEmpty(entries)) problems.add(document, { path }, `${path.join('.')} must be a list of {name, value}`)
  return []
}

/** Stands for what is not known here, where a host, a word or a list may stand. */
const standIn = (index: number): string => `yarak-env-${index}.invalid`

/** As a part of other text; a port that was added to it is the variable's own. */
const STAND_IN = /yarak-env-(\d+)\.invalid(?::9092)?/g

export interface Variables {
  /** By name, with stand-ins for what is not known. */
  readonly env: Readonly<Record<string, string>>
  /** Whether a text holds a stand-in. */
  isUnknown(text: string): boolean
  /** With references in place of the stand-ins, at any depth. */
  referring<T>(value: T): T
}

/**
 * @param entries `env` of a container: `{name, value}`, `{name, valueFrom}`
 * @param names of variables whose values are not known
 */
export const variablesOf = (entries: readonly Values[], names: readonly string[]): Variables => {
  const env: Record<string, string> = {}
  const unknown = [...names]
  for (const entry of entries) {
    if (typeof entry['name'] !== 'string') continue
    const { name } = entry
    const value = entry['value'] as string | number | boolean | undefined
    if (value === undefined || /\$\([^)]*\)/.test(`${value}`)) unknown.push(name)
    else env[name] = `${value}`
  }
  for (const [i, name] of unknown.entries()) env[name] = standIn(i)
  const referring = <T>(value: T): T => {
    if (typeof value === 'string')
      return value.replaceAll(STAND_IN, (_, index: string) => `\${env:${unknown[Number(index)]}}`) as T
    if (Array.isArray(value)) return value.map(referring) as T
    return isMap(value)
      ? (Object.fromEntries(Object.entries(value).map(([key, one]) => [key, referring(one)])) as T)
      : value
  }
  return { env, referring, isUnknown: (text) => new RegExp(STAND_IN.source).test(text) }
}

/** Leaves out errors of settings that hold stand-ins: with the true values there may be none. */
export const withoutUncertain = (problems: Problems, { isUnknown, referring }: Variables): Problems => ({
  ...problems,
  add(document, where, message, severity) {
    const around = 'path' in where ? valueAt(document.value, where.path.slice(0, 2)) : undefined
    if (severity === 'warning' || !isUnknown(JSON.stringify(around ?? '')))
      problems.add(document, where, referring(message), severity)
  },
})

/** Falco's own configuration: falco.yaml with the files that it takes in, and where each setting stands. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isNode, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { YarakError } from '../errors.ts'

export interface FalcoFile {
  readonly file: string
  /**
   * The value of a setting; undefined when it is not there, and Falco's default holds.
   * @example falco.get('http_output.url')
   */
  get(path: string): unknown
  /** `file:line:column` of a setting, else of the nearest above it, else the file. */
  place(path: string): string
  /** All of it, as one value. */
  readonly value: Readonly<Record<string, unknown>>
  /** Files of a setting that lists files and folders, those that are here. */
  listed(path: string, otherwise: readonly string[]): readonly string[]
}

type Env = Readonly<Record<string, string | undefined>>

/** One file, read. */
interface Source {
  readonly file: string
  readonly root: ReturnType<typeof parseDocument>
  readonly lines: LineCounter
}

/** What a top key is, of which file; a list may be of several. */
type Entries = Map<string, { readonly source: Source; readonly value: unknown }>

/**
 * Falco takes in the files of `config_files` in order: by `append`, which goes without saying, lists grow and anything
 * else is replaced as a whole; by `override` lists are replaced too; by `add-only` what is there stays.
 * @param env for `${NAME}` in values
 * @throws YarakError `config` with `file:line:column` when a file cannot be read
 * @see https://falco.org/docs/reference/daemon/config-options/
 */
export const readFalco = (file: string, env: Env): FalcoFile => {
  const entries: Entries = new Map()
  const main = open(file)
  take(entries, main, 'override', env)
  const value = main.root.toJS() as { config_files?: unknown } | null
  for (const { path, strategy } of includes(value?.config_files))
    for (const each of filesAt(path, file)) take(entries, open(each), strategy, env)
  return view(file, entries)
}

const open = (file: string): Source => {
  const lines = new LineCounter()
  const root = parseDocument(textOf(file), { lineCounter: lines, uniqueKeys: false })
  const [error] = root.errors
  if (!error) return { file, root, lines }
  const { line, col } = lines.linePos(error.pos[0])
  throw new YarakError('config', `${file}:${line}:${col}: it is no YAML`)
}

const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new YarakError('config', `${file} cannot be read`, { cause })
  }
}

const includes = (given: unknown): { path: string; strategy: string }[] =>
  (Array.isArray(given) ? (given as unknown[]) : []).flatMap((one) => {
    if (typeof one === 'string') return [{ path: one, strategy: 'append' }]
    const { path, strategy = 'append' } = (one ?? {}) as { path?: string; strategy?: string }
    return path === undefined ? [] : [{ path, strategy }]
  })

/** A copy of Falco's files may stand somewhere else as a whole: then it is looked for beside the first. */
const filesAt = (path: string, file: string): string[] => {
  const found = [path, join(dirname(file), basename(path))].find((one) => existsSync(one))
  if (found === undefined) return []
  if (!statSync(found).isDirectory()) return [found]
  const names = readdirSync(found).filter((name) => /\.ya?ml$/.test(name))
  return names.sort().map((name) => join(found, name))
}

const take = (entries: Entries, source: Source, strategy: string, env: Env): void => {
  const value = expanded(source.root.toJS() as unknown, env)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  for (const [key, own] of Object.entries(value)) {
    const before = entries.get(key)
    if (before && strategy === 'add-only') continue
    const grows = strategy === 'append' && Array.isArray(own) && Array.isArray(before?.value)
    const all: unknown = grows ? [...(before?.value as unknown[]), ...(own as unknown[])] : own
    entries.set(key, { source, value: all })
  }
}

/** With the variables of the environment that are known here; what holds another stays as it is written. */
const expanded = (value: unknown, env: Env): unknown => {
  if (Array.isArray(value)) return value.map((one) => expanded(one, env))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expanded(one, env)]))
  if (typeof value !== 'string' || !value.includes('${')) return value
  const text = value.replaceAll(/(?<!\$)\$\{(\w+)\}/g, (all, name: string) => env[name] ?? all)
  return text === 'true' || text === 'false'
    ? text === 'true'
    : text !== '' && !Number.isNaN(Number(text))
      ? Number(text)
      : text
}

const view = (file: string, entries: Entries): FalcoFile => {
  const get = (path: string): unknown => {
    const [key = '', ...rest] = path.split('.')
    return rest.reduce<unknown>(
      (inner, part) => (inner as Readonly<Record<string, unknown>> | null | undefined)?.[part],
      entries.get(key)?.value,
    )
  }
  return {
    file,
    get,
    place: (path) => placeIn(entries.get(path.split('.')[0] ?? '')?.source, path.split('.')) ?? file,
    value: Object.fromEntries([...entries].map(([key, { value }]) => [key, value])),
    listed: (path, otherwise) => {
      const given = get(path) ?? otherwise
      return [given].flat().flatMap((one) => (typeof one === 'string' ? filesAt(one, file) : []))
    },
  }
}

const placeIn = (source: Source | undefined, path: readonly string[]): string | undefined => {
  for (let taken = path.length; source && taken > 0; taken--) {
    const node = source.root.getIn(path.slice(0, taken), true)
    const start = isNode(node) ? startOf(node) : undefined
    if (start === undefined) continue
    const { line, col } = source.lines.linePos(start)
    return `${source.file}:${line}:${col}`
  }
  return undefined
}

const startOf = (node: Node): number | undefined =>
  (isSeq(node) ? (node.items[0] as Node | undefined) : node)?.range?.[0]

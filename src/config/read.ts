/** YAML text -> {@link Document}: plain data with the place and origin of every part, and each fault as a problem. */
import { dirname } from 'node:path'
import { isAlias, isMap, isScalar, isSeq, parseDocument, type Document as YamlDocument } from 'yaml'
import type { Alias, Node, Pair, Scalar, YAMLMap } from 'yaml'
import { type Document, type Path, type Place, placeKey, type Span } from './document.ts'
import { MAX_FILE } from './files.ts'
import { type Interpolated, interpolate, type References } from './interpolate.ts'
import { parseParts } from './read-parts.ts'
import { type Problems, SECRET_NAME } from './problems.ts'
import { yamlFaults } from './yaml-errors.ts'

/** How a file is read. */
export interface ReadOptions {
  /** Undefined: `${...}` stands for itself. */
  readonly references: References | undefined
  /** Warn of `${NAME}`, which looks like a reference and is none. For rules, where scripts hold such, leave it out. */
  readonly hints?: boolean
}

/** Values that aliases may expand to; a set of bombs is over it, an honest file is not. */
const MAX_EXPANDED = 50_000

/** Brackets or dashes in a row that no honest file has; the parser would take seconds to give up. */
const TOO_DEEP = /(?:[[{]\s*){100}|(?:[-?]\s+){100}/

/**
 * Reads one file's text. Problems are added to `problems`; the document comes back in any case, and
 * `parsed` says whether its value is to be used.
 */
export const readDocument = (file: string, text: string, problems: Problems, options: ReadOptions): Document => {
  const broken: Document = { file, text, value: undefined, parsed: false, places: new Map(), secrets: new Set() }
  const deep = TOO_DEEP.exec(text)
  const refuse = (message: string, start = 0): Document => {
    problems.add(broken, { start, end: start + 1 }, message)
    return broken
  }
  if (text.length > MAX_FILE) return refuse(`the file is larger than ${MAX_FILE} bytes`)
  if (text.includes('\0')) return refuse('this is not a text file in UTF-8')
  if (deep) return refuse('lists or maps are nested too deeply', deep.index)
  const whole = readParts(broken, problems, options)
  if (whole) return whole
  const yaml = parseDocument(text, { merge: true, prettyErrors: false })
  const faults = yamlFaults([...yaml.errors, ...yaml.warnings], text)
  const fatal = faults.some((fault) => fault.fatal)
  const document = fatal ? broken : readTree(yaml, broken, problems, options)
  for (const fault of faults) problems.add(document, fault.span, fault.message)
  return document
}

interface Reader extends ReadOptions {
  yaml: YamlDocument
  readonly document: Document
  readonly problems: Problems
  readonly places: Map<string, Place>
  /** Anchored nodes that are being expanded, innermost last. */
  readonly expanding: Node[]
  expanded: number
}

const openReader = (yaml: YamlDocument, broken: Document, problems: Problems, options: ReadOptions): Reader => {
  const places = new Map<string, Place>()
  const document = { ...broken, parsed: true, plain: !broken.text.includes('${'), places }
  return { ...options, yaml, document, problems, places, expanding: [], expanded: 0 }
}

const readTree = (yaml: YamlDocument, broken: Document, problems: Problems, options: ReadOptions): Document => {
  const reader = openReader(yaml, broken, problems, options)
  const value = read(reader, yaml.contents, [])
  return {
    ...reader.document,
    value: reader.expanded > MAX_EXPANDED ? undefined : value,
    parsed: reader.expanded <= MAX_EXPANDED,
  }
}

/** A long list without faults; undefined for any other text. */
const readParts = (broken: Document, problems: Problems, options: ReadOptions): Document | undefined => {
  const value: unknown[] = []
  let reader: Reader | undefined
  for (const yaml of parseParts(broken.text)) {
    reader ??= openReader(yaml, broken, problems, options)
    reader.yaml = yaml
    const { contents, errors, warnings } = yaml
    if (!isSeq(contents) || errors.length + warnings.length > 0) return undefined
    for (const item of contents.items) value.push(read(reader, item, [value.length]))
  }
  reader?.places.set(placeKey([]), { value: { start: 0, end: broken.text.length } })
  return reader && { ...reader.document, value }
}

const spanOfNode = (node: Node | null | undefined, fallback: Span = { start: 0, end: 0 }): Span =>
  node?.range ? { start: node.range[0], end: node.range[1] } : fallback

const read = (reader: Reader, node: unknown, path: Path, key?: Span): unknown => {
  if (isAlias(node)) return readAlias(reader, node, path, key)
  if (reader.expanding.length > 0 && reader.expanded++ >= MAX_EXPANDED) return undefined
  const place = { value: spanOfNode(node as Node | null, key && { start: key.end, end: key.end }), ...(key && { key }) }
  reader.places.set(placeKey(path), place)
  if (isMap(node)) return readMap(reader, node, path)
  if (isSeq(node)) return node.items.map((item, i) => read(reader, item, [...path, i]))
  return isScalar(node) ? readScalar(reader, node, path, place) : null
}

const readAlias = (reader: Reader, alias: Alias, path: Path, key?: Span): unknown => {
  const span = spanOfNode(alias)
  const target = alias.resolve(reader.yaml)
  const fault = !target
    ? `the alias *${alias.source} has no anchor &${alias.source} above it`
    : reader.expanding.includes(target)
      ? `the alias *${alias.source} stands inside what it names`
      : undefined
  if (fault || !target) {
    reader.problems.add(reader.document, span, fault ?? '')
    return undefined
  }
  const before = reader.expanded
  reader.expanding.push(target)
  const value = read(reader, target, path, key)
  reader.expanding.pop()
  if (before <= MAX_EXPANDED && reader.expanded > MAX_EXPANDED && reader.expanding.length === 0) {
    reader.problems.add(reader.document, span, `aliases expand to more than ${MAX_EXPANDED} values`)
  }
  return value
}

const readMap = (reader: Reader, map: YAMLMap, path: Path): Record<string, unknown> => {
  const value: Record<string, unknown> = {}
  for (const [name, pair] of pairsOf(reader, map)) {
    value[name] = read(reader, pair.value, [...path, name], spanOfNode(pair.key as Node))
  }
  return value
}

/** The pairs of a map with those it merges by `<<`; its own win, then the first merged. */
const pairsOf = (reader: Reader, map: YAMLMap, seen: readonly YAMLMap[] = []): Map<string, Pair> => {
  const own = new Map<string, Pair>()
  const merged: unknown[] = []
  for (const pair of map.items) {
    if (isScalar(pair.key) && typeof pair.key.value === 'symbol') merged.push(...mergeSources(pair.value))
    else {
      const name = keyName(reader, pair.key)
      if (name !== undefined) own.set(name, pair)
    }
  }
  for (const source of merged) {
    const target = isAlias(source) ? source.resolve(reader.yaml) : source
    if (reader.expanded++ > MAX_EXPANDED) return own
    if (!isMap(target) || target === map || seen.includes(target)) {
      reader.problems.add(reader.document, spanOfNode(source as Node), 'only a map can be merged by `<<`')
    } else for (const [name, pair] of pairsOf(reader, target, [...seen, map])) if (!own.has(name)) own.set(name, pair)
  }
  return own
}

const mergeSources = (value: unknown): unknown[] => (isSeq(value) ? value.items : [value])

const keyName = (reader: Reader, key: unknown): string | undefined => {
  const name = isScalar(key)
    ? typeof key.value === 'string'
      ? key.value
      : (key.source ?? String(key.value))
    : undefined
  if (name !== undefined && name !== '__proto__') return name
  reader.problems.add(reader.document, spanOfNode(key as Node), 'a key must be a plain text')
  return undefined
}

const asItIs = (text: string): Interpolated => ({ text, origins: [], whole: false, faults: [] })

const readScalar = (reader: Reader, node: Scalar, path: Path, place: Place): unknown => {
  const { value } = node
  if (typeof value === 'object' && value !== null) {
    reader.problems.add(
      reader.document,
      place.value,
      `the tag \`${node.tag ?? '!'}\` is not supported; values are plain`,
    )
    return undefined
  }
  if (typeof value !== 'string') return value
  const { references } = reader
  const found = references ? interpolate(value, { ...references, here: dirname(reader.document.file) }) : asItIs(value)
  const from = found.origins.join(', ')
  const broken = found.faults.some(({ severity }) => severity === 'error')
  reader.places.set(placeKey(path), { ...place, text: value, broken, ...(from && { from, reference: found.whole }) })
  if (!from && SECRET_NAME.test(String(path.at(-1)))) reader.document.secrets.add(place.value)
  for (const { offset, message, severity } of found.faults) {
    if (severity === 'error' || reader.hints) reader.problems.add(reader.document, { path, offset }, message, severity)
  }
  return found.text
}

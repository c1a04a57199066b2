/** The entries of a configuration's `rules` list -> the items that they name or hold, and the files of Falco Talon. */
import { rememberSchemas, type SchemaOf } from '../config/check.ts'
import type { Document } from '../config/document.ts'
import { beside, isGlob } from '../config/files.ts'
import { readDocument } from '../config/read.ts'
import { messageOf } from '../errors.ts'
import { keysOf } from './file.ts'
import type { RuleContext } from './load.ts'
import { type Item, itemReader, readItem } from './load-items.ts'

/** What the files hold, in order. */
export interface Found {
  readonly items: readonly Item[]
  readonly talon: readonly Document[]
}

/** @example gather(document, context).items.map(({ kind, name }) => `${kind} ${name}`) */
export const gather = (config: Document, context: RuleContext): Found => {
  const schemaOf = rememberSchemas()
  const inline = itemReader(config, context.problems, schemaOf)
  const { rules } = config.value as { rules: readonly unknown[] }
  const found = rules.flatMap((entry, i): Found[] => {
    if (typeof entry !== 'string') return [{ items: readItem(inline, ['rules', i], entry), talon: [] }]
    return filesOf(config, entry, i, context).flatMap((file) => readFile(config, file, i, context, schemaOf))
  })
  return { items: found.flatMap(({ items }) => items), talon: found.flatMap(({ talon }) => talon) }
}

/** Files with cases for `yarak test`, which stand beside the rules; a glob passes over them. */
const CASES = /\.test\.ya?ml$/

const filesOf = (config: Document, entry: string, i: number, { files, problems }: RuleContext): string[] => {
  const path = beside(config.file, entry)
  if (!isGlob(path)) return [path]
  const found = files.list(path).filter((file) => !CASES.test(file))
  if (found.length === 0) problems.add(config, { path: ['rules', i] }, `rules: no file matches ${entry}`, 'warning')
  return found
}

const readFile = (config: Document, file: string, i: number, context: RuleContext, schemaOf: SchemaOf): Found[] => {
  const { files, problems, references } = context
  let text: string
  try {
    text = files.read(file)
  } catch (error) {
    problems.add(config, { path: ['rules', i] }, `cannot read the rules file ${file}: ${messageOf(error)}`)
    return []
  }
  const own = { ...references, file: (path: string) => files.read(beside(file, path)) }
  const document = readDocument(file, text, problems, { references: own })
  return document.parsed ? [readList(document, context, schemaOf)] : []
}

const NOTHING: Found = { items: [], talon: [] }

const readList = (document: Document, { problems }: RuleContext, schemaOf: SchemaOf): Found => {
  const { value } = document
  if (value === null || value === undefined) return NOTHING
  if (!Array.isArray(value)) {
    problems.add(document, { path: [] }, 'a rules file is a list of `- rule:` items')
    return NOTHING
  }
  if (value.some(isTalon)) return { items: [], talon: [document] }
  const detection = value.findIndex(isDetection)
  if (detection >= 0) {
    const message = 'this is a Falco detection rule: it raises events; a rule here answers them, and has `steps`'
    problems.add(document, { path: [detection, 'rule'], key: true }, message)
    return NOTHING
  }
  const reader = itemReader(document, problems, schemaOf)
  return { items: value.flatMap((item, i) => readItem(reader, [i], item)), talon: [] }
}

/** An item of a rules file of Falco Talon; an action of ours has steps. */
const isTalon = (item: unknown): boolean => {
  const keys = keysOf(item)
  if (keys.has('action')) return !keys.has('steps') && !keys.has('params')
  return keys.has('rule') && ['actions', 'notifiers', 'dry_run'].some((key) => keys.has(key))
}

/** A rule of Falco's own; `output` is what it raises. */
const isDetection = (item: unknown): boolean => {
  const keys = keysOf(item)
  return keys.has('rule') && keys.has('output') && !keys.has('steps')
}

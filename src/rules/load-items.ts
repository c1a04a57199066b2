/** A rules file as its items: what each is, whether it has the right form, and what it changes of an item before it. */
import type { z } from 'zod'
import { checkValue, type SchemaOf } from '../config/check.ts'
import { type Document, lineFinder, type LineFinder, type Path, spanOf } from '../config/document.ts'
import type { Problems, Severity, Where } from '../config/problems.ts'
import { actionFile, IGNORED, keysOf, listFile, macroFile, ruleChange, ruleFile } from './file.ts'

export type Kind = 'rule' | 'list' | 'macro' | 'action'

/** Where problems are told. */
export type Tell = Pick<Problems, 'add'>

/** How a key changes what stands before. */
export type How = 'append' | 'replace'

/** A `- rule:`, `- list:`, `- macro:` or `- action:`. */
export interface Item {
  readonly kind: Kind
  readonly name: string
  readonly document: Document
  readonly path: Path
  /** Its keys, references resolved. */
  readonly value: Readonly<Record<string, unknown>>
  /** How its keys change the item of this name before it; undefined: it stands for itself. */
  readonly changes?: Readonly<Record<string, How>>
  /** `file:line` */
  readonly origin: string
  /** What is wrong with its form, until it is known whether it matters. */
  readonly faults: Held
}

/** Problems that are kept back: those of a rule that is switched off only warn. */
export interface Held extends Tell {
  release(problems: Tell): void
}

export const hold = (): Held => {
  const kept: [Document, Where, string, Severity | undefined][] = []
  return {
    add: (...one) => void kept.push(one as (typeof kept)[number]),
    release: (problems) => {
      for (const one of kept.splice(0)) problems.add(...one)
    },
  }
}

/** How messages name an item. */
export const titleOf = ({ kind, name }: Pick<Item, 'kind' | 'name'>): string => `${kind} ${JSON.stringify(name)}: `

/** What all items of a file are read with. */
export interface ItemReader {
  readonly document: Document
  readonly problems: Tell
  readonly schemaOf: SchemaOf
  /** The line of an offset. */
  readonly line: LineFinder
}

export const itemReader = (document: Document, problems: Tell, schemaOf: SchemaOf): ItemReader => ({
  document,
  problems,
  schemaOf,
  line: lineFinder(document.text),
})

type Raw = Record<string, unknown>

const KINDS: readonly Kind[] = ['rule', 'list', 'macro', 'action']

/** The item at a path; none when it is to be ignored, or has no name. */
export const readItem = (reader: ItemReader, path: Path, given: unknown): Item[] => {
  const { document, problems, line } = reader
  const keys = keysOf(given)
  if (IGNORED.some((key) => keys.has(key))) return []
  const kind = KINDS.find((one) => keys.has(one))
  if (!kind) {
    const found = [...keys][0]
    const but = found === undefined ? '' : `; this has \`${found}\``
    problems.add(
      document,
      { path },
      `an item of a rules file is a map with \`rule\`, \`list\`, \`macro\` or \`action\`${but}`,
    )
    return []
  }
  const raw = given as Raw
  const name = raw[kind]
  const faults = hold()
  const start = { kind, name: typeof name === 'string' ? name : String(name), document, path, faults }
  const value = checkForm(reader, start, raw)
  const changes = changesOf(start, value)
  if (typeof name === 'string') {
    const origin = `${document.file}:${line(spanOf(document, path, { key: true }).start)}`
    return [{ ...start, value, origin, ...(changes && { changes }) }]
  }
  faults.release(problems)
  return []
}

type Start = Pick<Item, 'kind' | 'name' | 'document' | 'path' | 'faults'>

const checkForm = ({ schemaOf }: ItemReader, item: Start, raw: Raw): Raw => {
  const { document, path, faults: problems } = item
  const value = { ...raw }
  if ('desc' in value && 'description' in value) fail(item, ['desc'], 'desc is description by another name; keep one')
  if (item.kind === 'rule' && 'exceptions' in value) {
    fail(item, ['exceptions'], 'exceptions are not read here; write them into the condition: `and not (...)`')
    delete value['exceptions']
  }
  const schema = schemaFor(item.kind, raw)
  const name = titleOf(item).trimEnd()
  // the parameters of an action may stand anywhere in its steps
  const templates = item.kind === 'action'
  const checked = checkValue({ document, path, schema, value, problems, name, schemaOf, templates })
  return (checked?.value ?? value) as Raw
}

const schemaFor = (kind: Kind, raw: Raw): z.ZodType => {
  if (kind === 'list') return listFile
  if (kind === 'macro') return macroFile
  if (kind === 'action') return actionFile
  return 'override' in raw || raw['append'] === true || isSwitch(raw) ? ruleChange : ruleFile
}

/** `- rule: X` with `enabled` alone, as older files switch a rule on or off. */
const isSwitch = (raw: Raw): boolean => 'enabled' in raw && Object.keys(raw).length === 2

const changesOf = (item: Start, value: Raw): Record<string, How> | undefined => {
  if (item.kind === 'action') return undefined
  if ('override' in value) return overrides(item, value)
  if (value['append'] === true) return appends(item, value)
  if (item.kind !== 'rule' || !isSwitch(value)) return undefined
  warn(item, 'enabled', '`enabled` alone is an older form; add `override: { enabled: replace }`')
  return { enabled: 'replace' }
}

const warn = (item: Start, key: string, message: string): void =>
  item.faults.add(item.document, { path: [...item.path, key], key: true }, `${titleOf(item)}${message}`, 'warning')

const fail = (item: Start, path: Path, message: string): void =>
  item.faults.add(item.document, { path: [...item.path, ...path], key: true }, `${titleOf(item)}${message}`)

/** Keys of an item that are no values of it. */
const isValue = ({ kind }: Start, key: string): boolean => ![kind, 'override', 'append'].includes(key)

const overrides = (item: Start, value: Raw): Record<string, How> => {
  if (value['append'] === true) fail(item, ['append'], '`append: true` and `override` exclude each other')
  if (typeof value['override'] !== 'object' || value['override'] === null) return {}
  const override = Object.entries(value['override'])
  for (const key of Object.keys(value)) {
    const known = !isValue(item, key) || override.some(([name]) => name === key)
    if (!known) fail(item, [key], `${key}: \`override\` does not say whether it is to append or to replace`)
  }
  for (const [key, how] of override) {
    if (!(key in value)) fail(item, ['override', key], `override: there is no ${key} to ${String(how)}`)
  }
  const usable = override.filter(([key, how]) => key in value && isHow(how))
  return Object.fromEntries(usable)
}

const isHow = (how: unknown): how is How => how === 'append' || how === 'replace'

const APPENDABLE = ['condition', 'items', 'tags', 'desc', 'description', 'steps', 'onFailure', 'finally', 'notify']

const appends = (item: Start, value: Raw): Record<string, How> => {
  const keys = Object.keys(value).filter((key) => isValue(item, key))
  const example = keys[0] ?? (item.kind === 'list' ? 'items' : 'condition')
  warn(item, 'append', `\`append: true\` is an older form; write \`override: { ${example}: append }\``)
  for (const key of keys.filter((one) => !APPENDABLE.includes(one))) fail(item, [key], `${key} cannot be appended`)
  return Object.fromEntries(keys.filter((key) => APPENDABLE.includes(key)).map((key) => [key, 'append']))
}

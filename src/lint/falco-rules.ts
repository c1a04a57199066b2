/** Falco's own rules files, as far as it matters what an alert of a rule holds. */
import type { Document } from '../config/document.ts'

/** A rule of Falco, all files merged. */
export interface FalcoRule {
  readonly name: string
  output: string
  source: string
  enabled: boolean
  readonly tags: string[]
}

/** Falco's rules by name. */
export type FalcoRules = Map<string, FalcoRule>

type Raw = Readonly<Record<string, unknown>>

const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const listOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []

/**
 * Reads the files in order; whatever is no rule is left out.
 * @example readFalcoRules([document]).get('Terminal shell in container')?.output
 */
export const readFalcoRules = (documents: readonly Pick<Document, 'value'>[]): FalcoRules => {
  const rules: FalcoRules = new Map()
  for (const { value } of documents) {
    for (const item of Array.isArray(value) ? value : []) if (isRaw(item)) readItem(item, rules)
  }
  return rules
}

const readItem = (item: Raw, rules: FalcoRules): void => {
  const name = textOf(item['rule'])
  if (name === '') return
  const before = rules.get(name)
  const override = isRaw(item['override']) ? item['override'] : undefined
  const changes = override !== undefined || item['append'] === true || !('output' in item)
  if (before && changes) return change(before, item, override ?? {})
  if (changes && !('output' in item)) return
  rules.set(name, {
    name,
    output: textOf(item['output']),
    source: textOf(item['source']) || 'syscall',
    enabled: item['enabled'] !== false,
    tags: listOf(item['tags']),
  })
}

const change = (rule: FalcoRule, item: Raw, override: Raw): void => {
  if (typeof item['enabled'] === 'boolean') rule.enabled = item['enabled']
  if (override['output'] === 'append') rule.output += ` ${textOf(item['output'])}`
  if (override['output'] === 'replace') rule.output = textOf(item['output'])
  if (override['tags'] === 'replace') rule.tags.length = 0
  if ('tags' in override || item['append'] === true) rule.tags.push(...listOf(item['tags']))
}

const FIELD = /%([A-Za-z_][\w.]*(?:\[[^\]]*\])?)/g

/** The fields that an output text names. `%container.info` and the like stand for several. */
export const fieldsIn = (output: string): string[] =>
  [...output.matchAll(FIELD)].flatMap(([, name = '']) => SEVERAL[name] ?? [name.replace(/\.$/, '')])

/** Source: the format options of Falco's `-p`. */
const SEVERAL: Readonly<Partial<Record<string, readonly string[]>>> = {
  'container.info': ['container.id', 'container.name'],
  'k8s.info': ['k8s.ns.name', 'k8s.pod.name', 'container.id'],
}

/** Falco's own configuration, as far as it decides which rules run and what their alerts hold. */
import { fieldsIn, type FalcoRule } from './falco-rules.ts'

type Raw = Readonly<Record<string, unknown>>

const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value)

const rawsIn = (value: unknown): Raw[] => (Array.isArray(value) ? value.filter(isRaw) : [])

/** What Falco adds to alerts, and which rules it runs. */
export interface FalcoConfig {
  /** Fields that it adds to the alerts of a rule. */
  added(rule: FalcoRule): readonly string[]
  isEnabled(rule: FalcoRule): boolean
  /** Alerts have fields at all. */
  readonly hasFields: boolean
}

/** What the container plugin suggests for outputs. Source: falcosecurity/plugins, container. */
const SUGGESTED = [
  'container.id',
  'container.name',
  'container.image.repository',
  'container.image.tag',
  'k8s.ns.name',
  'k8s.pod.name',
]

/** As Falco's own falco.yaml has it. */
const SHIPPED: Raw = { append_output: [{ suggested_output: true }] }

/** @param value falco.yaml; default: as Falco ships it */
export const readFalcoConfig = (value: unknown = SHIPPED): FalcoConfig => {
  const config = isRaw(value) ? value : {}
  const appended = rawsIn(config['append_output'])
  const switches = rawsIn(config['rules'])
  return {
    hasFields: config['json_output'] !== false && config['json_include_output_fields_property'] !== false,
    added: (rule) => [
      'evt.time',
      ...appended.filter((entry) => isAbout(entry['match'], rule)).flatMap((entry) => addedBy(entry, rule)),
    ],
    isEnabled: (rule) => switches.reduce((on, entry) => switched(entry, rule, on), rule.enabled),
  }
}

/** All that is given must hold; no `match`, or an empty one, is about every rule. */
const isAbout = (match: unknown, { name, source, tags }: FalcoRule): boolean => {
  if (!isRaw(match)) return true
  const wanted = Array.isArray(match['tags']) ? (match['tags'] as unknown[]) : []
  const isSame = (key: 'rule' | 'source', own: string): boolean => match[key] === undefined || match[key] === own
  return isSame('rule', name) && isSame('source', source) && wanted.every((tag) => tags.includes(String(tag)))
}

const addedBy = (entry: Raw, { source }: FalcoRule): string[] => {
  const { extra_output: text, extra_fields: fields, suggested_output: suggested } = entry
  return [
    ...(typeof text === 'string' ? fieldsIn(text) : []),
    ...(Array.isArray(fields)
      ? fields.flatMap((one) => (typeof one === 'string' ? [one] : isRaw(one) ? Object.keys(one) : []))
      : []),
    ...(suggested === true && source === 'syscall' ? SUGGESTED : []),
  ]
}

const switched = (entry: Raw, rule: FalcoRule, on: boolean): boolean => {
  if (isMeant(entry['enable'], rule)) return true
  return isMeant(entry['disable'], rule) ? false : on
}

const isMeant = (given: unknown, { name, tags }: FalcoRule): boolean => {
  if (!isRaw(given)) return false
  const { rule, tag } = given
  if (typeof tag === 'string') return tags.includes(tag)
  return typeof rule === 'string' && (rule === name || (rule.includes('*') && fits(rule, name)))
}

const fits = (pattern: string, name: string): boolean =>
  new RegExp(
    `^${pattern
      .split(/\*+/)
      .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('.*')}$`,
    's',
  ).test(name)

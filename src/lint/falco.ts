/** Whether the alerts of Falco's rules hold what our rules look at. */
import { type Need, needsOf } from '../rules/needs.ts'
import type { RuleInput } from '../rules/rule.ts'
import { suggestion } from '../suggest.ts'
import type { FalcoConfig } from './falco-config.ts'
import { type FalcoRule, type FalcoRules, fieldsIn } from './falco-rules.ts'
import { boundRules } from './reach.ts'
import type { Finding } from './steps.ts'

/** For each rule bound to rules of Falco: those that do not exist or are off, and fields that their alerts lack. */
export const lintFalco = (rules: readonly RuleInput[], falco: FalcoRules, config: FalcoConfig): Finding[] =>
  rules.flatMap((rule) => {
    const bound = boundRules(rule) ?? []
    const known = bound.flatMap((name) => falco.get(name) ?? [])
    return [
      ...bound.filter((name) => !falco.has(name)).map((name) => unknown(rule, name, falco)),
      ...known.filter((one) => !config.isEnabled(one)).map((one) => disabled(rule, one)),
      ...missing(rule, known, config),
    ]
  })

const unknown = (rule: RuleInput, name: string, falco: FalcoRules): Finding => ({
  rule,
  message: `Falco has no rule ${JSON.stringify(name)}${suggestion(name, falco.keys()).replace(/^; known are.*/s, '')}`,
})

const disabled = (rule: RuleInput, { name }: FalcoRule): Finding => ({
  rule,
  message: `Falco's rule ${JSON.stringify(name)} is disabled; add to its rules:\n${ON.replace('NAME', () => JSON.stringify(name))}`,
})

const ON = '- rule: NAME\n  enabled: true\n  override: {enabled: replace}'

/** One finding for each place that lacks fields. */
const missing = (rule: RuleInput, known: readonly FalcoRule[], config: FalcoConfig): Finding[] => {
  const found = new Map<string, { need: Need; falco: FalcoRule[] }>()
  for (const falco of known) {
    const has = new Set(config.hasFields ? [...fieldsIn(falco.output), ...config.added(falco)] : [])
    for (const need of needsOf(rule)) {
      if (need.anyOf.some((all) => all.every((name) => has.has(name)))) continue
      const key = `${need.step ?? ''} ${String(need.anyOf[0])}`
      const entry = found.get(key) ?? { need, falco: [] }
      if (!entry.falco.includes(falco)) entry.falco.push(falco)
      found.set(key, entry)
    }
  }
  return [...found.values()].map(({ need, falco }) => lacking(rule, need, falco, config))
}

const lacking = (
  rule: RuleInput,
  { anyOf, by, step }: Need,
  falco: readonly FalcoRule[],
  config: FalcoConfig,
): Finding => {
  const [fields = []] = anyOf
  const names = falco.map(({ name }) => JSON.stringify(name))
  const entries = names.map(
    (name) => `  - match: {rule: ${name}}\n    extra_fields: [${fields.map(quoted).join(', ')}]`,
  )
  const snippet = config.hasFields
    ? `append_output:\n${entries.join('\n')}`
    : 'json_output: true\njson_include_output_fields_property: true'
  const message = `alerts of ${names.join(', ')} have no ${fields.join(' and ')}, which ${by} needs; add to falco.yaml:\n${snippet}`
  return { rule, ...(step !== undefined && { step }), message }
}

const quoted = (field: string): string => (/^[\w.]+$/.test(field) ? field : JSON.stringify(field))

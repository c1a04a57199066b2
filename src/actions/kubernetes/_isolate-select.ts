/** What still lets traffic through to a pod that is cut off, and which labels it would have to lose. Pure. */
import type { V1LabelSelector, V1NetworkPolicy } from '@kubernetes/client-node'

type Labels = Readonly<Record<string, string>>

/**
 * Whether a selector takes a pod of these labels; an empty one takes every pod.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */
export const selects = ({ matchLabels = {}, matchExpressions = [] }: V1LabelSelector, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key]
    if (operator === 'In') return value !== undefined && values.includes(value)
    if (operator === 'NotIn') return value === undefined || !values.includes(value)
    return operator === 'Exists' ? value !== undefined : value === undefined
  })

/** Policies only ever add to what is allowed: one with a rule for a direction that it is about lets something through. */
export const letsThrough = ({ spec }: V1NetworkPolicy): boolean => {
  const types = spec?.policyTypes ?? ['Ingress', 'Egress']
  const has = (type: string, rules: readonly unknown[] = []) => types.includes(type) && rules.length > 0
  return has('Ingress', spec?.ingress) || has('Egress', spec?.egress)
}

/** The labels that a selector asks for: without them it takes the pod no more. */
export const keysOf = ({ matchLabels = {}, matchExpressions = [] }: V1LabelSelector): string[] => [
  ...Object.keys(matchLabels),
  ...matchExpressions.filter(({ operator }) => operator === 'In' || operator === 'Exists').map(({ key }) => key),
]

/** The labels without some of them. */
export const without = (labels: Labels, keys: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([key]) => !keys.includes(key)))

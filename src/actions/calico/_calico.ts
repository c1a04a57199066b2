/** The selectors and rules of Calico's policies. Pure. */
import { isIP } from 'node:net'
import type { Selection } from '../kubernetes/_policy.ts'

/**
 * A selection in Calico's language, always in the same order. Keys and values hold only what labels may.
 * @see https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selectors
 * @example selectorText({ matchLabels: { app: 'web' }, matchExpressions: [] }) // "app == 'web'"
 */
export const selectorText = ({ matchLabels, matchExpressions }: Selection): string =>
  [
    ...Object.entries(matchLabels).map(([key, value]) => `${key} == ${quoted(value)}`),
    ...matchExpressions.map(({ key, operator, values = [] }) => OPERATORS[operator]?.(key, listOf(values)) ?? ''),
  ]
    .filter(Boolean)
    .sort()
    .join(' && ')

const OPERATORS: Readonly<Record<string, (key: string, values: string) => string>> = {
  In: (key, values) => `${key} in ${values}`,
  NotIn: (key, values) => `${key} not in ${values}`,
  Exists: (key) => `has(${key})`,
  DoesNotExist: (key) => `!has(${key})`,
}

const quoted = (value: string): string => `'${value}'`

/** A set of values. */
export const listOf = (values: readonly string[]): string => `{ ${values.map(quoted).join(', ')} }`

/** One rule for each version of IP: Calico refuses a rule that holds ranges of both. */
export const rulesFor = (action: 'Allow' | 'Deny', nets: readonly string[]) =>
  [4, 6]
    .map((version) => nets.filter((net) => isIP(net.split('/')[0] ?? '') === version))
    .filter((some) => some.length > 0)
    .map((some) => ({ action, destination: { nets: some } }))

/** The selectors of Cilium's policies. Pure. */
import type { Selection } from '../kubernetes/_policy.ts'

/**
 * A selection as Cilium takes it: each key with the source of the label, without which a dot in a key may be taken for
 * the end of a source.
 * @see https://docs.cilium.io/en/stable/gettingstarted/terminology/#label-source
 */
export const endpointsOf = ({ matchLabels, matchExpressions }: Selection) => ({
  matchLabels: Object.fromEntries(Object.entries(matchLabels).map(([key, value]) => [`k8s:${key}`, value])),
  ...(matchExpressions.length > 0 && {
    matchExpressions: matchExpressions.map((one) => ({ ...one, key: `k8s:${one.key}` })),
  }),
})

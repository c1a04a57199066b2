/** What no step may touch: judged by what a live thing is, whose it is and how it is labelled. Pure. */
import type { Subject } from '../plugin.ts'
import { globTest } from '../rules/glob.ts'
import type { Refusal } from './judge.ts'
import type { GuardSettings } from './settings.ts'

export type Protection = (subject: Subject, options: { readonly claimed: boolean }) => Refusal | undefined

type Protected = Pick<
  GuardSettings,
  'protectedNamespaces' | 'protectedOwners' | 'protectedLabels' | 'protectedNodes' | 'ownNamespace' | 'ownPod'
>

/**
 * Made once of the settings. A thing whose labels or owners are not known is refused, unless it is only `claimed`: what
 * an event says of itself where there is nobody to ask, and nothing is changed.
 */
export const createProtection = (settings: Protected): Protection => {
  const checks = [
    ownCheck(settings),
    namespaceCheck(settings),
    ownerCheck(settings),
    labelCheck(settings),
    nodeCheck(settings),
  ]
  return (subject, { claimed }) => {
    const seen = claimed ? { labels: {}, owners: [], ...subject } : subject
    for (const check of checks) {
      const refusal = check(seen)
      if (refusal) return refusal
    }
    return undefined
  }
}

type Check = (subject: Subject) => Refusal | undefined

const namespaceOf = ({ kind, name, namespace }: Subject): string | undefined =>
  kind === 'Namespace' ? name : namespace

const ownCheck =
  ({ ownNamespace, ownPod }: Protected): Check =>
  (subject) => {
    if (ownNamespace !== undefined && namespaceOf(subject) === ownNamespace)
      return { reason: 'self', message: `Yarak itself runs in the namespace ${ownNamespace}` }
    const isOwnPod = ownPod !== undefined && subject.kind === 'Pod' && subject.name === ownPod
    return isOwnPod ? { reason: 'self', message: `Yarak itself runs in the pod ${ownPod}` } : undefined
  }

const namespaceCheck = ({ protectedNamespaces }: Protected): Check => {
  const namespaces = new Set(protectedNamespaces)
  return (subject) => {
    const namespace = namespaceOf(subject)
    return namespace !== undefined && namespaces.has(namespace)
      ? { reason: 'protected-namespace', message: `the namespace ${namespace} is protected` }
      : undefined
  }
}

const ownerCheck = ({ protectedOwners }: Protected): Check => {
  const tests = protectedOwners.map(globTest)
  if (tests.length === 0) return () => undefined
  // Of a static pod its node is the owner that the pod itself names.
  const looksUp = protectedOwners.some((one) => !one.startsWith('Node/'))
  return ({ kind, name, owners, incomplete, key }) => {
    if (!owners && kind === 'Pod') return untold('protected-owner', key, 'owners')
    const own = kind === 'Node' || name === undefined ? [] : [{ kind, name }]
    const found = [...own, ...(owners ?? [])]
      .map((owner) => `${owner.kind}/${owner.name}`)
      .find((owner) => tests.some((test) => test(owner)))
    if (found !== undefined) return { reason: 'protected-owner', message: `${found} is protected` }
    return looksUp && incomplete !== undefined ? untold('protected-owner', key, 'owners') : undefined
  }
}

const labelCheck = ({ protectedLabels }: Protected): Check => {
  if (protectedLabels.length === 0) return () => undefined
  return ({ labels, key }) => {
    if (!labels) return untold('protected-label', key, 'labels')
    const found = protectedLabels.find(isIn(labels))
    return found === undefined
      ? undefined
      : { reason: 'protected-label', message: `what is labelled ${found} is protected` }
  }
}

/** A name of a node has neither `/` nor `=`. */
const nodeCheck = ({ protectedNodes }: Protected): Check => {
  const selectors = protectedNodes.filter((entry) => /[/=]/.test(entry))
  const names = protectedNodes.filter((entry) => !selectors.includes(entry)).map(globTest)
  return ({ kind, name, labels, key }) => {
    if (kind !== 'Node') return undefined
    if (!labels && selectors.length > 0) return untold('protected-node', key, 'labels')
    const isProtected = selectors.some(isIn(labels ?? {})) || (name !== undefined && names.some((test) => test(name)))
    return isProtected ? { reason: 'protected-node', message: `the node ${name ?? key} is protected` } : undefined
  }
}

/** Whether a selector, `key` or `key=value`, selects by these labels. */
const isIn =
  (labels: Readonly<Record<string, string>>) =>
  (selector: string): boolean => {
    const [key = '', value] = selector.split('=')
    return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value)
  }

const untold = (reason: string, key: string, what: string): Refusal => ({
  reason,
  message: `the ${what} of ${key} are not known, so whether it is protected cannot be told`,
})

/** How many ready replicas must be left of so many. */
const floorOf = (least: number | string, desired: number): number => {
  const share = /^(\d+)%$/.exec(String(least))?.[1]
  return share === undefined ? Number(least) : Math.ceil((Number(share) * desired) / 100)
}

/** Destroying a pod takes one replica, destroying anything else that has replicas takes all. */
export const replicaRefusal = (
  least: number | string | undefined,
  { kind, key, replicas, incomplete }: Subject,
): Refusal | undefined => {
  if (least === undefined) return undefined
  if (!replicas) return incomplete === undefined ? undefined : untold('min-healthy-replicas', key, 'replicas')
  const left = kind === 'Pod' ? Math.max(0, replicas.ready - 1) : 0
  const floor = floorOf(least, replicas.desired)
  if (left >= floor) return undefined
  const message = `it would leave ${left} of ${replicas.desired} replicas ready, and ${floor} are to be`
  return { reason: 'min-healthy-replicas', message }
}
